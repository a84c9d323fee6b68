import { existsSync, lstatSync, mkdtempSync, readdirSync, readlinkSync, statSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, expect, onTestFinished, test, vi } from "vitest";
import { databaseOf, SqlDumpError } from "./SqlDump.ts";

const directory = mkdtempSync(join(tmpdir(), "registry-dumps-"));
afterAll(() => rm(directory, { recursive: true }));

const written = (text: string | Buffer): string => {
  const path = join(directory, crypto.randomUUID());
  writeFileSync(path, text);
  return path;
};

/** The tables of a dump and the rows of `t`. */
const loaded = async (text: string): Promise<ReadonlyArray<unknown>> => {
  await using dump = await databaseOf(written(text));
  const database = new DatabaseSync(dump.path, { readOnly: true });
  const tables = database.prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name").all();
  const rows = database.prepare("SELECT a FROM t").all();
  database.close();
  return [tables.map(({ name }) => name), rows.map(({ a }) => a)];
};

test("a database is taken as it is; other files, too, which SQLite then refuses", async () => {
  for (const text of ["SQLite format 3\0 and more", "SQLite format 3", "", "not SQL", "x PRAGMA"]) {
    const path = written(text);
    const taken = await databaseOf(path);
    expect(taken.path).toBe(path);
    await taken[Symbol.asyncDispose]();
    expect(statSync(path).size).toBe(text.length);
  }
});

test("a dump fills a database for this user alone, which is removed afterwards", async () => {
  const dump = await databaseOf(written("CREATE TABLE t (a);\n"));
  expect(statSync(dump.path).mode & 0o777).toBe(0o600);
  await dump[Symbol.asyncDispose]();
  expect(() => statSync(join(dump.path, ".."))).toThrow("ENOENT");
});

/** The open files of this test. */
const openFiles = (): ReadonlyArray<string> =>
  readdirSync("/proc/self/fd")
    .map((name) => `/proc/self/fd/${name}`)
    .flatMap((link) => (lstatSync(link, { throwIfNoEntry: false }) === undefined ? [] : [readlinkSync(link)]))
    .filter((path) => path.startsWith(directory));

test.runIf(existsSync("/proc/self/fd"))("no file stays open", async () => {
  vi.stubEnv("TMPDIR", directory);
  onTestFinished(() => void vi.unstubAllEnvs());
  for (const text of ["CREATE TABLE t (a);\n", "CREATE TABLE t (", "x"]) {
    const dump = await databaseOf(written(text)).catch(() => undefined);
    await expect.poll(openFiles).toEqual([]);
    await dump?.[Symbol.asyncDispose]();
  }
});

test.for<[string, ReadonlyArray<unknown>]>([
  ["\n  pragma foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE t (a);\nINSERT INTO t VALUES (1);\nCOMMIT;", [1]],
  ["PRAGMA defer_foreign_keys=TRUE;\nCREATE TABLE t (a);\nBEGIN IMMEDIATE;\nINSERT INTO t VALUES (1), (2);", [1, 2]],
  ["-- wrangler\nCREATE TABLE t (a);\nINSERT INTO t\nVALUES (1);\n\n", [1]],
  [
    "CREATE TABLE t (a);\nINSERT INTO t VALUES ('it''s;\nthis');\nINSERT INTO t VALUES (';\n''');",
    ["it's;\nthis", ";\n'"],
  ],
  [
    "CREATE TABLE t (a);\nCREATE TRIGGER r AFTER INSERT ON t BEGIN\nUPDATE t SET a = 'x;';\nEND;\nINSERT INTO t VALUES (1);",
    ["x;"],
  ],
])("of %j the rows are %j", async ([text, rows]) => {
  expect(await loaded(text)).toEqual([["t"], rows]);
});

test("tables of D1 itself are left out, and no others", async () => {
  const names = ["d1_migrations", "_cf_KV", '_cf_"x', "xcf_y", "_cfz", "D1"];
  const tables = names.map((name) => `CREATE TABLE "${name.replaceAll('"', '""')}" (a);\n`).join("");
  expect(await loaded(`CREATE TABLE t (a);\n${tables}`)).toEqual([["D1", "_cfz", "t", "xcf_y"], []]);
});

test.for<[string, string]>([
  ["CREATE TABLE t (a);\nINSERT INTO t VALUES (1", ": the last statement is cut short"],
  ["CREATE TABLE t (a);\nINSERT INTO t VALUES ('x);\n", ": the last statement is cut short"],
  ["CREATE TRIGGER r AFTER INSERT ON t BEGIN SELECT 1;\n", ": the last statement is cut short"],
  ["CREATE TABLE t (a);\n\nINSERT INTO\nu VALUES (1);", ":4: no such table: u"],
  ["CREATE TABLE t (a);\nATTACH 'x' AS y;", ":2: not authorized"],
  ["CREATE TABLE t (a);\nDETACH main;", ":2: not authorized"],
  ["PRAGMA journal_mode = WAL;", ":1: not authorized"],
  ["PRAGMA xforeign_keys = ON;", ":1: not authorized"],
])("%j is refused, and leaves nothing behind: %s", async ([text, problem]) => {
  vi.stubEnv("TMPDIR", directory);
  const path = written(text);
  const before = readdirSync(directory);
  await expect(databaseOf(path)).rejects.toThrow(new SqlDumpError(`${path}${problem}`));
  expect(readdirSync(directory)).toEqual(before);
  vi.unstubAllEnvs();
});

test("a statement has at most 16 Mi characters", async () => {
  const insert = "INSERT INTO t VALUES ('');";
  const ofLength = (length: number): string =>
    `CREATE TABLE t (a);\n${insert.replace("''", `'${"x".repeat(length - insert.length)}'`)}`;
  expect(await loaded(ofLength(16_777_216))).toEqual([["t"], [expect.stringMatching(/^x{100}/)]]);
  await expect(databaseOf(written(ofLength(16_777_217)))).rejects.toThrow(
    ":2: a statement is longer than 16777216 characters",
  );
});
