import { execFileSync } from "node:child_process";
import { mkdtemp, readdir, rm, stat, statfs, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { migrate } from "../src/api/Migrations.ts";
import { makeSecretBox } from "../src/api/SecretBox.ts";
import { ensureUser } from "../src/manage/Accounts.ts";
import { backUp, restore } from "../src/manage/Backup.ts";
import { publishAll } from "../src/manage/Engines.ts";
import { startRegistryServer } from "../src/node/Registry.ts";
import { openSqlite } from "../src/node/SqliteFile.ts";
import { archiveOf, hashOf } from "@bytenite-engines/test-kit/archives";
import { giveArchive, send } from "./archives.ts";
import { run, serve } from "./process.ts";
import { mounts, onSmallDisk } from "./smallDisk.ts";

const lines = (count: number, from = 0): string =>
  Array.from(
    { length: count },
    (_, index) => `{"name":"e-${from + index}","version":"0.1","description":"${"long ".repeat(100)}"}`,
  ).join("\n");

// Mounting needs the rights of root; elsewhere these two cases are left out.
test.skipIf(!mounts())(
  "a full disk is a clear error, keeps what was there, and does not stop a registry that runs",
  async () => {
    await onSmallDisk(async (directory) => {
      const database = ["--database", join(directory, "engines.sqlite")];
      const registry = await serve(database);
      const flags = ["--user", "alice", ...database];
      expect((await run(["import", "-", ...flags], {}, lines(100))).stdout).toBe("imported 100 engines\n");
      const full = await run(["import", "-", ...flags], {}, lines(5_000, 1_000));
      expect([full.code, full.stdout]).toEqual([1, ""]);
      expect(full.stderr).toMatch(/^registry: cannot use the database .*: the disk is full: nothing of this was kept/);
      const list = await fetch(`${registry.origin}/v1/dev/engines`, { headers: { Authorization: "local-alice" } });
      expect(await list.json()).toMatchObject({ pagination: { total: 105 } });
      expect((await run(["import", "-", ...flags], {}, lines(10, 9_000))).stdout).toBe("imported 10 engines\n");
      const big = await run(["backup", join(directory, "backup.sqlite"), ...database]);
      expect([0, 1]).toContain(big.code);
      await registry.end("SIGTERM");
      expect((await run(["export", ...database])).stdout.trim().split("\n")).toHaveLength(118);
    });
  },
);

test.skipIf(!mounts())(
  "an import into a file on a disk that cannot be written is a clear error, and changes nothing",
  async () => {
    await onSmallDisk(async (directory) => {
      const database = ["--database", join(directory, "engines.sqlite")];
      await run(["import", "-", "--user", "carol", ...database], {}, lines(3));
      await writeFile(join(directory, "manifest.json"), '{"name":"late","version":"0.1"}');
      execFileSync("mount", ["-o", "remount,ro", directory]);
      const { code, stderr } = await run(["import", directory, "--user", "carol", ...database]);
      expect(code).toBe(1);
      expect(stderr).toMatch(/^registry: cannot use the database .*(may not be written|cannot be opened)/);
      execFileSync("mount", ["-o", "remount,rw", directory]);
      expect((await run(["export", ...database])).stdout.trim().split("\n")).toHaveLength(3);
    });
  },
);

test.skipIf(!mounts())(
  "an upload that finds the disk full, of archives or of the database, is 503, and what was acknowledged stays whole",
  async () => {
    for (const full of ["archives", "database"] as const) {
      await onSmallDisk(async (directory) => {
        const roomy = await mkdtemp(join(tmpdir(), "registry-roomy-"));
        const place = {
          archives: full === "archives" ? directory : roomy,
          database: full === "database" ? directory : roomy,
        };
        const registry = await startRegistryServer({
          database: join(place.database, "engines.sqlite"),
          archives: join(place.archives, "archives"),
          port: 0,
          limits: { drainMs: 0 },
        });
        // Leaves space for some uploads, whichever part fills up.
        if (full === "database") await writeFile(join(directory, "ballast"), Buffer.alloc(3_000_000)).catch(() => {});
        const kept = new Map<string, string>();
        const refusals: Array<string> = [];
        for (let count = 0; count < 400 && refusals.length < 5; count++) {
          const manifest = { name: `e-${count}`, version: "0.1", description: "x".repeat(60_000) };
          const archive = await archiveOf(manifest, {
            "app/main.py": Buffer.alloc(full === "archives" ? 300_000 : 10, count),
          });
          const said = await send(`${registry.url}/engines`, "POST", "local-alice", "json", { engineData: archive });
          if (said.status === 200) kept.set(`e-${count}@0.1`, hashOf(archive));
          else refusals.push(`${said.status} ${said.headers.get("retry-after")}`);
        }
        expect(refusals).toEqual(Array<string>(5).fill("503 5"));
        expect(kept.size).toBeGreaterThan(0);
        for (const [tag, hash] of kept) {
          const link = await send(`${registry.url}/engines/${tag}/download`, "GET", "local-alice");
          const got = new Uint8Array(await (await fetch(String(link.body["engineLink"]))).arrayBuffer());
          expect([tag, hashOf(got)]).toEqual([tag, hash]);
        }
        await registry.stop();
        await rm(roomy, { recursive: true });
      });
    }
  },
);

/** A database with archives that a small disk has no space for, and a backup of it. */
const roomyRegistry = async () => {
  const roomy = await mkdtemp(join(tmpdir(), "registry-roomy-"));
  onTestFinished(() => rm(roomy, { recursive: true }));
  const [database, backup] = [join(roomy, "engines.sqlite"), join(roomy, "backup.sqlite")];
  const file = openSqlite(database);
  await migrate(file.port, 0);
  const box = await makeSecretBox("k".repeat(40));
  const add = (name: string, bytes: number) =>
    giveArchive(file, `${database}.archives`, box, {
      user: "carol",
      name,
      archive: Buffer.alloc(bytes, name),
      token: "",
    });
  await add("small", 1_000);
  return { database, backup, file, add };
};

test.skipIf(!mounts())(
  "a backup that finds the disk full names it, and leaves nothing but what was there",
  async () => {
    const { database, file, add } = await roomyRegistry();
    const backup = (path: string) => run(["backup", path, "--database", database]);
    await onSmallDisk(async (directory) => {
      const before = join(directory, "before.sqlite");
      expect((await backup(before)).code).toBe(0);
      const files = () => readdir(directory, { recursive: true });
      const there = await files();
      expect(there).toHaveLength(3);
      for (let count = 0; count < 8; count++) await add(`large-${count}`, 600_000);
      for (const path of [before, directory]) {
        const { code, stderr } = await backup(path);
        expect([code, stderr]).toEqual([
          1,
          expect.stringMatching(`^registry: cannot write ${path}\\S*: the disk is full: nothing of this was kept\n$`),
        ]);
        expect(await files()).toEqual(there);
      }
      // Not even the database.
      await writeFile(join(directory, "ballast"), Buffer.alloc(8_000_000)).catch(() => {});
      expect((await backup(directory)).stderr).toMatch(`registry: cannot write ${directory}/engines-`);
      await rm(join(directory, "ballast"));
      // The database, but not what SQLite needs beside it to end its log.
      file.database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
      const { bavail, bsize } = await statfs(directory);
      const { size } = await stat(database);
      await writeFile(join(directory, "ballast"), Buffer.alloc(bavail * bsize - size - 2 * bsize));
      expect((await backup(directory)).stderr).toMatch(`registry: cannot make the backup ${directory}/engines-`);
      await rm(join(directory, "ballast"));
      expect(await files()).toEqual(there);
    });
    file.close();
  },
);

test.skipIf(!mounts())("a restore that finds the disk full leaves the archives as they are", async () => {
  const { database, backup, file, add } = await roomyRegistry();
  await onSmallDisk(async (directory) => {
    const target = join(directory, "engines.sqlite");
    const restored = () => run(["restore", backup, "--force", "--yes", "--database", target]);
    expect((await run(["backup", backup, "--database", database])).code).toBe(0);
    expect((await restored()).code).toBe(0);
    const there = await readdir(`${target}.archives`);
    for (let count = 0; count < 8; count++) await add(`large-${count}`, 600_000);
    expect((await run(["backup", backup, "--database", database])).code).toBe(0);
    const { code, stderr } = await restored();
    expect([code, stderr]).toEqual([
      1,
      expect.stringMatching(`cannot write ${target}.archives: the disk is full: nothing of this was kept\n$`),
    ]);
    expect(await readdir(`${target}.archives`)).toEqual(there);
    expect((await run(["check", "--database", target])).code).toBe(0);
  });
  file.close();
});

test.skipIf(!mounts())("a restore that finds the disk full leaves nothing of a new database", async () => {
  await onSmallDisk(async (directory) => {
    const roomy = await mkdtemp(join(tmpdir(), "registry-roomy-"));
    const backup = join(roomy, "backup.sqlite");
    const file = openSqlite(join(roomy, "engines.sqlite"));
    await migrate(file.port, 0);
    const engines = Array.from({ length: 50 }, (_, index) => ({
      name: `e-${index}`,
      version: "0.1",
      description: "x".repeat(60_000),
    }));
    await publishAll(file, ensureUser(file, "carol", 0), engines, undefined, 0);
    await backUp(file.database, backup);
    file.close();
    const target = join(directory, "restored.sqlite");
    await expect(restore(backup, target)).rejects.toThrow(`cannot write ${target}: the disk is full: nothing of this`);
    expect(await readdir(directory)).toEqual([]);
    await rm(roomy, { recursive: true });
  });
});
