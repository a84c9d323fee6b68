// Mutations of a target, and the result of each.
import { readFileSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { Stryker } from "@stryker-mutator/core";
import type { Target } from "./Targets.ts";

export const root = fileURLToPath(new URL("../../../../", import.meta.url));

/** One change of a rule. */
export interface Mutant {
  /** Path from the root of the repository. */
  readonly file: string;
  /** Of the change, for people. */
  readonly line: number;
  readonly original: string;
  readonly replacement: string;
  /** In Stryker's words. Killed: a test failed. Timeout: the tests did not end. Survived, NoCoverage: nobody noticed. */
  readonly status: string;
}

interface Position {
  readonly line: number;
  readonly column: number;
}

/** Changes the rules of a target, one change at a time, and runs its tests on each. Takes minutes. */
export const mutantsOf = async (target: Target): Promise<ReadonlyArray<Mutant>> => {
  // Stryker works in the current directory, and its test runners inherit the environment.
  process.chdir(join(root, target.directory));
  process.env["MUTATION_TESTS"] = JSON.stringify(target.tests);
  // A change that only one of hundreds of random numberings shows would say little for the tests.
  process.env["TRUST_RUNS"] = "20";
  const results = await new Stryker({
    testRunner: "vitest",
    plugins: [fileURLToPath(import.meta.resolve("@stryker-mutator/vitest-runner"))],
    vitest: { configFile: fileURLToPath(new URL("vitest.config.ts", import.meta.url)), related: false },
    mutate: [...target.mutate],
    reporters: ["progress-append-only"],
    concurrency: 2,
    // Beyond what the tests take, which is more on a machine that does something else: a change is not noticed by that.
    timeoutMS: 15_000,
    // A sandbox as deep as the package, so that what its settings extend is where they look for it.
    tempDirName: "../../.mutation",
    // Nothing in the package's own needs rewriting there, and TypeScript 7 has nothing to rewrite it with.
    tsconfigFile: "none.json",
    ignorePatterns: ["dist"],
    allowConsoleColors: false,
  }).runMutationTest();
  // They come in the order in which they were settled.
  const inOrder = results.toSorted(
    (a, b) =>
      a.fileName.localeCompare(b.fileName) ||
      a.location.start.line - b.location.start.line ||
      a.location.start.column - b.location.start.column ||
      b.location.end.line - a.location.end.line ||
      b.location.end.column - a.location.end.column ||
      (a.replacement ?? "").localeCompare(b.replacement ?? ""),
  );
  return inOrder.map(({ fileName, location, replacement, status }) => ({
    file: relative(root, fileName),
    line: location.start.line,
    original: oneLine(textAt(readFileSync(fileName, "utf8"), location.start, location.end)),
    replacement: oneLine(replacement ?? ""),
    status,
  }));
};

/** A text without its line breaks. */
export const oneLine = (text: string): string => text.replaceAll(/\s+/g, " ").trim();

/** The text between two positions. Lines and columns of results are counted from 1. */
const textAt = (source: string, start: Position, end: Position): string => {
  const lines = source.split("\n").slice(start.line - 1, end.line);
  lines[lines.length - 1] = lines.at(-1)?.slice(0, end.column - 1) ?? "";
  lines[0] = lines[0]?.slice(start.column - 1) ?? "";
  return lines.join("\n");
};
