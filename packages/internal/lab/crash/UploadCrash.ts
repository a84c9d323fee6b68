// Rounds of `kill -9` during uploads, and what is left after each.
import { spawn, type ChildProcess } from "node:child_process";
import { createHash, randomBytes, randomInt } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createEngineClient } from "@bytenite-engines/core/promise";
import { packTar } from "modern-tar";

const main = fileURLToPath(new URL("../../../registry/src/main.ts", import.meta.url));

/** Engines that are overwritten again and again, and the most bytes that an archive of theirs has beside its manifest. */
const names = ["one", "two", "three", "four"] as const;
const maxFileBytes = 400_000;

/** Milliseconds of uploads after which the registry is killed, at most. */
const maxRoundMs = 1_200;

/** What came of the rounds. */
export interface CrashReport {
  readonly rounds: number;
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

const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("base64");

const archiveOf = (name: string): Promise<Uint8Array> => {
  const files = {
    "manifest.json": Buffer.from(JSON.stringify({ name, version: "0.1" })),
    "app/main.py": randomBytes(randomInt(maxFileBytes)),
  };
  return packTar(
    Object.entries(files).map(([path, body]) => ({ header: { name: path, size: body.length, type: "file" }, body })),
  );
};

const started = async (database: string): Promise<{ readonly child: ChildProcess; readonly origin: string }> => {
  const child = spawn(process.execPath, [main, "--port", "0", "--database", database], {
    stdio: ["ignore", "pipe", "ignore"],
  });
  let text = "";
  for await (const chunk of child.stdout as AsyncIterable<Buffer>) {
    text += chunk.toString();
    if (text.includes("\n")) break;
  }
  const origin = /^ready (http:\/\/\S+)/.exec(text)?.[1];
  if (origin === undefined) throw new Error("the registry did not start");
  return { child, origin };
};

const clientOf = (origin: string) =>
  createEngineClient({ baseUrl: `${origin}/v1/dev`, token: "local-alice", retry: { maxAttempts: 1 } });

/** Uploads until the registry is gone. */
const uploading = async (
  client: ReturnType<typeof clientOf>,
  known: Map<string, Known>,
  isOver: () => boolean,
): Promise<number> => {
  let count = 0;
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
      count += 1;
    } catch {
      if (!isOver()) throw new Error("an upload failed while the registry was there");
    }
  }
  return count;
};

/** Runs the rounds on a database of their own, which is removed in the end. */
export const crashRounds = async (
  rounds: number,
  onRound: (round: number) => void = () => {},
): Promise<CrashReport> => {
  const folder = await mkdtemp(join(tmpdir(), "upload-crash-"));
  const database = join(folder, "engines.sqlite");
  const known = new Map<string, Known>();
  const problems: Array<string> = [];
  let acknowledged = 0;
  let keptUnacknowledged = 0;
  try {
    for (let round = 0; round <= rounds; round++) {
      const { child, origin } = await started(database);
      const client = clientOf(origin);
      for (const [name, state] of known) {
        const engine = await client.get(`${name}@0.1`).catch(() => undefined);
        const isThere = engine !== undefined && (engine.hash === state.hash || state.sent.has(engine.hash));
        if (engine === undefined ? state.revision > 0 : !isThere || engine.revision < state.revision) {
          problems.push(`round ${round}: ${name} has revision ${engine?.revision}, acknowledged was ${state.revision}`);
        }
        if (engine === undefined) continue;
        if (engine.hash !== state.hash) keptUnacknowledged += 1;
        const got = await (await client.archive(`${name}@0.1`)).bytes().catch((error: unknown) => String(error));
        if (typeof got === "string") problems.push(`round ${round}: the archive of ${name}: ${got}`);
        Object.assign(state, { hash: engine.hash, revision: engine.revision });
        state.sent.clear();
      }
      let isOver = round === rounds;
      const work = uploading(client, known, () => isOver);
      if (!isOver) {
        await new Promise((resolve) => setTimeout(resolve, randomInt(maxRoundMs)));
        isOver = true;
      }
      const closed = once(child, "close");
      child.kill("SIGKILL");
      await closed;
      acknowledged += await work;
      onRound(round);
    }
    return { rounds, acknowledged, keptUnacknowledged, problems };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
};
