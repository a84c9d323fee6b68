import { createHash } from "node:crypto";
import { expect, onTestFinished, test } from "vitest";
import { migrate } from "../api/Migrations.ts";
import { openSqlite } from "../node/SqliteFile.ts";
import { ensureUser } from "./Accounts.ts";
import { giveTrialTokens, seedTrial, trialUsers } from "./Trial.ts";

const opened = async () => {
  const file = openSqlite(":memory:");
  onTestFinished(() => file.close());
  await migrate(file.port, 0);
  return file;
};

const hashOf = (bytes: Uint8Array | string): string => createHash("sha256").update(bytes).digest("base64");

test("a trial has the same engines and archives each time, under their hashes", async () => {
  const file = await opened();
  const kept: Array<string> = [];
  await seedTrial(file, 0, async (archive) => {
    kept.push(hashOf(archive));
    return { key: `${kept.length}`, hash: hashOf(archive), bytes: archive.length, dataKey: new Uint8Array(32) };
  });
  const engines = file
    .rows({ sql: "SELECT json FROM engines ORDER BY number", values: [] })
    .map(({ json }) => JSON.parse(String(json)) as { readonly name: string; readonly hash?: string });
  const hashes = engines.flatMap(({ hash = "" }) => (hash === "" ? [] : [hash]));
  expect(hashes).toEqual(kept);
  // Other samples have other digests, and no change of code has.
  expect([engines.length, kept.length]).toEqual([8, 7]);
  expect(hashOf(JSON.stringify(engines))).toBe("4e/VQoUbETLJMY5wFj1IcdMD3uk4gQ0xWVyh2Qf7N2c=");
  const archives = file.rows({ sql: "SELECT * FROM archives", values: [] });
  expect(archives).toHaveLength(kept.length);
  for (const archive of archives) expect(archive).toMatchObject({ media_type: "application/x-tar", is_sealed: 0 });
});

test("users of a trial, and those of a database that was filled before, may publish", async () => {
  const file = await opened();
  await seedTrial(file, 0);
  const scopes = () =>
    file.rows({
      sql: "SELECT u.name, c.kind, c.scope FROM credentials c JOIN users u ON u.number = c.user ORDER BY u.name",
      values: [],
    });
  expect(scopes()).toEqual(trialUsers.map(({ name }) => ({ name, kind: "trial", scope: "publish" })));
  const other = await opened();
  ensureUser(other, "ann", 0);
  await giveTrialTokens(other, 0);
  expect(other.rows({ sql: "SELECT kind, scope FROM credentials", values: [] })).toEqual([
    { kind: "trial", scope: "publish" },
  ]);
});
