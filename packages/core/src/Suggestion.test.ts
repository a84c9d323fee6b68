import { expect, test } from "vitest";
import { closest, didYouMean } from "./Suggestion.ts";

const names = ["list", "get", "status", "versions", "wait", "watch", "word-count@0.9", "word-count@0.10"];

test("a slip of a finger is found", () => {
  expect(closest("lsit", names)).toEqual(["list"]);
  expect(closest("stauts", names)).toEqual(["status"]);
  expect(closest("gte", names)).toEqual(["get"]);
  expect(closest("word-cuont@0.9", names)[0]).toBe("word-count@0.9");
  for (const slip of ["lits", "lisst", "lst", "Lisk"]) expect(closest(slip, ["list"])).toEqual(["list"]);
  // Two slips in six characters, not in five, and one in two.
  expect(closest("stetas", ["status"])).toEqual(["status"]);
  for (const [word, other] of [
    ["stetu", "statu-s"],
    ["lsix", "list"],
    ["a", "xyz"],
    ["ve", "versions"],
  ] as const)
    expect(closest(word, [other])).toEqual([]);
});

test("the start of a word is close, something else is not", () => {
  expect(closest("vers", names)).toEqual(["versions"]);
  expect(closest("frobnicate", names)).toEqual([]);
  expect(didYouMean("frobnicate", names)).toBeUndefined();
  // Two characters differ; they are not the same ones exchanged.
  for (const [word, other] of [
    ["bad", "bca"],
    ["dad", "ddc"],
    ["bcb", "cab"],
  ] as const)
    expect(closest(word, [other])).toEqual([]);
});

test("three are named at most", () => {
  expect(closest("lisp", ["lisa", "lisb", "lisc", "lisd"])).toEqual(["lisa", "lisb", "lisc"]);
});

test("several are said as a sentence", () => {
  expect(didYouMean("wat", names, "bne ")).toBe("Did you mean bne watch or bne wait?");
});

test("names that have the word in them come after slips", () => {
  expect(closest("count", ["word-count", "cound", "amount"])).toEqual(["cound", "word-count"]);
  expect(closest("timeout", ["attemptTimeoutMs", "baseUrl"])).toEqual(["attemptTimeoutMs"]);
  expect(closest("ord", ["word-count"])).toEqual([]);
  expect(closest("name", ["xname-and-more", "name-and-more"])).toEqual(["name-and-more", "xname-and-more"]);
});

test("a name of any length is compared by its first hundred characters", () => {
  const long = "x".repeat(100_000);
  expect(closest(`${long}a`, [`${long}b`, "y"])).toEqual([`${long}b`]);
  const [word, other] = ["a", "B"].map((last) => "x".repeat(100) + last);
  expect(closest(word as string, [word as string, other as string])).toEqual([other, word]);
});
