// Rounds of `kill -9` and full disks during uploads.
import { execFileSync } from "node:child_process";
import { randomBytes, randomInt } from "node:crypto";
import { mkdtemp, readdir, rm, statfs, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createEngineClient, EngineError } from "@bytenite-engines/core/promise";
import { openSqlite } from "@bytenite-engines/registry";
import { archiveOf as pack, hashOf } from "@bytenite-engines/test-kit/archives";
import { startProcess } from "@bytenite-engines/test-kit";
import { registryMain } from "../parts/RegistryProcess.ts";

/** Engines that are overwritten again and again, and the most bytes of their archives besides the manifest. */
const names = ["one", "two", "three", "four"] as const;
const maxFileBytes = 400_000;

/** Milliseconds of uploads after which the registry is killed, at most. */
const maxRoundMs = 1_200;

/** Size of the disk on which every second round is full, and the most bytes left on it then. */
const diskMiB = 48;
const maxLeftBytes = 2_000_000;

/** Result of the rounds. */
export interface CrashReport {
  readonly rounds: number;
  /** Rounds in which the disk was full. */
  readonly fullRounds: number;
  /** Uploads that were answered with 503, because the disk was full. */
  readonly refused: number;
  readonly acknowledged: number;
  /** Uploads that were under way when the registry was killed, and are there. */
  readonly keptUnacknowledged: number;
  readonly problems: ReadonlyArray<string>;
}

interface Known {
  /** The hash and revision that were answered last. */
  hash: string;
  revision: number;
  /** Hashes that were sent since, without an answer. */
  readonly sent: Set<string>;
}

const archiveOf = (name: string): Promise<Uint8Array> =>
  pack({ name, version: "0.1" }, { "app/main.py": randomBytes(randomInt(maxFileBytes)) });

const clientOf = (origin: string) =>
  createEngineClient({ baseUrl: `${origin}/v1/dev`, token: "local-alice", retry: { maxAttempts: 1 } });

/** Uploads until the registry is gone. */
const uploading = async (
  client: ReturnType<typeof clientOf>,
  known: Map<string, Known>,
  isFull: boolean,
  isOver: () => boolean,
): Promise<{ readonly acknowledged: number; readonly refused: number }> => {
  let acknowledged = 0;
  let refused = 0;
  while (!isOver()) {
    const name = names[randomInt(names.length)] ?? "one";
    const archive = await archiveOf(name);
    const state = known.get(name) ?? { hash: "", revision: 0, sent: new Set<string>() };
    known.set(name, state);
    state.sent.add(hashOf(archive));
    try {
      const { hash, revision } = await client.upload(archive);
      Object.assign(state, { hash, revision });
      state.sent.clear();
      acknowledged += 1;
    } catch (error) {
      if (isOver()) break;
      if (!isFull || !(error instanceof EngineError) || error.status !== 503) throw error;
      refused += 1;
    }
  }
  return { acknowledged, refused };
};

/** Whether this user may mount a small disk, which needs the rights of root. */
const mounted = (folder: string): boolean => {
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", `size=${diskMiB}m`, "tmpfs", folder], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  }
};

/** Fills the disk of a folder but for a few bytes; removing the returned file frees the space. */
const fill = async (folder: string): Promise<string> => {
  const ballast = join(folder, "ballast");
  const { bavail, bsize } = await statfs(folder);
  await writeFile(ballast, Buffer.alloc(Math.max(0, bavail * bsize - randomInt(maxLeftBytes))));
  return ballast;
};

/** Removes archives that no engine names, which the registry keeps for an hour. */
const makeRoom = async (database: string): Promise<void> => {
  const file = openSqlite(database);
  const rows = file.rows({ sql: "SELECT key FROM archives WHERE released_at IS NULL", values: [] });
  file.close();
  const named = new Set(rows.map(({ key }) => String(key)));
  const folder = `${database}.archives`;
  for (const entry of await readdir(folder, { recursive: true, withFileTypes: true }).catch(() => [])) {
    if (entry.isFile() && !named.has(entry.name)) await rm(join(entry.parentPath, entry.name));
  }
};

/** Acknowledged uploads that are missing or incomplete. Continues from the present ones. */
const lost = async (client: ReturnType<typeof clientOf>, known: Map<string, Known>) => {
  const problems: Array<string> = [];
  let keptUnacknowledged = 0;
  for (const [name, state] of known) {
    const engine = await client.get(`${name}@0.1`).catch(() => undefined);
    const isThere = engine !== undefined && (engine.hash === state.hash || state.sent.has(engine.hash));
    if (engine === undefined ? state.revision > 0 : !isThere || engine.revision < state.revision) {
      problems.push(`${name} has revision ${engine?.revision}, acknowledged was ${state.revision}`);
    }
    if (engine === undefined) continue;
    if (engine.hash !== state.hash) keptUnacknowledged += 1;
    const got = await client
      .archive(`${name}@0.1`)
      .then((archive) => archive.bytes())
      .catch((error: unknown) => String(error));
    if (typeof got === "string") problems.push(`the archive of ${name}: ${got}`);
    Object.assign(state, { hash: engine.hash, revision: engine.revision });
    state.sent.clear();
  }
  return { problems, keptUnacknowledged };
};

/**
 * Runs the rounds on a database of their own, which is removed in the end. Each ends with `kill -9`; in every second one the disk
 * is full before, where this user may mount one.
 */
export const crashRounds = async (
  rounds: number,
  onRound: (round: number) => void = () => {},
): Promise<CrashReport> => {
  const folder = await mkdtemp(join(tmpdir(), "upload-crash-"));
  const isDisk = mounted(folder);
  const database = join(folder, "engines.sqlite");
  const known = new Map<string, Known>();
  const report = { rounds, fullRounds: 0, acknowledged: 0, refused: 0, keptUnacknowledged: 0 };
  const problems: Array<string> = [];
  try {
    for (let round = 0; round <= rounds; round++) {
      const registry = await startProcess([registryMain, "--port", "0", "--database", database]);
      const client = clientOf(registry.said);
      const found = await lost(client, known);
      problems.push(...found.problems.map((problem) => `round ${round}: ${problem}`));
      report.keptUnacknowledged += found.keptUnacknowledged;
      const isFull = isDisk && round % 2 === 1;
      if (isFull) report.fullRounds += 1;
      const ballast = isFull ? await fill(folder) : undefined;
      let isOver = round === rounds;
      const work = uploading(client, known, isFull, () => isOver);
      if (!isOver) {
        await new Promise((resolve) => setTimeout(resolve, randomInt(maxRoundMs)));
        isOver = true;
      }
      await registry.stop("SIGKILL");
      const { acknowledged, refused } = await work;
      report.acknowledged += acknowledged;
      report.refused += refused;
      if (ballast !== undefined) await rm(ballast);
      await makeRoom(database);
      onRound(round);
    }
    return { ...report, problems };
  } finally {
    if (isDisk) execFileSync("umount", ["-l", folder]);
    await rm(folder, { recursive: true, force: true });
  }
};
