// Checks of a published package's tarball.
import { globSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { quietly } from "./Step.ts";

interface Manifest {
  readonly name: string;
  readonly private?: boolean;
  readonly bin?: unknown;
  readonly exports?: unknown;
  readonly scripts?: Readonly<Record<string, string>>;
}

/** A published package and its folder. */
export interface PublishedPackage {
  readonly folder: string;
  readonly manifest: Manifest;
}

/** The packages under `packages/` that are published: not private, and with something to import or run. */
export const publishedPackages = (): ReadonlyArray<PublishedPackage> =>
  globSync("packages/*/package.json")
    .toSorted()
    .map((manifest) => dirname(manifest))
    .map((folder) => ({ folder, manifest: manifestOf(folder) }))
    .filter(({ manifest }) => manifest.private !== true && (manifest.exports ?? manifest.bin) !== undefined);

const manifestOf = (folder: string): Manifest =>
  JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as Manifest;

/** Packs one package and holds the tarball against publint and, where it can be imported, Are The Types Wrong. */
export const checkPacked = async ({ folder, manifest }: PublishedPackage): Promise<void> => {
  const temporary = mkdtempSync(join(tmpdir(), "packed-"));
  try {
    await quietly("pnpm", ["pack", "--pack-destination", temporary], { cwd: folder });
    const [name] = readdirSync(temporary);
    if (name === undefined) throw new Error(`${manifest.name} was packed into nothing`);
    const tarball = join(temporary, name);
    await checkContents(tarball);
    await quietly("publint", ["run", "--strict", tarball]);
    if (manifest.exports !== undefined) {
      // ESM only is meant: `require` of these packages is for runtimes that can `require` ESM.
      await quietly("attw", ["--profile", "esm-only", "--no-emoji", "--no-definitely-typed", tarball]);
    }
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
};

/** Files that every package must have, and forbidden ones. */
const checkContents = async (tarball: string): Promise<void> => {
  const files = (await quietly("tar", ["-tzf", tarball])).trim().split("\n");
  const missing = ["package/README.md", "package/LICENSE"].filter((file) => !files.includes(file));
  const surplus = files.filter((file) => /\.test\.|\.tsbuildinfo$|\/(?:src|test)\//.test(file));
  if (missing.length + surplus.length > 0) {
    throw new Error(
      [...missing.map((file) => `${file} is missing`), ...surplus.map((file) => `${file} is too much`)].join("\n"),
    );
  }
};
