// Counts of passed, failed and skipped tests.

/** Counts of a run. */
export interface TestCounts {
  readonly passed: number;
  /** Full names of the tests that failed, each with its message. */
  readonly failed: ReadonlyArray<string>;
  /** Full names of the tests that passed only at their second try, each with the message of the first. They count as passed. */
  readonly flaky: ReadonlyArray<string>;
  /** Full names of the tests that were skipped. */
  readonly skipped: ReadonlyArray<string>;
}

/** The line that people and CI read, the last one of a run. */
export const closingLine = ({ passed, failed, skipped }: TestCounts): string =>
  `${passed} passed, ${failed.length} failed${skipped.length > 0 ? `, ${skipped.length} skipped` : ""}`;

/** A line for each test that failed, or passed only at its second try. */
export const problems = ({ failed, flaky }: TestCounts): string =>
  [
    ...failed.map((failure) => `\nfailed: ${failure}\n`),
    ...flaky.map((failure) => `\npassed only at the second try: ${failure}\n`),
  ].join("");

/** The counts of several runs together. */
export const sumOf = (counts: ReadonlyArray<TestCounts>): TestCounts => ({
  passed: counts.reduce((sum, { passed }) => sum + passed, 0),
  failed: counts.flatMap(({ failed }) => failed),
  flaky: counts.flatMap(({ flaky }) => flaky),
  skipped: counts.flatMap(({ skipped }) => skipped),
});

/**
 * Whether skipped tests fail the run: in CI on Linux, where everything that tests need is installed. Elsewhere a test may need what
 * the system does not have.
 */
export const forbidsSkips = (env: NodeJS.ProcessEnv, platform: NodeJS.Platform): boolean =>
  env["CI"] === "true" && platform === "linux";

/** Vitest's options in CI: a test that fails is tried once more, and listed. A chance failure of one of thousands stops no landing. */
export const retries = (env: NodeJS.ProcessEnv): ReadonlyArray<string> =>
  env["CI"] === "true" ? ["--retry", "1"] : [];
