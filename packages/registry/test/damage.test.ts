// Database damage while the registry serves.
import { copyFileSync, openSync, closeSync, readFileSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { connect } from "node:net";
import { once } from "node:events";
import { join } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { Readable } from "node:stream";
import { beforeAll, expect, test } from "vitest";
import { createCredential, importStream, migrate, openSqlite, userOf } from "../src/index.ts";
import { get, place } from "./place.ts";
import { run, serve, type Serving } from "./process.ts";

const { directory } = place();

/** Engines in the sound file: enough for interior pages and indexes of several pages. */
const engines = 400;

const sound = join(directory, "sound.sqlite");
let token = "";

const line = (index: number): string =>
  JSON.stringify({ name: `e-${index}`, version: "0.1", description: `engine ${index} `.repeat(20) });

beforeAll(async () => {
  const file = openSqlite(sound);
  await migrate(file.port, Date.now());
  const lines = Array.from({ length: engines }, (_, index) => `${line(index)}\n`);
  const options = { file, box: undefined, user: "carol", activate: true, makePublic: true };
  await importStream(Readable.from(lines), options);
  token = (await createCredential(file, userOf(file, "carol"), "token", "", Date.now())).secret;
  file.close();
});

let copies = 0;

const copy = (): string => {
  const path = join(directory, `copy-${copies++}.sqlite`);
  copyFileSync(sound, path);
  return path;
};

/** Numbers of the pages of a table or index. */
const pagesOf = (path: string, name: string): ReadonlyArray<number> => {
  const database = new DatabaseSync(path, { readOnly: true });
  const rows = database.prepare("SELECT pageno FROM dbstat WHERE name = ? ORDER BY pageno").all(name);
  database.close();
  return rows.map(({ pageno }) => Number(pageno));
};

const pageBytes = 4_096;

type Filling = "zeros" | "ones" | "noise";

/** Bytes that are the same in every run. */
const bytesOf = (filling: Filling): Buffer => {
  const bytes = Buffer.alloc(pageBytes, filling === "ones" ? 0xff : 0);
  let state = 1;
  if (filling === "noise")
    for (let at = 0; at < pageBytes; at++) bytes[at] = (state = (state * 48_271) % 0x7fff_ffff) & 0xff;
  return bytes;
};

const overwrite = (path: string, pages: ReadonlyArray<number>, filling: Filling): void => {
  const file = openSync(path, "r+");
  for (const page of pages) writeSync(file, bytesOf(filling), 0, pageBytes, (page - 1) * pageBytes);
  closeSync(file);
};

/** What a registry answers to requests for a fifth of the engines and for lists. */
interface Answers {
  readonly statuses: ReadonlySet<number>;
  readonly failed: number;
  /** Bodies of 503 without a Status with a delay, or without `Retry-After`. */
  readonly without: ReadonlyArray<string>;
}

const askAll = async (registry: Serving): Promise<Answers> => {
  const statuses = new Set<number>();
  const without: Array<string> = [];
  let failed = 0;
  const paths = ["/engines?pagination.limit=200", "/engines?isPublic=true", "/engines?orderBy=name&isPublic=true"];
  for (let index = 0; index < engines; index += 5) paths.push(`/engines/e-${index}`, `/engines/e-${index}/status`);
  for (const path of paths) {
    const answer = await get(registry.origin, path, token);
    const body = await answer.text();
    statuses.add(answer.status);
    if (answer.status !== 503) continue;
    failed += 1;
    if (!(Number(answer.headers.get("retry-after")) > 0) || !/"code":14,.*"retryDelay":/.test(body)) without.push(body);
  }
  return { statuses, failed, without };
};

const textOf = async (url: string): Promise<readonly [number, string]> => {
  const answer = await fetch(url);
  return [answer.status, await answer.text()];
};

const failuresIn = (metrics: string): number =>
  [...metrics.matchAll(/^registry_database_read_failures_total\{[^}]*\} (\d+)$/gm)].reduce(
    (sum, [, n]) => sum + Number(n),
    0,
  );

/** What shows of failed reads. */
const stateOf = async (registry: Serving) => {
  const [, metrics] = await textOf(`${registry.origin}/metrics`);
  return {
    ended: registry.child.exitCode ?? registry.child.signalCode,
    complaints: registry.output.stderr,
    degraded: /^registry_degraded (\d)$/m.exec(metrics)?.[1],
    counted: failuresIn(metrics),
    healthz: await textOf(`${registry.origin}/healthz`),
  };
};

/** What it is where so many reads have failed, or none. */
const stateAfter = (failed: number) =>
  failed === 0
    ? { ended: null, complaints: "", degraded: "0", counted: 0, healthz: [200, "ok\n"] }
    : {
        ended: null,
        complaints: expect.stringMatching(/^registry: \S+ fails to read: [^\n]*\n$/) as string,
        degraded: "1",
        counted: expect.toSatisfy((count) => Number(count) >= failed) as number,
        healthz: [200, expect.stringMatching(/^degraded: /)],
      };

test.for(
  (
    [
      "engines",
      "engines_by_tag",
      "engines_by_creation",
      "public_by_creation",
      "credentials_by_selector",
      "users",
    ] as const
  ).flatMap((name) => (["zeros", "ones", "noise"] as const).map((filling) => [name, filling] as const)),
)("%s full of %s: what cannot be read is 503, the process stays, and the check names it", async ([name, filling]) => {
  const path = copy();
  const pages = pagesOf(path, name);
  overwrite(path, pages.length > 4 ? pages.filter((_, index) => index % 2 === 1) : pages, filling);
  const registry = await serve(["--database", path, "--no-trial"]);
  const { statuses, failed, without } = await askAll(registry);
  expect([...statuses].filter((status) => ![200, 401, 404, 503].includes(status))).toEqual([]);
  expect(without).toEqual([]);
  // SQLite takes some pages of zeros for empty ones.
  expect(failed > 0 || filling === "zeros").toBe(true);
  expect(await stateOf(registry)).toEqual(stateAfter(failed));
  const { code, stdout, stderr } = await run(["check", "--database", path]);
  expect(code).toBe(1);
  expect(stdout).toMatch(new RegExp(`\\b${name}\\b`));
  expect(stderr).toMatch(/^registry: .* is damaged: [^\n]*\n$/);
  expect(await registry.end("SIGTERM")).toBe(0);
});

test("a trial is served, too, where its users cannot be read", async () => {
  const path = copy();
  overwrite(path, pagesOf(path, "users"), "noise");
  const registry = await serve(["--database", path]);
  expect((await fetch(`${registry.origin}/healthz`)).status).toBe(200);
  expect(await registry.end("SIGTERM")).toBe(0);
});

test("pages damaged while it is served; sound ones in their place end it", async () => {
  const path = copy();
  const registry = await serve(["--database", path, "--no-trial"]);
  expect((await get(registry.origin, "/engines/e-0", token)).status).toBe(200);
  const pages = pagesOf(path, "engines");
  overwrite(path, pages.slice(-10), "noise");
  const { failed } = await askAll(registry);
  expect(failed).toBeGreaterThan(0);
  expect(await stateOf(registry)).toEqual(stateAfter(failed));
  expect(await textOf(`${registry.origin}/readyz`)).toEqual([200, expect.stringMatching(/^degraded: /)]);
  const source = new DatabaseSync(sound);
  await backup(source, path);
  source.close();
  expect(await textOf(`${registry.origin}/readyz`)).toEqual([200, "ready\n"]);
  expect(await textOf(`${registry.origin}/healthz`)).toEqual([200, "ok\n"]);
  expect((await textOf(`${registry.origin}/metrics`))[1]).toMatch(/^registry_degraded 0$/m);
  expect([...(await askAll(registry)).statuses]).toEqual([200]);
  expect(registry.output.stderr).toMatch(/is read again, where it failed before\n$/);
  expect((await run(["check", "--database", path])).stdout).toMatch(/ is sound\n$/);
  expect(await registry.end("SIGTERM")).toBe(0);
});

test("a file that is cut short while it is served does not end the process", async () => {
  const path = copy();
  const registry = await serve(["--database", path, "--no-trial"]);
  expect((await get(registry.origin, "/engines/e-0", token)).status).toBe(200);
  truncateSync(path, pageBytes * 20);
  const { failed, without } = await askAll(registry);
  expect([failed > 0, without]).toEqual([true, []]);
  expect(await stateOf(registry)).toEqual(stateAfter(failed));
  truncateSync(path, 0);
  await askAll(registry);
  expect(registry.child.exitCode ?? registry.child.signalCode).toBeNull();
  expect(await registry.end("SIGTERM")).toBe(0);
});

test("the schema, the log and what is free, damaged while it is served", async () => {
  const path = copy();
  const changed = new DatabaseSync(path);
  changed.exec("DELETE FROM engines WHERE number > 300");
  changed.close();
  const registry = await serve(["--database", path, "--no-trial"]);
  expect((await get(registry.origin, "/engines/e-0", token)).status).toBe(200);
  const free = readFileSync(path).readUInt32BE(32);
  overwrite(path, [free], "noise");
  const refused = await run(
    ["import", "-", "--user", "carol", "--database", path],
    {},
    '{"name":"late","version":"0.1"}',
  );
  expect([0, 1]).toContain(refused.code);
  expect(refused.stderr.split("\n").length).toBeLessThanOrEqual(2);
  expect((await run(["check", "--database", path])).stdout).toMatch(/freelist/i);
  expect((await get(registry.origin, "/engines/e-1", token)).status).toBe(200);
  for (const from of [0, 32, 4_096]) {
    const log = openSync(`${path}-wal`, "r+");
    writeSync(log, bytesOf("noise"), 0, pageBytes, from);
    closeSync(log);
    const { statuses } = await askAll(registry);
    expect([...statuses].filter((status) => ![200, 404, 503].includes(status))).toEqual([]);
  }
  overwrite(path, [1], "noise");
  const { statuses } = await askAll(registry);
  expect([...statuses].filter((status) => ![200, 404, 503].includes(status))).toEqual([]);
  expect(registry.child.exitCode ?? registry.child.signalCode).toBeNull();
  expect((await run(["check", "--database", path])).code).toBe(1);
  expect(await registry.end("SIGTERM")).toBe(0);
});

const forgets = (text: string, part: string): string => text.replaceAll(part, (found) => " ".repeat(found.length));

test("a row whose values have other types than their columns is 503, and the check names the engine", async () => {
  const path = copy();
  // As damage would: the tables are STRICT, which the schema is made to forget.
  const bytes = [" STRICT", " NOT NULL"].reduce(forgets, readFileSync(path, "latin1"));
  writeFileSync(path, bytes, "latin1");
  const again = new DatabaseSync(path);
  again.exec("UPDATE engines SET json = NULL, protobuf = 7 WHERE name = 'e-7'");
  again.exec(`UPDATE engines SET json = replace(json, 'engine 8', 'engine 9') WHERE name = 'e-8'`);
  again.close();
  const registry = await serve(["--database", path, "--no-trial"]);
  for (const accept of ["application/json", "application/x-protobuf"]) {
    const headers = { Authorization: token, Accept: accept };
    expect((await fetch(`${registry.origin}/v1/dev/engines/e-7`, { headers })).status).toBe(503);
  }
  expect((await get(registry.origin, "/engines/e-6", token)).status).toBe(200);
  const { code, stdout } = await run(["check", "--database", path]);
  expect(code).toBe(1);
  expect(stdout).toContain("engine e-7@0.1 of carol is damaged\n");
  expect(stdout).toContain("engine e-8@0.1 of carol is damaged\n");
  expect(stdout).toContain("table engines is not as it was made\n");
  expect(await registry.end("SIGTERM")).toBe(0);
});

test("commands and a start on a damaged file say so in one sentence", async () => {
  const path = copy();
  overwrite(path, pagesOf(path, "migrations"), "ones");
  for (const args of [["serve", "--port", "0"], ["users"], ["export"], ["token", "list"]]) {
    const { code, stdout, stderr } = await run([...args, "--database", path]);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^registry: cannot use the database .*: it is damaged: [^\n]*\n$/);
  }
  const missing = await run(["check", "--database", join(directory, "none.sqlite")]);
  expect([missing.code, missing.stderr]).toEqual([3, expect.stringMatching(/there is no database/)]);
  expect((await run(["check", "--database", sound])).stdout).toBe(`${sound} is sound\n`);
});

test("a reset after a request that Node hands over raw does not end the process", async () => {
  const registry = await serve(["--database", copy()]);
  const { port } = new URL(registry.origin);
  for (let round = 0; round < 20; round++) {
    const socket = connect(Number(port), "127.0.0.1");
    socket.on("error", () => undefined);
    await once(socket, "connect");
    socket.write("CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", () => socket.resetAndDestroy());
    await once(socket, "close");
  }
  expect((await get(registry.origin, "/engines/e-0", token)).status).toBe(200);
  expect(await registry.end("SIGTERM")).toBe(0);
});
