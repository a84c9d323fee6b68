import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { connect, type Socket } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import { expect, onTestFinished, test, vi } from "vitest";
import type { Answer } from "../api/Answer.ts";
import { startServer, type Handler } from "./HttpServer.ts";
import { defaultLimits, type ServerLimits } from "./ServerLimits.ts";

/** It waits for ever for what is under way, so that a test which needs the wait does not end. */
const limits = { ...defaultLimits, drainMs: 3_600_000 };

const listening = () => startServer({ host: "127.0.0.1", port: 0, limits });

const ok: Handler = async () => ({
  status: 200,
  headers: {},
  body: "here",
  logFields: { endpoint: undefined, user: undefined },
});

/** Sends bytes; resolves once they are on their way, to all that comes back until the end of the connection. */
const sent = (port: number, bytes: string): Promise<{ readonly answer: Promise<string> }> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("error", reject);
    let text = "";
    socket.on("data", (chunk) => (text += chunk.toString()));
    const answer = new Promise<string>((ended) => socket.once("close", () => ended(text)));
    socket.once("connect", () => socket.write(bytes, () => resolve({ answer })));
  });

/** A request that the server has taken. */
const early = async (port: number): Promise<{ readonly answer: Promise<string> }> => {
  const request = await sent(port, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  // What comes later is read later; this is answered by the server itself, without a handler.
  expect(await (await sent(port, "no HTTP\r\n\r\n")).answer).toMatch(/^HTTP\/1\.1 400/);
  return request;
};

test("who comes before there is a handler is answered by it", async () => {
  const server = await listening();
  const { answer } = await early(server.port);
  server.answerWith(ok);
  expect(await answer).toMatch(/^HTTP\/1\.1 200 [^]*here$/);
  await server.stop();
});

test("who waits for a handler that never comes is hung up on, and does not keep the server", async () => {
  const server = await listening();
  const { answer } = await early(server.port);
  await server.stop();
  expect(await answer).toBe("");
});

const connectBehind = "CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n";

test.for(["", connectBehind])(
  "what is under way with %j behind it when the drain time is over is cut off",
  async (behind) => {
    const server = await startServer({ host: "127.0.0.1", port: 0, limits: { ...limits, drainMs: 1 } });
    const taken = Promise.withResolvers<void>();
    server.answerWith(() => {
      taken.resolve();
      return new Promise(() => {});
    });
    const { answer } = await sent(server.port, `GET / HTTP/1.1\r\nHost: x\r\n\r\n${behind}`);
    await taken.promise;
    await server.stop();
    expect(await answer).toBe("");
  },
);

test("what is under way when the server stops is answered within the drain time", async () => {
  const server = await listening();
  const taken = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  server.answerWith(async (exchange) => {
    taken.resolve();
    await go.promise;
    return ok(exchange);
  });
  const { answer } = await sent(server.port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await taken.promise;
  const stopped = server.stop();
  go.resolve();
  await stopped;
  expect(await answer).toMatch(/^HTTP\/1\.1 200 [^]*here$/);
});

/** A connection that has had one answer, and its end. */
const answeredOnce = async (port: number) => {
  const socket = connect(port, "127.0.0.1");
  const closed = new Promise<string>((resolve) => {
    socket.once("close", () => resolve("closed"));
  });
  const ask = async (): Promise<string> => {
    const answer = new Promise<string>((resolve) => {
      socket.once("data", (chunk: Buffer) => resolve(chunk.toString()));
    });
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    return answer;
  };
  const first = await ask();
  expect(first).toMatch(/^HTTP\/1\.1 200 /);
  return { socket, closed, ask, first };
};

test("a connection without requests is closed by the server after the keep-alive timeout", async () => {
  const server = await startServer({ host: "127.0.0.1", port: 0, limits: { ...limits, keepAliveTimeoutMs: 50 } });
  server.answerWith(ok);
  const { closed, first } = await answeredOnce(server.port);
  // Node has a timeout of its own, which closes the connection as well.
  expect(first).toMatch(/^Keep-Alive: timeout=0\r$/m);
  expect(await closed).toBe("closed");
  await server.stop();
});

test("a connection takes another request before that", async () => {
  const server = await listening();
  server.answerWith(ok);
  const { socket, ask, first } = await answeredOnce(server.port);
  expect(first).toContain(`\r\nKeep-Alive: timeout=${limits.keepAliveTimeoutMs / 1_000}\r\n`);
  expect(await ask()).toMatch(/^HTTP\/1\.1 200 /);
  socket.destroy();
  await server.stop();
});

interface Options {
  readonly limits?: Partial<ServerLimits>;
  readonly trustedProxies?: ReadonlyArray<string>;
  readonly endsWithClient?: boolean;
}

/** A server with a handler, and what it reports. */
const observedServer = async (handler: Handler, { limits: given, ...options }: Options = {}) => {
  const reached: Array<string> = [];
  const refused: Array<readonly [number, string, string | undefined]> = [];
  const count = { connected: 0, disconnected: 0, dropped: 0 };
  const server = await startServer({
    host: "127.0.0.1",
    port: 0,
    limits: { ...defaultLimits, drainMs: 0, ...given },
    onLimit: (limit, by) => void reached.push(`${limit} ${by}`),
    observer: {
      connected: () => void (count.connected += 1),
      disconnected: () => void (count.disconnected += 1),
      dropped: () => void (count.dropped += 1),
      refused: (...all) => void refused.push(all),
    },
    ...options,
  });
  server.answerWith(handler);
  onTestFinished(server.stop);
  return { server, port: server.port, reached, refused, count };
};

/** A connection from an address of this machine, what came back, and its end. */
const connection = async (port: number, localAddress = "127.0.0.1") => {
  const socket = connect({ port, host: "127.0.0.1", localAddress });
  onTestFinished(() => void socket.destroy());
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  socket.on("error", () => undefined);
  const closed = new Promise<string>((resolve) => void socket.once("close", () => resolve(text)));
  await new Promise<void>((resolve) => void socket.once("connect", resolve));
  return { socket, closed, got: () => text };
};

const exchange = async (port: number, bytes: string): Promise<string> => {
  const { socket, closed } = await connection(port);
  socket.write(bytes);
  return closed;
};

const request = (path = "/", fields = ""): string => `GET ${path} HTTP/1.1\r\nHost: x\r\n${fields}\r\n`;
const post = (fields: string, body = ""): string => `POST / HTTP/1.1\r\nHost: x\r\n${fields}\r\n${body}`;

const last = "Connection: close\r\n";

test.for<[string, number, string, string | undefined]>([
  ["CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n", 501, "UNIMPLEMENTED", undefined],
  ["no HTTP\r\n\r\n", 400, "INVALID_ARGUMENT", undefined],
  [`GET / HTTP/1.1\r\nX: ${"x".repeat(17_000)}\r\n\r\n`, 431, "INVALID_ARGUMENT", "headerBytes 127.0.0.1"],
])("%j is refused with %i before there is a request", async ([bytes, status, code, limit]) => {
  const { port, refused, reached } = await observedServer(ok);
  const answer = await exchange(port, bytes);
  const [head = "", body = ""] = answer.split("\r\n\r\n");
  expect(refused).toEqual([[status, expect.any(String), "127.0.0.1"]]);
  expect(head).toMatch(new RegExp(`^HTTP/1.1 ${status} [A-Z][\\w ]+\r\nContent-Type: application/json\r\n`));
  expect(head).toContain(`\r\nContent-Length: ${body.length}\r\nX-Request-Id: ${refused[0]?.[1]}\r\nDate: `);
  expect(head).toMatch(/\r\nConnection: close$/);
  expect(rpcCodes[(JSON.parse(body) as { code: keyof typeof rpcCodes }).code]).toBe(code);
  expect(reached).toEqual(limit === undefined ? [] : [limit]);
});

const rpcCodes = { 3: "INVALID_ARGUMENT", 12: "UNIMPLEMENTED" } as const;

test("a request of HTTP/1.1 without Host is refused by the request id that it has", async () => {
  const { port, refused } = await observedServer(ok);
  const answer = await exchange(port, `GET / HTTP/1.1\r\nX-Request-Id: mine\r\n${last}\r\n`);
  expect(answer).toMatch(/^HTTP\/1\.1 400 [^]*\r\nX-Request-Id: mine\r\n/);
  expect(refused).toEqual([[400, "mine", "127.0.0.1"]]);
  expect(await exchange(port, `GET / HTTP/1.0\r\n\r\n`)).toMatch(/^HTTP\/1\.1 200 [^]*here$/);
});

const answering =
  (answer: Partial<Answer>): Handler =>
  async (given) => ({ ...((await ok(given)) as Answer), ...answer, headers: { ...answer.headers } });

test.for<[Partial<Answer>, RegExp, string]>([
  [{ body: "ä" }, /\r\nContent-Length: 2\r\n/, "\xc3\xa4"],
  [{ body: Uint8Array.of(1, 2) }, /\r\nContent-Length: 2\r\n/, "\x01\x02"],
  [{ body: "ä".repeat(40_000) }, /\r\nContent-Length: 80000\r\n/, "\xc3\xa4".repeat(40_000)],
  [{ status: 204, body: "" }, /^(?![^]*Content-Length)HTTP\/1\.1 204 /, ""],
  [{ status: 304, body: "" }, /^(?![^]*Content-Length)HTTP\/1\.1 304 /, ""],
  [{ status: 201, body: "" }, /^HTTP\/1\.1 201 [^]*\r\nContent-Length: 0\r\n/, ""],
])("the answer %j is sent whole", async ([answer, head, body]) => {
  const { port, count } = await observedServer(answering(answer));
  const sent = await exchange(port, request("/", last));
  expect(sent).toMatch(head);
  expect(sent.slice(sent.indexOf("\r\n\r\n") + 4)).toBe(body);
  expect(await exchange(port, request("/", last).replace("GET", "HEAD"))).toMatch(/\r\n\r\n$/);
  await expect.poll(() => count).toEqual({ connected: 2, disconnected: 2, dropped: 0 });
});

test("an answer has at most so many bytes; a longer one is an error without the tag of the answer", async () => {
  const limits = { answerBytes: 10 };
  const { port } = await observedServer(answering({ body: "x".repeat(10), headers: { ETag: '"a"' } }), { limits });
  expect(await exchange(port, request("/", last))).toMatch(/^HTTP\/1\.1 200 [^]*ETag: "a"[^]*x{10}$/);
  const long = await observedServer(answering({ body: "é".repeat(6), headers: { ETag: '"a"', X: "y" } }), { limits });
  const answer = await exchange(long.port, request("/", last));
  expect(answer).toMatch(/^HTTP\/1\.1 400 [^]*X: y[^]*the answer is longer than 10 bytes: ask for smaller pages/);
  expect(answer).not.toContain("ETag");
});

test("a handler that fails, or whose headers cannot be sent, ends no process", async () => {
  const said = vi.spyOn(console, "error").mockReturnValue();
  const failing = await observedServer(async () => Promise.reject(new Error("a fault")));
  expect(await exchange(failing.port, request("/", last))).toMatch(/^HTTP\/1\.1 500 [^]*internal error/);
  const odd = await observedServer(answering({ headers: { X: "\n" } }));
  expect(await exchange(odd.port, request())).toBe("");
  expect(said.mock.calls.map(([message]) => message as unknown)).toEqual(["request failed:", "request failed:"]);
  said.mockRestore();
});

/** A stream of pieces of 64 kB, and whether it was ended early. */
const streaming = (pieces: number) => {
  const state = { cancelled: false, sent: 0 };
  const bytes = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      if (state.sent === pieces) controller.close();
      else controller.enqueue(new Uint8Array(65_536).fill(0x78));
      state.sent += 1;
    },
    cancel: () => void (state.cancelled = true),
  });
  return { state, stream: { length: pieces * 65_536, bytes } as unknown as NonNullable<Answer["stream"]> };
};

test("a stream is sent whole, as fast as its client reads", async () => {
  const { stream } = streaming(100);
  const listeners: Array<number> = [];
  const { port } = await observedServer(async (given) => {
    const count = () => listeners.push(given.response.listenerCount("drain"), given.response.listenerCount("close"));
    count();
    given.response.once("finish", count);
    return answering({ stream })(given);
  });
  const answer = await exchange(port, request("/", last));
  expect(listeners.slice(2)).toEqual(listeners.slice(0, 2));
  expect(answer).toContain("\r\nContent-Length: 6553600\r\n");
  expect(answer.length - answer.indexOf("\r\n\r\n") - 4).toBe(6_553_600);
  // Each piece has its time, not all of them together.
  let left = 60;
  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
    await wait(5);
    if ((left -= 1) >= 0) controller.enqueue(new Uint8Array(65_536));
    else controller.close();
  };
  const bytes = new ReadableStream<Uint8Array>({ pull });
  const slow = { length: 60 * 65_536, bytes } as unknown as NonNullable<Answer["stream"]>;
  const patient = await observedServer(answering({ stream: slow }), { limits: { responseTimeoutMs: 150 } });
  expect((await exchange(patient.port, request("/", last))).length).toBeGreaterThan(60 * 65_536);
  const { bytes: _none, ...head } = streaming(3).stream;
  const only = await observedServer(answering({ stream: head as NonNullable<Answer["stream"]> }));
  expect(await exchange(only.port, request("/", last).replace("GET", "HEAD"))).toMatch(/Content-Length: 196608\r\n/);
});

test("a stream with CONNECT behind it is sent whole", async () => {
  const { stream } = streaming(300);
  const { port } = await observedServer(answering({ stream }), { limits: { responseTimeoutMs: 1_000 } });
  const answer = await exchange(port, request() + connectBehind);
  expect(answer.length - answer.indexOf("\r\n\r\n") - 4).toBe(300 * 65_536);
});

test("a stream whose client does not read, or has gone, is given up", async () => {
  const { state, stream } = streaming(10_000);
  const { port, count } = await observedServer(answering({ stream }), { limits: { responseTimeoutMs: 200 } });
  const { socket, closed } = await connection(port);
  socket.pause();
  socket.write(request());
  await expect.poll(() => state.cancelled, { timeout: 5_000 }).toBe(true);
  expect(count.dropped).toBe(1);
  socket.resume();
  await closed;
  const late = streaming(1);
  const go = Promise.withResolvers<void>();
  const taken = Promise.withResolvers<void>();
  const gone = await observedServer(async (given) => {
    taken.resolve();
    await go.promise;
    return answering({ stream: late.stream })(given);
  });
  const { socket: leaving } = await connection(gone.port);
  leaving.write(request());
  await taken.promise;
  leaving.resetAndDestroy();
  await expect.poll(() => gone.count.dropped).toBe(1);
  go.resolve();
  await expect.poll(() => late.state.cancelled).toBe(true);
});

test("chunks of streams are made few at a time, and those of another address in its turn", async () => {
  const making: Array<() => void> = [];
  const made: Array<string> = [];
  const { port } = await observedServer(async (given) => {
    const address = `${given.request.socket.remoteAddress}`;
    const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
      made.push(address);
      await new Promise<void>((resolve) => void making.push(resolve));
      controller.enqueue(new Uint8Array(10));
    };
    const bytes = new ReadableStream<Uint8Array>({ pull }, { highWaterMark: 0 });
    return answering({ stream: { length: 1_000, bytes } as unknown as NonNullable<Answer["stream"]> })(given);
  });
  const read = async (address: string) => (await connection(port, address)).socket.write(request());
  for (let count = 0; count < 10; count++) await read("127.0.0.2");
  await exchange(port, "no HTTP\r\n\r\n");
  await expect.poll(() => made.length).toBe(4);
  await read("127.0.0.3");
  await exchange(port, "no HTTP\r\n\r\n");
  for (let count = 5; count < 9; count++) {
    making.shift()?.();
    await expect.poll(() => made.length).toBe(count);
  }
  expect(made.slice(4).toSorted()).toEqual(["127.0.0.2", "127.0.0.2", "127.0.0.2", "127.0.0.3"]);
});

test("while it drains it says so, and answers; afterwards nobody is", async () => {
  const { server, port } = await observedServer(ok, { limits: { drainDelayMs: 300, drainMs: 60_000 } });
  expect(server.draining()).toBe(false);
  expect(await exchange(port, request("/", last))).toMatch(/^HTTP\/1\.1 200 /);
  const start = performance.now();
  const stopped = server.stop();
  expect(server.draining()).toBe(true);
  // Without asking for the end: the server ends it.
  expect(await exchange(port, request())).toMatch(/^HTTP\/1\.1 200 [^]*\r\nConnection: close\r\n/);
  await server.stop();
  await stopped;
  expect(performance.now() - start).toBeGreaterThan(290);
  await expect(fetch(`http://127.0.0.1:${port}/`)).rejects.toThrow("fetch failed");
});

test.for([true, false])("a client that has ended its side counts as disconnected: %s", async (endsWithClient) => {
  const ended = Promise.withResolvers<void>();
  const { port } = await observedServer(
    async (given) => {
      given.request.socket.once("end", () => setImmediate(ended.resolve));
      given.request.socket.once("close", ended.resolve);
      await ended.promise;
      return ok(given);
    },
    { endsWithClient },
  );
  const { socket, closed } = await connection(port);
  socket.end(request());
  expect(await closed).toMatch(endsWithClient ? /^$/ : /^HTTP\/1\.1 200 /);
});

/** A handler that answers when it is told to, and the paths in the order in which they were taken. */
const held = () => {
  const taken: Array<string> = [];
  const waiting: Array<() => void> = [];
  const handler: Handler = async (given) => {
    taken.push(given.head.target);
    await new Promise<void>((resolve) => void waiting.push(resolve));
    return ok(given);
  };
  return { taken, handler, release: () => waiting.shift()?.() };
};

const chunkOf = (length: number): string => `${length.toString(16)}\r\n${"x".repeat(length)}\r\n`;

test.for([
  [511, 1, 1, 200],
  [512, 1, 1, 400],
  [999, 32, 31, 400],
  [999, 32, 32, 200],
] as const)(
  "a body of %i chunks of %i bytes and one of %i is answered with %i, whole or as one that was cut short",
  async ([count, length, end, status]) => {
    const read: Array<unknown> = [];
    const { port, count: counted } = await observedServer(async (given) => {
      read.push(await given.head.body(100_000).then(({ length }) => length, String));
      return ok(given);
    });
    const body = `${chunkOf(length).repeat(count)}${chunkOf(end)}0\r\n\r\n`;
    // The server closes the connection, whatever its client does.
    const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
    onTestFinished(() => void socket.destroy());
    socket.write(post(`${status === 200 ? last : ""}Transfer-Encoding: chunked\r\n`, body));
    const [answer] = (await once(socket, "data")) as [Buffer];
    expect(answer.toString()).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
    await expect.poll(() => counted.disconnected, { timeout: 5_000 }).toBe(1);
    expect(read).toEqual([status === 200 ? count * length + end : "ApiError: the request was cut short"]);
  },
);

test("an address has so many connections, and another one as many", async () => {
  const { port, reached } = await observedServer(ok, { limits: { connectionsPerAddress: 2 } });
  const first = await connection(port, "127.0.0.2");
  await connection(port, "127.0.0.2");
  await connection(port, "127.0.0.3");
  expect(await (await connection(port, "127.0.0.2")).closed).toBe("");
  expect(reached).toEqual(["connectionsPerAddress 127.0.0.2"]);
  first.socket.destroy();
  await first.closed;
  await expect
    .poll(async () => {
      const { socket, closed } = await connection(port, "127.0.0.2");
      socket.write(request("/", last));
      return closed;
    })
    .toMatch(/^HTTP\/1\.1 200 /);
});

test("when all connections are taken, one of the address with most makes room, an idle one first, unless all have as few", async () => {
  const { handler, taken } = held();
  const { port, reached } = await observedServer(handler, { limits: { connections: 3 } });
  const busy = await connection(port, "127.0.0.2");
  busy.socket.write(request("/busy"));
  await expect.poll(() => taken).toEqual(["/busy"]);
  const idle = await connection(port, "127.0.0.2");
  const other = await connection(port, "127.0.0.3");
  const fourth = await connection(port, "127.0.0.4");
  expect(await idle.closed).toBe("");
  expect(reached).toEqual(["connections 127.0.0.2"]);
  expect(await (await connection(port, "127.0.0.5")).closed).toBe("");
  expect(reached).toEqual(["connections 127.0.0.2", "connections 127.0.0.5"]);
  expect([busy, other, fourth].map(({ socket }) => socket.destroyed)).toEqual([false, false, false]);
});

test("so many requests wait on a connection, one more closes it", async () => {
  const { handler, taken, release } = held();
  const { port, reached } = await observedServer(handler, { limits: { pipelinedRequests: 2 } });
  const { socket, closed, got } = await connection(port);
  socket.write(request("/1") + request("/2") + request("/3"));
  for (const path of ["/1", "/2", "/3"]) {
    await expect.poll(() => taken.at(-1)).toBe(path);
    release();
  }
  await expect.poll(() => got().match(/200 OK/g)?.length).toBe(3);
  socket.write(["/4", "/5", "/6", "/7"].map((path) => request(path)).join(""));
  await closed;
  expect(reached).toEqual(["pipelinedRequests 127.0.0.1"]);
  expect(taken).toEqual(["/1", "/2", "/3", "/4"]);
});

test("unread answers and waiting requests hold so many bytes; then the client with most of them is cut", async () => {
  const big = "x".repeat(8_000_000);
  const handler: Handler = (given) => answering({ body: given.head.target === "/big" ? big : "small" })(given);
  const { port, reached } = await observedServer(handler, { limits: { bytesInFlight: 12_000_000 } });
  const slow = await connection(port, "127.0.0.2");
  slow.socket.pause();
  slow.socket.write(request("/big"));
  const other = await connection(port, "127.0.0.3");
  other.socket.write(request("/small"));
  await expect.poll(() => other.got()).toMatch(/small$/);
  expect(reached).toEqual([]);
  const more = await connection(port, "127.0.0.2");
  more.socket.pause();
  more.socket.write(request("/big"));
  await expect.poll(() => reached, { timeout: 5_000 }).toEqual(["bytesInFlight 127.0.0.2"]);
  slow.socket.resume();
  await slow.closed;
  more.socket.resume();
  await expect.poll(() => more.got().length).toBeGreaterThan(8_000_000);
});

/** Stops the timers of this process; connections go on. To be called after the server is started, which ends with real ones. */
const stopTimers = (): void => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "setInterval", "clearInterval"] });
  onTestFinished(() => void vi.useRealTimers());
};

/** Waits for a value. Other than `expect.poll` it leaves stopped timers where they are. */
const until = async <A>(value: () => A, expected: A): Promise<void> => {
  for (let time = 0; time < 2_000 && value() !== expected; time++) await wait(1);
  expect(value()).toBe(expected);
};

const timersAre = (count: number): Promise<void> => until(vi.getTimerCount, count);

test("an answer that its client does not read in time closes the connection", async () => {
  const { port, reached, count } = await observedServer(answering({ body: "x".repeat(8_000_000) }), {
    limits: { responseTimeoutMs: 200 },
  });
  stopTimers();
  const asked = async () => {
    const { socket, closed } = await connection(port);
    socket.pause();
    socket.write(request());
    await timersAre(1);
    return { socket, closed };
  };
  const { socket: reading } = await asked();
  vi.advanceTimersByTime(199);
  reading.resume();
  await timersAre(0);
  const { socket: leaving } = await asked();
  leaving.resetAndDestroy();
  await timersAre(0);
  const { socket, closed } = await asked();
  vi.advanceTimersByTime(199);
  expect([reached, count.dropped]).toEqual([[], 1]);
  vi.advanceTimersByTime(1);
  expect(reached).toEqual(["responseTimeoutMs 127.0.0.1"]);
  socket.resume();
  await closed;
  await until(() => count.dropped, 2);
});

const of = (client: string, path: string): string => request(path, `X-Forwarded-For: ${client}\r\n`);

test("a client of a trusted proxy has so many requests at once, over whatever connections", async () => {
  const { handler, taken, release } = held();
  const limits = { connectionsPerAddress: 2, connections: 5 };
  const { port, reached, refused } = await observedServer(handler, { limits, trustedProxies: ["127.0.0.0/8"] });
  const [a, b, c, d] = await Promise.all([1, 2, 3, 4].map(async () => connection(port)));
  a?.socket.write(of("192.0.2.1", "/a"));
  await expect.poll(() => taken).toEqual(["/a"]);
  b?.socket.write(of("192.0.2.1", "/b"));
  await expect.poll(() => taken).toEqual(["/a", "/b"]);
  c?.socket.write(of("192.0.2.1", "/c"));
  await expect.poll(() => c?.got()).toMatch(/^HTTP\/1\.1 429 [^]*\r\nRetry-After: 1\r\n[^]*"retryDelay":"1s"/i);
  expect(reached).toEqual(["connectionsPerAddress 192.0.2.1"]);
  expect(refused).toEqual([[429, expect.any(String), "192.0.2.1"]]);
  d?.socket.write(of("192.0.2.2", "/d"));
  await expect.poll(() => taken).toEqual(["/a", "/b", "/d"]);
  release();
  await expect.poll(() => a?.got()).toMatch(/here$/);
  c?.socket.write(of("192.0.2.1", "/c"));
  await expect.poll(() => taken).toEqual(["/a", "/b", "/d", "/c"]);
  // That one has ended takes nothing from the others.
  a?.socket.write(of("192.0.2.1", "/a"));
  await expect.poll(() => a?.got()).toMatch(/HTTP\/1\.1 429 /);
  for (const one of [b, d, c]) {
    release();
    await expect.poll(() => one?.got()).toMatch(/here$/);
  }
  for (const one of [a, b]) one?.socket.write(of("192.0.2.1", "/e"));
  await expect.poll(() => taken.slice(4)).toEqual(["/e", "/e"]);
});

/** A server whose time passes in its handler only, and whose rounds of the event loop follow when they are told to. */
const inRounds = async (options: Options = {}) => {
  const clock = { nowMs: 0, costMs: 0 };
  const taken: Array<string> = [];
  const { port, count } = await observedServer((given) => {
    taken.push(given.head.target.slice(1));
    clock.nowMs += clock.costMs;
    return ok(given);
  }, options);
  vi.useFakeTimers({ toFake: ["setImmediate"] });
  const now = vi.spyOn(performance, "now").mockImplementation(() => clock.nowMs);
  onTestFinished(() => {
    now.mockRestore();
    vi.useRealTimers();
  });
  const arrive = async (address?: string) => {
    const { connected } = count;
    const { socket } = await connection(port, address);
    await until(() => count.connected, connected + 1);
    return socket;
  };
  return {
    clock,
    arrive,
    /** Sends requests, each over a connection of its own, until all have been read. */
    send: async (address: string, ...requests: ReadonlyArray<string>) => {
      for (const path of requests) {
        const socket = await arrive(address);
        await new Promise((sent) => void socket.write(request(`/${path}`), sent));
      }
      await exchange(port, "no HTTP\r\n\r\n");
    },
    round: (): string => {
      vi.advanceTimersToNextTimer();
      return taken.splice(0).join(" ");
    },
    taken: (): string => taken.splice(0).join(" "),
    isOver: (): boolean => vi.getTimerCount() === 0,
  };
};

const numbered = (name: string, count: number): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, index) => `${name}${index + 1}`);

test("requests of an address are answered a few in a round, twice as many in the next one, and others' in between", async () => {
  const { send, round, taken, isOver } = await inRounds();
  await send("127.0.0.2", "first");
  expect(taken()).toBe("first");
  await send("127.0.0.2", ...numbered("a", 24));
  await send("127.0.0.3", "b1", "b2");
  await send("127.0.0.4", "c1");
  expect(taken()).toBe("");
  expect([round(), round(), round(), round(), round()]).toEqual([
    "a1 b1",
    "c1 a2 b2 a3",
    "a4 a5 a6 a7 a8 a9 a10 a11",
    "a12 a13 a14 a15 a16 a17 a18 a19",
    "a20 a21 a22 a23 a24",
  ]);
  expect([round(), isOver()]).toEqual(["", true]);
  await send("127.0.0.2", "next");
  expect(taken()).toBe("next");
});

test("after a round of two milliseconds the next one answers one request, and connections are accepted for as long first", async () => {
  const { clock, send, arrive, round } = await inRounds();
  await send("127.0.0.2", "first", ...numbered("a", 20));
  expect([round(), round()]).toEqual(["first a1 a2", "a3 a4 a5 a6"]);
  clock.costMs = 0.25;
  expect(round()).toBe("a7 a8 a9 a10 a11 a12 a13 a14");
  clock.costMs = 3;
  // The connections from before, and then nobody.
  expect([round(), round()]).toEqual(["", "a15"]);
  for (const ms of [2, 1]) {
    await arrive();
    expect(round()).toBe("");
    clock.nowMs += ms;
  }
  await arrive();
  expect(round()).toBe("a16");
  clock.costMs = 1.5;
  expect([round(), round(), round(), round(), round()]).toEqual(["", "a17", "a18 a19", "a20", ""]);
});

test("of an address whose connections were taken one more is accepted when one ends, and no other", async () => {
  const { port, count, reached } = await observedServer(ok, { limits: { connectionsPerAddress: 3 } });
  const [first] = await Promise.all([1, 2, 3].map(() => connection(port)));
  first?.socket.destroy();
  await expect.poll(() => count.disconnected).toBe(1);
  const { socket } = await connection(port);
  await expect.poll(() => count.connected).toBe(4);
  expect(await (await connection(port)).closed).toBe("");
  expect([reached, socket.destroyed]).toEqual([["connectionsPerAddress 127.0.0.1"], false]);
});

test("when none of an address with most is idle, its oldest connection makes room", async () => {
  const { handler, taken } = held();
  const { port, reached } = await observedServer(handler, { limits: { connections: 3 } });
  await connection(port, "127.0.0.4");
  const busy = [];
  for (const path of ["/1", "/2"]) {
    const one = await connection(port, "127.0.0.2");
    one.socket.write(request(path));
    await expect.poll(() => taken.at(-1)).toBe(path);
    busy.push(one);
  }
  await connection(port, "127.0.0.3");
  await busy[0]?.closed;
  expect([reached, busy[1]?.socket.destroyed]).toEqual([["connections 127.0.0.2"], false]);
});

test("of a trusted proxy the connection that has been idle for longest makes room", async () => {
  const limits = { connections: 3, pipelinedRequests: 0 };
  const { handler, taken, release } = held();
  const { port, reached, count } = await observedServer(handler, { limits, trustedProxies: ["127.0.0.1"] });
  const open = async () => {
    const { connected } = count;
    const opened = await connection(port);
    await expect.poll(() => count.connected).toBe(connected + 1);
    return opened;
  };
  const [a, b, c] = [await open(), await open(), await open()];
  a.socket.write(of("192.0.2.1", "/a"));
  await expect.poll(() => taken).toEqual(["/a"]);
  release();
  await expect.poll(() => a.got()).toMatch(/here$/);
  const d = await open();
  expect([await b.closed, c.socket.destroyed]).toEqual(["", false]);
  await open();
  expect([await c.closed, a.socket.destroyed]).toEqual(["", false]);
  await open();
  await a.closed;
  expect([reached, d.socket.destroyed]).toEqual([Array(3).fill("connections 127.0.0.1"), false]);
  d.socket.write(of("192.0.2.1", "/d") + of("192.0.2.1", "/e"));
  await d.closed;
  // Its place is free.
  await open();
  expect(reached.slice(3)).toEqual(["pipelinedRequests 192.0.2.1"]);
});

test.for([
  [0, []],
  [1, ["bytesInFlight 127.0.0.1"]],
] as const)(
  "a waiting request holds 4 KiB, its target and its fields; of %i bytes less this reports %j",
  async ([less, limit]) => {
    const size = 4_096 + "/1".length + "Hostx".length;
    const { handler, release, taken } = held();
    const { port, reached, count } = await observedServer(handler, { limits: { bytesInFlight: 2 * size - less } });
    await exchange(port, "no HTTP\r\n\r\n");
    await expect.poll(() => count.disconnected).toBe(1);
    const two = ["/1", "/2"];
    const { socket, got } = await connection(port);
    socket.write(two.map((path) => request(path)).join(""));
    for (const path of two) {
      await expect.poll(() => taken.at(-1)).toBe(path);
      release();
    }
    await expect.poll(() => got().match(/200 OK/g)?.length).toBe(2);
    (await connection(port)).socket.write(["/1", "/2", "/3"].map((path) => request(path)).join(""));
    await expect.poll(() => taken).toHaveLength(3);
    await exchange(port, "no HTTP\r\n\r\n");
    expect(reached).toEqual(limit);
  },
);

test("who is cut is the client that holds most over all of its connections, on the one that has held for longest", async () => {
  const size = 4_096 + "/1".length + "Hostx".length;
  const { handler, release, taken } = held();
  const { port, reached } = await observedServer(handler, { limits: { bytesInFlight: 3 * size + 999 } });
  const queue = async ({ socket }: Awaited<ReturnType<typeof connection>>, path = "/1") => {
    const { length } = taken;
    socket.write(request("/1") + request(path));
    await expect.poll(() => taken.length).toBe(length + 1);
  };
  const [a, b] = [await connection(port, "127.0.0.2"), await connection(port, "127.0.0.2")];
  const other = await connection(port, "127.0.0.3");
  await queue(a);
  release();
  await expect.poll(() => taken.length).toBe(2);
  release();
  await expect.poll(() => a.got().match(/200 OK/g)?.length).toBe(2);
  await queue(other, `/1${"x".repeat(1_000)}`);
  await queue(b);
  expect(reached).toEqual([]);
  await queue(a);
  await b.closed;
  expect(reached).toEqual(["bytesInFlight 127.0.0.2"]);
  expect([a, other].map(({ socket }) => socket.destroyed)).toEqual([false, false]);
});

test("as many are cut at once as hold too much together", async () => {
  const size = 4_096 + "/1".length + "Hostx".length;
  const { handler, taken } = held();
  const { port, reached } = await observedServer(handler, { limits: { bytesInFlight: 2 * size + 999 } });
  const [a, b, other] = [
    await connection(port, "127.0.0.2"),
    await connection(port, "127.0.0.2"),
    await connection(port, "127.0.0.3"),
  ] as const;
  for (const [index, { socket }] of [a, b].entries()) {
    socket.write(request("/1") + request("/1"));
    await expect.poll(() => taken.length).toBe(index + 1);
  }
  other.socket.write(request("/1") + request(`/1${"x".repeat(3_000)}`));
  expect([await a.closed, await other.closed, b.socket.destroyed]).toEqual(["", "", false]);
  expect(reached.toSorted()).toEqual(["bytesInFlight 127.0.0.2", "bytesInFlight 127.0.0.3"]);
});

const authorized = "Authorization: x\r\n";

test.for<[string, number, number, string]>([
  ["", 100, 200, "anonymousTimeoutMs 127.0.0.1"],
  ["", 200, 200, "requestTimeoutMs 127.0.0.1"],
  ["", 300, 200, "requestTimeoutMs 127.0.0.1"],
  [authorized, 100, 200, "requestTimeoutMs 127.0.0.1"],
  [`${authorized}X-Forwarded-For: 192.0.2.1\r\n`, 100, 200, "requestTimeoutMs 192.0.2.1"],
])(
  "with %j a body has %i ms, or those of any request: %i",
  async ([fields, anonymousTimeoutMs, requestTimeoutMs, limit]) => {
    let taken: IncomingMessage | undefined;
    const { port, reached, refused } = await observedServer(
      async (given) => {
        taken = given.request;
        await given.head.body(100).catch(() => undefined);
        return ok(given);
      },
      { limits: { anonymousTimeoutMs, requestTimeoutMs }, trustedProxies: ["127.0.0.1"] },
    );
    stopTimers();
    const { socket, closed } = await connection(port);
    const head = post(`${fields}Content-Length: 5\r\n`);
    socket.write(head);
    await timersAre(1);
    socket.write("abc");
    await until(() => taken?.socket.bytesRead, head.length + 3);
    const timeoutMs = limit.startsWith("anonymous") ? anonymousTimeoutMs : requestTimeoutMs;
    vi.advanceTimersByTime(timeoutMs - 1);
    expect(reached).toEqual([]);
    vi.advanceTimersByTime(1);
    expect(reached).toEqual([limit]);
    expect(await closed).toMatch(/^HTTP\/1\.1 408 [^]*the request did not arrive in time/);
    expect(refused).toEqual([[408, expect.any(String), "127.0.0.1"]]);
    await timersAre(0);
  },
);

test("who has the answer before its body came, and leaves, has reached no limit", async () => {
  const { port, reached, count } = await observedServer(ok, { limits: { anonymousTimeoutMs: 100 } });
  stopTimers();
  const { socket, got } = await connection(port);
  socket.write(post("Content-Length: 100\r\n", "{"));
  await until(() => got().startsWith("HTTP/1.1 200 "), true);
  socket.destroy();
  await until(() => count.disconnected, 1);
  vi.advanceTimersByTime(100);
  expect(reached).toEqual([]);
});

/** Reads a body as a stream. */
const streamed =
  (onPart: (part: Uint8Array) => void): Handler =>
  async (given) => {
    try {
      for await (const part of given.head.chunks(100)) onPart(part);
    } catch {
      // Its client is told by the server.
    }
    return ok(given);
  };

test.for(["", "Expect: 100-continue\r\n"])(
  "a body that is streamed with %j has that time for its next bytes",
  async (expecting) => {
    let text = "";
    const { port, reached } = await observedServer(
      streamed((part) => (text += Buffer.from(part).toString())),
      { limits: { requestTimeoutMs: 200 } },
    );
    stopTimers();
    const { socket, closed } = await connection(port);
    socket.write(post(`${authorized}${expecting}Content-Length: 5\r\n`));
    await timersAre(1);
    for (const sent of ["a", "ab", "abc"]) {
      socket.write(sent.slice(-1));
      await until(() => text, sent);
      vi.advanceTimersByTime(200);
    }
    expect(reached).toEqual([]);
    vi.advanceTimersByTime(200);
    expect(reached).toEqual(["requestTimeoutMs 127.0.0.1"]);
    expect(await closed).toMatch(/^(?:HTTP\/1\.1 100 Continue\r\n\r\n)?HTTP\/1\.1 408 /);
  },
);

test("who has an answer gets no second one when the rest of the body is late, and who has sent it all may wait", async () => {
  const { port, reached } = await observedServer(ok, { limits: { requestTimeoutMs: 200 } });
  const { handler, taken, release } = held();
  const waiting = await observedServer(handler, { limits: { requestTimeoutMs: 200 } });
  stopTimers();
  const { socket, closed, got } = await connection(port);
  socket.write(post(`${authorized}Content-Length: 5\r\n`, "abc"));
  await until(() => got().endsWith("here"), true);
  vi.advanceTimersByTime(200);
  expect((await closed).match(/HTTP\/1\.1 \d+/g)).toEqual(["HTTP/1.1 200"]);
  expect(reached).toEqual(["requestTimeoutMs 127.0.0.1"]);
  const whole = await connection(waiting.port);
  whole.socket.write(post(`${authorized}${last}Content-Length: 3\r\n`, "abc"));
  await until(() => taken.length, 1);
  vi.advanceTimersByTime(400);
  release();
  expect(await whole.closed).toMatch(/^HTTP\/1\.1 200 /);
  expect(waiting.reached).toEqual([]);
});

test.for<[string, string, number]>([
  ["", "", 0],
  ["Content-Length: 0\r\n", "", 0],
  ["Content-Length: 1\r\n", "x", 1],
  ["Transfer-Encoding: chunked\r\n", "0\r\n\r\n", 1],
])("a request with %j has a body that is waited for, or none", async ([fields, body, count]) => {
  const counts: Array<number> = [];
  const { port } = await observedServer(async (given) => {
    counts.push(vi.getTimerCount());
    // An answer that the system has taken needs none.
    given.response.once("finish", () => counts.push(vi.getTimerCount()));
    return ok(given);
  });
  stopTimers();
  expect(await exchange(port, post(`${fields}${last}`, body))).toMatch(/^HTTP\/1\.1 200 /);
  expect(counts).toEqual([count, count]);
  await timersAre(0);
});

const reading: Handler = async (given) => {
  await given.head.body(100);
  return ok(given);
};

test.for<[string, Handler, string, RegExp]>([
  [
    "asks for it",
    reading,
    "Expect: 100-continue\r\n",
    /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 200 (?![^]*Connection: close)/,
  ],
  ["does not ask", ok, "Expect: 100-continue\r\n", /^HTTP\/1\.1 200 [^]*\r\nConnection: close\r\n/],
  ["reads it", reading, "Expect: something\r\n", /^HTTP\/1\.1 200 (?![^]*Connection: close)/],
  ["does not read it", ok, "", /^HTTP\/1\.1 200 (?![^]*Connection: close)/],
])("a handler that %s gets the body of a client with %j", async ([, handler, fields, expected]) => {
  const { port } = await observedServer(handler);
  const { socket, got } = await connection(port);
  socket.write(post(`${fields}Content-Length: 3\r\n`));
  if (expected.source.includes("100 Continue")) await until(() => got().includes("100 Continue"), true);
  if (handler === reading) socket.write("abc");
  await expect.poll(got).toMatch(/here$/);
  expect(got()).toMatch(expected);
});

test("of a body that nobody reads a mebibyte is taken after the answer; then the connection ends within a second", async () => {
  let taken: IncomingMessage | undefined;
  const { port } = await observedServer(async (given) => {
    taken = given.request;
    return ok(given);
  });
  stopTimers();
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  onTestFinished(() => void socket.destroy());
  socket.on("error", () => undefined);
  let [text, isEnded] = ["", false];
  socket.on("data", (chunk: Buffer) => (text += chunk.toString()));
  socket.once("end", () => (isEnded = true));
  const head = post("Content-Length: 90000000\r\n");
  socket.write(head);
  await until(() => text.endsWith("here"), true);
  socket.write("x".repeat(1_024 * 1_024));
  await until(() => taken?.socket.bytesRead, head.length + 1_024 * 1_024);
  await exchange(port, "no HTTP\r\n\r\n");
  await timersAre(1);
  expect(isEnded).toBe(false);
  socket.write("x");
  await until(() => isEnded, true);
  // Of what still comes nothing more is read.
  socket.write("x".repeat(20_000_000));
  for (let time = 0; time < 20; time++) await exchange(port, "no HTTP\r\n\r\n");
  expect(taken?.socket.bytesRead).toBeLessThan(head.length + 1_024 * 1_024 + 200_000);
  vi.advanceTimersByTime(999);
  expect(taken?.socket.destroyed).toBe(false);
  vi.advanceTimersByTime(1);
  expect(taken?.socket.destroyed).toBe(true);
});

test.for([
  ["no HTTP\r\n\r\n", []],
  [post("Transfer-Encoding: chunked\r\n", chunkOf(1).repeat(600)), ["anonymousTimeoutMs 127.0.0.1"]],
] as const)("behind %j nothing is read while an earlier request is answered", async ([bytes, limit]) => {
  const { handler, taken, release } = held();
  let socketOfServer: Socket | undefined;
  const { port, reached } = await observedServer((given) => {
    socketOfServer = given.request.socket;
    return handler(given);
  });
  const { socket, closed } = await connection(port);
  socket.write(request("/1") + bytes);
  await expect.poll(() => taken).toEqual(["/1"]);
  socket.write("x".repeat(20_000_000));
  for (let time = 0; time < 20; time++) await exchange(port, "no HTTP\r\n\r\n");
  expect(socketOfServer?.bytesRead).toBeLessThan(300_000);
  release();
  expect(await closed).toMatch(/^HTTP\/1\.1 200 [^]*here$/);
  expect(reached).toEqual(limit);
});

test("a handler that has answered itself, or hung up, has ended its request", async () => {
  const said = vi.spyOn(console, "error").mockReturnValue();
  const { port } = await observedServer(async ({ head, request: { socket } }) => {
    if (head.target === "/gone") {
      socket.destroy();
      return "unanswered";
    }
    socket.end("mine");
    return "faulted";
  });
  expect(await exchange(port, request())).toBe("mine");
  expect(await exchange(port, request("/gone"))).toBe("");
  expect(said).not.toHaveBeenCalled();
  said.mockRestore();
});

test("after a request for another protocol the connection is closed: Node loses what is behind it", async () => {
  const { port } = await observedServer(ok);
  const upgrade = "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n";
  const text = await exchange(port, upgrade + request());
  expect(text.match(/HTTP\/1\.1 200/g)).toHaveLength(1);
  expect(text).toMatch(/^connection: close\r$/im);
});

test("who is refused and resets the connection ends no process", async () => {
  const { port, count } = await observedServer(ok);
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  socket.write("CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n");
  await new Promise((resolve) => void socket.once("data", resolve));
  socket.resetAndDestroy();
  await expect.poll(() => count.disconnected).toBe(1);
});

test("who resets the connection behind an answer that comes before the refusal ends no process", async () => {
  const [asked, opened] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
  const { port, count } = await observedServer(async (...call) => {
    asked.resolve();
    await opened.promise;
    return ok(...call);
  });
  const socket = connect({ port, host: "127.0.0.1" });
  socket.write(`${request()}CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n`);
  await asked.promise;
  socket.resetAndDestroy();
  await once(socket, "close");
  opened.resolve();
  await expect.poll(() => count.disconnected).toBe(1);
});

test("who is refused and goes on sending is cut off", async () => {
  const { port, count } = await observedServer(ok);
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true });
  socket.on("error", () => undefined);
  socket.resume().once("end", () => socket.write("no HTTP\r\n\r\n"));
  socket.write("no HTTP\r\n\r\n");
  await expect.poll(() => count.disconnected).toBe(1);
  socket.destroy();
});

test("a port in use is an error, and a server that has stopped waits for nothing", async () => {
  const { server, port } = await observedServer(ok, { limits: { drainMs: 60_000 } });
  await expect(startServer({ host: "127.0.0.1", port, limits })).rejects.toMatchObject({ code: "EADDRINUSE" });
  stopTimers();
  await server.stop();
  expect(vi.getTimerCount()).toBe(0);
});

test.for([65_535, 65_536])("a text of %i bytes is in memory once", async (length) => {
  const written: Array<unknown> = [];
  const { port } = await observedServer(async (given) => {
    const end = vi.spyOn(given.response, "end");
    given.response.once("finish", () => written.push(...end.mock.calls.map(([body]) => typeof body)));
    return answering({ body: "x".repeat(length) })(given);
  });
  expect((await exchange(port, request("/", last))).match(/x+$/)?.[0]).toHaveLength(length);
  expect(written).toEqual([length < 65_536 ? "string" : "object"]);
});

/** An upload of 12 bytes that takes 2.4 s, as far as it gets, and what is reported. */
const upload = async (uploadTimeoutMs: number): Promise<ReadonlyArray<string>> => {
  const limits = { headersTimeoutMs: 300, requestTimeoutMs: 600, uploadTimeoutMs };
  const { port, reached } = await observedServer(
    streamed(() => undefined),
    { limits },
  );
  const { socket, closed } = await connection(port);
  socket.write(post(`${authorized}${last}Content-Length: 12\r\n`));
  for (let sent = 0; sent < 12 && !socket.destroyed; sent++) {
    socket.write("x");
    await wait(200);
  }
  return [(await closed).slice(9, 12), ...reached];
};

const halfARequest = async (): Promise<ReadonlyArray<string>> => {
  const { port, reached } = await observedServer(ok, { limits: { headersTimeoutMs: 300 } });
  return [(await exchange(port, "GET / HTTP/1.1\r\nHost: x\r\n")).slice(9, 12), ...reached];
};

test("an upload takes as long as an upload may, whatever the limits of other requests, and headers as long as they may", async () => {
  expect(await Promise.all([upload(60_000), upload(300), halfARequest()])).toEqual([
    ["200"],
    ["408", "requestTimeoutMs 127.0.0.1"],
    ["408", "headersTimeoutMs 127.0.0.1"],
  ]);
});
