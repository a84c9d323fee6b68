import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import * as fc from "fast-check";
import { expect, test } from "vitest";
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
