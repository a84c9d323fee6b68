import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { setTimeout as wait } from "node:timers/promises";
import { expect, test } from "vitest";
import { openSqlite } from "../src/node/SqliteFile.ts";
import { migrate } from "../src/api/Migrations.ts";
import { restore } from "../src/manage/Backup.ts";
import { backupPath, operate, stateAfter, stateOf, type State } from "./durability/operations.ts";

/** Kills; `REGISTRY_KILL_ROUNDS=200` for the whole proof. */
const rounds = Number(process.env["REGISTRY_KILL_ROUNDS"] ?? 8);

/** Longest time that a writer lives after its first acknowledgement, in milliseconds. */
const maxLifeMs = 150;

const writer = fileURLToPath(new URL("durability/writer.ts", import.meta.url));

/** Runs a writer from an operation on, kills it at a random time, and gives the last number it has acknowledged. */
const killed = async (path: string, directory: string, first: number, lifeMs: number): Promise<number> => {
  const child = spawn(process.execPath, [writer, path, directory, String(first)], {
    stdio: ["ignore", "pipe", "pipe"],
  });
  let acknowledged = "";
  let complaints = "";
  child.stderr.on("data", (chunk: Buffer) => (complaints += chunk.toString()));
  child.stdout.on("data", (chunk: Buffer) => (acknowledged += chunk.toString()));
  await Promise.race([once(child.stdout, "data"), once(child, "exit")]);
  await wait(lifeMs);
  child.kill("SIGKILL");
  await once(child, "close");
  expect(complaints).toBe("");
  return Number(acknowledged.split("\n").at(-2));
};

const sameState = (a: State, b: State): boolean =>
  a.batch === b.batch && a.active.size === b.active.size && [...a.active].every((name) => b.active.has(name));

const checkBackups = async (directory: string, upTo: number): Promise<void> => {
  for (const name of (await readdir(directory)).filter((name) => /^backup-\d+\.sqlite$/.test(name))) {
    const copy = join(directory, "restored.sqlite");
    await restore(join(directory, name), copy);
    const file = openSqlite(copy);
    expect(stateOf(file).batch).toBeLessThanOrEqual(upTo);
    file.close();
    await rm(copy);
  }
};

test(
  `after ${rounds} times kill -9 in imports, changes and backups nothing acknowledged is lost and nothing is half done`,
  {
    timeout: 60_000 + rounds * 5_000,
  },
  async () => {
    const directory = await mkdtemp(join(tmpdir(), "registry-durability-"));
    try {
      const path = join(directory, "engines.sqlite");
      let last = -1;
      for (let round = 0; round < rounds; round++) {
        const acknowledged = await killed(path, directory, last + 1, (maxLifeMs * ((round * 7) % 31)) / 31);
        const file = openSqlite(path);
        const state = stateOf(file);
        file.close();
        // The one under way may be there as well: it was done, and killed before it could say so.
        last = sameState(state, stateAfter(acknowledged)) ? acknowledged : acknowledged + 1;
        expect(state).toEqual(stateAfter(last));
        expect(acknowledged % 3 !== 2 || existsSync(backupPath(directory, acknowledged))).toBe(true);
      }
      await checkBackups(directory, last + 1);
    } finally {
      await rm(directory, { recursive: true, force: true });
    }
  },
);

// No test cuts power: that what is synced is on the disk is SQLite's part and the disk's. That it is synced is ours.
test.each([
  [false, "wal"],
  [true, "delete"],
])("each commit is synced, whether a file is to be self-contained (%s) or not", async (selfContained, journal) => {
  const directory = await mkdtemp(join(tmpdir(), "registry-test-"));
  const file = openSqlite(join(directory, "a.sqlite"), { selfContained });
  const pragma = (name: string): unknown => file.rows({ sql: `PRAGMA ${name}`, values: [] })[0]?.[name];
  // 2 is FULL (https://sqlite.org/pragma.html#pragma_synchronous).
  expect({ journal: pragma("journal_mode"), synchronous: pragma("synchronous") }).toEqual({ journal, synchronous: 2 });
  file.close();
  await rm(directory, { recursive: true });
});

test("two processes that write to one file at once take turns, and lose nothing", async () => {
  const directory = await mkdtemp(join(tmpdir(), "registry-two-"));
  try {
    const path = join(directory, "engines.sqlite");
    const mine = openSqlite(path);
    await migrate(mine.port, 0);
    await operate(mine, directory, 0);
    const child = spawn(process.execPath, [writer, path, directory, "3"], { stdio: ["ignore", "pipe", "inherit"] });
    const theirs: Array<string> = [];
    child.stdout.on("data", (chunk: Buffer) => theirs.push(...chunk.toString().trim().split("\n")));
    await once(child.stdout, "data");
    let own = 0;
    for (; theirs.length < 30; own++) {
      await operate(mine, directory, 1_000_000 * 3 + 3 * own);
      await wait(1);
    }
    child.kill("SIGKILL");
    await once(child, "close");
    expect(own).toBeGreaterThan(0);
    const revisions = mine.rows({ sql: "SELECT DISTINCT revision FROM engines", values: [] });
    expect(() => stateOf(mine)).not.toThrow();
    // Every import of either side has raised each engine's revision once.
    expect(revisions).toHaveLength(1);
    expect(Number(revisions[0]?.["revision"])).toBeGreaterThan(own);
    mine.close();
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
});
