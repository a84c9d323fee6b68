import { createHash } from "node:crypto";
import { mkdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { get, key, place } from "./place.ts";
import { run, serve } from "./process.ts";

const { directory, fresh } = place();

const manifest = (name: string, version: string, rest: object = {}): string =>
  JSON.stringify({ name, version, ...rest }, null, 2);

test("manifests are imported from files, trees, globs and stdin, and read back over the API", async () => {
  const database = fresh();
  const tree = join(directory, "tree");
  await mkdir(join(tree, "a/b"), { recursive: true });
  await writeFile(join(tree, "a/manifest.json"), manifest("one", "0.1", { type: "partitioner" }));
  await writeFile(join(tree, "a/b/manifest.json"), manifest("two", "0.9"));
  await writeFile(
    join(tree, "three.json"),
    `\u{FEFF}${manifest("three", "1.0", { device_requirements: { min_cpu: 0.1 } })}`,
  );
  const flags = ["--user", "carol", ...database];
  expect(await run(["import", join(tree, "a"), join(tree, "t*.json"), ...flags])).toMatchObject({
    code: 0,
    stderr: "",
  });
  expect(await run(["import", "-", ...flags], {}, manifest("four", "0.1"))).toMatchObject({
    code: 0,
    stdout: "imported 1 engine\n",
  });
  const lines = [manifest("five", "0.1"), manifest("six", "0.1")].map((text) => text.replaceAll("\n", "")).join("\n");
  expect((await run(["import", "-", "--activate", "--public", ...flags], {}, lines)).stdout).toBe(
    "imported 2 engines\n",
  );
  const { stdout: token } = await run(["token", "create", "--create-user", ...flags]);
  const registry = await serve(database);
  const list = (await (await get(registry.origin, "/engines?orderBy=name", token.trim())).json()) as {
    engines: ReadonlyArray<{ name: string; status: string; entrypoint: string }>;
  };
  expect(list.engines.map(({ name, status }) => `${name} ${status}`)).toEqual([
    "five active",
    "four inactive",
    "one inactive",
    "six active",
    "three inactive",
    "two inactive",
  ]);
  expect(list.engines.every(({ entrypoint }) => entrypoint === "main.py")).toBe(true);
  await registry.end("SIGTERM");
});

test("importing again overwrites and raises the revision; state, visibility and time of creation stay", async () => {
  const database = fresh();
  const file = join(directory, "again.json");
  const flags = ["--user", "carol", ...database];
  await writeFile(file, manifest("again", "0.1", { description: "first" }));
  expect((await run(["import", file, ...flags])).stdout).toMatch(/^imported again@0\.1 revision 1 from /);
  expect((await run(["activate", "again", ...flags])).stdout).toBe("activated again@0.1\n");
  const trail = new DatabaseSync(database[1] ?? "");
  expect(trail.prepare("SELECT actor, action, subject FROM audit").all()).toEqual([
    { actor: "(bne registry --database)", action: "import engines", subject: "carol" },
    { actor: "(bne registry --database)", action: "change engine", subject: "carol/again@0.1" },
  ]);
  trail.close();
  const first = JSON.parse((await run(["export", ...database])).stdout) as Record<string, unknown>;
  await writeFile(file, manifest("again", "0.1", { description: "second" }));
  expect((await run(["import", file, ...flags])).stdout).toMatch(/^imported again@0\.1 revision 2 from /);
  const second = JSON.parse((await run(["export", ...database])).stdout) as Record<string, unknown>;
  expect(second).toMatchObject({
    id: first["id"],
    createdAt: first["createdAt"],
    status: "active",
    revision: 2,
    description: "second",
  });
});

test("an invalid file is reported by line and column and not imported; the others are", async () => {
  const database = fresh();
  const good = join(directory, "good.json");
  const bad = join(directory, "bad.json");
  await writeFile(good, manifest("good", "0.1"));
  await writeFile(bad, '{\n  "name": "b d",\n  "version": "1",\n  "typ": ""\n}');
  const latin = join(directory, "latin.json");
  await writeFile(latin, Buffer.from(manifest("caf\u00e9", "0.1"), "latin1"));
  const { code, stdout, stderr } = await run(["import", bad, good, latin, "--user", "carol", ...database]);
  expect([code, stdout]).toEqual([1, `imported good@0.1 revision 1 from ${good}\n`]);
  expect(stderr.split("\n").map((line) => line.replace(bad, "").replace(latin, ""))).toEqual([
    expect.stringContaining(':4:3: "typ" is not a key of the manifest: there are name, version, type'),
    ":2:11: name must be 1 to 64 letters, digits, - or _",
    ':3:14: version must be major.minor, as in "0.1"',
    expect.stringMatching(/^:\d+:\d+: is not UTF-8$/),
    "",
  ]);
});

test("a stream with one wrong line is not imported at all", async () => {
  const database = fresh();
  const lines = ['{"name":"a","version":"0.1"}', '{"name":"b","version":"x"}', '{"name":"c","version":"0.1"'].join(
    "\n",
  );
  const { code, stdout, stderr } = await run(["import", "-", "--user", "carol", ...database], {}, lines);
  expect([code, stdout]).toEqual([1, "imported 0 engines\n"]);
  expect(stderr).toMatch(/stdin line 2:1:23: version/);
  expect(stderr).toMatch(/stdin line 3:1:28: not JSON/);
  expect((await run(["export", ...database])).stdout).toBe("");
});

test("a missing path is distinguished from a directory without manifests", async () => {
  const flags = ["--user", "carol", ...fresh()];
  const empty = join(directory, "empty");
  await mkdir(empty);
  const missing = await run(["import", join(directory, "missing.json"), ...flags]);
  expect(missing).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("missing.json: no such file or directory"),
  });
  expect(await run(["import", empty, ...flags])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("empty: no manifest.json there"),
  });
});

test("the hash comes from an archive when one is given", async () => {
  const database = fresh();
  const archive = join(directory, "archive.zip");
  const file = join(directory, "hashed.json");
  await writeFile(archive, Buffer.alloc(1_000_000, 7));
  await writeFile(file, manifest("hashed", "0.1"));
  await run(["import", file, "--archive", archive, "--user", "carol", ...database]);
  const { hash } = JSON.parse((await run(["export", ...database])).stdout) as { hash: string };
  expect(hash).toBe(createHash("sha256").update(Buffer.alloc(1_000_000, 7)).digest("base64"));
});

test("an archive is not taken for several manifests, from stdin either", async () => {
  const database = fresh();
  const archive = join(directory, "of-one.zip");
  await writeFile(archive, "archive");
  const flags = ["--archive", archive, "--user", "carol", ...database];
  const lines = '{"name":"a","version":"0.1"}\n{"name":"b","version":"0.1"}';
  const refused = await run(["import", "-", ...flags], {}, lines);
  expect([refused.code, refused.stderr]).toEqual([1, "stdin line 2: an archive goes with one manifest\n"]);
  expect((await run(["export", ...database])).stdout).toBe("");
  expect((await run(["import", "-", ...flags], {}, manifest("a", "0.1"))).code).toBe(0);
});

test("a secret is refused without a key, and sealed with one", async () => {
  const database = fresh();
  const file = join(directory, "secret.json");
  await writeFile(file, manifest("sealed", "0.1", { platform_config: { token: "a-secret-of-a-registry" } }));
  const flags = ["--user", "carol", ...database];
  const refused = await run(["import", file, ...flags]);
  expect([refused.code, refused.stderr.includes("BYTENITE_REGISTRY_KEY")]).toEqual([1, true]);
  expect((await run(["import", file, ...flags], key)).code).toBe(0);
  expect((await run(["export", ...database])).stdout).not.toContain("a-secret");
  expect((await run(["export", "--with-secrets", ...database], key)).stdout).toContain("a-secret-of-a-registry");
  expect(await readFile(String(database[1]), "latin1")).not.toContain("a-secret");
});

test("what is exported is imported as it was, and refused where it would be lost", async () => {
  const database = fresh();
  const lines = Array.from({ length: 50 }, (_, index) => `{"name":"e-${index}","version":"0.${index}"}`).join("\n");
  await run(["import", "-", "--activate", "--user", "carol", ...database], {}, lines);
  const exported = (await run(["export", ...database])).stdout;
  const other = fresh();
  expect((await run(["import", "-", ...other], {}, exported)).stdout).toBe("imported 50 engines\n");
  const owner = /"owner":"[^"]*"/g;
  expect((await run(["export", ...other])).stdout.replaceAll(owner, "")).toBe(exported.replaceAll(owner, ""));
});

test("a backup made while it is served is restored whole, under a registry that runs", async () => {
  const database = fresh();
  const backup = join(directory, "backup.sqlite");
  const registry = await serve(database);
  expect((await run(["backup", backup, ...database])).stdout).toMatch(/^backed up 8 engines of 2 users/);
  await run(["delete", "zipper@0.1", "--user", "alice", ...database]);
  expect((await get(registry.origin, "/engines/zipper", "local-alice")).status).toBe(404);
  expect((await run(["restore", backup, ...database])).code).toBe(1);
  expect((await run(["restore", backup, "--force", ...database])).stdout).toMatch(/^restored 8 engines of 2 users/);
  expect((await get(registry.origin, "/engines/zipper", "local-alice")).status).toBe(200);
  await registry.end("SIGTERM");
  await expect(stat(`${backup}.partial`)).rejects.toThrow("ENOENT");
  await writeFile(backup, (await readFile(backup)).subarray(0, 5_000));
  expect((await run(["restore", backup, "--force", ...database])).stderr).toMatch(
    /damaged|cannot be read as a backup|not a registry's database/,
  );
});

const line = (index: number): string => JSON.stringify({ name: `e-${index}`, version: "0.1" });

test("an import adds as many engines as the quota of their owner allows, and overwrites any number", async () => {
  const database = fresh();
  const importing = (...indexes: ReadonlyArray<number>) =>
    run(["import", "-", "--user", "carol", ...database], {}, indexes.map(line).join("\n"));
  expect((await importing(1)).code).toBe(0);
  const opened = new DatabaseSync(String(database[1]));
  opened.exec("UPDATE users SET max_engines = 3");
  opened.close();
  const over = await importing(1, 2, 3, 4);
  expect([over.code, over.stdout, over.stderr]).toEqual([
    1,
    "imported 0 engines\n",
    "e-4@0.1: carol has as many engines as the quota allows: delete some, or raise it\n",
  ]);
  expect((await importing(1, 2, 3)).code).toBe(0);
  expect((await importing(1, 2, 3)).code).toBe(0);
  const files = [3, 4].map((index) => join(directory, `quota-${index}.json`));
  await Promise.all(files.map((path, index) => writeFile(path, line(3 + index))));
  const mixed = await run(["import", ...files, "--user", "carol", ...database]);
  expect([mixed.code, mixed.stdout]).toEqual([1, `imported e-3@0.1 revision 3 from ${files[0]}\n`]);
  expect(mixed.stderr).toContain("e-4@0.1: carol has as many engines as the quota allows");
  expect((await run(["delete", "e-1@0.1", "--user", "carol", ...database])).code).toBe(0);
  expect((await importing(4)).code).toBe(0);
});
