// Scopes of tokens and API keys: as the command line makes and lists them, and as an older database has them.
import { expect, test } from "vitest";
import { digestOf } from "../src/api/Digest.ts";
import { migrate, migrations } from "../src/api/Migrations.ts";
import { openSqlite } from "../src/node/SqliteFile.ts";
import { get, key, place } from "./place.ts";
import { run, serve } from "./process.ts";

const { fresh } = place();

test("a token has the scope that it is made with, read unless another is named", async () => {
  const database = fresh();
  const plain = await run(["token", "create", "--user", "carol", ...database]);
  expect([plain.code, plain.stderr]).toEqual([0, expect.stringContaining("of carol, scope read; it")]);
  const publish = await run(["key", "create", "--user", "carol", "--scope", "publish", ...database]);
  expect([publish.code, publish.stderr]).toEqual([0, expect.stringContaining("scope publish")]);
  const wrong = await run(["token", "create", "--user", "carol", "--scope", "root", ...database]);
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("--scope is read, publish, manage")]);
  expect((await run(["token", "list", ...database])).stdout).toMatch(/\tread\tnever used\n$/);
  const registry = await serve([...database, "--no-trial"], key);
  const exchanged = await fetch(`${registry.origin}/v1/auth/access_token`, {
    method: "POST",
    body: JSON.stringify({ apiKey: publish.stdout.trim() }),
  });
  expect(await exchanged.json()).toMatchObject({ scope: "engines:read engines:publish" });
  await registry.end("SIGTERM");
});

test("tokens of a database from before there were scopes can read, and its backups can be restored", async () => {
  const database = fresh();
  const path = database[1] ?? "";
  const file = openSqlite(path);
  const digest = await digestOf("a-token-of-carol");
  file.transaction((exec) => {
    exec("CREATE TABLE migrations (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL)");
    for (const [index, statements] of migrations.slice(0, 3).entries()) {
      for (const sql of statements) exec(sql);
      exec("INSERT INTO migrations VALUES (?, 0)", index + 1);
    }
    exec("INSERT INTO users (id, name, created_at) VALUES ('u', 'carol', 0)");
    exec(
      "INSERT INTO credentials (id, user, kind, selector, digest, label, created_at) VALUES ('c', 1, 'token', ?, ?, '', 0)",
      digest.selector,
      digest.bytes,
    );
  });
  file.database.exec(`VACUUM INTO '${path}.old'`);
  file.close();
  const restored = fresh();
  expect(await run(["restore", `${path}.old`, "--yes", ...restored])).toMatchObject({ code: 0 });
  for (const flags of [database, restored]) {
    const registry = await serve([...flags, "--no-trial"], key);
    expect((await get(registry.origin, "/engines", "a-token-of-carol")).status).toBe(200);
    await registry.end("SIGTERM");
    expect((await run(["token", "list", ...flags])).stdout).toMatch(/^c\tcarol\ttoken\t.*\tread\tnever used\n$/);
  }
});

test("a user who is disabled is let in by none of their tokens", async () => {
  const database = fresh();
  const token = (await run(["token", "create", "--user", "carol", ...database])).stdout.trim();
  const file = openSqlite(database[1] ?? "");
  await migrate(file.port, 0);
  file.transaction((exec) => exec("UPDATE users SET disabled_at = 1"));
  file.close();
  const registry = await serve([...database, "--no-trial"], key);
  expect((await get(registry.origin, "/engines", token)).status).toBe(401);
  await registry.end("SIGTERM");
});
