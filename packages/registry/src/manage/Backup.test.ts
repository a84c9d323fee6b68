import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readlinkSync, rmSync, statSync } from "node:fs";
import { mkdir, mkdtemp, open, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { Readable } from "node:stream";
import { text } from "node:stream/consumers";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { migrate, migrations } from "../api/Migrations.ts";
import { beginArchive } from "../archive/ArchiveStore.ts";
import { makeArchiveFolder, nodeSha256 } from "../node/ArchiveFolder.ts";
import { openSqlite, type SqliteFile } from "../node/SqliteFile.ts";
import {
  addCredential,
  ensureUser,
  listCredentials,
  listUsers,
  noteChange,
  revokeCredential,
  userOf,
} from "./Accounts.ts";
import { holdArchives } from "./ArchiveFiles.ts";
import { backUp, BackupError, removeUnfinished, restore, type Revival } from "./Backup.ts";
import { checkDatabase } from "./Check.ts";
import { publishAll } from "./Engines.ts";
import { seedTrial } from "./Trial.ts";

let directory: string;
let file: SqliteFile;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "registry-backup-"));
  file = openSqlite(join(directory, "engines.sqlite"));
  await migrate(file.port, 0);
  await seedTrial(file, 0);
});

afterAll(async () => {
  file.close();
  await rm(directory, { recursive: true, force: true });
});

const noted = (opened: SqliteFile, action: string): void => opened.transaction((run) => noteChange(run, 4, action, ""));

const enginesIn = (path: string): ReadonlyArray<number> => {
  const opened = openSqlite(path);
  const engines = listUsers(opened).map(({ engines }) => engines);
  opened.close();
  return engines;
};

test("a backup is synced before it gets its name, and its directory after that", async () => {
  const path = join(directory, "synced.sqlite");
  const handle = await open(directory);
  const handles = Object.getPrototypeOf(handle) as typeof handle;
  await handle.close();
  const named: Array<boolean> = [];
  vi.spyOn(handles, "sync").mockImplementation(async () => void named.push(existsSync(path)));
  onTestFinished(() => void vi.restoreAllMocks());
  await backUp(file.database, path);
  expect([named[0], named.at(-1)]).toEqual([false, true]);
});

test("archives of a backup are synced, each before it gets its name, and their folder after that", async () => {
  const source = openSqlite(join(directory, "with-archives.sqlite"));
  await migrate(source.port, 0);
  const [from, path] = [join(directory, "with-archives.sqlite.archives"), join(directory, "archives-synced.sqlite")];
  const store = makeArchiveFolder(from);
  await seedTrial(source, 0, async (archive) => {
    const writer = await beginArchive(store, nodeSha256());
    await writer.write(archive);
    return writer.finish();
  });
  const handle = await open(directory);
  const handles = Object.getPrototypeOf(handle) as typeof handle;
  await handle.close();
  const named: Array<number> = [];
  const namedNow = (): number => readdirSync(`${path}.archives`).filter((name) => !name.endsWith(".partial")).length;
  vi.spyOn(handles, "sync").mockImplementation(
    async () => void (existsSync(`${path}.archives`) && named.push(namedNow())),
  );
  onTestFinished(() => void vi.restoreAllMocks());
  await backUp(source.database, path);
  const count = readdirSync(from).length - 1;
  expect(count).toBeGreaterThan(1);
  // The folder, the database and its directory come last.
  expect(named).toEqual([...Array.from({ length: count }, (_, index) => index), count, count, count]);
  expect((statSync(`${path}.archives`).mode & 0o777).toString(8)).toBe("700");
  // What is there already stays.
  const objects = (): ReadonlyArray<unknown> =>
    readdirSync(`${path}.archives`).map((name) => [name, statSync(join(`${path}.archives`, name)).ino]);
  const before = objects();
  await backUp(source.database, path);
  expect(objects()).toEqual(before);
  source.close();
});

test("while a backup is made nobody else takes its file for one that was left, nor makes another of its name", async () => {
  const path = join(directory, "under-way.sqlite");
  const handle = await open(directory);
  const handles = Object.getPrototypeOf(handle) as typeof handle;
  await handle.close();
  const others: Array<unknown> = [];
  vi.spyOn(handles, "sync").mockImplementationOnce(async () => {
    await removeUnfinished(path);
    others.push(existsSync(`${path}.partial`), await backUp(file.database, path).catch(String));
    // Its archives are not swept away.
    others.push(file.rows({ sql: "SELECT 1 AS held FROM archive_holds", values: [] }));
    // Whoever takes the lock away by hand does not make it fail.
    await rm(`${path}.partial-lock`);
  });
  onTestFinished(() => void vi.restoreAllMocks());
  await backUp(file.database, path);
  expect(others).toEqual([true, `BackupError: another process is making the backup ${path}`, [{ held: 1 }]]);
});

test("a backup of a name is made once the process that made another one has ended, however it did", async () => {
  const path = join(directory, "again.sqlite");
  const locks = `new (require("node:sqlite").DatabaseSync)(${JSON.stringify(`${path}.partial-lock`)}).exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");`;
  const other = spawn(process.execPath, ["-e", `${locks} console.log("locked"); setInterval(() => {}, 1_000)`]);
  onTestFinished(() => void other.kill("SIGKILL"));
  await once(other.stdout, "data");
  await expect(backUp(file.database, path)).rejects.toThrow(/^another process is making the backup \S+$/);
  expect(existsSync(`${path}.partial-lock`)).toBe(true);
  other.kill("SIGKILL");
  await once(other, "exit");
  await backUp(file.database, path);
  expect((await readdir(directory)).filter((name) => name.startsWith("again"))).toEqual(["again.sqlite"]);
});

test("no backup is made with a lock whose file another one has removed meanwhile", async () => {
  const path = join(directory, "removed.sqlite");
  vi.spyOn(DatabaseSync.prototype, "exec").mockImplementationOnce(function (this: DatabaseSync, sql) {
    rmSync(`${path}.partial-lock`);
    this.exec(sql);
  });
  onTestFinished(() => void vi.restoreAllMocks());
  await expect(backUp(file.database, path)).rejects.toThrow("another process is making the backup");
  expect((await readdir(directory)).filter((name) => name.startsWith("removed"))).toEqual([]);
});

test("a file that cannot be a lock is named", async () => {
  const path = join(directory, "lockless.sqlite");
  await mkdir(`${path}.partial-lock`);
  await expect(backUp(file.database, path)).rejects.toThrow(`${path}.partial-lock cannot be used as a lock: unable to`);
});

test("a backup of many pages is made while the database is written to all the time", async () => {
  const path = join(directory, "written.sqlite");
  const opened = openSqlite(path);
  await migrate(opened.port, 0);
  opened.transaction((run) => {
    for (let row = 0; row < 2_500; row++) noteChange(run, 4, "long", "", { text: "x".repeat(4_000) });
  });
  const other = openSqlite(path);
  let writes = 0;
  const writing = setInterval(() => {
    noted(other, "meanwhile");
    writes += 1;
    if (writes === 1_000) clearInterval(writing);
  });
  onTestFinished(() => {
    clearInterval(writing);
    for (const { close } of [opened, other]) close();
  });
  expect(await backUp(opened.database, join(directory, "of-written.sqlite"))).toEqual({ users: 0, engines: 0 });
  expect(writes).toBeLessThan(1_000);
});

test("a backup of a later version is not restored, nor made", async () => {
  const [path, backup] = [join(directory, "later.sqlite"), join(directory, "of-later.sqlite")];
  await backUp(file.database, path);
  const opened = openSqlite(path);
  onTestFinished(() => opened.close());
  opened.transaction((run) => run("INSERT INTO migrations VALUES (?, 0)", migrations.length + 1));
  await expect(restore(path, join(directory, "never.sqlite"))).rejects.toThrow("was made by a newer registry");
  await expect(backUp(opened.database, backup)).rejects.toThrow("was made by a newer registry");
  expect(existsSync(backup)).toBe(false);
});

test("a sound database is replaced without being rebuilt, also one with statistics of SQLite", async () => {
  const [backup, target] = [join(directory, "analysed.sqlite"), join(directory, "over-analysed.sqlite")];
  const opened = openSqlite(target);
  await migrate(opened.port, 0);
  await addCredential(opened, ensureUser(opened, "carol", 1), "token", "token-of-carol", 2);
  opened.database.exec("ANALYZE");
  await backUp(opened.database, backup);
  const exec = vi.spyOn(DatabaseSync.prototype, "exec");
  onTestFinished(() => void vi.restoreAllMocks());
  await restore(backup, target);
  expect(exec.mock.calls.filter(([sql]) => sql.includes("VACUUM"))).toEqual([]);
  opened.close();
});

test("archives are held for twelve hours while they are copied", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: 1_000 });
  onTestFinished(() => void vi.useRealTimers());
  const opened = openSqlite(":memory:");
  await migrate(opened.port, 0);
  const holds = () => opened.rows({ sql: "SELECT until FROM archive_holds", values: [] });
  const release = holdArchives(opened.database);
  expect(holds()).toEqual([{ until: 1_000 + 43_200_000 }]);
  release();
  expect(holds()).toEqual([]);
  opened.close();
});

test("archives and their folder are for their owner alone, and others' files are not archives", async () => {
  const before = process.umask(0);
  onTestFinished(() => void process.umask(before));
  const folder = join(directory, "private");
  const store = makeArchiveFolder(folder);
  const keys = async (): Promise<ReadonlyArray<string>> =>
    ((await Readable.from(store.list()).toArray()) as ReadonlyArray<{ readonly key: string }>).map(({ key }) => key);
  expect(await keys()).toEqual([]);
  const [object, aborted] = [await store.begin(), await store.begin()];
  await object.write(Buffer.from("abc"));
  expect((await keys()).toSorted()).toEqual([object.key, aborted.key].toSorted());
  await aborted.abort();
  await object.finish();
  const modes = ["", "incoming", object.key].map((name) => (statSync(join(folder, name)).mode & 0o777).toString(8));
  expect(modes).toEqual(["700", "700", "600"]);
  await writeFile(join(folder, "notes.txt"), "");
  await mkdir(join(folder, crypto.randomUUID()));
  expect(await keys()).toEqual([object.key]);
  const read = async (key: string, start: number, end: number): Promise<string | undefined> => {
    const bytes = await store.read(key, start, end);
    return bytes === undefined ? undefined : text(bytes);
  };
  expect(
    await Promise.all(
      [
        [0, 3],
        [1, 2],
        [1, 1],
      ].map(([start = 0, end = 0]) => read(object.key, start, end)),
    ),
  ).toEqual(["abc", "b", ""]);
  expect([await read("notes.txt", 0, 1), await read(crypto.randomUUID(), 0, 1)]).toEqual([undefined, undefined]);
  await store.remove(object.key);
  expect(await keys()).toEqual([]);
});

test("a database that is closed has its log in it", async () => {
  const path = join(directory, "closed.sqlite");
  const opened = openSqlite(path);
  await migrate(opened.port, 0);
  expect(existsSync(`${path}-wal`)).toBe(true);
  opened.close();
  expect([existsSync(`${path}-wal`), enginesIn(path)]).toEqual([false, []]);
});

test("a revoked token of a user whom the backup does not have stays revoked, with its user", async () => {
  const [backup, target] = [join(directory, "before-dave.sqlite"), join(directory, "with-dave.sqlite")];
  await backUp(file.database, backup);
  const opened = openSqlite(target);
  await migrate(opened.port, 0);
  const dave = ensureUser(opened, "dave", 5);
  await addCredential(opened, dave, "token", "token-of-dave", 6);
  const id = String(listCredentials(opened)[0]?.id);
  revokeCredential(opened, id, 7);
  await restore(backup, target);
  const kept = listCredentials(opened).filter(({ user }) => user === "dave");
  expect(kept).toMatchObject([{ id, revokedAt: new Date(7) }]);
  expect(userOf(opened, "dave").id).toBe(dave.id);
  opened.close();
});

test("a token that was revoked stays so where the backup has it under another id", async () => {
  const paths = [join(directory, "one-id.sqlite"), join(directory, "other-id.sqlite")] as const;
  for (const [index, path] of paths.entries()) {
    const opened = openSqlite(path);
    await migrate(opened.port, 0);
    await addCredential(opened, ensureUser(opened, "carol", 1), "token", "the-same-token", 2);
    if (index === 1) revokeCredential(opened, String(listCredentials(opened)[0]?.id), 7);
    opened.close();
  }
  await restore(...paths);
  const opened = openSqlite(paths[1]);
  expect(listCredentials(opened).map(({ revokedAt }) => revokedAt?.getTime())).toEqual([7]);
  opened.close();
});

test("a restore leaves revoked and disabled what is, keeps the audit trail, and notes itself there", async () => {
  const [backup, target] = [join(directory, "before.sqlite"), join(directory, "changed.sqlite")];
  const opened = openSqlite(target);
  await migrate(opened.port, 0);
  for (const [at, name] of ["carol", "dave"].entries()) {
    await addCredential(opened, ensureUser(opened, name, 1), "token", `token-of-${name}`, at);
  }
  const [ended = "", kept = ""] = listCredentials(opened).map(({ id }) => id);
  await addCredential(opened, userOf(opened, "dave"), "configured", "configured-for-dave", 3);
  noted(opened, "in the backup, too");
  await backUp(opened.database, backup);
  noted(opened, "later");
  revokeCredential(opened, ended, 7);
  opened.transaction((run) => run("UPDATE users SET disabled_at = 8 WHERE name = 'dave'"));
  expect(await restore(backup, target)).toEqual({ users: 2, engines: 0, keptAudit: 2 });
  const credentials = () => listCredentials(opened).map(({ id, kind, revokedAt }) => [id, kind, revokedAt?.getTime()]);
  const configured = [expect.any(String), "configured", undefined];
  expect(credentials()).toEqual([[ended, "token", 7], [kept, "token", undefined], configured]);
  const disabled = { sql: "SELECT name, disabled_at FROM users WHERE disabled_at IS NOT NULL", values: [] };
  expect(opened.rows(disabled)).toEqual([{ name: "dave", disabled_at: 8 }]);
  expect(await restore(backup, target, { revokeAll: true })).toEqual({ users: 2, engines: 0, keptAudit: 3 });
  expect(credentials()).toEqual([[ended, "token", 7], [kept, "token", expect.any(Number)], configured]);
  const trail = opened.rows({ sql: "SELECT action, detail FROM audit ORDER BY number", values: [] });
  expect(trail.map(({ action, detail }) => [action, JSON.parse(String(detail))])).toEqual([
    ["in the backup, too", {}],
    ["later", {}],
    ["revoke credential", {}],
    ["restore database", { revokeAll: false, keptAudit: 2 }],
    ["restore database", { revokeAll: true, keptAudit: 3 }],
  ]);
  opened.close();
  expect(await checkDatabase(target)).toEqual([]);
});

test("before a restore is told what would be valid again, though it may have been revoked since", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: 1_000 });
  onTestFinished(() => void vi.useRealTimers());
  const [source, backup] = [join(directory, "credentials.sqlite"), join(directory, "of-credentials.sqlite")];
  const opened = openSqlite(source);
  await migrate(opened.port, 0);
  const erin = ensureUser(opened, "erin", 20);
  for (const [at, kind] of (["token", "api-key", "token", "token", "configured"] as const).entries()) {
    await addCredential(opened, erin, kind, `${at}-of-erin`, at);
  }
  opened.transaction((run) => {
    run("UPDATE credentials SET expires_at = 1001 WHERE created_at = 1");
    run("UPDATE credentials SET expires_at = 1000 WHERE created_at = 2");
    run("UPDATE credentials SET revoked_at = 40 WHERE created_at = 3");
  });
  await backUp(opened.database, backup);
  opened.close();
  const made = async (name: string): Promise<string> => {
    const path = join(directory, name);
    const other = openSqlite(path);
    await migrate(other.port, 0);
    other.close();
    return path;
  };
  const empty = join(directory, "empty.sqlite");
  await writeFile(empty, "");
  const told = async (target: string, revokeAll: boolean): Promise<ReadonlyArray<unknown>> => {
    const calls: Array<unknown> = [];
    const onRevival = async ({ lastChange, live }: Revival): Promise<void> =>
      void calls.push([lastChange.getTime(), live.map(({ createdAt }) => createdAt.getTime())]);
    await restore(backup, target, { onRevival, revokeAll });
    return calls;
  };
  // Good are the first one, and the second one for a millisecond.
  expect([await told(source, false), await told(source, true)]).toEqual([[], []]);
  const again = await made("made-again.sqlite");
  expect(await told(again, false)).toEqual([[40, [0, 1]]]);
  const changed = openSqlite(again);
  changed.database.exec("DELETE FROM credentials WHERE created_at = 1");
  changed.close();
  expect(await told(again, false)).toEqual([[40, [1]]]);
  expect(await told(await made("made-anew.sqlite"), true)).toEqual([]);
  for (const nowhere of [join(directory, "new.sqlite"), empty]) {
    expect(await told(nowhere, true)).toEqual([[40, []]]);
  }
  expect(await told(join(directory, "newer.sqlite"), false)).toEqual([[40, [0, 1]]]);
  const later = openSqlite(source);
  onTestFinished(() => later.close());
  ensureUser(later, "fred", 2_000);
  await backUp(later.database, backup);
  expect(await told(join(directory, "with-fred.sqlite"), true)).toEqual([[2_000, []]]);
  await publishAll(later, userOf(later, "fred"), [{ name: "a", version: "0.1" }], undefined, 3_000);
  await backUp(later.database, backup);
  expect(await told(join(directory, "with-engine.sqlite"), true)).toEqual([[3_000, []]]);
});

test("a database of something else is not replaced", async () => {
  const [backup, other] = [join(directory, "of-engines.sqlite"), join(directory, "bookmarks.sqlite")];
  await backUp(file.database, backup);
  const opened = new DatabaseSync(other);
  opened.exec("CREATE TABLE bookmarks (url TEXT)");
  const bytes = await readFile(other);
  await expect(restore(backup, other)).rejects.toThrow("database of something else");
  expect(await readFile(other)).toEqual(bytes);
  opened.close();
});

/** Overwrites the last leaves of tables and indexes. */
const damagePages = async (path: string, ...names: ReadonlyArray<string>): Promise<void> => {
  const opened = new DatabaseSync(path);
  opened.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  const pages = names.map((name) =>
    opened.prepare("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = 'leaf' ORDER BY path DESC").get(name),
  );
  opened.close();
  const bytes = await readFile(path);
  for (const page of pages) {
    const end = Number(page?.["pageno"]) * 4_096;
    bytes.fill(0xee, end - 4_096, end);
  }
  await writeFile(path, bytes);
};

test("where engines and the audit trail are damaged a restore replaces them, and leaves revoked what is revoked", async () => {
  const [backup, target] = [join(directory, "of-damaged.sqlite"), join(directory, "damaged-engines.sqlite")];
  const opened = openSqlite(target);
  await migrate(opened.port, 0);
  const carol = ensureUser(opened, "carol", 1);
  for (const token of ["first", "second"]) await addCredential(opened, carol, "token", `${token}-of-carol`, 2);
  const [ended = ""] = listCredentials(opened).map(({ id }) => id);
  const engines = Array.from({ length: 100 }, (_, index) => ({ name: `e-${index}`, version: "0.1" }));
  await publishAll(opened, carol, engines, undefined, 3);
  noted(opened, "in the backup, too");
  await backUp(opened.database, backup);
  for (let index = 0; index < 300; index++) noted(opened, `later ${index}`);
  revokeCredential(opened, ended, 7);
  opened.close();
  await damagePages(target, "engines", "audit");
  expect(await restore(backup, target)).toEqual({ users: 1, engines: 100, keptAudit: undefined });
  expect(await checkDatabase(target)).toEqual([]);
  const again = openSqlite(target);
  expect(listCredentials(again).map(({ id, revokedAt }) => [id, revokedAt?.getTime()])).toContainEqual([ended, 7]);
  expect(again.rows({ sql: "SELECT action, detail FROM audit ORDER BY number", values: [] })).toEqual([
    { action: "in the backup, too", detail: "{}" },
    { action: "restore database", detail: '{"revokeAll":false,"keptAudit":null}' },
  ]);
  again.close();
  // The pages of what was removed are gone.
  const [small, size] = await Promise.all([backup, target].map(async (path) => (await stat(path)).size));
  expect(size).toBeLessThan(Number(small) * 1.5);
  await damagePages(target, "engines");
  expect(await restore(backup, target)).toEqual({ users: 1, engines: 100, keptAudit: 1 });
  // What was revoked is not known for certain with an index that is damaged.
  await damagePages(target, "engines", "credentials_by_selector");
  const bytes = await readFile(target);
  await expect(restore(backup, target)).rejects.toThrow("is damaged, so that it cannot be read what was revoked there");
  expect((await readFile(target)).equals(bytes)).toBe(true);
  await damagePages(target, "credentials");
  await expect(restore(backup, target)).rejects.toThrow("is damaged, so that it cannot be read what was revoked there");
});

test("a restore over damage is one also where no space is left to free what was damaged", async () => {
  const [backup, target] = [join(directory, "of-full.sqlite"), join(directory, "damaged-full.sqlite")];
  await backUp(file.database, backup);
  await restore(backup, target);
  await damagePages(target, "engines");
  const { exec } = Object.getOwnPropertyDescriptors(DatabaseSync.prototype);
  vi.spyOn(DatabaseSync.prototype, "exec").mockImplementation(function (this: DatabaseSync, sql) {
    if (sql === "VACUUM") throw new Error("database or disk is full");
    exec.value?.call(this, sql);
  });
  onTestFinished(() => void vi.restoreAllMocks());
  expect(await restore(backup, target)).toEqual({ users: 2, engines: 8, keptAudit: 1 });
});

test("a restore leaves out an audit trail with a value that its table does not take, as damage can make one", async () => {
  const [backup, target] = [join(directory, "of-values.sqlite"), join(directory, "damaged-values.sqlite")];
  await backUp(file.database, backup);
  await restore(backup, target);
  const opened = openSqlite(target);
  opened.database.exec("ALTER TABLE audit RENAME TO kept; CREATE TABLE audit AS SELECT * FROM kept; DROP TABLE kept");
  opened.database.exec("INSERT INTO audit (at) VALUES (1)");
  opened.close();
  expect((await restore(backup, target)).keptAudit).toBeUndefined();
  expect(await checkDatabase(target)).toEqual([]);
});

const filesOpen = (): number =>
  readdirSync("/proc/self/fd").filter((name) => {
    const link = `/proc/self/fd/${name}`;
    return existsSync(link) && readlinkSync(link).startsWith(directory);
  }).length;

test.runIf(existsSync("/proc/self/fd"))("no backup, restore or check leaves a file open", async () => {
  const [path, target] = [join(directory, "closed-again.sqlite"), join(directory, "restored.sqlite")];
  const before = filesOpen();
  expect(before).toBeGreaterThan(0);
  for (let round = 0; round < 2; round++) {
    await backUp(file.database, path);
    await restore(path, target);
    expect(await checkDatabase(target)).toEqual([]);
  }
  expect(filesOpen()).toBe(before);
});

test("a check names a schema that cannot be read, and throws where there is no file", async () => {
  const path = join(directory, "garbage.sqlite");
  await backUp(file.database, path);
  const bytes = await readFile(path);
  await writeFile(path, bytes.fill(0xff, 100, 4_096));
  expect(await checkDatabase(path)).toEqual([expect.stringContaining("the schema cannot be read: ")]);
  await expect(checkDatabase(join(directory, "missing.sqlite"))).rejects.toThrow(/open/);
});

test("a file that is not there is not made by reading it", async () => {
  expect(() => openSqlite(join(directory, "missing.sqlite"), { readOnly: true })).toThrow(/open/);
  expect((await readdir(directory)).filter((name) => name.startsWith("missing"))).toEqual([]);
});

test("a backup is one file that holds everything, and replaces the one before", async () => {
  const path = join(directory, "backup.sqlite");
  for (let round = 0; round < 2; round++) {
    // What is left of a backup that was killed, and of another file of this name.
    for (const end of [".partial", "-wal", "-shm"]) await writeFile(path + end, "left behind");
    expect(await backUp(file.database, path)).toEqual({ users: 2, engines: 8 });
  }
  expect((await readdir(directory)).filter((name) => name.startsWith("backup"))).toEqual(["backup.sqlite"]);
  expect(((await stat(path)).mode & 0o777).toString(8)).toBe("600");
  // It is read where nothing can be written, and a restore leaves it as it is.
  const copy = openSqlite(path, { readOnly: true });
  expect(copy.rows({ sql: "PRAGMA journal_mode", values: [] })).toEqual([{ journal_mode: "delete" }]);
  copy.close();
  const bytes = await readFile(path);
  const target = join(directory, "target.sqlite");
  expect(await restore(path, target)).toEqual({ users: 2, engines: 8, keptAudit: 0 });
  expect(enginesIn(target)).toEqual([5, 3]);
  expect(await readFile(path)).toEqual(bytes);
});

test("a backup with a page that was overwritten is refused, wherever the page is, and the target stays as it was", async () => {
  const path = join(directory, "damaged.sqlite");
  await backUp(file.database, path);
  const whole = await readFile(path);
  const target = join(directory, "kept.sqlite");
  await restore(path, target);
  const pages = whole.length / 4_096;
  let refused = 0;
  for (let page = 1; page < pages; page++) {
    const damaged = Buffer.from(whole);
    damaged.fill(0xee, page * 4_096, page * 4_096 + 4_096);
    await writeFile(path, damaged);
    await expect(restore(path, target)).rejects.toThrow(BackupError);
    refused += 1;
    expect(enginesIn(target)).toEqual([5, 3]);
  }
  expect(refused).toBeGreaterThan(10);
});

test.for([
  ["", "PATH is not a registry's database: no such table: migrations"],
  ["not a database", "PATH cannot be read as a backup: file is not a database"],
  ["SQLite format 3\0", "PATH cannot be read as a backup: file is not a database"],
  ["PRAGMA foreign_keys=OFF;\nNONSENSE;\n", 'PATH:2: near "NONSENSE": syntax error'],
  [undefined, "PATH cannot be read as a backup: ENOENT: no such file or directory, stat 'PATH'"],
])("a file other than a backup is refused: %j", async ([text, problem = ""]) => {
  const [path, target] = [join(directory, "other.sqlite"), join(directory, "never.sqlite")];
  if (text === undefined) await rm(path);
  else await writeFile(path, text);
  const refused = await restore(path, target).catch((error: unknown) => error);
  expect(refused).toBeInstanceOf(BackupError);
  expect((refused as BackupError).message.replaceAll(path, "PATH")).toBe(problem);
  expect(existsSync(target)).toBe(false);
});

test("a database is not backed up or restored onto itself, by a link either", async () => {
  const own = join(directory, "engines.sqlite");
  const link = join(directory, "link.sqlite");
  await symlink(own, link);
  const { ino } = await stat(own);
  for (const path of [own, link]) {
    await expect(backUp(file.database, path)).rejects.toThrow("is the database itself");
    await expect(restore(path, own)).rejects.toThrow("is the database itself");
  }
  expect((await stat(own)).ino).toBe(ino);
  // Nor are its archives those of a backup.
  const [path, archives] = [join(directory, "near.sqlite"), join(directory, "live-archives")];
  await mkdir(archives);
  await writeFile(join(archives, "uploaded-meanwhile"), "");
  await symlink(archives, `${path}.archives`);
  const refused = backUp(file.database, path, archives);
  await expect(refused).rejects.toThrow(`${path}.archives has the database's own archives`);
  expect([existsSync(path), await readdir(archives)]).toEqual([false, ["uploaded-meanwhile"]]);
});

test("a backup that cannot be written leaves nothing behind", async () => {
  const path = join(directory, "no/such/place.sqlite");
  await expect(backUp(file.database, path)).rejects.toThrow(`${path} cannot be written: does its directory exist`);
  expect(await readdir(directory)).not.toContain("no");
});
