// `node scripts/revoked-token.ts`: time until the proxy rejects a revoked token.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setTimeout as pause } from "node:timers/promises";
import { startRegistry } from "@bytenite-engines/registry/testing";
import { serve } from "@bytenite-engines/test-kit";
import { builtWorker } from "./built.ts";

const folder = await mkdtemp(join(tmpdir(), "bytenite-revoked-"));
const database = join(folder, "registry.db");
const engines = [{ name: "zipper", version: "0.1", type: "assembler" as const }];
const names = ["polls-get", "polls-list", "polls-status", "polls-all", "asks-once"];
const registry = await startRegistry({ database, users: names.map((name) => ({ name, engines })) });
const variables = { UPSTREAM_URL: registry.url, LOG: "off" };
const proxy = await serve({ name: "worker", code: await builtWorker(), port: 0, variables });

const paths = { list: "/engines", get: "/engines/zipper@0.1", status: "/engines/zipper@0.1/status" };
const ask = async (name: string, path: string): Promise<number> => {
  const headers = { accept: "application/json", authorization: registry.tokens[name] ?? "" };
  const response = await fetch(`${proxy.url}/v1/dev${path}`, { headers });
  await response.arrayBuffer();
  return response.status;
};

for (const name of names) for (const path of Object.values(paths)) await ask(name, path);
const start = performance.now();
const file = new DatabaseSync(database);
file.prepare("UPDATE credentials SET revoked_at = ?").run(Date.now());
file.close();

/** Seconds after the revocation at which these were last answered 200, when asked for four times a second. */
const lastHit = async (name: string, asked: ReadonlyArray<string>): Promise<string> => {
  let last = 0;
  let refused = 0;
  while (refused < 4) {
    for (const path of asked) {
      if ((await ask(name, path)) === 200) {
        last = performance.now() - start;
        refused = 0;
      } else refused += 1;
    }
    await pause(250);
  }
  return (last / 1_000).toFixed(1);
};

const once = async (): Promise<string> => {
  const statuses = [];
  for (const atMs of [178_000, 181_000]) {
    await pause(atMs - (performance.now() - start));
    statuses.push(`${await ask("asks-once", paths.get)} after ${atMs / 1_000} s`);
  }
  return statuses.join(", ");
};

const [get, list, status, all, late] = await Promise.all([
  lastHit("polls-get", [paths.get]),
  lastHit("polls-list", [paths.list]),
  lastHit("polls-status", [paths.status]),
  lastHit("polls-all", Object.values(paths)),
  once(),
]);
process.stdout.write(
  `last answer from the cache, seconds after the token was revoked: get ${get}, list ${list}, status ${status}, all three ${all}; ` +
    `get asked for once: ${late}\n`,
);
await proxy.stop();
await registry.stop();
await rm(folder, { recursive: true });
process.exit(0);
