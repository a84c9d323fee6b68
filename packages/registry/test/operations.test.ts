// What an operator relies on: drain, metrics, log, backups that are rotated.
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import { mkdir, rmdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { get, place } from "./place.ts";
import { run, serve } from "./process.ts";

const { directory, fresh } = place();

const token = "a-token-of-carol-in-the-environment";
const environment = { REGISTRY_TOKENS: JSON.stringify({ carol: token }) };

let settings = 0;

const serving = async (given: object) => {
  const path = join(directory, `settings-${settings++}.json`);
  await writeFile(path, JSON.stringify(given));
  return serve(["--config", path, ...fresh()], environment);
};

/** Sends bytes and gives what comes until the connection is closed. */
const sent = async (origin: string, text: string): Promise<string> => {
  const socket = connect(Number(new URL(origin).port), "127.0.0.1");
  let answer = "";
  socket.on("data", (chunk: Buffer) => (answer += chunk.toString("latin1")));
  socket.write(text);
  await once(socket, "close");
  return answer;
};

test("after SIGTERM it is not ready, but answers, until the delay is over", async () => {
  const registry = await serving({ limits: { drainDelayMs: 1_500 } });
  const ready = async (): Promise<string> => (await fetch(`${registry.origin}/readyz`)).text();
  expect(await ready()).toBe("ready\n");
  const ended = registry.end("SIGTERM");
  await expect.poll(ready).toBe("draining\n");
  const answer = await get(registry.origin, "/engines", token);
  expect([answer.status, answer.headers.get("connection")]).toEqual([200, "close"]);
  expect(await ended).toBe(0);
  await expect(ready()).rejects.toThrow(/fetch failed/);
});

test("the log has level, address and request id of every request, also of what is none", async () => {
  const log = join(directory, "access.log");
  const registry = await serving({ accessLog: log, trustedProxies: ["127.0.0.1"] });
  const answer = await fetch(`${registry.origin}/v1/dev/engines`, {
    headers: { Authorization: token, "X-Request-Id": "from-the-proxy", "X-Forwarded-For": "192.0.2.7" },
  });
  expect([answer.status, answer.headers.get("x-request-id")]).toEqual([200, "from-the-proxy"]);
  const raw = await sent(registry.origin, "NOT HTTP\r\n\r\n");
  expect(raw).toMatch(/^HTTP\/1\.1 400 /);
  const metrics = await (await fetch(`${registry.origin}/metrics`)).text();
  expect(metrics).toMatch(/^registry_requests_total\{endpoint="none",status="400",format="json"\} 1$/m);
  expect(await registry.end("SIGTERM")).toBe(0);
  const lines = readFileSync(log, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as object);
  expect(lines).toMatchObject([
    { level: "info", address: "192.0.2.7", requestId: "from-the-proxy", status: 200, user: "carol", method: "GET" },
    { level: "warn", address: "127.0.0.1", requestId: /X-Request-Id: (\S+)/.exec(raw)?.[1], status: 400 },
    { level: "info", path: "/metrics" },
  ]);
});

test("a log of warnings has no line of what went well", async () => {
  const log = join(directory, "warnings.log");
  const registry = await serving({ accessLog: log, logLevel: "warn", rateLimit: { perSecond: 0.01, burst: 1 } });
  expect((await get(registry.origin, "/engines", token)).status).toBe(200);
  expect((await get(registry.origin, "/engines", token)).status).toBe(429);
  const metrics = await (await fetch(`${registry.origin}/metrics`)).text();
  expect(metrics).toMatch(/^registry_limits_reached_total\{limit="rateLimit"\} 1$/m);
  expect(registry.output.stderr).toContain("limit rateLimit (0.01 a second, 1 at once) reached by carol\n");
  expect(await registry.end("SIGTERM")).toBe(0);
  expect(readFileSync(log, "utf8")).toMatch(
    /^\{"level":"warn","time":"[^"]+","address":"127\.0\.0\.1"[^\n]*"status":429[^\n]*\}\n$/,
  );
});

test("metrics cover the process, the database, and connections that end within a response", async () => {
  const registry = await serving({ limits: { responseTimeoutMs: 200 } });
  const value = async (name: string): Promise<number> => {
    const text = await (await fetch(`${registry.origin}/metrics`)).text();
    return Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, "m").exec(text)?.[1] ?? Number.NaN);
  };
  const above = ["process_resident_memory_bytes", "process_open_fds", "nodejs_eventloop_lag_p99_seconds"];
  for (const name of [...above, "registry_database_bytes", "registry_database_log_bytes", "registry_connections"]) {
    expect([name, (await value(name)) > 0]).toEqual([name, true]);
  }
  expect(await value("registry_connections_dropped_total")).toBe(0);
  const socket = connect(Number(new URL(registry.origin).port), "127.0.0.1");
  socket.on("error", () => undefined);
  socket.pause();
  socket.write("GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(8));
  await expect.poll(() => value("registry_connections_dropped_total"), { timeout: 10_000 }).toBe(1);
  expect(await registry.end("SIGTERM")).toBe(0);
});

test("backups into a directory are named by their time, and all but the newest are removed", async () => {
  const database = fresh();
  const folder = join(directory, "backups");
  await mkdir(folder);
  for (const name of [
    "engines-monday.sqlite",
    "notes.partial",
    "engines-20200101T000000000Z.sqlite",
    "engines-20200102T000000000Z.sqlite",
  ]) {
    await writeFile(join(folder, name), "older");
  }
  expect((await run(["token", "create", "--create-user", "--user", "carol", ...database])).code).toBe(0);
  const first = await run(["backup", folder, "--keep", "5", ...database]);
  expect([first.code, first.stdout]).toEqual([
    0,
    expect.stringMatching(/^backed up 0 engines of 1 user to \S+Z\.sqlite\n$/),
  ]);
  // Left by a backup that was killed, beside one that is under way and a whole one.
  const [killed, running, whole] = [1, 2, 3].map((day) => `engines-2020020${day}T000000000Z.sqlite`);
  for (const name of [killed, running, whole]) await mkdir(join(folder, `${name}.archives`));
  const ends = [".archives/x", ".partial-journal", ".partial-wal", ".partial-shm", ".partial", ".partial-lock"];
  const left = [killed, running].flatMap((name) => ends.map((end) => `${name}${end}`));
  for (const name of [...left, `${whole}`, `${whole}.partial-lock`]) await writeFile(join(folder, name), "");
  const lock = new DatabaseSync(join(folder, `${running}.partial-lock`));
  lock.exec("PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE");
  const unfinished = (): ReadonlyArray<string> =>
    readdirSync(folder).filter((name) => /2020020|sqlite\.partial/.test(name));
  expect((await run(["backup", folder, ...database])).code).toBe(0);
  expect(unfinished()).toEqual([
    `${running}.archives`,
    `${running}.partial`,
    `${running}.partial-journal`,
    `${running}.partial-lock`,
    `${running}.partial-shm`,
    `${running}.partial-wal`,
    whole,
    `${whole}.archives`,
  ]);
  lock.close();
  // What cannot be removed prevents no backup.
  const odd = join(folder, "engines-20200204T000000000Z.sqlite");
  await mkdir(`${odd}.partial`);
  const beside = await run(["backup", folder, ...database]);
  expect([beside.code, beside.stderr]).toEqual([
    0,
    expect.stringMatching(`^what is left of the backup ${odd} cannot be removed: .*EISDIR`),
  ]);
  await rmdir(`${odd}.partial`);
  const second = await run(["backup", folder, "--keep", "2", ...database]);
  expect(unfinished()).toEqual([]);
  expect([second.code, second.stdout]).toEqual([
    0,
    expect.stringMatching(
      /^backed up .*\n(?:removed \S+-202001\d\dT\d+Z\.sqlite\n){2}removed \S+-20200203T\d+Z\.sqlite\n(?:removed \S+\n){2}$/,
    ),
  ]);
  const kept = readdirSync(folder).toSorted();
  expect(kept).toEqual([
    expect.stringMatching(/^engines-20[2-9]\d{5}T\d{9}Z\.sqlite$/),
    expect.stringMatching(/^engines-20[2-9]\d{5}T\d{9}Z\.sqlite$/),
    "engines-monday.sqlite",
    "notes.partial",
  ]);
  const restored = await run(["restore", join(folder, kept[1] ?? ""), "--yes", ...fresh()]);
  expect(restored.code).toBe(0);
  const wrong = await run(["backup", join(directory, "one.sqlite"), "--keep", "2", ...database]);
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("--keep goes with a directory")]);
});
