// Random mutations of shipped code, tested in a copy.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  appendFileSync,
  chmodSync,
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, join, relative } from "node:path";
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

/** One change of shipped code. */
interface Chosen extends Site {
  /** Path from the root of the repository. */
  readonly file: string;
  readonly id: string;
}

/** One change and its result. */
export interface RandomMutant extends Chosen {
  readonly outcome: "caught" | "survived";
  /** The test file that caught it, or "run" where the run did not end or failed outside of a test. */
  readonly by: string | undefined;
}

/** The shipped sources: no tests, nothing generated. */
const shipped = (folder: string): ReadonlyArray<string> =>
  globSync("src/**/*.ts", { cwd: join(root, folder) })
    .filter((path) => !/\.test\.ts$|\.d\.ts$|(?:^|\/)gen\//.test(path))
    .toSorted()
    .map((path) => join(folder, path));

/** The changes of a file. Their ids depend on their line, their place in it and the seed, wherever the line stands. */
export const identify = (file: string, text: string, seed: number): ReadonlyArray<Chosen> => {
  const lines = text.split("\n");
  const times = new Map<string, number>();
  return sitesIn(text).map((site) => {
    const column = site.start - text.lastIndexOf("\n", site.start - 1);
    const change = JSON.stringify([seed, file, lines[site.line - 1], column, site.replacement]);
    const time = (times.get(change) ?? 0) + 1;
    times.set(change, time);
    return Object.assign({ file, id: createHash("sha256").update(`${change} ${time}`).digest("hex") }, site);
  });
};

/** So many changes, each as likely as any other. The same seed chooses the same ones while their lines stay as they are. */
export const choose = (count: number, seed: number): ReadonlyArray<Chosen> =>
  Object.keys(projects)
    .flatMap(shipped)
    .flatMap((file) => identify(file, readFileSync(join(root, file), "utf8"), seed))
    .toSorted((a, b) => (a.id < b.id ? -1 : 1))
    .slice(0, count);

/** Which test file caught a change, a line for each, from earlier runs: it is tried first. */
const catchersFile = join(root, ".data/mutants.txt");

const lastCatchers = (): ReadonlyMap<string, string> => {
  if (!existsSync(catchersFile)) return new Map();
  const lines = readFileSync(catchersFile, "utf8").split("\n");
  return new Map(lines.map((line) => [line.slice(0, 64), line.slice(65)]));
};

/** Left out of a copy: generated files, and dependencies, which are linked. */
const leftOut = new Set([".git", ".data", ".turbo", ".mutation", ".wrangler", "coverage"]);

/** A copy of the sources as they are, in which files can be changed. Packages see each other's there. */
const copyRepository = (): string => {
  const copy = mkdtempSync(join(tmpdir(), "mutants-"));
  // Tests that start a program as another user need a way to it, as they have in a clone.
  chmodSync(copy, 0o755);
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

/** The test files that failed in a run, or "run": it did not end, or failed outside of a test. */
type Failed = ReadonlyArray<string> | "run";

/** Test files by what earlier changes showed of them. */
interface KnownTests {
  /** Failed without a change, and take no further part. */
  readonly broken: Set<string>;
  /** Passed without a change. */
  readonly sound: Set<string>;
}

/** The test file that fails with a change, alone too, and passes without it; undefined where the run of no stage has one. */
export const catcherOf = (
  stages: ReadonlyArray<ReadonlyArray<string>>,
  run: (args: ReadonlyArray<string>, isChanged: boolean) => Failed,
  { broken, sound }: KnownTests,
): string | undefined => {
  /** Failed among parallel files, but not alone: by chance. */
  const chance = new Set<string>();
  for (const args of stages) {
    // Without the files that fail anyway or by chance, the same stage may find another one.
    for (;;) {
      const out = [...broken, ...chance];
      const failed = run([...args, ...excluded(out)], true);
      if (failed === "run" && run([...args, ...excluded(out)], false).length === 0) return failed;
      const found = failed === "run" ? [] : failed.filter((test) => !out.includes(test));
      if (found.length === 0) break;
      for (const test of found) {
        const alone = ["run", test, ...args.slice(args.indexOf("--project"))];
        if (args.join(" ") !== alone.join(" ") && run(alone, true).length === 0) chance.add(test);
        else if (sound.has(test)) return test;
        else if (run(alone, false).length > 0) broken.add(test);
        else {
          sound.add(test);
          return test;
        }
      }
    }
  }
  return undefined;
};

/**
 * Tries changes one after the other; `onTried` hears of each. Files that fail without a change take no further part; `onBroken` hears
 * of them.
 */
export const tryAll = (
  chosen: ReadonlyArray<Chosen>,
  onTried: (mutant: RandomMutant) => void,
  onBroken: (file: string) => void,
): ReadonlyArray<RandomMutant> => {
  const copy = copyRepository();
  const catchers = lastCatchers();
  const known: KnownTests = { broken: new Set(), sound: new Set() };
  try {
    return chosen.map((site) => {
      const { file, id } = site;
      const [, folder = ""] = /^((?:packages|apps)\/[^/]+)\//.exec(file) ?? [];
      const own = (projects[folder] ?? []).flatMap((project) => ["--project", project]);
      const path = join(copy, file);
      const original = readFileSync(path, "utf8");
      const direct = testsOf(copy, folder, file);
      const last = catchers.get(id);
      // The quickest to notice come first; tests that run the file in another process come last.
      const stages = [
        ...(last === undefined || !existsSync(join(copy, last)) ? [] : [["run", last, ...own]]),
        ...(direct.length > 0 ? [["run", ...direct, ...own]] : []),
        ["related", file, "--run", ...own],
        ["run", ...own],
      ];
      const before = known.broken.size;
      const by = catcherOf(
        stages,
        (args, isChanged) => {
          writeFileSync(path, isChanged ? changed(original, site) : original);
          return failedOf(copy, args);
        },
        known,
      );
      for (const test of [...known.broken].slice(before)) onBroken(test);
      writeFileSync(path, original);
      const mutant = Object.assign(
        { outcome: by === undefined ? ("survived" as const) : ("caught" as const), by },
        site,
      );
      if (by !== undefined) appendFileSync(catchersFile, `${id} ${by}\n`);
      onTried(mutant);
      return mutant;
    });
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
};

/** The tests of a package that import a file themselves. */
const testsOf = (copy: string, folder: string, file: string): ReadonlyArray<string> =>
  globSync("{src,test}/**/*.test.ts", { cwd: join(copy, folder) })
    .map((path) => join(folder, path))
    .filter((path) => readFileSync(join(copy, path), "utf8").includes(`/${basename(file)}"`));

/** As vitest wants it: from the folder of the project. */
const excluded = (files: Iterable<string>): ReadonlyArray<string> =>
  [...files].flatMap((file) => ["--exclude", file.split("/").slice(2).join("/")]);

/** Runs tests in a copy of the repository until one fails. */
const failedOf = (copy: string, args: ReadonlyArray<string>): Failed => {
  const report = join(copy, ".data/report.json");
  rmSync(report, { force: true });
  const vitest = join(copy, "node_modules/vitest/vitest.mjs");
  const { status, signal } = spawnSync(
    process.execPath,
    [vitest, ...args, "--bail", "1", "--passWithNoTests", "--reporter", "json", "--outputFile", report],
    {
      cwd: copy,
      // What is built has to be built again with the change.
      env: { ...process.env, CI: "", PACKAGES_BUILT: "", TEST_COUNTS: join(copy, ".data/tests.json") },
      stdio: "ignore",
      timeout: timeoutMs,
      killSignal: "SIGKILL",
    },
  );
  if (status === 0) return [];
  if (signal !== null || !existsSync(report)) return "run";
  const { testResults } = JSON.parse(readFileSync(report, "utf8")) as {
    readonly testResults: ReadonlyArray<{
      readonly name: string;
      readonly status: string;
      readonly message: string;
      readonly assertionResults: ReadonlyArray<{ readonly status: string }>;
    }>;
  };
  const failed = testResults
    // Files that had not ended when another one failed are reported as failed, too, with neither a message nor a failed test.
    .filter(
      ({ status, message, assertionResults }) =>
        status === "failed" && (message !== "" || assertionResults.some((result) => result.status === "failed")),
    )
    .map(({ name }) => relative(copy, name));
  return failed.length === 0 ? "run" : failed;
};
