// Clients that do not read or write, or open many connections.
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { join } from "node:path";
import { Readable } from "node:stream";
import { beforeAll, expect, onTestFinished, test } from "vitest";
import { createCredential, importStream, migrate, openSqlite, userOf } from "../src/index.ts";
import { get, place } from "./place.ts";
import { serve, type Serving } from "./process.ts";

const { directory } = place();
const database = join(directory, "engines.sqlite");

/** Most memory that a registry takes under attack, in MiB; README and SECURITY.md state it. */
const memoryMiB = 768;

/** Engines on a page of 2 MB. */
const pageEngines = 1_000;

let token = "";

const line = (index: number): string =>
  `${JSON.stringify({ name: `e-${index}`, version: "0.1", description: "x".repeat(1_500) })}\n`;

beforeAll(async () => {
  const file = openSqlite(database);
  await migrate(file.port, Date.now());
  const lines = Array.from({ length: pageEngines }, (_, index) => line(index));
  await importStream(Readable.from(lines), { file, box: undefined, user: "carol" });
  token = (await createCredential(file, userOf(file, "carol"), "token", "", Date.now())).secret;
  file.close();
});

const page = `/engines?pagination.limit=${pageEngines}`;

const requestFor = (path: string): string =>
  `GET /v1/dev${path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: ${token}\r\n\r\n`;

/** A connection from an address of this machine that reads nothing until `read`. */
const connected = async (registry: Serving, localAddress = "127.0.0.1"): Promise<Socket> => {
  const socket = connect({ port: Number(new URL(registry.origin).port), host: "127.0.0.1", localAddress });
  onTestFinished(() => void socket.destroy());
  socket.pause();
  socket.on("error", () => undefined);
  await once(socket, "connect");
  return socket;
};

/** Resolves when a connection is closed, by whatever end. */
const closed = (socket: Socket): Promise<void> =>
  new Promise((resolve) => void socket.resume().once("close", () => resolve()));

const all = <A>(count: number, make: (index: number) => Promise<A>): Promise<ReadonlyArray<A>> =>
  Promise.all(Array.from({ length: count }, (_, index) => make(index)));

let settings = 0;

const serving = async (limits: object, rest: object = {}): Promise<Serving> => {
  const path = join(directory, `settings-${settings++}.json`);
  await writeFile(path, JSON.stringify({ database, limits, ...rest }));
  return serve(["--config", path]);
};

const countOf = async (registry: Serving, limit: string): Promise<number> => {
  const text = await (await fetch(`${registry.origin}/metrics`)).text();
  return Number(new RegExp(`^registry_limits_reached_total\\{limit="${limit}"\\} (\\d+)$`, "m").exec(text)?.[1] ?? 0);
};

/** Peak of the resident memory of a process, in MiB (proc(5)). */
const peakMiB = ({ child }: Serving): number =>
  Number(/^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${child.pid}/status`, "utf8"))?.[1] ?? Number.NaN) / 1_024;

/** Asks as others do, many times; gives the statuses that were not 200. */
const others = async (registry: Serving, times: number): Promise<ReadonlyArray<number>> => {
  const odd: Array<number> = [];
  for (let time = 0; time < times; time++) {
    const path = time % 5 === 0 ? page : `/engines/e-${time}`;
    const answer = await get(registry.origin, path, token);
    await answer.arrayBuffer();
    if (answer.status !== 200) odd.push(answer.status);
  }
  return odd;
};

test.skipIf(process.platform !== "linux")(
  "readers that never read cost no more memory than is stated, and others are served throughout",
  async () => {
    const registry = await serving({});
    const attackers = await all(300, (index) => connected(registry, `127.0.0.${2 + (index % 3)}`));
    const asked = Promise.all(
      attackers.map((socket) => new Promise((sent) => void socket.write(requestFor(page).repeat(20), sent))),
    );
    expect(await others(registry, 100)).toEqual([]);
    await asked;
    expect(await others(registry, 20)).toEqual([]);
    await expect.poll(() => countOf(registry, "bytesInFlight"), { timeout: 60_000 }).toBeGreaterThan(0);
    expect(peakMiB(registry)).toBeLessThan(memoryMiB);
    expect(registry.output.stderr).toMatch(/^registry: limit bytesInFlight \(33554432\) reached by 127\.0\.0\.[234]$/m);
    for (const socket of attackers) socket.destroy();
    expect(await registry.end("SIGTERM")).toBe(0);
  },
);

test("who pipelines thousands of requests and reads nothing is cut, whatever is asked for", async () => {
  const registry = await serving({});
  const requests = [
    "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "GET /v1/dev/engines HTTP/1.1\r\nHost: localhost\r\n\r\n",
    requestFor("/engines/e-1"),
  ];
  const attackers = await all(60, () => connected(registry));
  const cut = Promise.all(attackers.map(closed));
  attackers.forEach((socket, index) => socket.write((requests[index % 3] ?? "").repeat(5_000)));
  expect(await others(registry, 20)).toEqual([]);
  await cut;
  expect(await countOf(registry, "pipelinedRequests")).toBe(60);
  expect(registry.output.stderr).toMatch(/^registry: limit pipelinedRequests \(32\) reached by 127\.0\.0\.1\n$/);
  expect(await registry.end("SIGTERM")).toBe(0);
});

const textOf = async (socket: Socket): Promise<string> => {
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  await closed(socket);
  return text;
};

const statusesIn = (answers: string): ReadonlyArray<string> => answers.match(/(?<=HTTP\/1\.1 )\d+/g) ?? [];

test("as many requests as may wait are answered in their order, to a client that has ended its side, too", async () => {
  const registry = await serving({ pipelinedRequests: 4 });
  const socket = await connected(registry);
  const answers = textOf(socket);
  socket.end(["/engines/e-1", page, "/engines/none", "/engines/e-2", "/engines/e-3"].map(requestFor).join(""));
  const text = await answers;
  expect(statusesIn(text)).toEqual(["200", "200", "404", "200", "200"]);
  expect(text).toMatch(/"name":"e-2"[^]*"name":"e-3"/);
  expect(await countOf(registry, "pipelinedRequests")).toBe(0);
  expect(await registry.end("SIGTERM")).toBe(0);
});

test("an answer that is not taken in time ends the connection; one that is taken slowly does not", async () => {
  const registry = await serving({ responseTimeoutMs: 500 });
  const [slow, never] = await all(2, () => connected(registry));
  const answers = textOf(slow as Socket);
  slow?.end(requestFor(page).repeat(3));
  never?.write(requestFor(page).repeat(20));
  expect(statusesIn(await answers)).toEqual(["200", "200", "200"]);
  await expect.poll(() => countOf(registry, "responseTimeoutMs")).toBe(1);
  await closed(never as Socket);
  expect(registry.output.stderr).toMatch(/^registry: limit responseTimeoutMs \(500\) reached by 127\.0\.0\.1\n$/);
  expect(await registry.end("SIGTERM")).toBe(0);
});

test("one address gets so many connections, and a trusted proxy any number", async () => {
  const registry = await serving({ connectionsPerAddress: 3, connections: 12 }, { trustedProxies: ["127.0.1.0/24"] });
  const idle = await all(3, () => connected(registry, "127.0.0.2"));
  const more = await connected(registry, "127.0.0.2");
  await closed(more);
  expect(await others(registry, 3)).toEqual([]);
  const proxied = await all(6, () => connected(registry, "127.0.1.7"));
  expect(await others(registry, 3)).toEqual([]);
  expect(await countOf(registry, "connectionsPerAddress")).toBe(1);
  expect(proxied.filter(({ destroyed }) => destroyed)).toEqual([]);
  expect(registry.output.stderr).toBe("registry: limit connectionsPerAddress (3) reached by 127.0.0.2\n");
  idle[0]?.destroy();
  const again = await (async () => {
    for (;;) {
      const socket = await connected(registry, "127.0.0.2");
      const answers = textOf(socket);
      socket.end("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
      const statuses = statusesIn(await answers);
      if (statuses.length > 0) return statuses;
    }
  })();
  expect(again).toEqual(["200"]);
  for (const socket of [...idle, ...proxied]) socket.destroy();
  expect(await registry.end("SIGTERM")).toBe(0);
});

const isClosed = (socket: Socket): boolean => socket.destroyed;

test("when all connections are taken, an address that has fewer gets one of the address that has most", async () => {
  const registry = await serving({ connections: 12 });
  const kept = async (localAddress: string): Promise<Socket> => {
    const socket = await connected(registry, localAddress);
    socket.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    socket.resume();
    await once(socket, "data");
    return socket;
  };
  const taken = [...(await all(7, () => kept("127.0.0.2"))), ...(await all(5, () => kept("127.0.0.3")))];
  const newcomer = await connected(registry, "127.0.0.4");
  const answers = textOf(newcomer);
  newcomer.end(requestFor("/engines/e-1"));
  expect(statusesIn(await answers)).toEqual(["200"]);
  await expect.poll(() => taken.findIndex(isClosed)).toBe(0);
  expect(taken.filter(isClosed)).toHaveLength(1);
  // With one more it would have as many as anybody: then it is the one that is refused.
  const more = await all(1, () => kept("127.0.0.2"));
  await closed(await connected(registry, "127.0.0.2"));
  expect([...taken, ...more].filter(isClosed)).toHaveLength(1);
  expect(registry.output.stderr).toBe("registry: limit connections (12) reached by 127.0.0.2\n");
  for (const socket of [...taken, ...more]) socket.destroy();
  expect(await registry.end("SIGTERM")).toBe(0);
});

test("when a trusted proxy has all connections, a new one takes the place of its oldest idle one, or of one of the client with most", async () => {
  const proxies = { trustedProxies: ["127.0.1.0/24"] };
  const registry = await serving({ connections: 12 }, proxies);
  /** A connection of the proxy that has got so far as to `until`. */
  const until = async (text: string, request: string): Promise<Socket> => {
    const socket = await connected(registry, "127.0.1.7");
    socket.write(request);
    socket.resume();
    const [got] = (await once(socket, "data")) as [Buffer];
    expect(got.toString()).toContain(text);
    return socket;
  };
  const neighbour = async (): Promise<ReadonlyArray<string>> => {
    const socket = await connected(registry, "127.0.1.7");
    const answers = textOf(socket);
    socket.write(last(from("192.0.2.9", "/engines/e-1")));
    return statusesIn(await answers);
  };
  const idle = await all(12, () => until("200 OK", "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  expect(await neighbour()).toEqual(["200"]);
  await expect.poll(() => idle.filter(isClosed).length).toBe(1);
  for (const socket of idle) socket.destroy();
  const halfSent = (client: string): Promise<Socket> =>
    until(
      "100 Continue",
      `POST /v1/auth/access_token HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: ${client}\r\nExpect: 100-continue\r\nContent-Length: 500\r\n\r\n`,
    );
  const few = await all(5, () => halfSent("192.0.2.1"));
  const most = await all(7, () => halfSent("[2001:db8::1]:4711"));
  expect(await neighbour()).toEqual(["200"]);
  await expect.poll(() => most.filter(isClosed).length).toBe(1);
  expect(few.filter(isClosed)).toEqual([]);
  for (const socket of [...few, ...most]) socket.destroy();
  expect(await registry.end("SIGTERM")).toBe(0);
});

test("who asks for many large pages at once does not keep others waiting for all of them", async () => {
  const registry = await serving({});
  const attackers = await all(60, () => connected(registry, "127.0.0.2"));
  const other = await connected(registry, "127.0.0.3");
  const answers = textOf(other);
  // All of it is there when the process goes on.
  registry.child.kill("SIGSTOP");
  for (const socket of attackers) await new Promise((sent) => void socket.write(requestFor(page), sent));
  other.end(requestFor("/engines/e-1") + requestFor("/none").replace("/v1/dev/none", "/metrics"));
  registry.child.kill("SIGCONT");
  const text = await answers;
  expect(statusesIn(text)).toEqual(["200", "200"]);
  const pages = Number(/^registry_requests_total\{endpoint="list",status="200".*\} (\d+)$/m.exec(text)?.[1] ?? 0);
  expect(pages).toBeLessThan(30);
  for (const socket of attackers) socket.destroy();
  expect(await registry.end("SIGTERM")).toBe(0);
});

const last = (request: string): string => request.replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");

/** A request of a client, as a proxy passes it on. */
const from = (client: string, path: string): string =>
  requestFor(path).replace("\r\n\r\n", `\r\nX-Forwarded-For: 203.0.113.9, ${client}, 127.0.1.8\r\n\r\n`);

test("behind a trusted proxy turns are by the client that it names, and a client has so many requests under way", async () => {
  const rules = join(directory, "slow-lists.json");
  await writeFile(rules, JSON.stringify([{ on: { endpoint: "status" }, fault: { latencyMs: 700 } }]));
  const proxies = { trustedProxies: ["127.0.1.0/24"], faults: rules };
  const registry = await serving({ connectionsPerAddress: 60 }, proxies);
  const attackers = await all(60, () => connected(registry, "127.0.1.7"));
  const other = await connected(registry, "127.0.1.7");
  const answers = textOf(other);
  registry.child.kill("SIGSTOP");
  for (const socket of attackers) await new Promise((sent) => void socket.write(from("192.0.2.1", page), sent));
  const metrics = from("192.0.2.2", "/none").replace("/v1/dev/none", "/metrics");
  other.write(from("192.0.2.2", "/engines/e-1") + last(metrics));
  registry.child.kill("SIGCONT");
  const text = await answers;
  expect(statusesIn(text)).toEqual(["200", "200"]);
  const pages = Number(/^registry_requests_total\{endpoint="list",status="200".*\} (\d+)$/m.exec(text)?.[1] ?? 0);
  expect(pages).toBeLessThan(30);
  for (const socket of attackers) socket.destroy();
  const statusesOf = async (client: string, count: number): Promise<ReadonlyArray<string>> =>
    (
      await all(count, async () => {
        const socket = await connected(registry, "127.0.1.7");
        const answer = textOf(socket);
        socket.write(last(from(client, "/engines/e-1/status")));
        return statusesIn(await answer)[0] ?? "none";
      })
    ).toSorted();
  const [one, another] = await Promise.all([statusesOf("192.0.2.3", 63), statusesOf("192.0.2.4", 5)]);
  expect(one).toEqual([...Array<string>(60).fill("200"), "429", "429", "429"]);
  expect(another).toEqual(Array(5).fill("200"));
  // Requests that are answered count no more.
  expect(await statusesOf("192.0.2.3", 5)).toEqual(Array(5).fill("200"));
  expect(registry.output.stderr).toBe("registry: limit connectionsPerAddress (60) reached by 192.0.2.3\n");
  expect(await registry.end("SIGTERM")).toBe(0);
});

test("wrong tokens and API keys are limited by the address that a trusted proxy names; known ones go on", async () => {
  const registry = await serving({}, { trustedProxies: ["127.0.0.1"] });
  const asked = async (secret: string, client: string): Promise<Response> =>
    fetch(`${registry.origin}/v1/dev/engines/e-1`, { headers: { Authorization: secret, "X-Forwarded-For": client } });
  expect((await asked(token, "192.0.2.1")).status).toBe(200);
  const answers = await all(100, (index) => asked(`guess-${index}`, "192.0.2.1"));
  const refused = answers.filter(({ status }) => status === 429);
  expect(answers.filter(({ status }) => status === 401).length + refused.length).toBe(100);
  expect(refused.length).toBeGreaterThanOrEqual(60);
  expect(refused[0]?.headers.get("retry-after")).toMatch(/^[1-9]\d*$/);
  const exchanged = await fetch(`${registry.origin}/v1/auth/access_token`, {
    method: "POST",
    headers: { "X-Forwarded-For": "192.0.2.1" },
    body: '{"apiKey":"a-guess"}',
  });
  expect(exchanged.status).toBe(429);
  expect((await asked(token, "192.0.2.1")).status).toBe(200);
  expect((await asked("a-guess", "192.0.2.2")).status).toBe(401);
  // With a port, or in brackets, it is the same address; what a client sent before one that is none counts for nothing.
  expect((await asked("a-guess", "192.0.2.1:4711")).status).toBe(429);
  expect((await asked("a-guess", "192.0.2.1, unknown")).status).toBe(401);
  expect(await countOf(registry, "wrongTokens")).toBe(refused.length + 2);
  expect(registry.output.stderr).toContain("limit wrongTokens (0.5 a second, 30 at once) reached by 192.0.2.1\n");
  const unnamed = await all(40, (index) => asked(`guess-${index}`, index % 2 === 0 ? "unknown" : "_hidden, x"));
  expect(unnamed.filter(({ status }) => status === 429).length).toBeGreaterThan(0);
  expect(registry.output.stderr).not.toContain("127.0.0.1");
  // Without a proxy in between it is loopback, which is not limited.
  expect((await get(registry.origin, "/engines/e-1", "a-guess")).status).toBe(401);
  expect(await registry.end("SIGTERM")).toBe(0);
});

test("requests of an address past its limit are 429 before anybody is asked who they are, whatever is asked for", async () => {
  const settings = { trustedProxies: ["127.0.0.1"], addressRateLimit: { perSecond: 0.01, burst: 4 } };
  const registry = await serving({}, settings);
  const asked = (path: string, client: string, accept = "application/json"): Promise<Response> =>
    fetch(registry.origin + path, { headers: { "X-Forwarded-For": client, Authorization: token, Accept: accept } });
  const paths = [
    "/v1/dev/engines/e-1",
    "/openapi.json",
    "/v1/auth/access_token",
    "/manage/v1/users",
    "/v1/dev/engines",
  ];
  const statuses = [];
  for (const path of paths) statuses.push((await asked(path, "192.0.2.1")).status);
  expect(statuses).toEqual([200, 200, 405, 403, 429]);
  const refused = await asked("/v1/dev/engines", "192.0.2.1", "application/x-protobuf");
  expect([refused.status, refused.headers.get("content-type"), refused.headers.get("retry-after")]).toEqual([
    429,
    "application/x-protobuf",
    expect.stringMatching(/^[1-9]\d*$/),
  ]);
  expect((await asked("/v1/dev/engines/e-1", "192.0.2.2")).status).toBe(200);
  for (let time = 0; time < 6; time++) expect((await get(registry.origin, "/engines/e-1", token)).status).toBe(200);
  expect(await countOf(registry, "addressRateLimit")).toBe(2);
  expect(await registry.end("SIGTERM")).toBe(0);
});

test("a body that never ends gets one answer, and the connection is closed when its time is over", async () => {
  const registry = await serving({ headersTimeoutMs: 400, requestTimeoutMs: 800 });
  const bodies = ["Content-Length: 100\r\n\r\nx", "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"];
  const statuses = await Promise.all(
    bodies.map(async (body) => {
      const socket = await connected(registry);
      const answers = textOf(socket);
      socket.write(requestFor("/engines/e-1").replace("\r\n\r\n", `\r\n${body}`));
      return statusesIn(await answers);
    }),
  );
  expect(statuses).toEqual([["200"], ["200"]]);
  expect(await countOf(registry, "requestTimeoutMs")).toBe(2);
  expect(await registry.end("SIGTERM")).toBe(0);
});

test("an answer that is longer than one may be is 400 and says what to do", async () => {
  const registry = await serving({ answerBytes: 100_000 });
  const answer = await get(registry.origin, page, token);
  expect([answer.status, await answer.json()]).toMatchObject([
    400,
    { code: 11, message: "the answer is longer than 100000 bytes: ask for smaller pages" },
  ]);
  expect((await get(registry.origin, "/engines?pagination.limit=10", token)).status).toBe(200);
  expect(await registry.end("SIGTERM")).toBe(0);
});

test("writers that never come to an end, and sockets that say nothing, are closed, counted, and lock nobody out", async () => {
  const registry = await serving({ headersTimeoutMs: 400, requestTimeoutMs: 800 });
  const sockets = await all(90, (index) => connected(registry, `127.0.0.${2 + (index % 3)}`));
  const body = "POST /v1/auth/access_token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\n{";
  const starts = ["", "GET /v1/dev/engines HTTP/1.1\r\nHost: loc", body];
  const ends = Promise.all(sockets.map(closed));
  sockets.forEach((socket, index) => socket.write(starts[Math.floor(index / 30)] ?? ""));
  expect(await others(registry, 20)).toEqual([]);
  await ends;
  expect(await countOf(registry, "headersTimeoutMs")).toBe(60);
  expect(await countOf(registry, "requestTimeoutMs")).toBe(30);
  expect(await registry.end("SIGTERM")).toBe(0);
});

test("an invalid trusted proxy is reported before anything is opened", async () => {
  await expect(serving({}, { trustedProxies: ["10.0.0.0/99"] })).rejects.toThrow(
    'registry: "10.0.0.0/99" is neither an address nor a network as 10.0.0.0/8',
  );
});
