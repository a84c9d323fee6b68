import { expect, test } from "vitest";
import { addCredential, ensureUser, listCredentials } from "../manage/Accounts.ts";
import { openSqlite } from "../node/SqliteFile.ts";
import { lastUseMs, makeLastUse } from "./LastUse.ts";
import { migrate } from "./Migrations.ts";

test("uses are written in one batch, the latest of each credential, and never backwards", async () => {
  const file = openSqlite(":memory:");
  await migrate(file.port, 0);
  const user = ensureUser(file, "carol", 0);
  for (const secret of ["one", "two", "three"]) await addCredential(file, user, "token", secret, 0);
  const ids = listCredentials(file).map(({ id }) => id);
  const [one = "", two = ""] = ids;
  let writes = 0;
  const write: typeof file.port.write = (statements) => {
    writes += 1;
    return file.port.write(statements);
  };
  const lastUse = makeLastUse({ ...file.port, write });
  await lastUse.flush();
  lastUse.note(one, 1_000);
  lastUse.note(two, 2_000);
  lastUse.note(one, 3_000);
  expect(lastUseMs).toBe(60_000);
  expect([lastUse.isDue(1_000 + lastUseMs - 1), lastUse.isDue(1_000 + lastUseMs)]).toEqual([false, true]);
  await lastUse.flush();
  expect(writes).toBe(1);
  lastUse.note(one, 500);
  await lastUse.flush();
  const used = new Map(listCredentials(file).map(({ id, lastUsedAt }) => [id, lastUsedAt?.getTime()]));
  expect(ids.map((id) => used.get(id))).toEqual(ids.map((id) => (id === one ? 3_000 : id === two ? 2_000 : undefined)));
  file.close();
});

test("a batch has 1,000 credentials at most, is not written to what can only be read, and may fail", async () => {
  const batches: Array<number> = [];
  const write = async (statements: ReadonlyArray<unknown>): Promise<never> => {
    batches.push(statements.length);
    throw new Error("gone");
  };
  const sql = { read: async () => [], write };
  const lastUse = makeLastUse(sql);
  expect(lastUse.isDue(lastUseMs)).toBe(false);
  for (let number = 0; number <= 1_000; number++) lastUse.note(String(number), 0);
  await lastUse.flush();
  await lastUse.flush();
  expect(batches).toEqual([1_000]);
  const reading = makeLastUse({ ...sql, readOnly: true });
  reading.note("one", 0);
  await reading.flush();
  expect([batches.length, reading.isDue(lastUseMs)]).toEqual([1, true]);
});
