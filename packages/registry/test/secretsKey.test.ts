// Commands with a wrong registry key.
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { key, place } from "./place.ts";
import { run, serve } from "./process.ts";

const another = { BYTENITE_REGISTRY_KEY: "another-key".repeat(4) };

const refusal =
  "registry: BYTENITE_REGISTRY_KEY is not the key of this database: set the one it was first used with, or none\n";

const { directory } = place();

let databases = 0;

/** A directory of its own, with a manifest that holds a secret, and where its database will be. */
const fresh = async (): Promise<{ readonly inside: string; readonly path: string; readonly manifest: string }> => {
  const inside = join(directory, String(databases++));
  await mkdir(inside);
  const manifest = join(inside, "manifest.json");
  await writeFile(manifest, JSON.stringify({ name: "sealed", version: "0.10", platform_config: { token: "hunter2" } }));
  return { inside, path: join(inside, "x.sqlite"), manifest };
};

/** Every file of a directory with its contents. */
const contentsOf = async (inside: string): Promise<Record<string, string>> => {
  const names = await readdir(inside);
  return Object.fromEntries(
    await Promise.all(names.map(async (name) => [name, await readFile(join(inside, name), "latin1")] as const)),
  );
};

const importing = (manifest: string, path: string): ReadonlyArray<string> => [
  "import",
  manifest,
  "--user",
  "carol",
  "--database",
  path,
];

/** Takes a database back to schema version 1, which kept no check value. */
const withoutCheckValue = (path: string): void => {
  const database = new DatabaseSync(path);
  database.exec(`
    DROP TRIGGER archives_with_engine;
    DROP TRIGGER archives_with_owner;
    DROP TABLE archive_holds;
    DROP TABLE archives;
    DROP TABLE audit;
    ALTER TABLE users DROP COLUMN max_bytes;
    ALTER TABLE users DROP COLUMN max_engines;
    ALTER TABLE users DROP COLUMN deleted_at;
    ALTER TABLE users DROP COLUMN disabled_at;
    ALTER TABLE credentials DROP COLUMN last_used_at;
    ALTER TABLE credentials DROP COLUMN scope;
    DROP INDEX engines_by_id;
    DROP TABLE key_check;
    DELETE FROM migrations WHERE version > 1;
    VACUUM`);
  database.close();
};

test("another key is refused by every command, before it writes anything", async () => {
  const { inside, path, manifest } = await fresh();
  expect((await run(importing(manifest, path), key)).code).toBe(0);
  const before = await contentsOf(inside);
  for (const args of [
    ["serve", "--port", "0", "--database", path],
    importing(manifest, path),
    ["import", "-", "--user", "carol", "--database", path],
    ["export", "--with-secrets", "--database", path],
    ["token", "create", "--create-user", "--user", "carol", "--database", path],
    ["backup", join(inside, "copy.sqlite"), "--database", path],
  ]) {
    expect(await run(args, another, '{"name":"a","version":"0.1"}')).toEqual({ code: 1, stdout: "", stderr: refusal });
    expect(await contentsOf(inside)).toEqual(before);
  }
  expect((await run(["export", "--with-secrets", "--database", path], key)).stdout).toContain("hunter2");
});

test("a database knows its key from the first use on, with nothing sealed in it, and is served without one", async () => {
  const { path } = await fresh();
  expect((await run(["token", "create", "--create-user", "--user", "carol", "--database", path])).code).toBe(0);
  expect(await (await serve(["--database", path], key)).end("SIGTERM")).toBe(0);
  expect((await run(["users", "--database", path], another)).stderr).toBe(refusal);
  const without = await serve(["--database", path]);
  expect(without.output.stderr).toContain("BYTENITE_REGISTRY_KEY is not set, but this database was used with one");
  expect(await without.end("SIGTERM")).toBe(0);
});

test("a file without a check value is known by what is sealed in it, and keeps one from then on", async () => {
  const { inside, path, manifest } = await fresh();
  await run(importing(manifest, path), key);
  withoutCheckValue(path);
  const before = await contentsOf(inside);
  expect((await run(["serve", "--port", "0", "--database", path], another)).stderr).toBe(refusal);
  expect(await contentsOf(inside)).toEqual(before);
  // Only who writes brings it up to date.
  expect((await run(["users", "--database", path], key)).stderr).toMatch(
    /has schema version 1, this registry needs \d+/,
  );
  expect(await contentsOf(inside)).toEqual(before);
  expect(await (await serve(["--database", path], key)).end("SIGTERM")).toBe(0);
  expect((await run(["users", "--database", path], key)).stdout).toMatch(/^carol\t/);
  const database = new DatabaseSync(path);
  database.exec("DELETE FROM engines");
  database.close();
  expect((await run(["users", "--database", path], another)).stderr).toBe(refusal);
});

test("a backup knows its key, and is put in place under that key only", async () => {
  const { inside, path, manifest } = await fresh();
  const copy = join(inside, "copy.sqlite");
  await run(importing(manifest, path), key);
  await run(["backup", copy, "--database", path], key);
  const other = join(inside, "other.sqlite");
  await run(["token", "create", "--create-user", "--user", "carol", "--database", other], another);
  const before = await contentsOf(inside);
  const refused = await run(["restore", copy, "--force", "--database", other], another);
  expect([refused.code, refused.stderr]).toEqual([1, refusal]);
  expect(await contentsOf(inside)).toEqual(before);
  expect((await run(["restore", copy, "--force", "--yes", "--database", other], key)).code).toBe(0);
  expect((await run(["users", "--database", other], another)).stderr).toBe(refusal);
  expect((await run(["export", "--with-secrets", "--database", other], key)).stdout).toContain("hunter2");
});
