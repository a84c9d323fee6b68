import { execFileSync, spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, expect, onTestFinished, test, vi } from "vitest";
import { DatabaseUnavailable } from "../api/SqlDriver.ts";
import { mounts } from "../../test/smallDisk.ts";
import { descriptorsOf } from "../../test/descriptors.ts";
import { isCorrupt, openSqlite, primaryCodeOf, type SqliteOptions } from "./SqliteFile.ts";

const directory = mkdtempSync(join(tmpdir(), "registry-sqlite-"));
afterAll(() => rm(directory, { recursive: true }));

const opened = (path = join(directory, `${crypto.randomUUID()}.sqlite`), options: SqliteOptions = {}) => {
  const file = openSqlite(path, options);
  onTestFinished(() => {
    if (file.database.isOpen) file.close();
  });
  return { path, ...file };
};

const value = (database: DatabaseSync, pragma: string): unknown =>
  Object.values(database.prepare(`PRAGMA ${pragma}`).get() ?? {})[0];

test("a connection is durable, shared and bounded", () => {
  const { database, path, access } = opened();
  const pragmas = [
    "journal_mode",
    "synchronous",
    "wal_autocheckpoint",
    "foreign_keys",
    "mmap_size",
    "temp_store",
    "cache_size",
    "busy_timeout",
  ];
  expect(pragmas.map((pragma) => value(database, pragma))).toEqual(["wal", 2, 4_000, 1, 0, 2, -65_536, 10_000]);
  expect([access, statSync(path).mode & 0o777]).toEqual(["read-write", 0o600]);
  const alone = opened(undefined, { selfContained: true });
  alone.database.exec("CREATE TABLE t (a)");
  expect(readdirSync(directory).filter((name) => name.startsWith(alone.path.slice(directory.length + 1)))).toHaveLength(
    1,
  );
});

const insert = (a: number) => ({ sql: "INSERT INTO t VALUES (?) RETURNING a", values: [a] });

test("a transaction is all or nothing", async () => {
  const { transaction, rows, iterate, port } = opened();
  transaction((run) => run("CREATE TABLE t (a UNIQUE)"));
  const all = () => rows({ sql: "SELECT a FROM t ORDER BY a", values: [] });
  expect(transaction((run) => run("INSERT INTO t VALUES (?), (?) RETURNING a", 1, 2))).toEqual([{ a: 1 }, { a: 2 }]);
  expect(transaction((run) => run.change("UPDATE t SET a = a + 10"))).toBe(2);
  expect(() =>
    transaction((run) => {
      run("INSERT INTO t VALUES (3)");
      throw new Error("no");
    }),
  ).toThrow("no");
  expect(await port.write([insert(4), insert(5)])).toEqual([[{ a: 4 }], [{ a: 5 }]]);
  await expect(port.write([insert(6), insert(5)])).rejects.toThrow("UNIQUE constraint failed");
  expect(all()).toEqual([{ a: 4 }, { a: 5 }, { a: 11 }, { a: 12 }]);
  expect([...iterate({ sql: "SELECT a FROM t WHERE a > ?", values: [11] })]).toEqual([{ a: 12 }]);
});

test("reads of one turn of the event loop are of one moment, and later ones see what others wrote", async () => {
  const { path, port, database } = opened();
  database.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1)");
  const other = new DatabaseSync(path);
  const read = () => port.read([{ sql: "SELECT a FROM t", values: [] }]);
  expect(await read()).toEqual([[{ a: 1 }]]);
  other.exec("UPDATE t SET a = 2");
  expect(await read()).toEqual([[{ a: 1 }]]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(await read()).toEqual([[{ a: 2 }]]);
  // Its own write ends the snapshot.
  await port.write([{ sql: "UPDATE t SET a = 3", values: [] }]);
  expect(await read()).toEqual([[{ a: 3 }]]);
  // It ends no transaction that began after it in the same turn.
  await port.write([{ sql: "UPDATE t SET a = 4", values: [] }]);
  database.exec("BEGIN");
  await new Promise((resolve) => setImmediate(resolve));
  expect(database.isTransaction).toBe(true);
  database.exec("COMMIT");
  other.close();
});

test("a write waits for another process, without stopping what else this one does", async () => {
  const { path, port, database } = opened();
  database.exec("CREATE TABLE t (a)");
  const other = new DatabaseSync(path);
  other.exec("BEGIN IMMEDIATE");
  let nowMs = 0;
  const now = vi.spyOn(performance, "now").mockImplementation(() => nowMs);
  const tries = vi.spyOn(database, "exec");
  onTestFinished(() => now.mockRestore());
  const triedAgain = async (): Promise<void> => {
    const { length } = tries.mock.calls;
    await expect.poll(() => tries.mock.calls.length).toBeGreaterThan(length + 2);
  };
  const begun = Date.now();
  const write = () => port.write([{ sql: "INSERT INTO t VALUES (1) RETURNING a", values: [] }]);
  const written = write();
  nowMs = 10_000;
  await triedAgain();
  other.exec("COMMIT");
  expect(await written).toEqual([[{ a: 1 }]]);
  expect(value(database, "busy_timeout")).toBe(10_000);
  other.exec("BEGIN IMMEDIATE");
  const late = write();
  nowMs = 20_001;
  await expect(late).rejects.toThrow(DatabaseUnavailable);
  expect(Date.now() - begun).toBeLessThan(5_000);
  other.close();
});

test("a write that the disk or the file fails says that the database is unavailable, and any other what is wrong", async () => {
  const { port, database } = opened();
  database.function("fail", (code) => {
    throw Object.assign(new Error("a failure"), { errcode: Number(code) + 256 });
  });
  const failed = async (code: number): Promise<boolean> => {
    const error: unknown = await port
      .write([{ sql: `SELECT fail(${code})`, values: [] }])
      .catch((error: unknown) => error);
    return error instanceof DatabaseUnavailable;
  };
  const codes = Array.from({ length: 28 }, (_, code) => code + 1).filter((code) => code !== 5);
  expect((await Promise.all(codes.map(failed))).flatMap((is, index) => (is ? [codes[index]] : []))).toEqual([
    8, 10, 11, 13, 14,
  ]);
});

test("a statement is prepared once, and a database in memory is no file", async () => {
  const { database, rows, port } = opened(":memory:");
  onTestFinished(() => rmSync(":memory:", { force: true }));
  const prepared = vi.spyOn(database, "prepare");
  for (let time = 0; time < 3; time++) {
    rows({ sql: "SELECT 1", values: [] });
    await port.read([{ sql: "SELECT 2", values: [] }]);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const texts = prepared.mock.calls.map(([sql]) => sql);
  expect(texts.toSorted()).toEqual(["BEGIN", "PRAGMA data_version", "ROLLBACK", "SELECT 1", "SELECT 2"]);
  expect(existsSync(":memory:")).toBe(false);
});

test("many rows are written without a look at those they refer to, other rows never", async () => {
  const { database, bulkTransaction, transaction, port } = opened();
  database.exec("CREATE TABLE p (a PRIMARY KEY); CREATE TABLE c (a REFERENCES p)");
  expect(bulkTransaction((run) => run.change("INSERT INTO c VALUES (1)"))).toBe(1);
  expect(() => transaction((run) => run("INSERT INTO c VALUES (1)"))).toThrow("FOREIGN KEY constraint failed");
  expect(() => bulkTransaction((run) => run("nonsense"))).toThrow("syntax error");
  expect(() => transaction((run) => run("INSERT INTO c VALUES (1)"))).toThrow("FOREIGN KEY constraint failed");
  // Reads of the same turn keep nothing from it.
  await port.read([{ sql: "SELECT 1", values: [] }]);
  expect(bulkTransaction((run) => run.change("INSERT INTO c VALUES (2)"))).toBe(1);
});

test("a file that is read only is not written, and one that is missing not made", async () => {
  const { path, database } = opened();
  database.exec("CREATE TABLE t (a)");
  const { port, access } = opened(path, { readOnly: true });
  expect([access, port.readOnly]).toEqual(["read-only", true]);
  await expect(port.write([{ sql: "INSERT INTO t VALUES (1)", values: [] }])).rejects.toThrow(DatabaseUnavailable);
  expect(opened().port.readOnly).toBe(false);
  const none = join(directory, "none");
  expect(() => openSqlite(none, { readOnly: true })).toThrow("unable to open");
  expect(existsSync(none)).toBe(false);
});

/** Whether this process has a file open, where the system tells. */
const isOpen = (path: string): boolean => process.platform === "linux" && descriptorsOf(path) > 0;

test("a file that is not a SQLite database is refused with an error that says so", async () => {
  expect(() => openSqlite(directory)).toThrow(`cannot use the database ${directory}: it is a directory`);
  const text = join(directory, crypto.randomUUID());
  writeFileSync(text, "x".repeat(4_096));
  expect(() => openSqlite(text)).toThrow("file is not a database");
  expect(isOpen(text)).toBe(false);
  const { port } = opened();
  const failed: unknown = await port.read([{ sql: "SELECT * FROM t", values: [] }]).catch((error: unknown) => error);
  expect(failed).toBeInstanceOf(DatabaseUnavailable);
  // The next read begins anew.
  expect(await port.read([{ sql: "SELECT 1 AS a", values: [] }])).toEqual([[{ a: 1 }]]);
  expect([
    primaryCodeOf({ errcode: 11 + 256 }),
    primaryCodeOf({}),
    isCorrupt({ errcode: 267 }),
    isCorrupt({ errcode: 12 }),
  ]).toEqual([11, 0, true, false]);
});

test("a file may be closed with reads under way", async () => {
  const { path, port, close, database } = opened();
  await port.read([{ sql: "SELECT 1", values: [] }]);
  expect(isOpen(path)).toBe(process.platform === "linux");
  close();
  expect([database.isOpen, isOpen(path)]).toEqual([false, false]);
  await new Promise((resolve) => setImmediate(resolve));
});

/** A database in a directory that nobody can write, not even root, and what `before` has made of it. */
const locked = (options: SqliteOptions, before: (path: string) => void = () => undefined): string => {
  const place = mkdtempSync(join(directory, "locked-"));
  const path = join(place, "engines.sqlite");
  const { database, close } = openSqlite(path, options);
  database.exec("CREATE TABLE t (a); INSERT INTO t VALUES (1)");
  close();
  before(path);
  execFileSync("mount", ["--rbind", place, place]);
  onTestFinished(() => {
    for (const mounted of [place, path]) spawnSync("umount", ["-R", "-l", mounted]);
  });
  execFileSync("mount", ["-o", "remount,ro,bind", place]);
  return path;
};

const writer = (path: string): void => {
  const { database } = opened(path);
  database.exec("INSERT INTO t VALUES (2)");
};

/** A file that can be written, in a directory that cannot. */
const writableAlone = (path: string): void => {
  const other = join(directory, crypto.randomUUID());
  copyFileSync(path, other);
  execFileSync("mount", ["--bind", other, path]);
};

test.skipIf(!mounts()).for<[string, SqliteOptions, (path: string) => void, string, number]>([
  ["with a log", {}, () => undefined, "frozen", 1],
  ["with an empty log", {}, (path) => writeFileSync(`${path}-wal`, ""), "frozen", 1],
  ["that holds a rollback journal", { selfContained: true }, () => undefined, "read-only", 1],
  ["that another process writes", {}, writer, "read-only", 2],
  ["that could be written without a log", {}, writableAlone, "frozen", 1],
])("a database %s is read where nothing can be written", ([, options, before, access, rows]) => {
  const file = opened(locked(options, before));
  expect(file.access).toBe(access);
  expect(file.rows({ sql: "SELECT * FROM t", values: [] })).toHaveLength(rows);
});

test.skipIf(!mounts())("a database with something in a log that cannot be read is refused", () => {
  const path = locked({}, (path) => writeFileSync(`${path}-wal`, "x"));
  expect(() => openSqlite(path)).toThrow("unable to open database file");
});
