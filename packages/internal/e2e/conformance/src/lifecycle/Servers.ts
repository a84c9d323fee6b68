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
import { bundled, compatibilityDate, emulate, freePort, host, moduleOf } from "@bytenite-engines/test-kit";
import { maxArchiveBytes } from "./Archives.ts";
import type { Caller } from "./Rows.ts";

/** A registry that answers. */
export interface LifecycleServer {
  /** Base URL of the API. */
  readonly url: string;
  readonly stop: () => Promise<void>;
}

const key = "a key for tests, which is no secret";

/** The token of each caller. */
export const tokens: Readonly<Record<Caller, string>> = {
  owner: "lifecycle-owner",
  other: "lifecycle-other",
  reader: "lifecycle-reader",
  crowded: "lifecycle-crowded",
  nobody: "lifecycle-nobody",
};

/** Adds the callers. */
const addCallers = async (file: SqliteFile): Promise<void> => {
  const now = Date.now();
  for (const name of ["owner", "other", "crowded"] as const) {
    await addCredential(file, ensureUser(file, name, now), "token", tokens[name], now, "publish");
  }
  await addCredential(file, ensureUser(file, "owner", now), "token", tokens.reader, now, "read");
  file.transaction((run) => run("UPDATE users SET max_bytes = 100 WHERE name = 'crowded'"));
};

/** A registry on SQLite and a folder. */
export const startOnDisk = async (): Promise<LifecycleServer> => {
  const folder = mkdtempSync(join(tmpdir(), "lifecycle-table-"));
  const registry = await startRegistryServer({
    database: join(folder, "engines.sqlite"),
    port: 0,
    key,
    trial: false,
    tokens: {},
    uploads: { archiveBytes: maxArchiveBytes },
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

const worker = fileURLToPath(new URL("../../../../../../apps/registry/src/worker.ts", import.meta.url));

const text = (value: string) => ({ type: "text" as const, value });

/** A registry on D1 and R2, in the emulator. */
export const startOnWorkers = async (): Promise<LifecycleServer> => {
  const file = openSqlite(":memory:");
  await migrate(file.port, Date.now(), await makeSecretBox(key));
  await addCallers(file);
  const sql = [...exportSql(file, Date.now())];
  file.close();
  const port = await freePort();
  const origin = `http://${host}:${port}`;
  const miniflare = await emulate([
    {
      config: {
        name: "registry",
        compatibilityDate,
        manifest: moduleOf(await bundled(worker)),
        env: {
          DB: { type: "d1", id: "engines" },
          ARCHIVES: { type: "r2", name: "archives" },
          BYTENITE_REGISTRY_KEY: text(key),
          PUBLIC_URL: text(origin),
          MAX_ARCHIVE_BYTES: text(String(maxArchiveBytes)),
        },
      },
      dev: { unsafeDirectSockets: [{ host, port }] },
    },
  ]);
  const database = await miniflare.getD1Database("DB", "registry");
  for (const statement of sql) await database.prepare(statement).run();
  return { url: `${origin}/v1/dev`, stop: () => miniflare.dispose() };
};
