import { expect, test } from "vitest";
import { catcherOf, identify } from "./RandomMutants.ts";
import { changed, sitesIn } from "./Sites.ts";

/** Each change as the line that it makes. */
const changesOf = (text: string): ReadonlyArray<string> => sitesIn(text).map((site) => changed(text, site));

test.for([
  ["a === b", ["a !== b"]],
  ["a < 3", ["a <= 3", "a < (3 + 1)"]],
  ["f(a && !b)", ["f(a || !b)", "f(a && (b))", ";"]],
  ['x === "get"', ['x !== "get"', 'x === "get-changed"']],
  ["if (ready) go()", ["if (!(ready)) go()", "if (ready) ;"]],
  ["const x = a ? 1 : 2", ["const x = !(a) ? 1 : 2", "const x = a ? (1 + 1) : 2", "const x = a ? 1 : (2 + 1)"]],
  ["items.every(isGood)", ["items.some(isGood)", ";"]],
  ["const isOpen = true", ["const isOpen = false"]],
] as const)("%s can be changed in each of its places", ([text, changes]) => {
  expect(changesOf(text).toSorted()).toEqual([...changes].toSorted());
});

test.for([
  'import { a } from "b"',
  "interface A { readonly b: 1 | true }",
  "type A = 1 | false",
  'throw new Error("a" + "b")',
  "const f = (a: 1): true => a",
  "const x = a.toString(), y = b.valueOf()",
])("%s has no place to change", (text) => {
  expect(changesOf(text)).toEqual([]);
});

const idsOf = (text: string, seed = 1): ReadonlyArray<string> => identify("a.ts", text, seed).map(({ id }) => id);

test("a change keeps its id while its line stays as it is, and has another one with another seed", () => {
  const ids = idsOf("a < b || a < b;\na < b || a < b;");
  expect(new Set(ids).size).toBe(6);
  expect(
    idsOf("\n  // Another line.\na < b || a < b;\nc(1);\na < b || a < b;").filter((id) => ids.includes(id)),
  ).toEqual(ids);
  expect(idsOf("a < b || a < b;", 2).filter((id) => ids.includes(id))).toEqual([]);
});

test.for([
  ["p/a/right.ts", "p/a/right.ts"],
  ["p/a/indifferent.ts", undefined],
] as const)(
  "a change is caught by a file that fails with it, after others failed by chance or anyway (%s)",
  ([last, by]) => {
    const known = { broken: new Set<string>(), sound: new Set<string>() };
    const run = (args: ReadonlyArray<string>, isChanged: boolean): ReadonlyArray<string> => {
      const files = args[1] === "--project" ? ["p/a/chance.ts", "p/a/broken.ts", last] : [args[1] ?? ""];
      const fails = (file: string): boolean =>
        file.includes("broken") || (file.includes("chance") ? files.length > 1 : file.includes("right") && isChanged);
      return files.filter((file) => !args.includes(file.slice(4)) && fails(file)).slice(0, 1);
    };
    expect(catcherOf([["run", "--project", "a"]], run, known)).toBe(by);
    expect([...known.broken, ...known.sound]).toEqual(["p/a/broken.ts", ...(by === undefined ? [] : [by])]);
  },
);
