import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, expect, test } from "vitest";
import { migrate, migrations } from "../api/Migrations.ts";
import { openSqlite } from "../node/SqliteFile.ts";
import { ensureUser } from "./Accounts.ts";
import { checkDatabase } from "./Check.ts";
import { publishAll } from "./Engines.ts";

const directory = mkdtempSync(join(tmpdir(), "registry-check-"));
afterAll(() => rm(directory, { recursive: true }));

/** The problems of a database with so many engines of ann, after statements that damage it. */
const problemsAfter = async (engines: number, ...damage: ReadonlyArray<string>): Promise<ReadonlyArray<string>> => {
  const path = join(directory, `${crypto.randomUUID()}.sqlite`);
  const file = openSqlite(path);
  await migrate(file.port, 0);
  const inits = Array.from({ length: engines }, (_, index) => ({
    name: `e-${String(index).padStart(3, "0")}`,
    version: "0.1",
    isPublic: true,
  }));
  await publishAll(file, ensureUser(file, "ann", 0), inits, undefined, 0);
  const database: Partial<Pick<DatabaseSync, "enableDefensive">> = file.database;
  database.enableDefensive?.(false);
  file.database.exec("PRAGMA foreign_keys = OFF");
  for (const sql of damage) file.database.exec(sql);
  file.close();
  return checkDatabase(path);
};

const damaged = "UPDATE engines SET protobuf = x'00'";

test.for<[number, ReadonlyArray<string>, ReadonlyArray<string>]>([
  [3, [], []],
  [1, [damaged], ["engine e-000@0.1 of ann is damaged"]],
  [2, [`${damaged} WHERE name = 'e-001'`], ["engine e-001@0.1 of ann is damaged"]],
  [1, ["UPDATE engines SET revision = 9"], ["engine e-000@0.1 of ann is damaged"]],
  [1, ["UPDATE users SET live_engines = 5"], ["the number of engines of ann is kept as 5, counted are 1"]],
  [
    2,
    ["UPDATE public_total SET live_engines = 7"],
    ["the number of engines of everybody (public) is kept as 7, counted are 2"],
  ],
  [
    0,
    [
      `INSERT INTO credentials (id, user, kind, scope, selector, digest, label, created_at)
        VALUES ('x', 99, 'token', 'read', 's', x'00', '', 0)`,
    ],
    ["table credentials: row 1 refers to a row of users that is not there"],
  ],
  [
    0,
    ["DROP INDEX engines_by_tag"],
    ["index engines_by_tag is missing", expect.stringMatching(/^cannot be read to the end: no such index/) as string],
  ],
  [0, ["CREATE TABLE mine (a)"], ["table mine is not one of a registry"]],
  [0, ["CREATE INDEX mine ON users (name)"], ["index mine is not one of a registry"]],
  [
    0,
    [
      "DROP INDEX engines_by_tag",
      "CREATE INDEX engines_by_tag ON engines (owner, name, major, minor) WHERE deleted_at IS NULL",
    ],
    ["index engines_by_tag is not as it was made"],
  ],
  // Pages that nothing leads to any more, and SQLite's own tables, are no damage.
  [0, ["CREATE TABLE mine (a)", "PRAGMA writable_schema = ON", "DELETE FROM sqlite_master WHERE name = 'mine'"], []],
  [0, ["ANALYZE"], []],
  [0, ["INSERT INTO migrations VALUES (99, 0)"], [`schema version is 99, this registry knows ${migrations.length}`]],
])("with %i engines, after %j, a check names %j", async ([engines, damage, problems]) => {
  expect(await problemsAfter(engines, ...damage)).toEqual(problems);
});

test("a damaged page is named by the table that it belongs to", async () => {
  const path = join(directory, "pages.sqlite");
  const file = openSqlite(path);
  await migrate(file.port, 0);
  file.transaction((run) => {
    run("CREATE TABLE many (text TEXT)");
    for (let row = 0; row < 100; row++) run("INSERT INTO many VALUES (?)", "x".repeat(1_000));
  });
  const [page] = file.rows({ sql: "SELECT rootpage FROM sqlite_master WHERE name = 'many'", values: [] });
  file.close();
  const bytes = readFileSync(path);
  const start = (Number(page?.["rootpage"]) - 1) * 4_096;
  writeFileSync(path, bytes.fill(0xee, start, start + 4_096));
  expect(await checkDatabase(path)).toEqual([
    expect.stringMatching(/^table many page \d+: /),
    "cannot be read to the end: database disk image is malformed",
    "table many is not one of a registry",
  ]);
});

test("damage of the first page is one of the schema", async () => {
  const path = join(directory, "schema.sqlite");
  const database = new DatabaseSync(path);
  database.exec("CREATE TABLE a (x); CREATE TABLE b (x)");
  database.close();
  const bytes = readFileSync(path);
  // The number of the first row, which is in the second byte of its cell (https://sqlite.org/fileformat.html, 1.6).
  bytes[bytes.readUInt16BE(108) + 1] = 9;
  writeFileSync(path, bytes);
  expect((await checkDatabase(path))[0]).toMatch(/^the schema page 1 cell 0: Rowid 9 out of order$/);
});

test("at most 100 damaged engines are named", async () => {
  expect(await problemsAfter(100, damaged)).toHaveLength(100);
  const problems = await problemsAfter(102, damaged);
  expect(problems.slice(-2)).toEqual(["engine e-099@0.1 of ann is damaged", "more than 100 engines are damaged"]);
});

test("a file that is no database is an error, and one that is missing, too", async () => {
  const path = join(directory, "text");
  writeFileSync(path, "x".repeat(4_096));
  await expect(checkDatabase(path)).rejects.toThrow("file is not a database");
  await expect(checkDatabase(join(directory, "none"))).rejects.toThrow("unable to open");
});
