import { beforeAll, expect, test } from "vitest";
import { ensureUser } from "../manage/Accounts.ts";
import { publishAll } from "../manage/Engines.ts";
import { openSqlite } from "../node/SqliteFile.ts";
import { assertKey, rememberKey, withKeyCheck } from "./KeyCheck.ts";
import { assertCurrent, migrate, migrations, NewerDatabaseError, OlderDatabaseError } from "./Migrations.ts";
import { KeyError, makeSecretBox, type SecretBox } from "./SecretBox.ts";
import type { SqlDriver } from "./SqlDriver.ts";

let [box, other]: ReadonlyArray<SecretBox> = [];

beforeAll(async () => {
  [box, other] = await Promise.all(["k", "l"].map((character) => makeSecretBox(character.repeat(32))));
});

const statement = { sql: "SELECT 7 AS seven", values: [] };
const checks = "SELECT count(*) AS count FROM key_check";

/** A database of the current version, without a key so far; `reads` are the statements of each read. */
const database = async () => {
  const file = openSqlite(":memory:");
  await migrate(file.port, 0);
  const reads: Array<number> = [];
  const sql: SqlDriver = {
    ...file.port,
    read: (asked) => {
      reads.push(asked.length);
      return file.port.read(asked);
    },
  };
  const count = () => file.rows({ sql: checks, values: [] })[0]?.["count"];
  return { file, sql, reads, count, [Symbol.dispose]: () => file.close() };
};

test("the first key of a database is remembered, and no other one opens it from then on", async () => {
  using empty = { file: openSqlite(":memory:"), [Symbol.dispose]: () => empty.file.close() };
  expect(await assertKey(empty.file.port, box as SecretBox)).toBe(false);
  using store = await database();
  expect(await assertKey(store.sql, box as SecretBox)).toBe(false);
  await migrate(store.sql, 0, box);
  expect([await assertKey(store.sql, box as SecretBox), store.count()]).toEqual([true, 1]);
  await migrate(store.sql, 0, box);
  for (const refused of [
    () => assertKey(store.sql, other as SecretBox),
    () => migrate(store.sql, 0, other),
    () => rememberKey(store.sql, other as SecretBox),
    () => assertCurrent(store.sql, other),
  ]) {
    await expect(refused()).rejects.toThrow(KeyError);
  }
  await assertCurrent(store.sql, box);
  await assertCurrent(store.sql, undefined);
  expect(store.count()).toBe(1);
});

const sealed = (name: string) => ({ name, version: "1.2", platformConfig: { token: "hunter2" } });

test("a database that remembers no key is that of its newest secret", async () => {
  using store = await database();
  const alice = ensureUser(store.file, "alice", 0);
  await publishAll(store.file, alice, [sealed("first")], other, 0);
  await publishAll(store.file, alice, [sealed("second"), { name: "open", version: "0.1" }], box, 0);
  expect(await assertKey(store.sql, box as SecretBox)).toBe(false);
  await expect(assertKey(store.sql, other as SecretBox)).rejects.toThrow(KeyError);
  await expect(ask(withKeyCheck(store.sql, other))).rejects.toThrow(KeyError);
  await migrate({ ...store.sql, readOnly: true }, 0, box);
  expect(store.count()).toBe(0);
});

const ask = async (sql: SqlDriver) => (await sql.read([statement])).map(([row]) => row?.["seven"]);

test("with its first read a driver checks the key in the same batch, until it is right", async () => {
  using store = await database();
  const checked = withKeyCheck(store.sql, box);
  expect(await ask(checked)).toEqual([7]);
  expect(store.count()).toBe(1);
  expect(store.reads[0]).toBe(2);
  store.reads.length = 0;
  expect([await ask(checked), store.reads]).toEqual([[7], [1]]);
  const wrong = withKeyCheck(store.sql, other);
  for (const _ of [1, 2]) await expect(ask(wrong)).rejects.toThrow(KeyError);
  store.reads.length = 0;
  const again = withKeyCheck(store.sql, box);
  expect([await ask(again), await ask(again), store.reads]).toEqual([[7], [7], [2, 1]]);
  store.reads.length = 0;
  expect([await ask(withKeyCheck(store.sql, undefined)), store.reads]).toEqual([[7], [1]]);
});

test("who only reads needs a database of this version, or accepts an older one", async () => {
  using store = await database();
  const set = (version: number) =>
    store.file.transaction((run) =>
      run("UPDATE migrations SET version = ? WHERE version = (SELECT max(version) FROM migrations)", version),
    );
  await assertCurrent(store.sql, box);
  set(migrations.length + 1);
  await expect(assertCurrent(store.sql, box)).rejects.toThrow(NewerDatabaseError);
  await expect(assertCurrent(store.sql, box, { acceptOlder: true })).rejects.toThrow(NewerDatabaseError);
  store.file.transaction((run) => run("DELETE FROM migrations WHERE version > 1"));
  await expect(assertCurrent(store.sql, box)).rejects.toThrow(OlderDatabaseError);
  await assertCurrent(store.sql, box, { acceptOlder: true });
});
