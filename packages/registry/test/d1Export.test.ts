// SQLite files from the output of `wrangler d1 export`.
import { existsSync, readdirSync, readlinkSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { migrationFiles } from "../src/api/Migrations.ts";
import { databaseOf } from "../src/manage/SqlDump.ts";
import { get, key, place } from "./place.ts";
import { run, serve } from "./process.ts";

const { directory, fresh } = place();

const quoted = (value: string | number | bigint | null | Uint8Array): string => {
  if (value instanceof Uint8Array) return `X'${Buffer.from(value).toString("hex")}'`;
  return typeof value === "string" ? `'${value.replaceAll("'", "''")}'` : String(value);
};

/** A D1 database as its export writes it: tables with their rows first, what belongs to D1 among them, indexes and triggers last. */
const dumpOf = (database: DatabaseSync): string => {
  const lines = ["PRAGMA defer_foreign_keys=TRUE;"];
  const parts = database
    .prepare("SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")
    .all();
  for (const { name, sql } of parts.filter(({ type }) => type === "table")) {
    lines.push(`${String(sql)};`);
    for (const row of database.prepare(`SELECT * FROM "${String(name)}"`).all()) {
      const values = Object.values(row).map(quoted).join(",");
      lines.push(
        `INSERT INTO "${String(name)}" (${Object.keys(row)
          .map((column) => `"${column}"`)
          .join(",")}) VALUES(${values});`,
      );
    }
  }
  for (const { sql } of parts.filter(({ type }) => type !== "table")) lines.push(`${String(sql)};`);
  return `${lines.join("\n")}\n`;
};

/** Into D1, as wrangler does it: migrations, then the rows of an export. */
const throughD1 = async (database: ReadonlyArray<string>): Promise<string> => {
  const d1 = new DatabaseSync(":memory:");
  d1.exec("CREATE TABLE d1_migrations (id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT UNIQUE)");
  d1.exec("CREATE TABLE _cf_KV (key TEXT PRIMARY KEY, value BLOB) WITHOUT ROWID");
  for (const [name, sql] of migrationFiles()) {
    d1.exec(sql);
    d1.prepare("INSERT INTO d1_migrations (name) VALUES (?)").run(name);
  }
  const { code, stdout } = await run(["export", "--format", "sql", ...database], key);
  expect(code).toBe(0);
  d1.exec(stdout);
  const path = join(directory, `${crypto.randomUUID()}.sql`);
  await writeFile(path, dumpOf(d1));
  d1.close();
  return path;
};

const exported = async (database: ReadonlyArray<string>): Promise<string> =>
  (await run(["export", "--with-secrets", ...database], key)).stdout;

test("a database goes to D1 and back twice, with tokens, secrets, deleted engines and texts of all kinds", async () => {
  const first = fresh();
  const lines = [
    { name: "zipper", version: "0.1", description: "It's 'quoted';\nof two\n\nlines; END;\n" },
    { name: "sealed", version: "1.0", platform_config: { token: "hunter2" } },
    ...Array.from({ length: 30 }, (_, index) => ({
      name: `e-${index}`,
      version: "0.1",
      description: "ü".repeat(6_000),
    })),
  ];
  await run(["import", "-", "--user", "carol", ...first], key, lines.map((line) => JSON.stringify(line)).join("\n"));
  const token = (
    await run(["token", "create", "--create-user", "--user", "carol", "--scope", "publish", ...first], key)
  ).stdout.trim();
  await run(["delete", "e-7@0.1", "--user", "carol", ...first], key);
  const before = await exported(first);
  expect(before).toContain("hunter2");
  let last = first;
  for (let time = 0; time < 2; time++) {
    const next = fresh();
    const restored = await run(["restore", await throughD1(last), "--yes", ...next], key);
    expect([restored.code, restored.stdout]).toEqual([0, expect.stringMatching(/^restored 31 engines of 1 user/)]);
    last = next;
  }
  expect((await exported(last)) === before).toBe(true);
  expect((await run(["check", ...last])).code).toBe(0);
  const registry = await serve([...last, "--no-trial"], key);
  expect((await get(registry.origin, "/engines/sealed", token)).status).toBe(200);
  expect(await registry.end("SIGTERM")).toBe(0);
});

test.for<[string, string, RegExp]>([
  ["another file", "ATTACH 'DIRECTORY/other.sqlite' AS other;", /not authorized/],
  ["a setting", "PRAGMA writable_schema = ON;", /not authorized/],
  ["a table of somebody else", "CREATE TABLE more (x);", /is not one of a registry|is not a registry's database/],
  ["no end", "INSERT INTO users VALUES ('", /is cut short/],
  ["a mistake", "INSERT INTO somewhere VALUES (1);", /:2: no such table: somewhere/],
])("a dump with %s is not restored", async ([, sql, problem]) => {
  const database = fresh();
  const path = join(directory, "wrong.sql");
  await writeFile(path, `PRAGMA defer_foreign_keys=TRUE;\n${sql.replace("DIRECTORY", directory)}\n`);
  const { code, stdout, stderr } = await run(["restore", path, "--yes", ...database]);
  expect([code, stdout, stderr]).toEqual([1, "", expect.stringMatching(problem)]);
  expect((await run(["users", ...database])).stderr).toMatch(/there is no database/);
});

test.runIf(existsSync("/proc/self/fd"))("a dump that is given up leaves no file open", async () => {
  const path = join(directory, "given-up.sql");
  await writeFile(path, `BEGIN;\nNONSENSE;\n${"-- more than is read at once\n".repeat(10_000)}`);
  await expect(databaseOf(path)).rejects.toThrow(/:2: near "NONSENSE"/);
  const open = readdirSync("/proc/self/fd").filter((name) => {
    const link = `/proc/self/fd/${name}`;
    return existsSync(link) && readlinkSync(link) === path;
  });
  expect(open).toEqual([]);
});
