// The fuzzer on a planted fault.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, expect, test } from "vitest";
import { fuzzTarget } from "../Fuzzing.ts";

const folder = mkdtempSync(join(tmpdir(), "planted-"));
afterAll(() => rmSync(folder, { recursive: true }));

const fuzzPlanted = async (keepIn: string) => {
  const module = fileURLToPath(new URL("planted.ts", import.meta.url));
  const fuzzed = await fuzzTarget({ module, seeds: "none", seconds: 30, seed: 7 }, join(folder, keepIn));
  if (fuzzed.finding === undefined) throw new Error(`nothing was found in ${fuzzed.runs} runs`);
  return { report: fuzzed.finding.report, input: readFileSync(fuzzed.finding.path) };
};

test("a planted fault is found, reported and saved; again by the same seed", async () => {
  const [first, second] = [await fuzzPlanted("first"), await fuzzPlanted("second")];
  expect(first.input.toString()).toMatch(/^engine@/);
  expect(first.report).toContain("planted");
  expect(second.input).toEqual(first.input);
});
