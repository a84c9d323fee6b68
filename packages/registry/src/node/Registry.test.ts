import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { request } from "node:http";
import { connect } from "node:net";
import { once } from "node:events";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "@bytenite-engines/test-kit/ports";
import { expect, onTestFinished, test, vi } from "vitest";
import { descriptorsOf } from "../../test/descriptors.ts";
import { startRegistryServer, type RegistryOptions, type RunningRegistry } from "./Registry.ts";

const start = async (options: Partial<RegistryOptions>): Promise<RunningRegistry> => {
  const { limits, ...others } = options;
  const registry = await startRegistryServer({
    database: ":memory:",
    port: 0,
    limits: { drainMs: 0, ...limits },
    ...others,
  });
  onTestFinished(registry.stop);
  return registry;
};

/** What is logged. */
const logged = (): ReadonlyArray<string> => {
  const lines: Array<string> = [];
  vi.spyOn(console, "error").mockImplementation((...parts) => void lines.push(parts.join(" ")));
  onTestFinished(() => void vi.restoreAllMocks());
  return lines;
};

const place = (): string => {
  const directory = mkdtempSync(join(tmpdir(), "registry-running-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
};

/** The status of a request from an address in front of which there is a proxy. */
const ask = async ({ url }: RunningRegistry, token: string, address?: string): Promise<number> => {
  const forwarded: Record<string, string> = address === undefined ? {} : { "X-Forwarded-For": address };
  return (await fetch(`${url}/engines`, { headers: { Authorization: token, ...forwarded } })).status;
};

test("a reached limit is logged once a minute, with its value and how often it was reached since", async () => {
  vi.useFakeTimers({ toFake: ["performance"] });
  onTestFinished(() => void vi.useRealTimers());
  const lines = logged();
  const registry = await start({ rateLimit: { perSecond: 0.001, burst: 1 } });
  vi.advanceTimersByTime(100_000);
  const statuses: Array<number> = [];
  for (let call = 0; call < 4; call++) statuses.push(await ask(registry, "local-alice"));
  for (const ms of [59_999, 1, 60_000]) {
    vi.advanceTimersByTime(ms);
    statuses.push(await ask(registry, "local-alice"));
  }
  expect(statuses).toEqual([200, 429, 429, 429, 429, 429, 429]);
  const line = "registry: limit rateLimit (0.001 a second, 1 at once) reached by alice";
  expect(lines).toEqual([line, `${line}, and 3 times since this was last said`, line]);
  const counts = await (await fetch(`${registry.origin}/metrics`)).text();
  expect(counts).toContain('registry_limits_reached_total{limit="rateLimit"} 6\n');
});

test("a limit of connections is logged with its number", async () => {
  const lines = logged();
  const registry = await start({ limits: { connectionsPerAddress: 1 } });
  const port = Number(new URL(registry.origin).port);
  const first = connect(port, "127.0.0.1");
  await once(first, "connect");
  const second = connect(port, "127.0.0.1");
  second.on("error", () => undefined);
  await once(second, "close");
  first.destroy();
  expect(lines).toEqual(["registry: limit connectionsPerAddress (1) reached by 127.0.0.1"]);
});

test("times of last use are written every minute, and objects that nothing names removed every ten", async () => {
  const lines = logged();
  const [begun, ended] = [vi.spyOn(globalThis, "setInterval"), vi.spyOn(globalThis, "clearInterval")];
  const archives = place();
  const registry = await start({ archives });
  const timers = begun.mock.calls.map(([work, ms], index) => ({ work, ms, timer: begun.mock.results[index]?.value }));
  const sweeping = timers.find(({ ms }) => ms === 600_000);
  const flushing = timers.find(({ ms }) => ms === 60_000);
  const [old, young] = [crypto.randomUUID(), crypto.randomUUID()].map((name) => join(archives, name));
  for (const path of [old, young]) writeFileSync(String(path), "");
  utimesSync(String(old), 0, 0);
  sweeping?.work();
  await expect.poll(() => existsSync(String(old))).toBe(false);
  expect([existsSync(String(young)), lines]).toEqual([true, []]);
  await registry.stop();
  const cleared = ended.mock.calls.map(([timer]) => timer);
  expect(cleared).toEqual(expect.arrayContaining([sweeping?.timer, flushing?.timer]));
  sweeping?.work();
  await expect.poll(() => lines).toEqual([expect.stringMatching(/^registry: sweeping failed: /)]);
});

const metrics = async (origin: string): Promise<number> => (await fetch(`${origin}/metrics`)).status;

test("archives are in a folder beside the database, or in a temporary one that goes", async () => {
  const directory = place();
  vi.stubEnv("TMPDIR", directory);
  onTestFinished(() => void vi.unstubAllEnvs());
  const names = (): ReadonlyArray<string> => readdirSync(directory).toSorted();
  const memory = await start({});
  expect(names()).toEqual([expect.stringMatching(/^registry-archives-/)]);
  // Without those of the samples.
  expect(readdirSync(join(directory, String(names()[0])))).toEqual([]);
  expect((await fetch(`${memory.origin}/readyz`)).status).toBe(200);
  await memory.stop();
  expect(names()).toEqual([]);
  const other = await start({});
  rmSync(join(directory, String(names()[0])), { recursive: true });
  await other.stop();
  await (await start({ database: join(directory, "x.sqlite") })).stop();
  expect(names()).toEqual(["x.sqlite", "x.sqlite.archives"]);
  const samples = readdirSync(join(directory, "x.sqlite.archives"), { withFileTypes: true }).filter((of) =>
    of.isFile(),
  );
  expect(samples.length).toBeGreaterThan(0);
  for (const { parentPath, name } of samples) expect(statSync(join(parentPath, name)).size).toBeGreaterThan(100);
});

const anyHost = "registry: requests for any Host are answered: set publicUrl or allowedHosts to check it";

test.for<[string, Partial<RegistryOptions>, object]>([
  ["nothing given", {}, { trial: true, admin: "own", metrics: 200, said: [] }],
  ["tokens", { tokens: {} }, { trial: false, admin: "own", metrics: 200, said: [] }],
  ["hosts", { allowedHosts: ["engines.example"] }, { trial: false, admin: "own", metrics: 200, said: [] }],
  ["no trial", { trial: false }, { trial: false, admin: "own", metrics: 200, said: [] }],
  ["tokens and a trial", { tokens: {}, trial: true }, { trial: true, admin: "own", metrics: 200, said: [] }],
  ["an admin port", { adminPort: 0 }, { trial: true, admin: "other", metrics: 404, said: [] }],
  ["all addresses", { host: "0.0.0.0", trial: true }, { trial: false, admin: "none", metrics: 404, said: [anyHost] }],
  [
    "all addresses and a URL",
    { host: "0.0.0.0", publicUrl: "https://engines.example" },
    { trial: false, admin: "none", metrics: 404, said: [] },
  ],
])("with %s a registry is a trial or not, and has metrics or not", async ([, options, expected]) => {
  const said = logged();
  const registry = await start(options);
  const { port } = new URL(registry.origin);
  const { adminOrigin } = registry;
  const admin = adminOrigin === undefined ? "none" : adminOrigin === registry.origin ? "own" : "other";
  expect({ trial: registry.trial, admin, metrics: await metrics(`http://127.0.0.1:${port}`), said }).toEqual(expected);
  expect(adminOrigin === undefined ? 200 : await metrics(adminOrigin)).toBe(200);
  const tokens = { alice: "local-alice", bob: "local-bob" };
  expect(registry.seeded).toEqual(registry.trial ? tokens : {});
  expect(registry.url).toBe(`http://${options.host ?? "127.0.0.1"}:${port}/v1/dev`);
});

test("a registry that cannot start frees its ports", async () => {
  const [port, adminPort] = [await freePort(), await freePort()];
  const database = place();
  await expect(start({ port, adminPort, database })).rejects.toThrow("is a directory");
  const registry = await start({ port, adminPort });
  expect(registry.adminOrigin).toBe(`http://127.0.0.1:${adminPort}`);
});

test("wrong tokens and requests are limited by address, and those of loopback are not", async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  onTestFinished(() => void vi.useRealTimers());
  const lines = logged();
  const trustedProxies = ["127.0.0.1"];
  const wrong = await start({ trustedProxies });
  for (const [address, expected] of [
    [undefined, 401],
    ["192.0.2.1", 429],
    ["192.0.2.2", 401],
  ] as const) {
    const calls = address === "192.0.2.2" ? 30 : 31;
    let last = 0;
    for (let call = 0; call < calls; call++) last = await ask(wrong, "wrong", address);
    expect([address, last]).toEqual([address, expected]);
  }
  const limited = await start({ trustedProxies, addressRateLimit: { perSecond: 0.001, burst: 1 } });
  const statuses: Array<number> = [];
  for (const address of [undefined, undefined, "192.0.2.1", "192.0.2.1", "192.0.2.2"]) {
    statuses.push(await ask(limited, "local-alice", address));
  }
  expect(statuses).toEqual([200, 200, 200, 429, 200]);
  expect(lines).toEqual([
    "registry: limit wrongTokens (0.5 a second, 30 at once) reached by 192.0.2.1",
    "registry: limit addressRateLimit (0.001 a second, 1 at once) reached by 192.0.2.1",
  ]);
});

test("a database that was used with a key is served without it, and with a word about it", async () => {
  const lines = logged();
  const database = join(place(), "engines.sqlite");
  await (await start({ database, key: "k".repeat(32) })).stop();
  expect(lines).toEqual([]);
  const registry = await start({ database });
  expect([registry.box, registry.seeded]).toEqual([undefined, {}]);
  expect(lines).toEqual([
    "registry: BYTENITE_REGISTRY_KEY is not set, but this database was used with one: what it encrypts cannot be read",
  ]);
  const ready = async (): Promise<number> => (await fetch(`${registry.origin}/readyz`)).status;
  // What SQLite itself changes in the file leaves it the same one.
  registry.file.database.exec("CREATE TABLE t (a); DROP TABLE t; PRAGMA wal_checkpoint(TRUNCATE)");
  expect(await ready()).toBe(200);
});

test("what is refused before it is a request is counted and logged, and the log is closed at the end", async () => {
  const accessLog = join(place(), "access.log");
  const registry = await start({ accessLog });
  const socket = connect(Number(new URL(registry.origin).port), "127.0.0.1");
  socket.write("no HTTP\r\n\r\n");
  await once(socket.resume(), "close");
  const counts = await (await fetch(`${registry.origin}/metrics`)).text();
  expect(counts).toContain('registry_requests_total{endpoint="none",status="400",format="json"} 1\n');
  await registry.stop();
  const lines = readFileSync(accessLog, "utf8").trimEnd().split("\n");
  expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
    { level: "warn", status: 400, address: "127.0.0.1" },
    { level: "info", status: 200, path: "/metrics" },
  ]);
  expect(process.platform === "linux" ? descriptorsOf(accessLog) : 0).toBe(0);
});

test("a database that cannot be read is told once, and again when it can, by the log and by a metric", async () => {
  const lines = logged();
  const database = join(place(), "engines.sqlite");
  const registry = await start({ database, tokens: { carol: ["a-configured-token-of-carol"] } });
  const states = async (): Promise<ReadonlyArray<unknown>> => {
    await new Promise((resolve) => setImmediate(resolve));
    const status = await ask(registry, "a-configured-token-of-carol");
    const ready = (await fetch(`${registry.origin}/readyz`)).status;
    const counts = await (await fetch(`${registry.origin}/metrics`)).text();
    return [status, ready, /^registry_degraded (\d)$/m.exec(counts)?.[1]];
  };
  expect(await states()).toEqual([200, 200, "0"]);
  registry.file.database.exec("ALTER TABLE engines RENAME TO lost");
  expect(await states()).toEqual([503, 200, "1"]);
  expect(await states()).toEqual([503, 200, "1"]);
  registry.file.database.exec("ALTER TABLE lost RENAME TO engines");
  expect((await fetch(`${registry.origin}/readyz`)).status).toBe(200);
  expect(await states()).toEqual([200, 200, "0"]);
  expect(lines).toEqual([
    `registry: ${database} fails to read: no such table: engines; requests for what cannot be read get 503. "registry check" names what is damaged`,
    `registry: ${database} is read again, where it failed before`,
  ]);
});

/** What is answered to a request that names a host. */
const askAs = async (url: string, host: string): Promise<string> => {
  const asked = request(url, { headers: { Host: host, Authorization: "local-alice" } }).end();
  const [answer] = (await once(asked, "response")) as [NodeJS.ReadableStream];
  let text = "";
  for await (const part of answer) text += String(part);
  return text;
};

test("archives are downloaded at the origin by who names loopback, and one that is gone is a fault that is logged", async () => {
  const lines = logged();
  const archives = join(place(), "archives");
  let nowMs = 1_700_000_000_000;
  const registry = await start({
    database: join(place(), "engines.sqlite"),
    archives,
    trial: true,
    allowedHosts: ["*"],
    now: () => nowMs,
  });
  const url = `${registry.url}/engines/zipper/download`;
  expect(await askAs(url, "engines.example")).not.toContain("engineLink");
  const { engineLink } = JSON.parse(await askAs(url, "localhost:1234")) as { readonly engineLink: string };
  expect(engineLink.startsWith(`${registry.origin}/archives/`)).toBe(true);
  expect((await fetch(engineLink)).status).toBe(200);
  nowMs += 600_000;
  expect((await fetch(engineLink)).status).toBe(403);
  nowMs -= 600_000;
  rmSync(archives, { recursive: true });
  expect((await fetch(engineLink)).status).toBe(500);
  expect(lines).toEqual([expect.stringMatching(/^request [\w-]+ failed: Error: the object of archive .* is missing/)]);
});

test("a configured token that is revoked is told with its place", async () => {
  const lines = logged();
  const database = join(place(), "engines.sqlite");
  const token = "a-configured-token-of-carol";
  const options = { database, tokens: { carol: [token] }, tokenPlaces: new Map([[token, "tokens.json"]]) };
  const before = await start(options);
  expect(await ask(before, token)).toBe(200);
  before.file.database.exec("UPDATE credentials SET revoked_at = 1");
  await before.stop();
  expect(await ask(await start(options), token)).toBe(401);
  expect(lines).toEqual([
    expect.stringMatching(
      /^registry: a token of carol in tokens\.json is revoked \(\S+\) and opens nothing: remove it from there$/,
    ),
  ]);
});
