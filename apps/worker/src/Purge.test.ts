import { expect, test } from "vitest";
import { entryWith } from "../test/entry.ts";
import { isPurged, maxPurges, mergedPurges, parsePurge, readPurges, type Purge } from "./Purge.ts";

const get = entryWith({ endpoint: "get", tag: "zipper@0.1", fetchedAtMs: 1_000 });
const status = entryWith({ endpoint: "status", tag: "zipper", fetchedAtMs: 1_000 });
const list = entryWith({ endpoint: "list", tag: undefined, fetchedAtMs: 1_000 });

test.each<[string, Purge, ReadonlyArray<boolean>]>([
  ["everything", { atMs: 2_000 }, [true, true, true]],
  ["what was asked for at the same moment", { atMs: 1_000 }, [true, true, true]],
  ["nothing that was asked for later", { atMs: 999 }, [false, false, false]],
  ["an endpoint", { atMs: 2_000, endpoint: "list" }, [false, false, true]],
  ["all versions of a name, and lists, which may hold it", { atMs: 2_000, name: "zipper" }, [true, true, true]],
  ["a name of an endpoint", { atMs: 2_000, name: "zipper", endpoint: "status" }, [false, true, false]],
  ["no other name", { atMs: 2_000, name: "zip" }, [false, false, true]],
])("a purge takes %s", (_what, purge, expected) => {
  expect([get, status, list].map((entry) => isPurged(entry, [purge]))).toEqual(expected);
});

test.each([
  ["all=true", { atMs: 5 }],
  ["endpoint=list", { atMs: 5, endpoint: "list" }],
  ["tag=zipper%400.1", { atMs: 5, name: "zipper" }],
  ["endpoint=get&tag=zipper", { atMs: 5, endpoint: "get", name: "zipper" }],
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

test.each(["", "x", "null", "{}", '"x"', "[null, 1, {}]", '[{"atMs":"5"}]'])(
  "a note that is %j purges nothing",
  (text) => {
    expect(readPurges(text)).toEqual([]);
  },
);

test("of a note what can be read counts", () => {
  expect(readPurges('[null, {"atMs":5}, {"atMs":6,"name":"a"}]')).toEqual([{ atMs: 5 }, { atMs: 6, name: "a" }]);
});

test("too many purges become one of everything, which forgets none of them", () => {
  const many = Array.from({ length: maxPurges + 50 }, (_, index): Purge => ({ atMs: index, name: `n${index}` }));
  const merged = mergedPurges(many, many);
  expect(merged).toHaveLength(maxPurges);
  for (const purge of many) {
    expect(isPurged(entryWith({ tag: purge.name ?? "", fetchedAtMs: purge.atMs }), merged)).toBe(true);
  }
  expect(isPurged(entryWith({ tag: "n1", fetchedAtMs: 1_000 }), merged)).toBe(false);
});
