// Release rehearsal in a copy.
import { spawnSync } from "node:child_process";
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join } from "node:path";
import { publishedPackages } from "./Packed.ts";
import { quietly } from "./Step.ts";

/** One package as a release would publish it. */
export interface Rehearsed {
  readonly name: string;
  readonly from: string;
  readonly to: string;
  /** Files in the tarball. */
  readonly files: number;
}

interface Manifest {
  readonly version: string;
  readonly repository?: { readonly url?: string; readonly directory?: string };
  readonly engines?: { readonly node?: string };
  readonly dependencies?: Readonly<Record<string, string>>;
}

const manifestIn = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;

/** Whether git is installed, which changesets needs. */
export const canRehearse = (): boolean => spawnSync("git", ["--version"]).status === 0;

/**
 * Rehearses a release of the built packages in a copy: `changeset status`, `changeset version`, and for each package
 * `pnpm publish --dry-run`. Nothing here is changed and nothing is sent. Rejects when any of it would fail.
 */
export const rehearseRelease = async (): Promise<ReadonlyArray<Rehearsed>> => {
  const copy = mkdtempSync(join(tmpdir(), "release-"));
  try {
    await copyRepository(copy);
    const changes = readdirSync(join(copy, ".changeset")).filter(
      (name) => name.endsWith(".md") && name !== "README.md",
    );
    await quietly("pnpm", ["install", "--offline", "--frozen-lockfile", "--ignore-scripts"], { cwd: copy });
    await quietly("changeset", ["status"], { cwd: copy });
    if (changes.length > 0) await quietly("changeset", ["version"], { cwd: copy });
    const left = changes.filter((name) => existsSync(join(copy, ".changeset", name)));
    if (left.length > 0) throw new Error(`changeset version left ${left.join(", ")}`);
    const rehearsed: Array<Rehearsed> = [];
    for (const { folder, manifest } of publishedPackages()) {
      rehearsed.push(await published(join(copy, folder), manifest.name, manifestIn(folder).version));
    }
    return rehearsed;
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
};

/** Folders that no release needs; `dist` it does. */
const leftOut = new Set([".data", ".git", ".turbo", ".wrangler", "coverage", "node_modules"]);

/** The files as they are now, in a repository of their own with one commit. */
const copyRepository = async (copy: string): Promise<void> => {
  cpSync(".", copy, { recursive: true, filter: (path) => !leftOut.has(basename(path)) });
  const git = (...args: ReadonlyArray<string>) =>
    quietly("git", ["-c", "user.name=rehearsal", "-c", "user.email=rehearsal@localhost", ...args], { cwd: copy });
  await git("init", "--quiet", "--initial-branch=main");
  await git("add", "--all");
  await git("commit", "--quiet", "--no-verify", "--message=Rehearse a release");
};

/** Publishes one package of the copy to nowhere, and reads the tarball that would have been sent. */
const published = async (folder: string, name: string, from: string): Promise<Rehearsed> => {
  await quietly("pnpm", ["publish", "--dry-run", "--no-git-checks"], { cwd: folder });
  await quietly("pnpm", ["pack", "--pack-destination", folder], { cwd: folder });
  const tarball = readdirSync(folder).find((file) => file.endsWith(".tgz"));
  if (tarball === undefined) throw new Error(`${name} was packed into nothing`);
  const manifest = JSON.parse(
    await quietly("tar", ["-xzOf", join(folder, tarball), "package/package.json"]),
  ) as Manifest;
  const open = Object.entries(manifest.dependencies ?? {}).filter(([, range]) => /^(?:workspace|catalog):/.test(range));
  if (open.length > 0) throw new Error(`${name} would be published with ${JSON.stringify(Object.fromEntries(open))}`);
  const files = (await quietly("tar", ["-tzf", join(folder, tarball)])).trim().split("\n");
  const missing = missingIn(manifest, basename(folder), files);
  if (missing.length > 0) throw new Error(`${name} would be published without ${missing.join(", ")}`);
  return { name, from, to: manifest.version, files: files.length };
};

/** Modules without a source in this repository: the bundler's own chunks, Node's modules, Swagger UI. */
const sourceless = /\/(?:rolldown-runtime|_node_\w+|promises)-[\w-]+\.js$|\/dist\/docs\//;

/** Missing parts of a published package: repository, Node version, and a source map of each module. */
export const missingIn = (manifest: Manifest, folder: string, files: ReadonlyArray<string>): ReadonlyArray<string> => {
  const { repository, engines } = manifest;
  const isPlaced =
    /^git\+https:\/\/\S+\.git$/.test(repository?.url ?? "") && repository?.directory === `packages/${folder}`;
  const all = new Set(files);
  const unmapped = files.filter(
    (file) => /^package\/dist\/.*\.js$/.test(file) && !sourceless.test(file) && !all.has(`${file}.map`),
  );
  return [
    ...(isPlaced ? [] : ["repository"]),
    ...(engines?.node === undefined ? ["engines.node"] : []),
    ...unmapped.map((file) => `${file}.map`),
  ];
};
