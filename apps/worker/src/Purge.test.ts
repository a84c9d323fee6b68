import { expect, test } from "vitest";
import { entryWith } from "../test/entry.ts";
import { maxPurges, notesInCache, parsePurge, Purges, type Purge } from "./Purge.ts";

const get = entryWith({ endpoint: "get", names: ["zipper"], fetchedAtMs: 1_000 });
const status = entryWith({ endpoint: "status", names: ["zipper"], fetchedAtMs: 1_000 });
const list = entryWith({ endpoint: "list", names: ["a", "zipper"], fetchedAtMs: 1_000 });
const other = entryWith({ endpoint: "list", names: ["a"], fetchedAtMs: 1_000 });
const unknown = entryWith({ endpoint: "list", names: null, fetchedAtMs: 1_000 });

test.each<[string, Omit<Purge, "hard">, ReadonlyArray<boolean>]>([
  ["everything", { atMs: 2_000 }, [true, true, true, true, true]],
  ["what was asked for at the same moment", { atMs: 1_000 }, [true, true, true, true, true]],
  ["nothing that was asked for later", { atMs: 999 }, [false, false, false, false, false]],
  ["an endpoint", { atMs: 2_000, endpoint: "list" }, [false, false, true, true, true]],
  ["what contains a name, or may", { atMs: 2_000, name: "zipper" }, [true, true, true, false, true]],
  ["a name, and all lists", { atMs: 2_000, name: "zipper", lists: true }, [true, true, true, true, true]],
  ["a name of an endpoint", { atMs: 2_000, name: "zipper", endpoint: "status" }, [false, true, false, false, false]],
  ["no other name", { atMs: 2_000, name: "zip" }, [false, false, false, false, true]],
])("a purge takes %s", (_what, purge, expected) => {
  const purges = new Purges();
  purges.add([{ ...purge, hard: false }]);
  expect([get, status, list, other, unknown].map((entry) => purges.of(entry) !== undefined)).toEqual(expected);
});

test.each([
  ["all=true", { atMs: 5, hard: false }],
  ["endpoint=list&hard=true", { atMs: 5, hard: true, endpoint: "list" }],
  ["tag=zipper%400.1", { atMs: 5, hard: false, name: "zipper" }],
  ["endpoint=get&tag=zipper", { atMs: 5, hard: false, endpoint: "get", name: "zipper" }],
])("%s is read", (query, expected) => {
  expect(parsePurge(new URLSearchParams(query), 5)).toEqual(expected);
});

test.each([
  "",
  "all=yes",
  "endpoint=engines",
  "endpoint=toString",
  "tag=a/b",
  "tag=",
  // Half of what was asked for must not pass for all of it.
  "endpoint=list&endpoint=get",
  "tag=a&tag=b",
  "all=true&tag=a",
])("%j is refused", (query) => {
  expect(typeof parsePurge(new URLSearchParams(query), 5)).toBe("string");
});

test("a misspelled parameter is refused: it would purge more or less than was meant", () => {
  expect(parsePurge(new URLSearchParams("tags=zipper"), 5)).toContain("unknown parameter tags");
  expect(parsePurge(new URLSearchParams("tag=zipper&hard=yes"), 5)).toContain("hard must be");
});

test("too many purges become one of everything, which forgets none of them", () => {
  const purges = new Purges();
  const many = Array.from({ length: maxPurges + 50 }, (_, index): Purge => ({
    atMs: index,
    hard: true,
    name: `n${index}`,
  }));
  for (const purge of many) purges.add([purge]);
  for (const { name = "", atMs } of many)
    expect(purges.of(entryWith({ names: [name], fetchedAtMs: atMs }))).toBe("hard");
  expect(purges.of(entryWith({ names: ["n1"], fetchedAtMs: 1_000 }))).toBeUndefined();
});

test("purges of one user take what is that user's, and the strongest one counts", () => {
  const purges = new Purges();
  purges.add([{ atMs: 5_000, hard: true, owners: ["alice"] }]);
  purges.add([{ atMs: 5_000, hard: false }]);
  expect([get, entryWith({ owner: "bob" })].map((entry) => purges.of(entry))).toEqual(["hard", "soft"]);
});

test.each(["", "x", "null", "{}", '"x"', "[null, 1, {}]", '[{"atMs":"5"}]'])(
  "a note that is %j purges nothing",
  async (text) => {
    const store = { match: async () => new Response(text), put: async () => {}, delete: async () => false };
    expect(await notesInCache(store).read(["alice"])).toEqual([]);
  },
);
