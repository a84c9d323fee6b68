// Upgrade of a database of an older version, and the way back.
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { migrations, schemaOf } from "../src/api/Migrations.ts";
import { digestOf } from "../src/api/Digest.ts";
import { get, key, place } from "./place.ts";
import { run, serve } from "./process.ts";

const { directory, fresh } = place();

const token = "bnt_a-token-of-a-database-of-an-older-version";

/** A database as a registry of a version left it: a user, a token, a public engine. */
const madeBy = async (version: number, path: string): Promise<void> => {
  const model = fresh();
  await run(["import", "-", "--user", "carol", "--public", ...model], {}, '{"name":"zipper","version":"0.1"}');
  const database = new DatabaseSync(path);
  for (const sql of schemaOf(version)) database.exec(sql);
  for (let applied = 1; applied <= version; applied++) {
    database.prepare("INSERT INTO migrations VALUES (?, 0)").run(applied);
  }
  database.prepare("ATTACH ? AS model").run(String(model[1]));
  const columns = ["users", "engines"].map((table) => {
    const rows = database.prepare(`SELECT name FROM pragma_table_info('${table}')`).all();
    return [table, rows.map(({ name }) => String(name)).join(", ")] as const;
  });
  for (const [table, names] of columns) {
    database.exec(`INSERT INTO main.${table} (${names}) SELECT ${names} FROM model.${table}`);
  }
  database.exec("UPDATE users SET live_engines = 1; UPDATE public_total SET live_engines = 1");
  const { selector, bytes } = await digestOf(token);
  database
    .prepare(
      "INSERT INTO credentials (id, user, kind, selector, digest, label, created_at) VALUES (?, 1, 'token', ?, ?, '', 0)",
    )
    .run("an-id", selector, bytes);
  database.close();
};

const versionIn = (path: string): unknown => {
  const database = new DatabaseSync(path, { readOnly: true });
  const row = database.prepare("SELECT max(version) AS version FROM migrations").get();
  database.close();
  return row?.["version"];
};

test.for(migrations.slice(0, -1).map((_, index) => index + 1))(
  "a database of version %i is backed up as it is, brought up to date by serve alone, and taken back by a restore",
  async (version) => {
    const path = join(directory, `version-${version}.sqlite`);
    const database = ["--database", path];
    await madeBy(version, path);
    for (const command of [["users"], ["token", "list"], ["export"]]) {
      const { code, stderr } = await run([...command, ...database]);
      expect([code, stderr]).toEqual([1, expect.stringMatching(`has schema version ${version}, this registry needs`)]);
    }
    const backup = join(directory, `backup-${version}.sqlite`);
    expect((await run(["backup", backup, ...database])).code).toBe(0);
    expect([versionIn(path), versionIn(backup)]).toEqual([version, version]);
    const registry = await serve([...database, "--no-trial"], key);
    expect((await get(registry.origin, "/engines/zipper", token)).status).toBe(200);
    expect(versionIn(path)).toBe(migrations.length);
    expect(await registry.end("SIGTERM")).toBe(0);
    expect((await run(["check", ...database])).stdout).toBe(`${path} is sound\n`);
    expect((await run(["restore", backup, "--force", ...database])).code).toBe(0);
    expect((await run(["export", ...database])).stdout).toContain('"zipper"');
  },
);

test("a registry that is older than the database says what to do, and changes nothing", async () => {
  const database = fresh();
  await run(["token", "create", "--create-user", "--user", "carol", ...database]);
  const path = String(database[1]);
  const opened = new DatabaseSync(path);
  opened.exec("INSERT INTO migrations VALUES (99, 0)");
  opened.close();
  for (const command of [["serve", "--port", "0"], ["users"], ["backup", join(directory, "newer.sqlite")]]) {
    const { code, stderr } = await run([...command, ...database]);
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(/schema version 99.*use a newer registry, or restore a backup from before the upgrade\n$/),
    ]);
  }
  expect(versionIn(path)).toBe(99);
});
