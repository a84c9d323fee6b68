import { expect, test } from "vitest";
import { recentOf } from "./Recent.ts";

const allOf = <A>(kept: ReturnType<typeof recentOf<A>>): ReadonlyArray<readonly [key: string, value: A]> => {
  const all: Array<readonly [string, A]> = [];
  kept.each((key, value) => all.push([key, value]));
  return all;
};

const setAll = (kept: ReturnType<typeof recentOf<string>>, keys: string): void => {
  for (const key of keys) kept.set(key, key);
};

test.each([
  ["of number", () => recentOf<string>(4)],
  ["of size", () => recentOf<string>(100, undefined, 4, () => 1)],
])(
  "beyond its bound %s the least recently used is dropped; a use counts from where more than half is taken",
  (_, make) => {
    for (const [before, after, left] of [
      ["ab", "cde", "bcde"],
      ["abc", "de", "cade"],
      ["abcd", "ef", "daef"],
    ] as const) {
      const kept = make();
      setAll(kept, before);
      expect(kept.get("a")).toBe("a");
      setAll(kept, after);
      expect(
        allOf(kept)
          .map(([key]) => key)
          .join(""),
      ).toBe(left);
      expect(kept.count()).toBe(4);
    }
  },
);

test("a value of more than a quarter of the size is not kept, and takes the place of none but its own", () => {
  const dropped: Array<number> = [];
  const kept = recentOf<number>(
    100,
    (value) => dropped.push(value),
    8,
    (_, value) => value,
  );
  for (const [key, value] of [
    ["a", 2],
    ["b", 1],
    ["b", 3],
    ["c", 2],
    ["d", 2],
    ["e", 2],
    ["f", 1],
  ] as const)
    kept.set(key, value);
  expect([allOf(kept), kept.size(), dropped]).toEqual([
    [
      ["c", 2],
      ["d", 2],
      ["e", 2],
      ["f", 1],
    ],
    7,
    [2],
  ]);
  kept.delete("c");
  kept.delete("nothing");
  expect([kept.size(), kept.count()]).toEqual([5, 3]);
});
