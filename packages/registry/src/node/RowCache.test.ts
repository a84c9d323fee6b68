import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import type { Row } from "../api/SqlDriver.ts";
import { makeRowCache } from "./RowCache.ts";
import { openSqlite, type SqliteFile } from "./SqliteFile.ts";

test("a statement is read twice per version, and statements that differ in a value's type are not taken for each other", () => {
  const cache = makeRowCache();
  let reads = 0;
  const rows = (value: string | number, version: number): unknown =>
    cache.rows({ sql: "SELECT ?", values: [value] }, version, () => [{ value, read: ++reads }])[0];
  expect(rows(1, 1)).toEqual({ value: 1, read: 1 });
  expect(rows(1, 1)).toEqual({ value: 1, read: 2 });
  expect(rows(1, 1)).toEqual({ value: 1, read: 2 });
  expect(rows("1", 1)).toEqual({ value: "1", read: 3 });
  expect(rows("1", 1)).toEqual({ value: "1", read: 4 });
  expect(rows(1, 1)).toEqual({ value: 1, read: 2 });
  expect(rows(1, 2)).toEqual({ value: 1, read: 5 });
  expect(rows(1, 2)).toEqual({ value: 1, read: 6 });
  expect(rows(1, 2)).toEqual({ value: 1, read: 6 });
  cache.clear();
  expect(rows(1, 2)).toEqual({ value: 1, read: 7 });
});

test("statements are told apart by their text, and values made of rows are kept for one version", () => {
  const cache = makeRowCache();
  const rows = (sql: string): unknown => cache.rows({ sql, values: [1] }, 1, () => [{ sql }])[0];
  for (let call = 0; call < 3; call++) {
    for (const sql of ["SELECT a, ?", "SELECT b, ?"]) expect(rows(sql)).toEqual({ sql });
  }
  let made = 0;
  const value = (key: string, version: number): unknown => cache.made(key, version, () => ({ made: ++made }));
  expect([value("a", 1), value("a", 1), value("b", 1), value("a", 2)]).toEqual([
    { made: 1 },
    { made: 1 },
    { made: 2 },
    { made: 3 },
  ]);
  cache.clear();
  expect(value("a", 2)).toEqual({ made: 4 });
});

test("memory is bounded: rows that do not fit are read anew", () => {
  const cache = makeRowCache(10_000);
  let reads = 0;
  const rows = (value: number, bytes: number): void =>
    void cache.rows({ sql: "", values: [value] }, 1, () => [{ value: "x".repeat(bytes), at: ++reads }]);
  for (let call = 0; call < 3; call++) rows(1, 20_000);
  expect(reads).toBe(3);
  for (let call = 0; call < 3; call++) rows(2, 6_000);
  expect(reads).toBe(5);
  // Both do not fit: the first one is removed.
  for (let call = 0; call < 3; call++) rows(3, 6_000);
  expect(reads).toBe(7);
  rows(2, 6_000);
  expect(reads).toBe(8);
});

/** How often rows are read that are wanted three times each, one statement after the other, twice. */
const readsOf = (limitBytes: number | undefined, ...results: ReadonlyArray<ReadonlyArray<Row>>): number => {
  const cache = makeRowCache(limitBytes);
  let reads = 0;
  for (let call = 0; call < 6; call++) {
    for (const [index, rows] of results.entries()) {
      cache.rows({ sql: "SELECT bounds", values: [index] }, 1, () => {
        reads += 1;
        return rows;
      });
    }
  }
  return reads;
};

test("rows count with their texts and blobs, 200 bytes for each and 200 for all, and the values of the statement", () => {
  // `[0]` and a digit for the text of the statement.
  const own = 200 + 4;
  const text = { text: "x".repeat(1_000), number: 5, nothing: null };
  for (const [limit, ...results] of [
    [own + 200 + 1_000, [text]],
    [own + 200 + 1_000, [{ blob: new Uint8Array(1_000) }]],
    [own + 400 + 2_000, [text, text]],
    [own, []],
    [2 * own + 400 + 2_000, [text], [text]],
  ] as ReadonlyArray<readonly [number, ...ReadonlyArray<ReadonlyArray<Row>>]>) {
    expect(readsOf(limit, ...results)).toBe(2 * results.length);
    expect(readsOf(limit - 1, ...results)).toBeGreaterThan(2 * results.length);
  }
  const most = 32 * 1_024 * 1_024 - own - 200;
  expect([most, most + 1].map((length) => readsOf(undefined, [{ text: "x".repeat(length) }]))).toEqual([2, 6]);
});

/** Whether a statement that was read once is known after so many others. */
const isKnownAfter = (others: number): boolean => {
  const cache = makeRowCache();
  let reads = 0;
  const read = (value: number): unknown =>
    cache.rows({ sql: "SELECT seen", values: [value] }, 1, () => [{ reads: ++reads }]);
  for (let value = 0; value <= others; value++) read(value);
  read(0);
  const before = reads;
  read(0);
  return reads === before;
};

/** Whether what was made for a key is kept after so many others. */
const isKeptAfter = (others: number): boolean => {
  const cache = makeRowCache();
  const first = cache.made("0", 1, () => ({}));
  for (let key = 1; key <= others; key++) cache.made(String(key), 1, () => ({}));
  return cache.made("0", 1, () => ({})) === first;
};

test("thousands of statements are known to have been read, and hundreds of values made are kept", () => {
  expect([isKnownAfter(19_998), isKnownAfter(19_999)]).toEqual([true, false]);
  expect([isKeptAfter(398), isKeptAfter(399)]).toEqual([true, false]);
});

const valueIn = async (file: SqliteFile): Promise<unknown> =>
  (await file.port.read([{ sql: "SELECT value FROM t", values: [] }]))[0]?.[0]?.["value"];

test("what one connection reads is what was last written, by itself or by another, in any order", async () => {
  const directory = await mkdtemp(join(tmpdir(), "registry-rows-"));
  const files = [openSqlite(join(directory, "x.sqlite")), openSqlite(join(directory, "x.sqlite"))] as const;
  try {
    files[0].transaction((run) => [run("CREATE TABLE t (value INTEGER)"), run("INSERT INTO t VALUES (0)")]);
    const step = fc.record({ file: fc.constantFrom(...files), does: fc.constantFrom("read", "write", "writeMany") });
    let value = 0;
    const writes: Record<string, (file: SqliteFile) => unknown> = {
      write: (file) => file.transaction((run) => run("UPDATE t SET value = ?", ++value)),
      writeMany: (file) => file.bulkTransaction((run) => run("UPDATE t SET value = ?", ++value)),
      read: () => undefined,
    };
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        for (const { file, does } of steps) {
          // A snapshot lasts one turn of the loop, so a write of another process is seen in the next one.
          await new Promise((resolve) => setImmediate(resolve));
          await writes[does]?.(file);
          await new Promise((resolve) => setImmediate(resolve));
          expect(await valueIn(file)).toBe(value);
        }
      }),
      { numRuns: 100 },
    );
  } finally {
    for (const file of files) file.close();
    await rm(directory, { recursive: true, force: true });
  }
});
