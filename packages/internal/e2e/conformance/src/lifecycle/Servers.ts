// The registries of the lifecycle table: SQLite and disk, D1 and R2.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import {
  addCredential,
  ensureUser,
  exportSql,
  makeSecretBox,
  migrate,
  openSqlite,
  startRegistryServer,
  type SqliteFile,
} from "@bytenite-engines/registry";
import { bundled, compatibilityDate, emulate, freePort, host, moduleOf, textBinding } from "@bytenite-engines/test-kit";
import type { Miniflare } from "miniflare";
import { maxArchiveBytes } from "./Archives.ts";
import type { Caller } from "./Rows.ts";

/** A registry that answers. */
export interface LifecycleServer {
  /** Base URL of the API. */
  readonly url: string;
  readonly stop: () => Promise<void>;
}

/** The operator's key of all of them. */
export const key = "a key for tests, which is no secret";

/** The token of each caller. */
export const tokens: Readonly<Record<Caller, string>> = {
  owner: "lifecycle-owner",
  other: "lifecycle-other",
  reader: "lifecycle-reader",
  crowded: "lifecycle-crowded",
  nobody: "lifecycle-nobody",
};

/** The API key of the owner. */
export const ownersApiKey = "lifecycle-owner-api-key";

/** Adds the callers. */
const addCallers = async (file: SqliteFile): Promise<void> => {
  const now = Date.now();
  for (const name of ["owner", "other", "crowded"] as const) {
    await addCredential(file, ensureUser(file, name, now), "token", tokens[name], now, "publish");
  }
  await addCredential(file, ensureUser(file, "owner", now), "token", tokens.reader, now, "read");
  await addCredential(file, ensureUser(file, "owner", now), "api-key", ownersApiKey, now, "publish");
  file.transaction((run) => run("UPDATE users SET max_bytes = 100 WHERE name = 'crowded'"));
};

/** A registry on SQLite and a folder. */
export const startOnDisk = async (archiveBytes = maxArchiveBytes): Promise<LifecycleServer> => {
  const folder = mkdtempSync(join(tmpdir(), "lifecycle-table-"));
  const registry = await startRegistryServer({
    database: join(folder, "engines.sqlite"),
    port: 0,
    key,
    trial: false,
    tokens: {},
    uploads: { archiveBytes },
    limits: { drainMs: 0 },
  });
  await addCallers(registry.file);
  return {
    url: registry.url,
    stop: async () => {
      await registry.stop();
      rmSync(folder, { recursive: true });
    },
  };
};

type D1Database = Awaited<ReturnType<Miniflare["getD1Database"]>>;

/** A bucket, as far as tests use it. */
export interface Bucket {
  readonly put: (key: string, value: Uint8Array) => Promise<unknown>;
  readonly get: (key: string) => Promise<{ readonly arrayBuffer: () => Promise<ArrayBuffer> } | null>;
  readonly list: (options: {
    readonly prefix: string;
  }) => Promise<{ readonly objects: ReadonlyArray<{ readonly key: string }> }>;
}

const worker = fileURLToPath(new URL("../../../../../../apps/registry/src/worker.ts", import.meta.url));

/** A registry on D1 and R2, in the emulator. */
export const startOnWorkers = async (): Promise<EmulatedRegistry> => {
  const file = openSqlite(":memory:");
  await migrate(file.port, Date.now(), await makeSecretBox(key));
  await addCallers(file);
  const sql = [...exportSql(file, Date.now())];
  file.close();
  return emulateRegistry(sql);
};

/** A registry on D1 and R2, with its bindings. */
export interface EmulatedRegistry extends LifecycleServer {
  readonly database: D1Database;
  readonly bucket: Bucket;
}

/** Most bytes of an archive that the emulated registry takes by a link. */
export const maxLinkedBytes = 64 * 1_048_576;

const s3 = { accessKeyId: "lifecycle-access-key", secretAccessKey: "lifecycle-secret-key" };

/** A registry on a D1 that these statements fill, and an empty R2. */
export const emulateRegistry = async (sql: ReadonlyArray<string>): Promise<EmulatedRegistry> => {
  const [port, bucketPort] = [await freePort(), await freePort()];
  const origin = `http://${host}:${port}`;
  const bucketUrl = `http://${host}:${bucketPort}/cdn-cgi/local/r2/s3/archives`;
  const manifest = moduleOf(await bundled(worker));
  const env = {
    DB: { type: "d1" as const, id: "engines" },
    ARCHIVES: { type: "r2" as const, name: "archives", dev: { experimentalS3Credentials: s3 } },
    BYTENITE_REGISTRY_KEY: textBinding(key),
    PUBLIC_URL: textBinding(origin),
    MAX_ARCHIVE_BYTES: textBinding(String(maxArchiveBytes)),
    BUCKET_URL: textBinding(bucketUrl),
    MAX_LINKED_ARCHIVE_BYTES: textBinding(String(maxLinkedBytes)),
    R2_ACCESS_KEY_ID: textBinding(s3.accessKeyId),
    R2_SECRET_ACCESS_KEY: textBinding(s3.secretAccessKey),
  };
  const miniflare = await emulate(
    [
      {
        config: { name: "registry", compatibilityDate, manifest, env },
        dev: { unsafeDirectSockets: [{ host, port }] },
      },
    ],
    bucketPort,
  );
  const database = await miniflare.getD1Database("DB", "registry");
  for (const statement of sql) await database.prepare(statement).run();
  const bucket = (await miniflare.getR2Bucket("ARCHIVES", "registry")) as unknown as Bucket;
  return { url: `${origin}/v1/dev`, database, bucket, stop: () => miniflare.dispose() };
};
