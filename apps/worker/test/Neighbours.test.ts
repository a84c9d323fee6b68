// Fair use of the upstream between clients.
import { once } from "node:events";
import { connect } from "node:net";
import { startServer } from "@bytenite-engines/test-kit/ports";
import { expect, onTestFinished, test, vi } from "vitest";
import { startOrigin, startProxy, type Proxy } from "./origin.ts";
import { adminSecret } from "./served.ts";

const times = <A>(count: number, make: (index: number) => A): ReadonlyArray<A> =>
  Array.from({ length: count }, (_, index) => make(index));

const users = times(20, (index) => `user-${index}`);

/** Statuses of answers, once each. */
const statuses = async (answers: ReadonlyArray<Promise<Response>>): Promise<ReadonlyArray<number>> => {
  const seen = await Promise.all(
    answers.map(async (answer) => {
      const response = await answer;
      await response.arrayBuffer();
      return response.status;
    }),
  );
  return [...new Set(seen)];
};

const patience = { timeout: 20_000 };

/** All users ask for something that is stored nowhere. */
const askAll = (proxy: Proxy, round: number) =>
  statuses(users.map((user, index) => proxy.get(user, `/engines/sound-${round}-${index}`)));

const attackers: ReadonlyArray<[string, (index: number) => string | undefined]> = [
  ["without a token", () => undefined],
  ["with one token", () => "mallory"],
  ["with a token of their own each", (index) => `revoked-${index}`],
  ["with a good token of their own each", (index) => `mallory-${index}`],
];
const failures = ["failing", "cut", "hanging"];

test.each(attackers.flatMap(([who, token]) => failures.map((kind) => [kind, who, token] as const)))(
  "%s URLs, asked for %s, leave the upstream to others",
  async (kind, _who, token) => {
    const origin = await startOrigin();
    const proxy = await startProxy(origin.url, { ATTEMPT_TIMEOUT_MS: "1500", DEADLINE_MS: "4500" });
    // What hangs is still under way, what fails has failed.
    const attack = times(64, (index) => proxy.get(token(index), `/engines/${kind}-${index}`));
    const ended = Promise.all(attack.map(async (answer) => (await answer).arrayBuffer()));
    await (kind === "hanging" ? vi.waitUntil(async () => (await origin.state()).inFlight >= 60, patience) : ended);
    expect(await askAll(proxy, 1)).toEqual([200]);
    await ended;
    expect(await askAll(proxy, 2)).toEqual([200]);
  },
);

test("during 200 failing and 64 hanging requests, 20 users with misses get their responses", async () => {
  const origin = await startOrigin();
  const proxy = await startProxy(origin.url);
  const attack = [
    ...times(64, (index) => proxy.get("mallory", `/engines/hanging-${index}`)),
    ...times(200, (index) => proxy.get(index % 2 === 0 ? undefined : "mallory", `/engines/failing-${index}`)),
  ];
  for (let round = 0; round < 10; round++) expect(await askAll(proxy, round)).toEqual([200]);
  await Promise.all(attack.map(async (answer) => (await answer).arrayBuffer()));
});

test.each([
  ["one token", () => "mallory", 64],
  ["no token", () => undefined, 64],
  ["made-up tokens", (index: number) => `revoked-${index}`, 128],
] as const)("with %s, only so many requests reach the upstream at once", async (_who, token, most) => {
  const origin = await startOrigin();
  const proxy = await startProxy(origin.url, { ATTEMPT_TIMEOUT_MS: "20000", DEADLINE_MS: "20000" });
  // The end of the test ends them.
  const ask = (index: number): void => void proxy.get(token(index), `/engines/hanging-${index}`).catch(() => {});
  for (let index = 0; index < 200; index++) ask(index);
  await vi.waitUntil(async () => (await origin.state()).inFlight >= most, patience);
  for (let index = 200; index < 220; index++) ask(index);
  expect(await askAll(proxy, 1)).toEqual([200]);
  expect((await origin.state()).mostInFlight).toBeLessThanOrEqual(most + users.length);
});

test("one token's many misses wait their turn, and are answered", async () => {
  const origin = await startOrigin();
  // On a busy machine their turn may take long, and so may an answer.
  const proxy = await startProxy(origin.url, { ATTEMPT_TIMEOUT_MS: "60000", DEADLINE_MS: "120000" });
  // Of tokens that the upstream has not accepted yet only 256 requests wait.
  expect(await statuses([proxy.get("alice", "/engines/sound")])).toEqual([200]);
  expect(await statuses(times(1_000, (index) => proxy.get("alice", `/engines/sound-${index}`)))).toEqual([200]);
});

test("a client over its limit for longer than the wait gets 429 with Retry-After", async () => {
  const origin = await startOrigin();
  const slow = await startProxy(origin.url, { ATTEMPT_TIMEOUT_MS: "500", DEADLINE_MS: "500" });
  // A token that the upstream has not accepted may be refused with 503 before it reaches its own bound.
  await (await slow.get("mallory", "/engines/a")).text();
  const answers = await Promise.all(times(400, (index) => slow.get("mallory", `/engines/hanging-${index}`)));
  const refused = answers.filter(({ status }) => status === 429);
  expect(refused.length).toBeGreaterThan(0);
  expect(refused[0]?.headers.get("retry-after")).toMatch(/^[1-9][0-9]*$/);
  expect(await refused[0]?.json()).toMatchObject({ code: 8 });
});

test("retries of one client are not paid by the others", async () => {
  const origin = await startOrigin();
  const proxy = await startProxy(origin.url);
  const asked = async (name: string): Promise<number> =>
    (await origin.state()).asked.filter(({ url }) => url.endsWith(`/${name}`)).length;
  await askAll(proxy, 0);
  for (const token of ["mallory", undefined]) {
    await statuses(times(100, (index) => proxy.get(token, `/engines/failing-${index}`)));
  }
  await (await proxy.get("user-1", "/engines/failing-for-the-user")).text();
  expect(await asked("failing-for-the-user")).toBe(3);
});

test("a resource that fails is not asked for three times by each request", async () => {
  const origin = await startOrigin();
  const proxy = await startProxy(origin.url);
  for (let count = 0; count < 10; count++) await (await proxy.get("alice", "/engines/failing")).text();
  expect((await origin.state()).asked.length).toBeLessThanOrEqual(3 + 9);
});

test("who fails to be connected has no bearing on who never was, even when several fail", async () => {
  const origin = await startOrigin();
  const proxy = await startProxy(origin.url);
  const accounts = times(6, (index) => `mallory-${index}`);
  await statuses(accounts.map((token) => proxy.get(token, "/engines/sound")));
  await statuses(accounts.flatMap((token) => times(5, (index) => proxy.get(token, `/engines/cut-${index}`))));
  expect(await askAll(proxy, 1)).toEqual([200]);
});

test("clients that go before their responses are there leave the memory for bodies to others", async () => {
  const opened = Promise.withResolvers<void>();
  const big = Buffer.alloc(3_000_000);
  let asked = 0;
  const upstream = await startServer((request, response) => {
    if (request.url === "/v1/dev/big") asked += 1;
    response.setHeader("cache-control", "max-age=60");
    void opened.promise.then(() => response.end(big));
  });
  onTestFinished(() => upstream[Symbol.asyncDispose]());
  const proxy = await startProxy(`${upstream.origin}/v1/dev`);
  const { hostname, port } = new URL(proxy.url);
  const clients = times(8, (index) => {
    const socket = connect(Number(port), hostname);
    socket.write(`GET /v1/dev/big HTTP/1.1\r\nHost: edge\r\nAuthorization: user-${index % 4}\r\n\r\n`);
    return socket;
  });
  await vi.waitUntil(() => asked === clients.length, patience);
  await Promise.all(
    clients.map((socket) => {
      socket.resetAndDestroy();
      return once(socket, "close");
    }),
  );
  const metric = async (name: string): Promise<number> => {
    const headers = { authorization: `Bearer ${adminSecret}` };
    const text = await (await fetch(`${proxy.url}/-/metrics`, { headers })).text();
    return Number(new RegExp(`^bytenite_edge_${name} (.*)$`, "m").exec(text)?.[1]);
  };
  // By then the proxy has read what came before.
  expect(await metric("body_bytes")).toBe(0);
  opened.resolve();
  const answered = 'upstream_requests_total\\{outcome="200"\\}';
  await expect.poll(() => metric(answered), patience).toBe(clients.length);
  await expect.poll(() => metric("body_bytes"), patience).toBe(0);
});
