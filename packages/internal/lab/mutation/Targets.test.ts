import { globSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import type { Excuse } from "./Page.ts";
import { filesOf, targets } from "./Targets.ts";

const root = new URL("../../../../", import.meta.url);
const excuses = JSON.parse(readFileSync(new URL("survivors.json", import.meta.url), "utf8")) as ReadonlyArray<Excuse>;

const sourceOf = (file: string): string => readFileSync(new URL(file, root), "utf8").replaceAll(/\s+/g, " ");

test.each(targets)("$name: its rules are there, and each glob of its tests finds some", ({ tests, ...target }) => {
  for (const file of filesOf({ tests, ...target })) expect(sourceOf(file)).not.toBe("");
  const cwd = fileURLToPath(new URL(target.directory, root));
  expect(tests.filter((glob) => globSync(glob, { cwd }).length === 0)).toEqual([]);
});

describe("each reason why a change goes unnoticed", () => {
  test.each(excuses)("is one, of text that stands in the source: $file $original", ({ file, original, reason }) => {
    expect(sourceOf(file)).toContain(original);
    expect(reason).toMatch(/\w \w/);
  });

  test("is given once", () => {
    const names = excuses.map(({ file, original, replacement }) => [file, original, replacement].join("\n"));
    expect(names).toEqual([...new Set(names)]);
  });
});
