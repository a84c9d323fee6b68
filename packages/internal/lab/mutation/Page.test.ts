import { expect, test } from "vitest";
import type { Mutant } from "./Mutants.ts";
import { complaints, page, type Excuse } from "./Page.ts";

const mutantsOf = (status: string, count: number, file = "a.ts"): ReadonlyArray<Mutant> =>
  Array.from({ length: count }, () => ({ file, line: 7, original: "a < b", replacement: "a <= b", status }));

const excuse: Excuse = { file: "a.ts", original: "a < b", replacement: "a <= b", reason: "They are never equal." };

test.each<[string, ReadonlyArray<Mutant>, ReadonlyArray<Excuse>, ReadonlyArray<string>]>([
  ["all are noticed", [...mutantsOf("Killed", 9), ...mutantsOf("Timeout", 1)], [], []],
  [
    "nine of ten are noticed, one has its reason",
    [...mutantsOf("Killed", 9), ...mutantsOf("Survived", 1)],
    [excuse],
    [],
  ],
  [
    "fewer are, reason or not",
    [...mutantsOf("Killed", 8), ...mutantsOf("NoCoverage", 1)],
    [excuse],
    ["a.ts: 88.9 % noticed, 90.0 % wanted"],
  ],
  [
    "one has no reason",
    [...mutantsOf("Killed", 9), ...mutantsOf("Survived", 1)],
    [],
    ["a.ts:7: nobody noticed a < b -> a <= b"],
  ],
  [
    "a reason is for nothing any more",
    mutantsOf("Killed", 9),
    [excuse],
    ["a.ts: no such survivor any more: a < b -> a <= b"],
  ],
  [
    "the reason is another file's",
    [...mutantsOf("Killed", 9), ...mutantsOf("Survived", 1)],
    [{ ...excuse, file: "b.ts" }],
    ["a.ts:7: nobody noticed a < b -> a <= b", "b.ts: no such survivor any more: a < b -> a <= b"],
  ],
  ["none could be tried", mutantsOf("CompileError", 9), [], ["a.ts: no change of it was tried"]],
  ["there are none", [], [], ["a.ts: no change of it was tried"]],
])("%s", (_what, mutants, excuses, expected) => {
  expect(complaints(["a.ts"], mutants, excuses)).toEqual(expected);
});

test("the page counts what was tried by file", () => {
  const text = page([
    ...mutantsOf("Killed", 2),
    ...mutantsOf("Survived", 1),
    ...mutantsOf("Ignored", 5),
    ...mutantsOf("Timeout", 1, "b.ts"),
  ]);
  expect(text.split("\n").filter((line) => line.startsWith("- `"))).toEqual(["- `a.ts`: 2/3", "- `b.ts`: 1/1"]);
});
