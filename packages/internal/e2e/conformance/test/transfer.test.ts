// Engines with archives between SQLite and disk, and D1 and R2.
import { execFile } from "node:child_process";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { createEngineClient } from "@bytenite-engines/core/promise";
import { addCredential, ensureUser, startRegistryServer } from "@bytenite-engines/registry";
import { archiveOf as pack, hashOf } from "@bytenite-engines/test-kit/archives";
import { afterAll, beforeAll, expect, test } from "vitest";
import { emulateRegistry, key, type EmulatedRegistry } from "../src/lifecycle/Servers.ts";

const folder = mkdtempSync(join(tmpdir(), "transfer-"));
const first = join(folder, "first.sqlite");
const main = fileURLToPath(new URL("../../../../registry/src/main.ts", import.meta.url));

/** Runs the registry's command line to its end. */
const registry = async (...args: ReadonlyArray<string>): Promise<string> => {
  const env = { ...process.env, BYTENITE_REGISTRY_KEY: key };
  return (await promisify(execFile)(process.execPath, [main, ...args], { env })).stdout;
};

const archiveOf = (manifest: object): Promise<Buffer> =>
  pack({ version: "0.1", ...manifest }, { "app/main.py": "x".repeat(100_000) });

/** Hashes of archives by tag. */
const hashes = new Map<string, string>();

beforeAll(async () => {
  const started = await startRegistryServer({
    database: first,
    port: 0,
    key,
    trial: false,
    tokens: {},
    limits: { drainMs: 0 },
  });
  const carol = ensureUser(started.file, "carol", Date.now());
  await addCredential(started.file, carol, "token", "token-of-carol", Date.now(), "publish");
  const client = createEngineClient({ baseUrl: started.url, token: "token-of-carol" });
  for (const [name, archive] of [
    ["plain", await archiveOf({ name: "plain", description: "old" })],
    ["plain", await archiveOf({ name: "plain", is_public: true })],
    ["packed", gzipSync(await archiveOf({ name: "packed" }))],
    ["secret", await archiveOf({ name: "secret", platform_config: { token: "hunter2" } })],
    ["deleted", await archiveOf({ name: "deleted" })],
  ] as const) {
    await client.upload(new Uint8Array(archive), { activate: name === "packed" });
    if (name !== "deleted") hashes.set(`${name}@0.1`, hashOf(archive));
  }
  await fetch(`${started.url}/engines/deleted@0.1`, { method: "DELETE", headers: { Authorization: "token-of-carol" } });
  await started.stop();
});

afterAll(() => rmSync(folder, { recursive: true }));

/** All that can be seen of a database: engines with their secrets, and archives by name. */
const contentsOf = async (database: string): Promise<unknown> => {
  const archives = mkdtempSync(join(folder, "contents-"));
  const lines = await registry("export", "--with-secrets", "--with-archives", archives, "--database", database);
  const files = readdirSync(archives).toSorted();
  return { lines, files: files.map((name) => [name, hashOf(readFileSync(join(archives, name)))]) };
};

/** A value of a row as SQL; D1 gives bytes as numbers. */
const literal = (value: unknown): string => {
  if (value === null) return "NULL";
  if (typeof value === "number") return String(value);
  return typeof value === "string"
    ? `'${value.replaceAll("'", "''")}'`
    : `X'${Buffer.from(value as Array<number>).toString("hex")}'`;
};

const migrations = fileURLToPath(new URL("../../../../../apps/registry/migrations/", import.meta.url));

/** The statements that make the tables, as `wrangler d1 migrations apply` leaves them. */
const migrated = (): ReadonlyArray<string> => {
  const made = new DatabaseSync(":memory:");
  for (const name of readdirSync(migrations).toSorted()) made.exec(readFileSync(join(migrations, name), "utf8"));
  const statements = made
    .prepare("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'")
    .all()
    .map(({ sql }) => String(sql));
  const versions = made.prepare("SELECT * FROM migrations").all();
  made.close();
  return [
    ...statements,
    ...versions.map((row) => `INSERT INTO migrations VALUES (${Object.values(row).map(literal).join(",")})`),
  ];
};

/** What `wrangler d1 export` writes, and the objects of the bucket in its folder. */
const exportOf = async ({ database, bucket }: EmulatedRegistry, path: string): Promise<void> => {
  const select = async (sql: string): Promise<ReadonlyArray<Record<string, unknown>>> =>
    (await database.prepare(sql).all<Record<string, unknown>>()).results;
  const parts = await select(
    "SELECT type, name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '_cf_%'",
  );
  const lines: Array<string> = ["PRAGMA defer_foreign_keys=TRUE;"];
  for (const { name, sql } of parts.filter(({ type }) => type === "table")) {
    lines.push(`${String(sql)};`);
    for (const row of await select(`SELECT * FROM "${String(name)}"`)) {
      const columns = Object.keys(row).map((column) => `"${column}"`);
      lines.push(
        `INSERT INTO "${String(name)}" (${columns.join(",")}) VALUES(${Object.values(row).map(literal).join(",")});`,
      );
    }
  }
  for (const { sql } of parts.filter(({ type }) => type !== "table")) lines.push(`${String(sql)};`);
  writeFileSync(path, `${lines.join("\n")}\n`);
  mkdirSync(`${path}.archives`);
  for (const { key: name } of (await bucket.list({ prefix: "archives/" })).objects) {
    const object = await bucket.get(name);
    writeFileSync(
      join(`${path}.archives`, name.slice("archives/".length)),
      Buffer.from((await object?.arrayBuffer()) ?? new ArrayBuffer()),
    );
  }
};

test("a registry goes to D1 and R2 and back, twice, and is the same", async () => {
  const before = await contentsOf(first);
  expect(before).toMatchObject({ files: { length: hashes.size } });
  let last = first;
  for (const round of [1, 2]) {
    const objects = join(folder, `objects-${round}`);
    const rows = await registry("export", "--format", "sql", "--with-archives", objects, "--database", last);
    const worker = await emulateRegistry([...migrated(), ...rows.split("\n").filter((line) => line !== "")]);
    for (const name of readdirSync(objects))
      await worker.bucket.put(`archives/${name}`, readFileSync(join(objects, name)));
    const client = createEngineClient({ baseUrl: worker.url, token: "token-of-carol" });
    for (const [tag, hash] of hashes) expect(hashOf(await (await client.archive(tag)).bytes())).toBe(hash);
    const dump = join(folder, `${round}.sql`);
    await exportOf(worker, dump);
    await worker.stop();
    last = join(folder, `${round}.sqlite`);
    await registry("restore", dump, "--yes", "--database", last);
    expect(await registry("check", "--database", last)).toContain("is sound");
    expect(await contentsOf(last)).toEqual(before);
  }
});

test("an export with archives, imported into a new database twice, is the same", async () => {
  const before = await contentsOf(first);
  let last = first;
  for (const round of [1, 2]) {
    const archives = join(folder, `archives-${round}`);
    const lines = join(folder, `${round}.ndjson`);
    writeFileSync(lines, await registry("export", "--with-secrets", "--with-archives", archives, "--database", last));
    last = join(folder, `imported-${round}.sqlite`);
    await registry("import", lines, "--with-archives", archives, "--database", last);
    expect(await contentsOf(last)).toEqual(before);
  }
});

test("an archive that is not in the folder is named, and its engine imported", async () => {
  const archives = join(folder, "fewer");
  const lines = join(folder, "fewer.ndjson");
  writeFileSync(lines, await registry("export", "--with-archives", archives, "--database", first));
  const [name = ""] = readdirSync(archives);
  rmSync(join(archives, name));
  const last = join(folder, "fewer.sqlite");
  await expect(registry("import", lines, "--with-archives", archives, "--database", last)).rejects.toThrow(
    /fewer\.ndjson line \d+: imported without its archive/,
  );
  expect((await registry("export", "--database", last)).trim().split("\n")).toHaveLength(hashes.size);
});

test("an archive that is not the one of its name is not imported, and nothing is", async () => {
  const archives = join(folder, "wrong");
  const lines = join(folder, "wrong.ndjson");
  writeFileSync(lines, await registry("export", "--with-archives", archives, "--database", first));
  const [name = ""] = readdirSync(archives);
  writeFileSync(join(archives, name), await archiveOf({ name: "other" }));
  const last = join(folder, "wrong.sqlite");
  await expect(registry("import", lines, "--with-archives", archives, "--database", last)).rejects.toThrow(
    /its SHA-256 is/,
  );
  expect(readdirSync(`${last}.archives`).filter((entry) => entry !== "incoming")).toEqual([]);
  expect(await registry("export", "--database", last)).toBe("");
});
