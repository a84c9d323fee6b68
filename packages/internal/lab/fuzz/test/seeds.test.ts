// All seeds of all targets.
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { describe, expect, test } from "vitest";
import type { Target } from "../Target.ts";
import { seedFiles, targetNames } from "../Targets.ts";

const fuzzOf = async (name: string): Promise<Target> =>
  ((await import(`../targets/${name}.ts`)) as { readonly fuzz: Target }).fuzz;

describe.each(targetNames)("%s", (name) => {
  test("has seeds", () => {
    expect(seedFiles(name).length).toBeGreaterThan(0);
  });

  test.for(seedFiles(name).map((path) => [basename(path), path] as const))("%s holds", async ([, path]) => {
    const fuzz = await fuzzOf(name);
    await expect(Promise.resolve().then(() => fuzz(readFileSync(path)))).resolves.toBeUndefined();
  });

  test("nothing, and every single byte, hold", async () => {
    const fuzz = await fuzzOf(name);
    const inputs = [[], ...Array.from({ length: 256 }, (_, byte) => [byte])];
    for (const input of inputs) await fuzz(Uint8Array.from(input));
    expect(inputs).toHaveLength(257);
  });
});
