// Counts in the closing line; skipped tests fail in CI.
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { closingLine, forbidsSkips, problems, retries, sumOf } from "./TestCounts.ts";

const reporter = fileURLToPath(new URL("./ClosingLineReporter.ts", import.meta.url));
const vitest = fileURLToPath(new URL("../node_modules/vitest/vitest.mjs", import.meta.url));

/** Runs one test file under the reporter. */
const runOf = (tests: string, env: NodeJS.ProcessEnv = {}, options: ReadonlyArray<string> = []) => {
  const folder = mkdtempSync(join(fileURLToPath(new URL("../node_modules/", import.meta.url)), ".counts-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, "a.test.ts"), `import { expect, test } from "vitest";\n${tests}`);
  const counts = join(folder, "counts.json");
  const args = [vitest, "run", "--root", folder, "--reporter", reporter, ...options];
  const given = { ...process.env, CI: "", ...env };
  const line = spawnSync(process.execPath, args, { env: { ...given, TEST_COUNTS: undefined }, encoding: "utf8" });
  spawnSync(process.execPath, args, { env: { ...given, TEST_COUNTS: counts } });
  return { status: line.status, lines: line.stdout.trim().split("\n"), counts: readFileSync(counts, "utf8") };
};

test("a run ends with its counts, or hands them on", () => {
  const { status, lines, counts } = runOf('test("a", () => {}); test("b", () => expect(1).toBe(2));');
  expect([status, lines.at(-1)]).toEqual([1, "1 passed, 1 failed"]);
  const failed = [expect.stringMatching(/: b: .*expected 1 to be 2/)];
  expect(JSON.parse(counts)).toEqual({ passed: 1, failed, flaky: [], skipped: [] });
});

test("in CI a test that fails is tried once more, counts as passed then, and is listed with its first message", () => {
  const tests = 'let tries = 0; test("a", () => expect(++tries).toBe(2)); test("b", () => expect(1).toBe(2));';
  const { status, lines, counts } = runOf(tests, {}, retries({ CI: "true" }));
  expect([status, lines.at(-1)]).toEqual([1, "1 passed, 1 failed"]);
  const flaky = [expect.stringMatching(/: a: .*expected 1 to be 2/)];
  const failed = [expect.stringMatching(/: b: .*expected 1 to be 2/)];
  expect(JSON.parse(counts)).toEqual({ passed: 1, failed, flaky, skipped: [] });
  expect(lines.some((line) => /^passed only at the second try: .*: a: /.test(line))).toBe(true);
  expect(retries({})).toEqual([]);
});

test("a test without its program is skipped and counted, and in CI it is named and fails the run", () => {
  const certificates = new URL("../packages/internal/test-kit/src/Certificate.ts", import.meta.url);
  const tests =
    `import { hasOpenssl } from ${JSON.stringify(fileURLToPath(certificates))};` +
    'test("a", () => {}); test.skipIf(!hasOpenssl)("b", () => {});';
  const PATH = fileURLToPath(new URL("no-programs/", import.meta.url));
  const local = runOf(tests, { PATH });
  expect([local.status, local.lines.at(-1)]).toEqual([0, "1 passed, 0 failed, 1 skipped"]);
  const ci = runOf(tests, { CI: "true", PATH });
  const isForbidden = forbidsSkips({ CI: "true" }, process.platform);
  expect([ci.status, ci.lines.at(-1)]).toEqual([isForbidden ? 1 : 0, "1 passed, 0 failed, 1 skipped"]);
  expect(ci.lines.some((line) => /^skipped, which fails in CI: .*: b$/.test(line))).toBe(isForbidden);
});

test("counts add up, and only CI on Linux forbids skips", () => {
  const one = { passed: 1, failed: [], flaky: ["core: b"], skipped: ["core: a"] };
  const sum = sumOf([one, { passed: 2, failed: ["c", "d", "e"], flaky: ["f"], skipped: [] }]);
  expect(closingLine(sum)).toBe("3 passed, 3 failed, 1 skipped");
  expect(problems(sum).match(/(?<=: )\w$/gm)).toEqual(["c", "d", "e", "b", "f"]);
  expect(closingLine(sumOf([]))).toBe("0 passed, 0 failed");
  expect(forbidsSkips({ CI: "true" }, "linux")).toBe(true);
  expect([forbidsSkips({ CI: "true" }, "win32"), forbidsSkips({}, "linux")]).toEqual([false, false]);
});
