// Random mutations of shipped code, tested in a copy.
import { spawnSync } from "node:child_process";
import { cpSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, relative } from "node:path";
import { seeded } from "../Random.ts";
import { root } from "./Mutants.ts";
import { changed, sitesIn, type Site } from "./Sites.ts";

/** Longest that the tests of a package may take on one change, in milliseconds. Tests that do not end have noticed it. */
const timeoutMs = 600_000;

/** Shipped packages and the vitest projects that test them: their own first, then those that run them from outside. */
const projects: Readonly<Record<string, ReadonlyArray<string>>> = {
  "packages/core": ["core"],
  "packages/http-cache": ["http-cache"],
  "packages/registry": ["registry"],
  "packages/cli": ["cli"],
  "apps/worker": ["worker", "worker-in-workerd"],
  "apps/registry": ["registry-worker"],
};

/** One change and what became of it. */
export interface RandomMutant extends Site {
  /** Path from the root of the repository. */
  readonly file: string;
  readonly outcome: "caught" | "survived";
}

/** The shipped sources: no tests, nothing generated. */
const shipped = (folder: string): ReadonlyArray<string> =>
  globSync("src/**/*.ts", { cwd: join(root, folder) })
    .filter((path) => !/\.test\.ts$|\.d\.ts$|(?:^|\/)gen\//.test(path))
    .toSorted()
    .map((path) => join(folder, path));

/** So many changes, each as likely as any other. The same seed chooses the same ones while the sources are the same. */
export const choose = (count: number, seed: number): ReadonlyArray<Site & { readonly file: string }> => {
  const all = Object.keys(projects)
    .flatMap(shipped)
    .flatMap((file) => sitesIn(readFileSync(join(root, file), "utf8")).map((site) => Object.assign({ file }, site)));
  const random = seeded(seed);
  const chosen: Array<Site & { readonly file: string }> = [];
  while (chosen.length < count && all.length > 0) chosen.push(...all.splice(random.below(all.length), 1));
  return chosen;
};

/** What a copy does without: what is made again, and dependencies, which are linked. */
const leftOut = new Set([".git", ".data", ".turbo", ".mutation", ".wrangler", "coverage"]);

/** A copy of the sources as they are, in which files can be changed. Packages see each other's there. */
const copyRepository = (): string => {
  const copy = mkdtempSync(join(tmpdir(), "mutants-"));
  cpSync(root, copy, {
    recursive: true,
    verbatimSymlinks: true,
    filter: (path) => {
      const name = basename(path);
      return !leftOut.has(name) && relative(root, path) !== "node_modules";
    },
  });
  symlinkSync(join(root, "node_modules"), join(copy, "node_modules"));
  mkdirSync(join(copy, ".data"));
  return copy;
};

/**
 * Tries changes one after the other; `onTried` hears of each. Throws where the tests of a package fail without a change: they
 * would seem to catch everything.
 */
export const tryAll = (
  chosen: ReadonlyArray<Site & { readonly file: string }>,
  onTried: (mutant: RandomMutant) => void,
): ReadonlyArray<RandomMutant> => {
  const copy = copyRepository();
  const vitest = join(copy, "node_modules/vitest/vitest.mjs");
  const passes = (...args: ReadonlyArray<string>): boolean =>
    spawnSync(process.execPath, [vitest, ...args, "--bail", "1", "--reporter", "dot"], {
      cwd: copy,
      env: { ...process.env, CI: "", TEST_COUNTS: join(copy, ".data/tests.json") },
      stdio: "ignore",
      timeout: timeoutMs,
      killSignal: "SIGKILL",
    }).status === 0;
  const checked = new Set<string>();
  try {
    return chosen.map((site) => {
      const { file } = site;
      const [, folder = ""] = /^((?:packages|apps)\/[^/]+)\//.exec(file) ?? [];
      const own = (projects[folder] ?? []).flatMap((project) => ["--project", project]);
      if (!checked.has(folder) && !passes("run", ...own))
        throw new Error(`the tests of ${folder} fail without a change`);
      checked.add(folder);
      const original = readFileSync(join(copy, file), "utf8");
      writeFileSync(join(copy, file), changed(original, site));
      // Tests that import the file are the quickest to notice; those that run it in another process come after.
      const survived = passes("related", file, "--run", ...own) && passes("run", ...own);
      writeFileSync(join(copy, file), original);
      const mutant = Object.assign({ outcome: survived ? ("survived" as const) : ("caught" as const) }, site);
      onTried(mutant);
      return mutant;
    });
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
};
