// Backups, restores and checks of a registry with archives.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { afterAll, expect, onTestFinished, test, vi } from "vitest";
import { migrate } from "../src/api/Migrations.ts";
import { makeSecretBox } from "../src/api/SecretBox.ts";
import { addCredential, ensureUser } from "../src/manage/Accounts.ts";
import { exportArchives } from "../src/manage/ArchiveTransfer.ts";
import { backUp, restore } from "../src/manage/Backup.ts";
import { checkDatabase } from "../src/manage/Check.ts";
import { change } from "../src/manage/Engines.ts";
import { startRegistryServer } from "../src/node/Registry.ts";
import { openSqlite } from "../src/node/SqliteFile.ts";
import { archiveOf, hashOf } from "@bytenite-engines/test-kit/archives";
import { giveArchive, send } from "./archives.ts";
import { run } from "./process.ts";

const folder = mkdtempSync(join(tmpdir(), "archive-backup-"));
afterAll(() => rmSync(folder, { recursive: true }));

const start = (database: string) =>
  startRegistryServer({ database, port: 0, key: "k".repeat(40), trial: false, tokens: {}, limits: { drainMs: 0 } });

/** Changes one byte of a file. */
const damage = (path: string): void => {
  const bytes = readFileSync(path);
  bytes[200_000] = (bytes[200_000] ?? 0) ^ 1;
  writeFileSync(path, bytes);
};

test("a backup has the archives that its rows name, and restoring it brings them back", async () => {
  const database = join(folder, "a.sqlite");
  const copy = join(folder, "copy.sqlite");
  const registry = await start(database);
  const carol = ensureUser(registry.file, "carol", Date.now());
  await addCredential(registry.file, carol, "token", "token-of-carol", Date.now(), "publish");
  const archives: Record<string, Buffer> = {};
  for (const name of ["one", "two", "three"]) {
    const manifest = { name, version: "0.1", ...(name === "two" ? { platform_config: { token: "x" } } : {}) };
    archives[name] = await archiveOf(manifest, { "app/main.py": Buffer.alloc(100_000, name) });
    await send(`${registry.url}/engines`, "POST", "token-of-carol", "json", { engineData: archives[name] });
  }
  expect(await backUp(registry.file.database, copy)).toEqual({ users: 1, engines: 3 });
  const objects = readdirSync(`${copy}.archives`);
  expect(objects).toHaveLength(3);
  expect(registry.file.rows({ sql: "SELECT * FROM archive_holds", values: [] })).toEqual([]);
  change(registry.file, carol, "three@0.1", "delete", Date.now());
  mkdirSync(`${copy}.archives/incoming`);
  expect(await backUp(registry.file.database, copy)).toEqual({ users: 1, engines: 2 });
  expect(readdirSync(`${copy}.archives`)).toHaveLength(3);
  rmdirSync(`${copy}.archives/incoming`);
  // Exported are those of a user, or of all; one with a secret needs the key.
  const dave = ensureUser(registry.file, "dave", Date.now());
  const exported = { folder: join(folder, "exported"), archives: `${database}.archives` };
  expect(await exportArchives(registry.file, exported, dave, undefined)).toEqual([]);
  expect(readdirSync(exported.folder)).toEqual([]);
  for (const user of [carol, undefined]) {
    expect(await exportArchives(registry.file, exported, user, undefined)).toEqual(["two@0.1"]);
    expect(readdirSync(exported.folder)).toHaveLength(1);
  }
  await registry.stop();
  expect(await checkDatabase(database)).toEqual([]);
  const other = join(folder, "b.sqlite");
  await restore(copy, other);
  expect(await checkDatabase(other)).toEqual([]);
  const again = await start(other);
  for (const name of ["one", "two"]) {
    const link = await send(`${again.url}/engines/${name}@0.1/download`, "GET", "token-of-carol");
    const got = new Uint8Array(await (await fetch(String(link.body["engineLink"]))).arrayBuffer());
    expect(hashOf(got)).toBe(hashOf(archives[name] ?? Buffer.alloc(0)));
  }
  await again.stop();
  // Lost or damaged objects are named, and neither backed up nor restored.
  const [first = "", second = ""] = readdirSync(`${copy}.archives`);
  truncateSync(join(`${other}.archives`, first), 10);
  rmSync(join(`${other}.archives`, second));
  const problems = await checkDatabase(other);
  expect(problems).toHaveLength(2);
  for (const problem of problems)
    expect(problem).toMatch(/^the archive of (one|two)@0\.1 of carol is (missing|damaged): /);
  rmSync(join(`${copy}.archives`, first));
  const third = join(folder, "c.sqlite");
  await expect(restore(copy, third)).rejects.toThrow(/the archive of .* is missing/);
  expect(readdirSync(folder).filter((name) => name.startsWith("c.sqlite"))).toEqual([]);
});

test("an archive with one changed byte is named by check, not backed up, mended by restore and by the same upload", async () => {
  const database = join(folder, "e.sqlite");
  const [good, bad] = [join(folder, "good.sqlite"), join(folder, "bad.sqlite")];
  const key = "k".repeat(40);
  const box = await makeSecretBox(key);
  const registry = await start(database);
  const carol = ensureUser(registry.file, "carol", Date.now());
  await addCredential(registry.file, carol, "token", "token-of-carol", Date.now(), "publish");
  const upload = async (name: string, more: object = {}) => {
    const archive = await archiveOf({ name, version: "0.1", ...more }, { "app/main.py": Buffer.alloc(300_000, 1) });
    return send(`${registry.url}/engines`, "POST", "token-of-carol", "json", { engineData: archive });
  };
  const secret = { platform_config: { token: "x" } };
  for (const [name, more] of [
    ["plain", {}],
    ["secret", secret],
  ] as const)
    expect((await upload(name, more)).status).toBe(200);
  await backUp(registry.file.database, good, undefined, box);
  const pathOf = (name: string): string => {
    const sql = `SELECT a.key FROM archives a JOIN engines e ON e.number = a.engine WHERE e.name = ? AND a.released_at IS NULL`;
    return join(`${database}.archives`, String(registry.file.rows({ sql, values: [name] })[0]?.["key"]));
  };
  for (const name of ["plain", "secret"]) damage(pathOf(name));
  const named = [
    /^the archive of (plain|secret)@0\.1 of carol is damaged: /,
    /^the archive of (plain|secret)@0\.1 of carol is damaged: /,
  ];
  expect(await checkDatabase(database, undefined, box)).toEqual(named.map((text) => expect.stringMatching(text)));
  await expect(checkDatabase(database, undefined, await makeSecretBox("w".repeat(40)))).rejects.toThrow(/key/i);
  // Without the key, what is sealed cannot be read.
  expect(await checkDatabase(database)).toEqual([
    expect.stringMatching(/^the archive of plain@0\.1 of carol is damaged/),
  ]);
  await expect(backUp(registry.file.database, bad, undefined, box)).rejects.toThrow(/is damaged: .*, and 1 more/);
  expect(readdirSync(folder).filter((name) => name.startsWith("bad"))).toEqual([]);
  await expect(backUp(registry.file.database, good, undefined, box)).rejects.toThrow(/is damaged/);
  await restore(good, database, { box });
  expect(await checkDatabase(database, undefined, box)).toEqual([]);
  // The same archive again is stored where its object is damaged or lost, and is the same revision.
  damage(pathOf("plain"));
  await expect(backUp(registry.file.database, good, undefined, box)).rejects.toThrow(
    /^the archive of plain@0\.1 of carol is damaged: \S+$/,
  );
  rmSync(pathOf("secret"));
  for (const [name, more] of [
    ["plain", {}],
    ["secret", secret],
  ] as const) {
    const lost = pathOf(name);
    expect((await upload(name, more)).body).toMatchObject({ revision: 1 });
    expect(pathOf(name)).not.toBe(lost);
    const kept = pathOf(name);
    expect((await upload(name, more)).status).toBe(200);
    expect(pathOf(name)).toBe(kept);
  }
  expect(await checkDatabase(database, undefined, box)).toEqual([]);
  damage(join(`${good}.archives`, readdirSync(`${good}.archives`)[0] ?? ""));
  await expect(restore(good, database, { box })).rejects.toThrow(/is damaged/);
  await registry.stop();
});

test.skipIf(process.platform === "win32")(
  "an archive that this user may not read is named as such by check and backup, not as damaged",
  async () => {
    const [database, backups] = [join(folder, "denied.sqlite"), join(folder, "of-denied")];
    const archives = `${database}.archives`;
    const file = openSqlite(database);
    await migrate(file.port, 0);
    const given = { user: "carol", name: "one", archive: Buffer.alloc(1_000), token: "" };
    await giveArchive(file, archives, await makeSecretBox("k".repeat(32)), given);
    file.close();
    const object = join(archives, readdirSync(archives).find((name) => name !== "incoming") ?? "");
    mkdirSync(backups);
    for (const [path, mode] of [
      [folder, 0o755],
      [backups, 0o777],
      [database, 0o644],
      [archives, 0o755],
    ] as const)
      chmodSync(path, mode);
    onTestFinished(() => chmodSync(archives, 0o755));
    // Root may read whatever the mode is.
    const user = process.getuid?.() === 0 ? { uid: 65_534 } : {};
    for (const [path, call] of [
      [object, "access"],
      [archives, "stat"],
    ] as const) {
      chmodSync(path, 0);
      for (const command of [["check"], ["backup", join(backups, "a.sqlite")]]) {
        const { code, stdout, stderr } = await run([...command, "--database", database], {}, "", user);
        expect([code, stdout, stderr]).toEqual([1, "", `registry: EACCES: permission denied, ${call} '${object}'\n`]);
      }
    }
    expect(readdirSync(backups)).toEqual([]);
    // A lock that may only be read keeps nobody away.
    chmodSync(archives, 0o755);
    chmodSync(object, 0o644);
    const lock = join(backups, "a.sqlite.partial-lock");
    writeFileSync(lock, "", { mode: 0o444 });
    const { stderr } = await run(["backup", join(backups, "a.sqlite"), "--database", database], {}, "", user);
    expect(stderr).toBe(`registry: ${lock} cannot be used as a lock: EACCES: permission denied, access '${lock}'\n`);
    expect(readdirSync(backups)).toEqual(["a.sqlite.partial-lock"]);
    chmodSync(backups, 0o555);
    const locked = await run(["backup", backups, "--database", database], {}, "", user);
    expect(locked.stderr).toMatch(/^registry: \S+ cannot be written: does its directory exist, and may this user/);
  },
);

test("a damaged object is never sent as if it were whole", async () => {
  const said: Array<unknown> = [];
  vi.spyOn(console, "error").mockImplementation((...parts) => void said.push(parts.join(" ")));
  onTestFinished(() => void vi.restoreAllMocks());
  const database = join(folder, "d.sqlite");
  const registry = await start(database);
  const carol = ensureUser(registry.file, "carol", Date.now());
  await addCredential(registry.file, carol, "token", "token-of-carol", Date.now(), "publish");
  const archive = await archiveOf({ name: "one", version: "0.1" }, { "app/main.py": Buffer.alloc(300_000, 1) });
  await send(`${registry.url}/engines`, "POST", "token-of-carol", "json", { engineData: archive });
  const name = readdirSync(`${database}.archives`).find((entry) => entry !== "incoming") ?? "";
  const path = join(`${database}.archives`, name);
  damage(path);
  const link = String(
    (await send(`${registry.url}/engines/one@0.1/download`, "GET", "token-of-carol")).body["engineLink"],
  );
  await expect(fetch(link).then((answer) => answer.arrayBuffer())).rejects.toThrow(/terminated|fetch failed/);
  truncateSync(path, 100_000);
  await expect(fetch(link).then((answer) => answer.arrayBuffer())).rejects.toThrow(/terminated|fetch failed/);
  rmSync(path);
  expect((await fetch(link)).status).toBe(500);
  expect(said.at(-1)).toMatch(
    /^request \S+ failed: Error: the object of archive \S+ is missing: restore it from a backup$/,
  );
  await registry.stop();
});

test("sample engines of a trial are real archives, and its users may publish", async () => {
  const registry = await startRegistryServer({
    database: join(folder, "trial.sqlite"),
    port: 0,
    limits: { drainMs: 0 },
  });
  for (const [token, tag] of [
    ["local-alice", "zipper@0.1"],
    ["local-bob", "word-count@0.10"],
    ["local-bob", "fanout-urls@0.5"],
  ] as const) {
    const engine = await send(`${registry.url}/engines/${tag}`, "GET", token);
    const link = await send(`${registry.url}/engines/${tag}/download`, "GET", token);
    const got = new Uint8Array(await (await fetch(String(link.body["engineLink"]))).arrayBuffer());
    expect(hashOf(got)).toBe(engine.body["hash"]);
    const again = await send(`${registry.url}/engines`, "POST", token, "json", { engineData: got });
    expect([again.status, again.body["hash"]]).toEqual([200, engine.body["hash"]]);
  }
  await registry.stop();
  expect(await checkDatabase(join(folder, "trial.sqlite"))).toEqual([]);
});

test("two backups into a directory at once both have their archives", async () => {
  const [database, backups] = [join(folder, "twice.sqlite"), join(folder, "backups")];
  mkdirSync(backups);
  const file = openSqlite(database);
  await migrate(file.port, 0);
  const given = { user: "carol", name: "one", archive: Buffer.alloc(1_000), token: "" };
  await giveArchive(file, `${database}.archives`, await makeSecretBox("k".repeat(40)), given);
  file.close();
  const [waiting, go, slow] = ["waiting", "go", "slow.mjs"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  writeFileSync(
    slow,
    `import fs, { existsSync, writeFileSync } from "node:fs";
    import { syncBuiltinESMExports } from "node:module";
    import { setImmediate } from "node:timers/promises";
    const { rename } = fs.promises;
    fs.promises.rename = async (from, to) => {
      if (to.endsWith(".sqlite")) {
        writeFileSync(${JSON.stringify(waiting)}, "");
        while (!existsSync(${JSON.stringify(go)})) await setImmediate();
      }
      return rename(from, to);
    };
    syncBuiltinESMExports();`,
  );
  const backup = (environment = {}) => run(["backup", backups, "--database", database], environment);
  const first = backup({ NODE_OPTIONS: `--import=${pathToFileURL(slow).href}` });
  await expect.poll(() => existsSync(waiting), { timeout: 10_000 }).toBe(true);
  const second = await backup();
  writeFileSync(go, "");
  expect([(await first).code, second.code]).toEqual([0, 0]);
  const names = readdirSync(backups).toSorted();
  expect(names.map((name) => name.replace(/^engines-\w+/, ""))).toEqual(
    [1, 2].flatMap(() => [".sqlite", ".sqlite.archives"]),
  );
  for (const name of [1, 3].map((index) => `${names[index]}`)) expect(readdirSync(join(backups, name))).toHaveLength(1);
});
