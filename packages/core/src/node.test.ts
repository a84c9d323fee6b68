import { AsyncLocalStorage } from "node:async_hooks";
import { execFile } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { getEventListeners, once } from "node:events";
import * as http from "node:http";
import * as https from "node:https";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { selfSigned } from "@bytenite-engines/test-kit/certificate";
import { listen } from "@bytenite-engines/test-kit/ports";
import { promisify } from "node:util";
import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib";
import { expect, onTestFinished, test, vi } from "vitest";
import { nodeFetch, type NodeFetchOptions } from "./node.ts";
import { createEngineClient, EngineError, type ClientOptions, type Fetch, type FetchInit } from "./promise.ts";

const engine = JSON.stringify({ id: "1", name: "zipper", version: "0.1", description: "x".repeat(2000) });

/** Makes a nodeFetch that ends with the test, and counts its requests. */
const madeFetch = (options?: NodeFetchOptions) => {
  const fetch = nodeFetch(options);
  onTestFinished(() => fetch.close());
  return fetch;
};

/** Listens until the test ends; resolves with the origin. */
const listening = async (server: Server): Promise<string> => {
  const origin = await listen(server);
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => void sockets.add(socket));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return origin;
};

const served = (answer: http.RequestListener): Promise<string> => listening(http.createServer(answer));

/** A server that handles bytes: `answer` gets the socket and the number of the request on it, from 1. */
const rawServer = async (answer: (socket: Socket, count: number, text: string) => void): Promise<string> => {
  const server = createServer((socket) => {
    let count = 0;
    socket.on("error", () => socket.destroy());
    socket.on("data", (data) => answer(socket, ++count, data.toString()));
  });
  return listening(server);
};

/** Collects what is published on a channel of Node until the test ends. */
const published = <A>(channel: string, read: (message: unknown) => A): Array<A> => {
  const seen: Array<A> = [];
  const note = (message: unknown): void => void seen.push(read(message));
  subscribe(channel, note);
  onTestFinished(() => void unsubscribe(channel, note));
  return seen;
};

/** The sockets of clients that are made from now on. */
const clientSockets = () => published("net.client.socket", (message) => (message as { socket: Socket }).socket);

const clientOf = (origin: string, options: ClientOptions = {}) =>
  createEngineClient({
    baseUrl: `${origin}/v1/dev`,
    fetch: madeFetch(),
    format: "json",
    retry: { maxAttempts: 1 },
    ...options,
  });

const init = (more: Partial<FetchInit> = {}): FetchInit => ({
  method: "GET",
  headers: {},
  redirect: "manual",
  signal: new AbortController().signal,
  ...more,
});

const head = (body: string, headers = ""): string =>
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n${headers}\r\n${body}`;

const reasonOf = async (call: Promise<unknown>) => {
  const error = await call.catch((cause: unknown) => cause);
  if (!(error instanceof EngineError)) throw new Error("no EngineError", { cause: error });
  return error.reason;
};

test("a signal that outlasts its requests keeps no listener of theirs", async () => {
  const origin = await served((_request, response) => void response.end("here"));
  const { signal } = new AbortController();
  const fetch = madeFetch();
  for (let count = 0; count < 3; count++) {
    const response = await fetch(origin, init({ signal }));
    expect(new TextDecoder().decode(await response.arrayBuffer())).toBe("here");
  }
  await expect.poll(() => getEventListeners(signal, "abort")).toEqual([]);
});

test("keeps a connection for the next request, until it has been idle for its time", async () => {
  const sockets = new Set<Socket>();
  const server = http.createServer((request, response) => {
    sockets.add(request.socket);
    response.setHeader("content-type", "application/json").end(engine);
  });
  server.keepAliveTimeout = 0;
  const origin = await listening(server);
  const client = clientOf(origin);
  for (let call = 0; call < 5; call++) expect((await client.get("zipper")).name).toBe("zipper");
  expect(sockets.size).toBe(1);
  await clientOf(origin, { fetch: madeFetch({ idleTimeoutMs: 50 }) }).get("zipper");
  for (const socket of [...sockets].slice(1)) await once(socket, "close");
  expect(sockets.size).toBe(2);
});

test.for([
  ["gzip", gzipSync],
  ["br", brotliCompressSync],
  ["zstd", zstdCompressSync],
] as const)("asks for %s and decodes it", async ([coding, compress]) => {
  let asked: string | undefined;
  const origin = await served((request, response) => {
    asked = request.headers["accept-encoding"];
    response.writeHead(200, { "content-type": "application/json", "content-encoding": coding });
    response.end(compress(engine));
  });
  expect((await clientOf(origin).get("zipper")).description).toHaveLength(2000);
  expect(asked?.split(", ")).toContain(coding);
});

test("decodes codings one around the other, and refuses more than three", async () => {
  const origin = await served((request, response) => {
    const count = Number(new URL(request.url ?? "", "http://x").searchParams.get("engineId"));
    let body = Buffer.from(engine);
    for (let layer = 0; layer < count; layer++) body = gzipSync(body);
    const coding = Array.from({ length: count }, () => "gzip").join(", ");
    response.writeHead(200, { "content-type": "application/json", "content-encoding": coding }).end(body);
  });
  const client = clientOf(origin);
  expect((await client.get("zipper", { engineId: "3" })).name).toBe("zipper");
  expect((await reasonOf(client.get("zipper", { engineId: "4" })))._tag).toBe("Undecodable");
});

test("codings that change nothing, and empty ones, are left out", async () => {
  const origin = await served((_, response) =>
    response
      .writeHead(200, { "content-encoding": "identity, GZIP,", "content-type": "application/json" })
      .end(gzipSync(engine)),
  );
  expect((await clientOf(origin).get("zipper")).name).toBe("zipper");
});

test("a body that comes in several parts is whole, and so are header fields that come more than once", async () => {
  const origin = await served((_, response) => {
    response.writeHead(200, { "content-length": 200_001, "set-cookie": ["a=1", "b=2"], "x-a": "c" });
    response.write("x".repeat(100_000), () => response.end("y".repeat(100_001)));
  });
  const response = await madeFetch()(origin, init());
  const text = new TextDecoder().decode(await response.arrayBuffer());
  expect(text).toBe("x".repeat(100_000) + "y".repeat(100_001));
  const fields: Record<string, string> = {};
  response.headers.forEach((value, name) => (fields[name] = value));
  expect([response.headers.get("X-A"), response.headers.has("X-A"), response.headers.has("x-b")]).toEqual([
    "c",
    true,
    false,
  ]);
  for (const name of ["__proto__", "constructor"])
    expect([response.headers.get(name), response.headers.has(name)]).toEqual([null, false]);
  expect(fields).toMatchObject({ "content-length": "200001", "set-cookie": "a=1, b=2", "x-a": "c" });
});

test("an address of IPv6 is reached without its brackets", async () => {
  await expect(madeFetch()("http://[::1]:1/")).rejects.toMatchObject({ address: "::1", port: 1 });
});

test("the proxy of the process is used, unless proxyEnv is false", async () => {
  const origin = await served((_request, response) => response.end());
  for (const name of ["http_proxy", "NO_PROXY", "no_proxy"]) vi.stubEnv(name, "");
  vi.stubEnv("HTTP_PROXY", "127.0.0.1:1");
  onTestFinished(() => void vi.unstubAllEnvs());
  await expect(madeFetch()(origin)).rejects.toMatchObject({ code: "ECONNREFUSED", port: 1 });
  expect((await madeFetch({ proxyEnv: false })(origin)).status).toBe(200);
});

test.for(["idleTimeoutMs", "maxConnections"])("%s is 2147483647 at most", (name) => {
  expect(() => nodeFetch({ [name]: 2_147_483_647 })).not.toThrow();
  expect(() => nodeFetch({ [name]: 2_147_483_648 })).toThrow("to 2147483647, not 2147483648");
});

test("without a time for idle connections, each request has one of its own and says so", async () => {
  const seen: Array<unknown> = [];
  const sockets = new Set<Socket>();
  const origin = await served(({ headers, socket }, response) => {
    seen.push(headers.connection);
    sockets.add(socket);
    response.end();
  });
  const fetch = madeFetch({ idleTimeoutMs: 0 });
  for (let call = 0; call < 2; call++) await (await fetch(origin, init())).arrayBuffer();
  expect([seen, sockets.size]).toEqual([["close", "close"], 2]);
  const kept = clientSockets();
  await (await madeFetch({ idleTimeoutMs: 1 })(origin, init())).arrayBuffer();
  expect(seen.at(-1)).toBe("keep-alive");
  await expect.poll(() => kept[0]?.timeout).toBe(1);
});

test.for<[status: number, length: number, connections: number]>([
  [299, 1, 2],
  [300, 1, 1],
  [399, 1, 1],
  [400, 1, 2],
  [302, 16_383, 1],
  [302, 16_384, 2],
])("after the body of a %i with %i bytes is cancelled, another request makes %i connections", async (row) => {
  const [status, length, connections] = row;
  const sockets = new Set<Socket>();
  const origin = await served(({ socket }, response) => {
    sockets.add(socket);
    response.writeHead(status, { "content-length": length }).end("x".repeat(length));
  });
  const fetch = madeFetch();
  for (let call = 0; call < 2; call++) await (await fetch(origin, init())).body?.cancel();
  expect(sockets.size).toBe(connections);
});

test("refuses a content coding that it cannot decode", async () => {
  const origin = await served((_, response) =>
    response.writeHead(200, { "content-type": "application/json", "content-encoding": "compress" }).end(engine),
  );
  expect((await reasonOf(clientOf(origin).get("zipper")))._tag).toBe("Undecodable");
});

test("as the built-in fetch, reads every member of gzip, refuses other bytes behind one, and ignores those behind br", async () => {
  const bodies: Readonly<Record<string, [coding: string, body: Buffer]>> = {
    "/members": ["gzip", Buffer.concat([gzipSync("a"), gzipSync("b")])],
    "/gzip": ["gzip", Buffer.concat([gzipSync("a"), Buffer.from("more")])],
    "/br": ["br", Buffer.concat([brotliCompressSync("a"), Buffer.from("more")])],
  };
  const origin = await served(({ url = "" }, response) => {
    const [coding = "", body] = bodies[url] ?? [];
    response.setHeader("content-encoding", coding).end(body);
  });
  const fetches: ReadonlyArray<(url: string) => Promise<{ arrayBuffer(): Promise<ArrayBuffer> }>> = [
    madeFetch(),
    globalThis.fetch,
  ];
  for (const fetch of fetches) {
    const read = async (path: string) => new TextDecoder().decode(await (await fetch(origin + path)).arrayBuffer());
    expect([await read("/members"), await read("/br")]).toEqual(["ab", "a"]);
    await expect(read("/gzip")).rejects.toThrow(/incorrect header check|terminated/);
  }
});

test.for(["gzip", "x-gzip", "deflate", "br", "zstd", "gzip, br"])(
  "a body of %s without a byte is empty",
  async (coding) => {
    const origin = await rawServer((socket, _, text) => {
      const body = text.startsWith("GET /none") ? "" : "1\r\n\x1f\r\n";
      socket.write(
        `HTTP/1.1 200 OK\r\ncontent-encoding: ${coding}\r\ntransfer-encoding: chunked\r\n\r\n${body}0\r\n\r\n`,
      );
    });
    const fetch = madeFetch();
    for (let call = 0; call < 2; call++)
      expect((await (await fetch(`${origin}/none`, init())).arrayBuffer()).byteLength).toBe(0);
    const reader = (await fetch(`${origin}/none`, init())).body?.getReader();
    expect(await reader?.read()).toEqual({ done: true });
    const response = await fetch(`${origin}/part`, init());
    await expect(response.arrayBuffer()).rejects.toMatchObject({ code: expect.stringMatching(/^Z_|^ERR_|^ZSTD_/) });
  },
);

test("decodes every frame of zstd wherever its bytes are divided, and notices what is none", async () => {
  const text = Buffer.from(Array.from({ length: 200_000 }, (_, index) => (index * index) % 251));
  const skipped = Buffer.from("502a4d1803000000616263", "hex");
  const first = zstdCompressSync(text.subarray(0, 150_000));
  const whole = Buffer.concat([first, skipped, zstdCompressSync(""), zstdCompressSync(text.subarray(150_000))]);
  let body = whole;
  let at = 0;
  const origin = await served((_, response) => {
    response.setHeader("content-encoding", "zstd");
    response.write(body.subarray(0, at), () => response.end(body.subarray(at)));
  });
  const fetch = madeFetch();
  const decoded = async () => Buffer.from(await (await fetch(origin, init())).arrayBuffer());
  for (at of [1, first.length - 1, first.length, first.length + 2, first.length + 12, whole.length - 1])
    expect((await decoded()).equals(text)).toBe(true);
  for (body of [
    Buffer.concat([whole, Buffer.from("more")]),
    whole.subarray(0, -1),
    whole.subarray(0, first.length + 3),
  ])
    await expect(decoded()).rejects.toMatchObject({ code: expect.stringMatching(/^Z_BUF_ERROR$|^ZSTD_error_/) });
});

test.for(["gzip", "br", "zstd"] as const)("notices that a %s body was cut at its source", async (coding) => {
  const compress = { gzip: gzipSync, br: brotliCompressSync, zstd: zstdCompressSync }[coding];
  const whole = compress(Buffer.from(Array.from({ length: 4000 }, (_, index) => index % 251)));
  const origin = await served((_, response) =>
    response
      .writeHead(200, { "content-type": "application/json", "content-encoding": coding })
      .end(whole.subarray(0, whole.length - 20)),
  );
  expect((await reasonOf(clientOf(origin).get("zipper")))._tag).toBe("Undecodable");
});

test("stops at the limit of a body that unfolds to 64 MiB", async () => {
  const bomb = gzipSync(gzipSync(Buffer.alloc(64 * 1024 * 1024, " "), { level: 9 }));
  const origin = await served((_, response) =>
    response.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip, gzip" }).end(bomb),
  );
  const limits = { maxDecodedBodyBytes: 1024 * 1024 };
  expect(await reasonOf(clientOf(origin, { limits }).get("zipper"))).toEqual({
    _tag: "TooLarge",
    limit: "maxDecodedBodyBytes",
    value: limits.maxDecodedBodyBytes,
  });
});

test("of the connections to an origin 256 are kept, and those that ended meanwhile take no place", async () => {
  const sockets: Array<Socket> = [];
  const waiting: Array<() => void> = [];
  let count = 257;
  const server = http.createServer((_request, response) => {
    waiting.push(() => response.end());
    if (waiting.length === count) for (const answer of waiting.splice(0)) answer();
  });
  server.keepAliveTimeout = 0;
  server.on("connection", (socket) => sockets.push(socket));
  const origin = await listening(server);
  const clients = clientSockets();
  const fetch = madeFetch();
  const all = async () =>
    void (await Promise.all(Array.from({ length: count }, async () => (await fetch(origin)).arrayBuffer())));
  await all();
  await expect.poll(() => sockets.filter(({ closed }) => closed).length).toBe(1);
  const ending = sockets.filter(({ destroyed }) => !destroyed).slice(0, 100);
  for (const socket of ending) socket.destroy();
  await expect.poll(() => clients.filter(({ closed }) => closed).length).toBe(101);
  count = 256;
  await all();
  expect(sockets.length).toBe(357);
  await all();
  expect(sockets.length).toBe(357);
});

test("a server gets its name by TLS, unless that is an address, and the protocol", async () => {
  const { key, cert } = selfSigned();
  const seen: Array<unknown> = [];
  const server = https.createServer({ key, cert }, ({ socket }, response) => {
    const { servername, alpnProtocol } = socket as TLSSocket & { servername: unknown };
    seen.push(servername, alpnProtocol);
    response.end();
  });
  const origin = await listening(server);
  const fetch = madeFetch({ tls: { ca: cert } });
  for (const each of [origin, origin.replace("127.0.0.1", "localhost")]) await (await fetch(each)).arrayBuffer();
  expect(seen).toEqual([false, "http/1.1", "localhost", "http/1.1"]);
});

test("a new TLS connection takes up the session of the last one, unless that failed or there were many origins since", async () => {
  const { key, cert } = selfSigned();
  const reused: Array<boolean> = [];
  let last: Socket | undefined;
  const server = https.createServer({ key, cert }, ({ socket, url }, response) => {
    reused.push((socket as TLSSocket).isSessionReused());
    if (url === "/reset") last?.resetAndDestroy();
    else response.end();
  });
  const { port: behind } = new URL(await listening(server));
  const front = createServer((socket) => {
    last = socket;
    const through = connect(Number(behind), "127.0.0.1");
    socket.on("error", () => through.destroy());
    socket.pipe(through).pipe(socket);
  });
  front.listen(0, "0.0.0.0");
  await once(front, "listening");
  onTestFinished(() => void front.close());
  const { port } = front.address() as AddressInfo;
  const fetch = madeFetch({ idleTimeoutMs: 0, tls: { ca: cert, servername: "localhost" } });
  const closed = published("http.client.request.start", (message) => {
    const { socket } = (message as { request: http.ClientRequest }).request;
    return new Promise((resolve) => socket?.once("close", resolve));
  });
  const get = async (host: number, path = "") => {
    const error = await fetch(`https://127.0.0.${host}:${port}/${path}`).then(
      (response) => void response.arrayBuffer(),
      (cause: unknown) => cause,
    );
    await closed.at(-1);
    return error;
  };
  for (let count = 0; count < 2; count++) await get(1);
  expect(reused.splice(0)).toEqual([false, true]);
  expect(await get(1, "reset")).toMatchObject({ code: "ECONNRESET" });
  for (let count = 0; count < 2; count++) await get(1);
  expect(reused.splice(0)).toEqual([true, false, true]);
  for (let host = 2; host <= 101; host++) await get(host);
  reused.length = 0;
  for (const host of [1, 100, 101]) await get(host);
  expect(reused.splice(0)).toEqual([true, true, false]);
});

test("a certificate that nobody vouches for is refused, also where the last one was good", async () => {
  const good = selfSigned();
  const server = https.createServer(good, ({ socket }, response) => {
    response.end(String((socket as TLSSocket).isSessionReused()));
  });
  const origin = await listening(server);
  const fetch = madeFetch({ idleTimeoutMs: 0, tls: { ca: good.cert } });
  const get = async () => new TextDecoder().decode(await (await fetch(origin)).arrayBuffer());
  expect([await get(), await get()]).toEqual(["false", "true"]);
  server.setSecureContext(selfSigned());
  await expect(get()).rejects.toMatchObject({ code: "DEPTH_ZERO_SELF_SIGNED_CERT" });
  server.setSecureContext(good);
  expect([await get(), await get()]).toEqual(["false", "true"]);
});

test("trusts the certificate authorities that it is given, and no others", async () => {
  const { key, cert } = selfSigned();
  const server = https.createServer({ key, cert }, (_, response) =>
    response.setHeader("content-type", "application/json").end(engine),
  );
  const origin = await listening(server);
  expect(await reasonOf(clientOf(origin).get("zipper"))).toMatchObject({ _tag: "Unreachable", problem: "tls" });
  await expect(madeFetch({ tls: { cert: "none" } })(origin)).rejects.toThrow("PEM");
  const trusting = clientOf(origin, { fetch: madeFetch({ tls: { ca: cert } }) });
  expect((await trusting.get("zipper")).name).toBe("zipper");
});

test("sends a GET again at once when the server had closed the kept connection", async () => {
  let connections = 0;
  const origin = await rawServer((socket, count) => {
    if (count === 1) connections++;
    // The second request on a connection meets its end, as after an idle time that only the server knows.
    if (count === 2) socket.destroy();
    else socket.write(head(engine));
  });
  const client = clientOf(origin);
  for (let call = 0; call < 4; call++) expect((await client.get("zipper")).name).toBe("zipper");
  expect(connections).toBe(4);
});

test("closes a connection on which bytes come between two requests: they answer nothing", async () => {
  const closed = Promise.withResolvers<void>();
  let idle: Socket | undefined;
  const origin = await rawServer((socket, _, text) => {
    idle = socket;
    socket.once("close", () => closed.resolve());
    socket.write(head(text.startsWith("GET /2") ? "second" : "first"));
  });
  const fetch = madeFetch();
  const textOf = async (path: string) =>
    new TextDecoder().decode(await (await fetch(`${origin}/${path}`, init())).arrayBuffer());
  expect(await textOf("1")).toBe("first");
  // Twice, so that the connection was idle and in use before.
  expect(await textOf("1")).toBe("first");
  idle?.write(head("poison"));
  await closed.promise;
  expect(await textOf("2")).toBe("second");
});

test.for([undefined, 1])(
  "bytes behind an answer that is not read yet close its connection (maxConnections %s)",
  async (max) => {
    const first = Promise.withResolvers<Socket>();
    const origin = await rawServer((socket) => {
      first.resolve(socket);
      socket.write(head("right"));
    });
    const fetch = madeFetch(max === undefined ? {} : { maxConnections: max });
    const response = await fetch(origin, init());
    const socket = await first.promise;
    const closed = once(socket, "close");
    socket.write(head("poison"));
    await closed;
    for (const each of [response, await fetch(origin, init())])
      expect(new TextDecoder().decode(await each.arrayBuffer())).toBe("right");
  },
);

test.for([
  ["timeout=3", 2000],
  ["max=5, timeout=3", 2000],
  ['timeout="3"', 2000],
  ["Max = 5 ; Timeout = 3", 2000],
  ["timeout=9999999999999", 60_000],
  ["idletimeout=3", 60_000],
  ["max=5", 60_000],
] as const)("Keep-Alive: %s keeps an idle connection for %d ms", async ([hint, ms]) => {
  const [origin, sockets] = [
    await rawServer((socket) => socket.write(head("", `keep-alive: ${hint}\r\n`))),
    clientSockets(),
  ];
  for (const options of [{}, { maxConnections: 1 }]) {
    await (await madeFetch(options)(origin, init())).arrayBuffer();
    await expect.poll(() => sockets.at(-1)?.timeout).toBe(ms);
  }
});

test.for([{}, { maxConnections: 1 }])(
  "a connection whose server's time is unknown is not kept (%o)",
  async (options) => {
    const hints = ["max=5, timeout=1", "timeout=5", "timeout=5"];
    const origin = await rawServer((socket) => socket.write(head("", `keep-alive: ${hints.shift()}\r\n`)));
    const sockets = clientSockets();
    const fetch = madeFetch(options);
    await (await fetch(origin, init())).arrayBuffer();
    await (await fetch(origin, init())).arrayBuffer();
    expect(sockets.map((socket) => socket.destroyed)).toEqual([true, false]);
    await expect.poll(() => sockets[1]?.timeout).toBe(4000);
    // Aborted before it is sent, it has no answer that says how long.
    const controller = new AbortController();
    const call = fetch(origin, init({ signal: controller.signal }));
    controller.abort(new Error("enough"));
    await expect(call).rejects.toThrow("enough");
    await (await fetch(origin, init())).arrayBuffer();
    expect(sockets.map((socket) => socket.destroyed)).toEqual([true, true, false]);
  },
);

test("an idle connection keeps no process running, and nothing of its last request", async () => {
  const server = http.createServer((_request, response) => response.end("here"));
  server.keepAliveTimeout = 0;
  const origin = await listening(server);
  const script = `
    import { nodeFetch } from ${JSON.stringify(new URL("node.ts", import.meta.url).href)};
    import { subscribe } from "node:diagnostics_channel";
    subscribe("net.client.socket", ({ socket }) => process.once("exit", () => console.log(socket.destroyed, socket._httpMessage)));
    const fetch = nodeFetch({ idleTimeoutMs: 2147483647, proxyEnv: false });
    for (let call = 0; call < 2; call++) await (await fetch("${origin}")).arrayBuffer();
  `;
  const { stdout } = await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", script]);
  expect(stdout).toBe("false null\n");
});

test("connections send what is small at once, and notice a server that is gone", async () => {
  const sockets = clientSockets();
  const origin = await served((_request, response) => void response.end());
  await (await madeFetch()(origin, init())).arrayBuffer();
  const [socket] = sockets as unknown as Array<Record<symbol, unknown>>;
  const kept = Object.getOwnPropertySymbols(socket).map((name) => [name.description, socket?.[name]]);
  const options = { kSetNoDelay: true, kSetKeepAlive: true, kSetKeepAliveInitialDelay: 1 };
  expect(Object.fromEntries(kept)).toMatchObject(options);
});

test("the idle time that ends during a request begins again after it", async () => {
  const sockets = clientSockets();
  const closed = Promise.withResolvers<void>();
  const origin = await rawServer((socket, count) => {
    if (count === 1) socket.write(head("first"));
    else sockets[0]?.once("timeout", () => socket.write(head("second")));
    socket.once("close", () => closed.resolve());
  });
  const fetch = madeFetch({ idleTimeoutMs: 20 });
  for (const text of ["first", "second"])
    expect(new TextDecoder().decode(await (await fetch(origin, init())).arrayBuffer())).toBe(text);
  await closed.promise;
  expect(sockets.length).toBe(1);
});

test.for([
  [undefined, 3],
  [1, 1],
] as const)("with maxConnections %s three requests at once, twice, take %d connections", async ([max, count]) => {
  const sockets = new Set<Socket>();
  const waiting: Array<() => void> = [];
  const server = http.createServer(({ socket }, response) => {
    sockets.add(socket);
    waiting.push(() => response.end());
    // All are under way before the first is answered.
    if (waiting.length === (max ?? 3)) for (const answer of waiting.splice(0)) answer();
  });
  server.keepAliveTimeout = 0;
  const origin = await listening(server);
  const fetch = madeFetch(max === undefined ? {} : { maxConnections: max });
  for (let turn = 0; turn < 2; turn++)
    await Promise.all([1, 2, 3].map(async (path) => (await fetch(`${origin}/${path}`, init())).arrayBuffer()));
  expect(sockets.size).toBe(count);
});

test.each([
  ["HEAD", "200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 40"],
  ["GET", "204 No Content"],
  ["GET", '304 Not Modified\r\netag: "a"'],
  ["GET", "200 OK\r\ncontent-length: 0"],
])("a %s answered with %s frees its connection unread, and reads as empty", async (method, answer) => {
  const sockets = new Set<Socket>();
  const origin = await rawServer((socket) => {
    sockets.add(socket);
    socket.write(`HTTP/1.1 ${answer}\r\n\r\n`);
  });
  const fetch = madeFetch({ maxConnections: 1 });
  await fetch(origin, init({ method }));
  const response = await fetch(origin, init({ method }));
  await (await fetch(origin, init({ method }))).arrayBuffer();
  expect((await response.arrayBuffer()).byteLength).toBe(0);
  const reader = (await fetch(origin, init({ method }))).body?.getReader();
  expect(await reader?.read()).toEqual({ done: true });
  await (await fetch(origin, init({ method }))).body?.cancel();
  expect(sockets.size).toBe(1);
});

test.for(["", "upgrade: x\r\nconnection: upgrade\r\n"])(
  "an answer of 101 with %j is an error, its connection ends, and what follows it answers nothing",
  async (fields) => {
    const closed = Promise.withResolvers<void>();
    const origin = await rawServer((socket, _, text) => {
      if (!text.startsWith("GET /1")) return void socket.write(head("right"));
      socket.once("close", closed.resolve);
      socket.write(`HTTP/1.1 101 Switching Protocols\r\n${fields}\r\n${head("poison")}`);
    });
    const fetch = madeFetch();
    const { signal } = new AbortController();
    const message = "the server answered 101 and switched to another protocol";
    await expect(fetch(`${origin}/1`, init({ signal }))).rejects.toThrow(message);
    expect(getEventListeners(signal, "abort")).toEqual([]);
    await closed.promise;
    expect(new TextDecoder().decode(await (await fetch(`${origin}/2`, init())).arrayBuffer())).toBe("right");
  },
);

test.for(["CONNECT", "connect"])("refuses %s", async (method) => {
  await expect(madeFetch()("http://127.0.0.1:9/", init({ method }))).rejects.toThrow("makes a tunnel");
});

test("close ends a request on a kept connection, sends nothing again, and leaves the fetch usable", async () => {
  const asked: Array<string> = [];
  const second = Promise.withResolvers<void>();
  const origin = await rawServer((socket, _, text) => {
    asked.push(text.slice(0, 6));
    if (text.startsWith("GET /2")) second.resolve();
    else socket.write(head("here"));
  });
  const fetch = madeFetch();
  await (await fetch(`${origin}/1`, init())).arrayBuffer();
  const [ended] = await Promise.all([
    fetch(`${origin}/2`, init()).catch((error: unknown) => error),
    second.promise.then(() => fetch.close()),
  ]);
  expect(ended).toMatchObject({ code: "ECONNRESET" });
  await (await fetch(`${origin}/3`, init())).arrayBuffer();
  expect(asked).toEqual(["GET /1", "GET /2", "GET /3"]);
});

/** A fetch with one connection, on which a request gets no answer, and the socket of that at the server. */
const busyFetch = async () => {
  const asked: Array<string> = [];
  const first = Promise.withResolvers<Socket>();
  const origin = await rawServer((socket, _, text) => {
    asked.push(text.slice(0, text.indexOf(" HTTP")));
    if (text.startsWith("GET /1")) first.resolve(socket);
    else socket.write(head("here"));
  });
  const sockets = clientSockets();
  const fetch = madeFetch({ maxConnections: 1 });
  const busy = fetch(`${origin}/1`, init()).then(
    (response) => response.arrayBuffer(),
    (error: unknown) => error,
  );
  return { asked, busy, fetch, origin, server: await first.promise, sockets };
};

test("close ends the requests that wait for a connection, and nothing is sent after it", async () => {
  const { asked, busy, fetch, origin, server, sockets } = await busyFetch();
  const closed = once(server, "close");
  const waiting = [init({ method: "POST", body: "x" }), init()].map((each) =>
    fetch(`${origin}/2`, each).catch((error: unknown) => error),
  );
  fetch.close();
  for (const ended of await Promise.all([busy, ...waiting])) expect(ended).toMatchObject({ code: "ECONNRESET" });
  await closed;
  expect(sockets.map((socket) => socket.destroyed)).toEqual([true]);
  await (await fetch(`${origin}/3`, init())).arrayBuffer();
  expect(asked).toEqual(["GET /1", "GET /3"]);
});

test("a request that waits for a connection ends when it is aborted, and the next one does not wait for it", async () => {
  const { asked, fetch, origin, server, sockets } = await busyFetch();
  const { signal } = new AbortController();
  const controller = new AbortController();
  const byListener = fetch(`${origin}/2`, {
    ...init({ signal }),
    onAbort: (listener) => {
      process.nextTick(listener, new Error("no more"));
      return () => {};
    },
  });
  const bySignal = fetch(`${origin}/2`, init({ signal: controller.signal }));
  const next = fetch(`${origin}/3`, init());
  controller.abort(null);
  await expect(bySignal.catch((error: unknown) => [error])).resolves.toEqual([null]);
  await expect(byListener).rejects.toThrow("no more");
  await expect.poll(() => getEventListeners(signal, "abort")).toEqual([]);
  server.write(head("late"));
  await (await next).arrayBuffer();
  expect([asked, sockets.length]).toEqual([["GET /1", "GET /3"], 1]);
});

test("a request that waited has the async context of its own call", async () => {
  const caller = new AsyncLocalStorage<string>();
  const { fetch, origin, server } = await busyFetch();
  const created = published("net.client.socket", () => caller.getStore());
  const ended = published("http.client.response.finish", () => caller.getStore());
  const calls = ["alice", "bob"].map((name) =>
    caller.run(name, async () => void (await (await fetch(`${origin}/2`, init())).arrayBuffer())),
  );
  server.destroy();
  await Promise.all(calls);
  expect([created, ended]).toEqual([["alice"], ["alice", "bob"]]);
});

test.for([1, undefined])(
  "sends a GET again that waited for a connection which the server then closed (maxConnections %s)",
  async (max) => {
    let connections = 0;
    const origin = await rawServer((socket, count) => {
      if (count === 1) connections++;
      socket.end(head("here"));
    });
    const fetch = madeFetch(max === undefined ? {} : { maxConnections: max });
    const lengths = [1, 2, 3].map(async () => (await (await fetch(origin, init())).arrayBuffer()).byteLength);
    expect([await Promise.all(lengths), connections]).toEqual([[4, 4, 4], 3]);
  },
);

test("a request that is sent again keeps the place of its connection", async () => {
  let connections = 0;
  const origin = await rawServer((socket, count) => {
    if (count === 1) connections++;
    if (count === 2 && connections === 1) socket.resetAndDestroy();
    else socket.write(head("here"));
  });
  const fetch = madeFetch({ maxConnections: 1 });
  const get = async () => void (await (await fetch(origin, init())).arrayBuffer());
  await get();
  await Promise.all([get(), get(), get()]);
  expect(connections).toBe(2);
});

/** A proxy that handles bytes, a fetch that goes through it, and what a request for it gives. */
const rawProxy = async (answer: (socket: Socket) => void) => {
  const HTTPS_PROXY = await rawServer(answer);
  const fetch = madeFetch({ proxyEnv: { HTTPS_PROXY } });
  return { fetch, call: (more?: Partial<FetchInit>) => fetch("https://127.0.0.1:1/", init(more)) };
};

test.for(["abort", "close"] as const)("%s ends a request whose proxy does not answer CONNECT", async (how) => {
  const first = Promise.withResolvers<Socket>();
  const { fetch, call } = await rawProxy((socket) => first.resolve(socket));
  const controller = new AbortController();
  const { signal } = controller;
  const ended = call({ signal }).catch((error: unknown) => error);
  const closed = once(await first.promise, "close");
  if (how === "abort") controller.abort(new Error("enough"));
  else fetch.close();
  expect(await ended).toMatchObject(how === "abort" ? { message: "enough" } : { code: "ECONNRESET" });
  await closed;
  await expect.poll(() => getEventListeners(signal, "abort")).toEqual([]);
});

test("an answer to CONNECT has a header of 16 KiB at most", async () => {
  const closed = Promise.withResolvers<number>();
  const { call } = await rawProxy((socket) => {
    const more = (): void => {
      if (socket.write("a".repeat(65_536))) setImmediate(more);
    };
    socket.write("HTTP/1.1 200 OK\r\nx: ");
    socket.on("drain", more).once("close", () => closed.resolve(socket.bytesWritten));
    more();
  });
  await expect(call()).rejects.toMatchObject({ code: "HPE_HEADER_OVERFLOW" });
  expect(await closed.promise).toBeLessThan(16 * 1024 * 1024);
});

test.for([
  ["HTTP/1.1 200 OK\r\n\r\nmore", "bytes behind its header"],
  ["HTTP/1.1 407 Who Are You\r\n\r\n", "407 Who Are You"],
  ["HTTP/1.1 200 OK\r\n", "socket hang up"],
] as const)("an answer of %j to CONNECT ends all requests that wait for the tunnel", async ([answer, message]) => {
  const asked: Array<string> = [];
  const closed: Array<Promise<unknown>> = [];
  const proxy = await rawServer((socket, _, text) => {
    asked.push(text);
    closed.push(once(socket, "close"));
    if (answer.endsWith("OK\r\n")) socket.end(answer);
    else socket.write(answer);
  });
  const HTTPS_PROXY = proxy.replace("//", "//user:p4ss%3A@");
  const fetch = madeFetch({ maxConnections: 1, proxyEnv: { HTTPS_PROXY } });
  const calls = [1, 2].map((path) => fetch(`https://[::1]/${path}`).catch((error: unknown) => String(error)));
  for (const error of await Promise.all(calls)) {
    expect(error).toContain(message);
    expect(error).not.toContain("p4ss");
  }
  const fields = "host: [::1]:443\r\nproxy-connection: keep-alive\r\nproxy-authorization: Basic";
  const sent = `CONNECT [::1]:443 HTTP/1.1\r\n${fields} ${btoa("user:p4ss:")}\r\n\r\n`;
  expect(asked).toEqual([sent, sent]);
  await Promise.all(closed);
});

test("a proxy without a user gets no credentials", async () => {
  const asked: Array<string> = [];
  const proxy = await rawServer((socket, _, text) => {
    asked.push(text);
    socket.end();
  });
  const fetch = madeFetch({ proxyEnv: { http_proxy: proxy, https_proxy: proxy } });
  for (const url of ["http://a.test/", "https://a.test/"])
    await expect(fetch(url, init())).rejects.toMatchObject({ code: "ECONNRESET" });
  expect(asked.length).toBe(2);
  expect(asked.join("")).not.toContain("proxy-authorization");
});

test("requests through a tunnel wait for its connection, or for its end", async () => {
  const { key, cert } = selfSigned();
  const server = https.createServer({ key, cert }, (request, response) => {
    if (request.url === "/2") response.setHeader("connection", "close");
    response.end("here");
  });
  const origin = await listening(server);
  let tunnels = 0;
  const HTTPS_PROXY = await rawServer((socket) => {
    socket.removeAllListeners("data").pause();
    tunnels++;
    const through = connect(Number(new URL(origin).port), "127.0.0.1", () => {
      socket.write(`HTTP/1.1 200 OK\r\nx: ${"x".repeat(15_000)}\r\n\r\n`);
      socket.pipe(through).pipe(socket);
    });
    through.on("error", () => socket.destroy());
    socket.on("close", () => through.destroy());
  });
  const fetch = madeFetch({ maxConnections: 1, proxyEnv: { HTTPS_PROXY }, tls: { ca: cert } });
  const calls = [1, 2, 3].map(
    async (path) => (await (await fetch(`${origin}/${path}`, init())).arrayBuffer()).byteLength,
  );
  expect([await Promise.all(calls), tunnels]).toEqual([[4, 4, 4], 2]);
});

test("a request that meets a reset is sent again, and its error is told, in the async context of its own call", async () => {
  const caller = new AsyncLocalStorage<string>();
  const origin = await rawServer((socket, count) => {
    if (count === 2) socket.resetAndDestroy();
    else socket.write(head("here"));
  });
  const started = published("http.client.request.start", () => caller.getStore());
  const failed = published("http.client.request.error", () => caller.getStore());
  const fetch = madeFetch();
  for (const name of ["alice", "bob"]) {
    await caller.run(name, async () => void (await (await fetch(origin, init())).arrayBuffer()));
  }
  expect([started, failed]).toEqual([["alice", "bob", "bob"], ["bob"]]);
});

test("a request that is aborted before it is sent again is not", async () => {
  let requests = 0;
  const origin = await rawServer((socket, count) => {
    requests++;
    if (count === 2) socket.resetAndDestroy();
    else socket.write(head("here"));
  });
  const fetch = madeFetch();
  await (await fetch(origin, init())).arrayBuffer();
  const controller = new AbortController();
  // Between the error of the request and the reaction of the call's promise.
  const abort = (): void => process.nextTick(() => controller.abort(new Error("enough")));
  subscribe("http.client.request.error", abort);
  onTestFinished(() => void unsubscribe("http.client.request.error", abort));
  await expect(fetch(origin, init({ signal: controller.signal }))).rejects.toThrow("enough");
  await (await fetch(origin, init())).arrayBuffer();
  expect(requests).toBe(3);
});

test("a request that is aborted without a reason while it is under way is not sent again", async () => {
  const second = Promise.withResolvers<void>();
  const origin = await rawServer((socket, count) => {
    if (count === 2) second.resolve();
    else socket.write(head("here"));
  });
  const sockets = clientSockets();
  const fetch = madeFetch();
  await (await fetch(origin, init())).arrayBuffer();
  const controller = new AbortController();
  const call = fetch(origin, init({ signal: controller.signal })).catch((error: unknown) => [error]);
  await second.promise;
  // Node makes of it the error of a connection that was reset.
  controller.abort(null);
  expect(await call).toEqual([null]);
  await (await fetch(origin, init())).arrayBuffer();
  expect(sockets.length).toBe(2);
});

test("a request is sent again on a new connection, not on others that the server has closed as well", async () => {
  const counts: Array<number> = [];
  const waiting: Array<() => void> = [];
  const origin = await rawServer((socket, count) => {
    counts.push(count);
    waiting.push(() => socket.write(head("here")));
    if (count === 2) socket.resetAndDestroy();
    else if (waiting.length !== 1) for (const answer of waiting) answer();
  });
  const fetch = madeFetch();
  const get = async () => void (await (await fetch(origin, init())).arrayBuffer());
  await Promise.all([get(), get()]);
  await get();
  expect(counts).toEqual([1, 1, 2, 1]);
});

test("a request whose answer is none of HTTP is not sent again, also on a kept connection", async () => {
  let requests = 0;
  const origin = await rawServer((socket) => socket.write(++requests === 2 ? "220 ready\r\n" : head("here")));
  const fetch = madeFetch();
  await (await fetch(origin, init())).arrayBuffer();
  await expect(fetch(origin, init())).rejects.toMatchObject({ code: "HPE_INVALID_CONSTANT" });
  await (await fetch(origin, init())).arrayBuffer();
  expect(requests).toBe(3);
});

test("sends a GET once when a new connection is reset", async () => {
  let requests = 0;
  const origin = await rawServer((socket) => {
    requests++;
    socket.resetAndDestroy();
  });
  expect(await reasonOf(clientOf(origin).get("zipper"))).toMatchObject({ _tag: "Unreachable", problem: "reset" });
  expect(requests).toBe(1);
});

test("does not send a POST again, whatever connection it met", async () => {
  const bodies: Array<string> = [];
  const origin = await rawServer((socket, count, text) => {
    bodies.push(text.slice(0, 4));
    if (count === 2) socket.destroy();
    else socket.write(head("{}"));
  });
  const fetch = madeFetch();
  await (await fetch(`${origin}/`, init({ method: "POST", body: "{}" }))).arrayBuffer();
  await expect(fetch(`${origin}/`, init({ method: "POST", body: "{}" }))).rejects.toMatchObject({ code: "ECONNRESET" });
  expect(bodies).toEqual(["POST", "POST"]);
});

test.for([
  ["ends", [4, 2]],
  ["sends more", [4, 2]],
  ["does nothing", [4, 1]],
  ["close", ["ECONNRESET", 1]],
  ["abort", ["stop", 1]],
] as const)("a POST that waits whether its connection was ended behind an answer: %s", async ([what, expected]) => {
  const asked: Array<string> = [];
  const origin = await rawServer((socket, _, text) => {
    asked.push(text.slice(0, 4));
    socket.write(head("here"));
  });
  const sockets = clientSockets();
  let controller = new AbortController();
  const meanwhile = (): void => {
    if (what === "ends") sockets[0]?.push(null);
    if (what === "sends more") sockets[0]?.push(head("poison"));
    if (what === "close") fetch.close();
    if (what === "abort") controller.abort(new Error("stop"));
  };
  const post = async () => {
    const more = { method: "POST", body: "x", signal: controller.signal };
    const response = await fetch(origin, init(more)).catch(
      (error: NodeJS.ErrnoException) => error.code ?? error.message,
    );
    return typeof response === "string" ? response : (await response.arrayBuffer()).byteLength;
  };
  let fetch = madeFetch();
  expect(await post()).toBe(4);
  const second = post();
  setImmediate(meanwhile);
  expect([await second, sockets.length]).toEqual(expected);
  // The same where it waited for the connection.
  sockets.length = 0;
  controller = new AbortController();
  fetch = madeFetch({ maxConnections: 1 });
  const first = post();
  sockets[0]?.once("free", () => setImmediate(meanwhile));
  const next = post();
  expect([await first, await next, sockets.length]).toEqual([4, ...expected]);
});

test("a header has one spelling, and the same bytes whatever the body and method", async () => {
  const seen: Array<string> = [];
  const origin = await rawServer((socket, _, text) => {
    seen.push(text.slice(text.indexOf("x:"), text.indexOf("\r\n", text.indexOf("x:"))));
    socket.write(head("{}"));
  });
  const fetch = madeFetch();
  const headers = { X: "1", x: "caf\xe9" };
  for (const more of [{}, { method: "POST", body: "é" }, { method: "POST", body: new Uint8Array([1]) }])
    await (await fetch(origin, init({ headers, ...more }))).arrayBuffer();
  // The byte E9 is no UTF-8.
  expect(seen).toEqual(["x: caf\ufffd", "x: caf\ufffd", "x: caf\ufffd"]);
});

test("a method in lower case is what it is in upper case", async () => {
  const methods: Array<string> = [];
  const origin = await rawServer((socket, count, text) => {
    methods.push(text.slice(0, text.indexOf(" ")));
    if (count === 2) socket.destroy();
    else socket.write(head(""));
  });
  const fetch = madeFetch();
  for (let call = 0; call < 2; call++) await (await fetch(origin, init({ method: "put", body: "x" }))).arrayBuffer();
  expect(methods).toEqual(["PUT", "PUT", "PUT"]);
  await expect(fetch(origin, init({ method: "get", body: "x" }))).rejects.toThrow("a GET cannot have a body");
});

test("a request that cannot be sent takes no connection", async () => {
  const origin = await served((_request, response) => response.end("here"));
  const fetch = madeFetch({ maxConnections: 1 });
  const sockets = clientSockets();
  for (const more of [{ body: new ArrayBuffer(1) }, { body: 5 }, { headers: { a: "\n" } }, { headers: { "b ": "" } }])
    await expect(fetch(origin, init({ method: "POST", ...more } as Partial<FetchInit>))).rejects.toThrow(TypeError);
  expect(sockets).toEqual([]);
  await (await fetch(origin, init())).arrayBuffer();
});

test("sends bytes and text with their length, and an empty POST with length 0", async () => {
  const seen: Array<unknown> = [];
  const origin = await served((request, response) => {
    const chunks: Array<Buffer> = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      seen.push([request.headers["content-length"], Buffer.concat(chunks).toString("hex")]);
      response.end();
    });
  });
  const fetch = madeFetch();
  for (const body of ["é", new Uint8Array([0, 255]), undefined]) {
    await (await fetch(origin, init({ method: "POST", ...(body === undefined ? {} : { body }) }))).arrayBuffer();
  }
  expect(seen).toEqual([
    ["2", "c3a9"],
    ["2", "00ff"],
    ["0", ""],
  ]);
});

test("reports how much of a body was sent, and sends it with its length", async () => {
  const origin = await served((request, response) => {
    let bytes = 0;
    request.on("data", (chunk: Buffer) => (bytes += chunk.length));
    request.on("end", () => response.end(JSON.stringify([request.headers["content-length"], bytes])));
  });
  const fetch = madeFetch();
  for (const [length, reported] of [
    [700_000, [262_144, 524_288, 700_000]],
    [0, []],
  ] as const) {
    const seen: Array<number> = [];
    const options = {
      ...init({ method: "POST", body: new Uint8Array(length) }),
      onBodySent: (bytes: number) => void seen.push(bytes),
    };
    const answer = await (await fetch(origin, options)).arrayBuffer();
    expect([new TextDecoder().decode(answer), seen]).toEqual([`["${length}",${length}]`, reported]);
  }
});

test("progress is reported of what was sent only, and the connection is kept after all was", async () => {
  const sockets = clientSockets();
  const origin = await served((request, response) => {
    if (request.url === "/reset") request.socket.resetAndDestroy();
    else request.resume().on("end", () => response.end());
  });
  const fetch = madeFetch();
  const body = new Uint8Array(20_000_000);
  let last = 0;
  const options = { ...init({ method: "POST", body }), onBodySent: (bytes: number) => (last = bytes) };
  const post = async (path: string) => (await fetch(origin + path, options)).arrayBuffer();
  const written: Array<unknown> = [];
  for (let count = 0; count < 2; count++) {
    await post("/");
    expect([last, sockets.length]).toEqual([body.byteLength, 1]);
    written.push(Reflect.get(sockets[0] as Socket, "_writeGeneric"));
  }
  // Else each request would add a call to each write.
  expect(written[1]).toBe(written[0]);
  await expect(post("/reset")).rejects.toMatchObject({ code: "ECONNRESET" });
  await new Promise(setImmediate);
  expect(last).toBeLessThan(body.byteLength);
  const controller = new AbortController();
  const onBodySent = (bytes: number): void => {
    last = bytes;
    controller.abort(new Error("enough"));
  };
  await expect(fetch(origin, { ...options, signal: controller.signal, onBodySent })).rejects.toThrow("enough");
  await new Promise(setImmediate);
  expect(last).toBe(262_144);
});

test.for([
  [30_000, {}],
  [30_000, { onBodySent: () => {} }],
  [29_999, {}],
] as const)(
  "an answer is read to its end where the server resets the connection before the body was sent (%d, %o)",
  async ([rest, more]) => {
    const first = Promise.withResolvers<Socket>();
    const origin = await rawServer((socket) => {
      socket.pause();
      // More than is buffered of an unread body: the rest stays with the system.
      socket.write(`HTTP/1.1 413 Content Too Large\r\ncontent-length: 100000\r\n\r\n${"x".repeat(70_000)}`);
      first.resolve(socket);
    });
    const sockets = clientSockets();
    const body = new Uint8Array(20_000_000);
    const response = await madeFetch()(origin, { ...init({ method: "POST", body }), ...more });
    await expect.poll(() => sockets[0]?.bytesRead).toBeGreaterThan(70_000);
    const socket = await first.promise;
    await new Promise((resolve) => socket.write("x".repeat(rest), resolve));
    socket.resetAndDestroy();
    await once(socket, "close");
    await new Promise(setImmediate);
    const read = await response.arrayBuffer().catch((error: unknown) => error);
    expect(response.status).toBe(413);
    expect(read).toMatchObject(rest === 30_000 ? { byteLength: 100_000 } : { code: "ECONNRESET" });
    await expect.poll(() => sockets[0]?.closed).toBe(true);
  },
);

test("an answer that is read before the body was sent closes the connection", async () => {
  const first = Promise.withResolvers<Socket>();
  const origin = await rawServer((socket) => {
    socket.pause().write(head("no").replace("200 OK", "413 Content Too Large"));
    first.resolve(socket);
  });
  const body = new Uint8Array(20_000_000);
  const response = await madeFetch()(origin, init({ method: "PUT", body }));
  expect([response.status, (await response.arrayBuffer()).byteLength]).toEqual([413, 2]);
  const socket = await first.promise;
  await once(socket.removeAllListeners("data").resume(), "close");
  expect(socket.bytesRead).toBeLessThan(body.byteLength);
});

test.for(["bytes", "reader"] as const)(
  "an abort or cancel ends %s, also where only the decoder is not ready",
  async (by) => {
    const whole = gzipSync(Buffer.alloc(16 * 1024 * 1024));
    const origin = await served((request, response) => {
      response.setHeader("content-encoding", "gzip");
      if (request.url === "/cut") response.write(whole.subarray(0, 50));
      else response.end(whole);
    });
    const requests = published(
      "http.client.request.start",
      (message) => (message as { request: http.ClientRequest }).request,
    );
    const fetch = madeFetch();
    const reading = async (path: string, signal: AbortSignal) => {
      const response = await fetch(`${origin}${path}`, init({ signal }));
      const reader = by === "reader" ? response.body?.getReader() : undefined;
      const lengthRead = async () => {
        if (reader === undefined) return (await response.arrayBuffer()).byteLength;
        let length = 0;
        for (let part = await reader.read(); !part.done; part = await reader.read())
          length += part.value?.byteLength ?? 0;
        return length;
      };
      return { read: lengthRead(), cancel: () => (reader ?? response.body)?.cancel() };
    };
    const { signal } = new AbortController();
    const cut = await reading("/cut", signal);
    await Promise.all([cut.cancel(), expect(cut.read).rejects.toThrow("the body was cancelled")]);
    const controller = new AbortController();
    const { read } = await reading("/whole", controller.signal);
    const abort = () => controller.abort(new Error("enough"));
    // All has come, and the connection is free.
    if (requests[1]?.closed === true) abort();
    else requests[1]?.once("close", abort);
    await expect(read).rejects.toThrow("enough");
    expect(await (await reading("/whole", signal)).read).toBe(16 * 1024 * 1024);
    await expect.poll(() => getEventListeners(signal, "abort")).toEqual([]);
  },
);

test("to cancel a redirect whose body broke off before rejects with its error", async () => {
  const sockets = clientSockets();
  const origin = await rawServer((socket) => socket.end("HTTP/1.1 302 Found\r\ncontent-length: 9\r\n\r\nmoved"));
  const { body } = await madeFetch()(origin, init());
  await expect.poll(() => sockets[0]?.closed).toBe(true);
  await expect(body?.cancel()).rejects.toMatchObject({ code: "ECONNRESET" });
});

test("a body in many chunks is read as it was sent, whole and by the reader", async () => {
  const sent = Buffer.from(Array.from({ length: 300_000 }, (_, index) => (index * 7) % 251));
  const origin = await served((_request, response) => void response.end(sent));
  const fetch = madeFetch();
  const whole = await (await fetch(origin, init())).arrayBuffer();
  expect(Buffer.from(whole).equals(sent)).toBe(true);
  const reader = (await fetch(origin, init())).body?.getReader();
  const chunks: Array<Uint8Array> = [];
  for (let read = await reader?.read(); read?.value !== undefined; read = await reader?.read()) chunks.push(read.value);
  expect(chunks.length).toBeGreaterThan(1);
  expect(Buffer.concat(chunks).equals(sent)).toBe(true);
});

test.for(["one", "one,two", "a,b,c"])("a body in chunks of transfer coding is whole: %s", async (text) => {
  const chunks = text.split(/(?<=,)/).map((each) => `${each.length}\r\n${each}\r\n`);
  const origin = await rawServer((socket) =>
    socket.write(`HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n${chunks.join("")}0\r\n\r\n`),
  );
  const read = await (await madeFetch()(origin, init())).arrayBuffer();
  expect(new TextDecoder().decode(read)).toBe(text);
});

test("a body cut short is undecodable, not empty", async () => {
  const origin = await rawServer((socket) => socket.end(head(engine).slice(0, -5)));
  expect(await reasonOf(clientOf(origin).get("zipper"))).toMatchObject({ _tag: "Undecodable" });
});

test("rejects with the reason of the signal: before, in the request and in the body", async () => {
  const stop = new Error("stop");
  let reached: (() => void) | undefined;
  const origin = await served((request, response) => {
    if (request.url?.includes("body") === true) response.writeHead(200).write("{");
    reached?.();
  });
  const fetch = madeFetch();
  await expect(fetch(origin, init({ signal: AbortSignal.abort(stop) }))).rejects.toBe(stop);

  const inRequest = new AbortController();
  const arrived = new Promise<void>((resolve) => (reached = resolve));
  const call = fetch(origin, init({ signal: inRequest.signal }));
  await arrived;
  inRequest.abort(stop);
  await expect(call).rejects.toBe(stop);

  for (const read of ["bytes", "reader"] as const) {
    const inBody = new AbortController();
    const response = await fetch(`${origin}/body`, init({ signal: inBody.signal }));
    const reader = read === "reader" ? response.body?.getReader() : undefined;
    // The first part is there; the rest never comes.
    await reader?.read();
    const body = reader === undefined ? response.bytes?.() : reader.read();
    inBody.abort(stop);
    await expect(body).rejects.toBe(stop);
  }
});

test("follows no redirect by itself", async () => {
  const origin = await served((_, response) => response.writeHead(302, { location: "http://192.0.2.1/" }).end());
  expect((await madeFetch()(origin, init())).status).toBe(302);
});

test("a redirect is followed on the same connection, unless its body is long or breaks off", async () => {
  const sockets = new Set<unknown>();
  const bodies: Readonly<Record<string, string>> = { none: "", short: "moved", long: "x".repeat(100_000) };
  const origin = await served((request, response) => {
    sockets.add(request.socket);
    const body = bodies[request.headers["x-body"] as string] ?? "";
    if (request.url?.endsWith("/moved") === true) response.setHeader("content-type", "application/json").end(engine);
    else response.writeHead(302, { location: "/moved" }).end(body);
  });
  const client = clientOf(origin);
  for (const [body, connections] of [
    ["none", 1],
    ["short", 1],
    ["long", 2],
  ] as const) {
    sockets.clear();
    expect((await client.get("zipper", { headers: { "x-body": body } })).name).toBe("zipper");
    expect([body, sockets.size]).toEqual([body, connections]);
  }
});

test.for([{}, { maxConnections: 1 }])("a redirect is followed whose body does not end (%o)", async (options) => {
  const origin = await rawServer((socket, _, text) => {
    if (text.includes("/moved")) socket.write(head(engine));
    else socket.write("HTTP/1.1 302 Found\r\nlocation: /moved\r\ncontent-length: 9\r\n\r\nmov");
  });
  expect((await clientOf(origin, { fetch: madeFetch(options) }).get("zipper")).name).toBe("zipper");
});

test.for(["bytes", "reader"] as const)("a body without length that ends with a reset is cut short (%s)", async (by) => {
  const first = Promise.withResolvers<Socket>();
  const origin = await rawServer((socket) => {
    socket.write("HTTP/1.1 200 OK\r\n\r\npart");
    first.resolve(socket);
  });
  const response = await madeFetch()(origin, init());
  const socket = await first.promise;
  const reader = by === "reader" ? response.body?.getReader() : undefined;
  await reader?.read();
  const rest = reader === undefined ? response.arrayBuffer() : reader.read();
  socket.resetAndDestroy();
  await expect(rest).rejects.toMatchObject({ code: "ECONNRESET" });
});

test.for(["lzma", "lzma, gzip"])(
  "the unknown content coding in %s is named, and the connection ends",
  async (coding) => {
    const closed = Promise.withResolvers<void>();
    const origin = await rawServer((socket) => {
      socket.once("close", closed.resolve);
      socket.write(head(engine, `content-encoding: ${coding}\r\n`).slice(0, -5));
    });
    const { signal } = new AbortController();
    const response = await madeFetch()(origin, init({ signal }));
    const problem = 'unknown content coding "lzma"';
    await expect(response.arrayBuffer()).rejects.toThrow(problem);
    await closed.promise;
    await expect.poll(() => getEventListeners(signal, "abort")).toEqual([]);
    expect(await reasonOf(clientOf(origin).get("zipper"))).toMatchObject({ _tag: "Undecodable", problem });
  },
);

test("a body is sent with its length whatever the method, and none with GET", async () => {
  const seen: Array<string> = [];
  const origin = await served((request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (part: string) => (text += part));
    request.on("end", () => {
      seen.push(`${request.method} ${request.headers["content-length"]} ${text}`);
      response.end();
    });
  });
  const fetch = madeFetch();
  const body = "\r\nGET /smuggled HTTP/1.1\r\nhost: h\r\n\r\n";
  for (const method of ["DELETE", "OPTIONS", "PROPFIND", "POST"]) {
    await (await fetch(origin, init({ method, body }))).arrayBuffer();
    expect(seen.splice(0)).toEqual([`${method} ${body.length} ${body}`]);
  }
  for (const method of ["GET", "HEAD"])
    await expect(fetch(origin, init({ method, body }))).rejects.toThrow(`a ${method} cannot have a body`);
  expect(seen).toEqual([]);
});

test("header names in capitals are sent once, undefined ones not, and no header that misleads the server", async () => {
  const origin = await rawServer((socket, _, text) => socket.write(head(text)));
  const fetch = madeFetch();
  const headers = { "Accept-Encoding": "gzip", A: "1", b: undefined } as unknown as Record<string, string>;
  for (const method of ["GET", "POST"]) {
    const lines = new TextDecoder().decode(await (await fetch(origin, init({ method, headers }))).arrayBuffer());
    expect(
      lines
        .toLowerCase()
        .split("\r\n")
        .filter((line) => /^(?:host|accept-encoding|a|b):/.test(line)),
    ).toEqual([`host: ${new URL(origin).host}`, "a: 1", "accept-encoding: gzip"]);
  }
  for (const name of ["Content-Length", "transfer-encoding", "HOST", "connection"])
    await expect(fetch(origin, init({ headers: { [name]: "0" } }))).rejects.toThrow(`the header ${name.toLowerCase()}`);
});

test("every method carries the password of a proxy, whose address needs no http://", async () => {
  const seen: Array<unknown> = [];
  const proxy = await served((request, response) => {
    seen.push([request.method, request.url, request.headers["proxy-authorization"]]);
    response.end();
  });
  for (const http_proxy of [proxy.replace("//", "//u:p@"), `u:p@${new URL(proxy).host}`])
    for (const method of ["GET", "POST"]) {
      const fetch = madeFetch({ proxyEnv: { http_proxy } });
      await (await fetch("http://example.test/a", init({ method }))).arrayBuffer();
      expect(seen.splice(0)).toEqual([[method, "http://example.test/a", `Basic ${btoa("u:p")}`]]);
    }
});

test.for([
  ["HTTP_PROXY", "http://u:p4ssw0rd@["],
  ["http_proxy", "foo"],
  ["HTTPS_PROXY", "socks5://u:p4ssw0rd@127.0.0.1:1080"],
  ["https_proxy", "http://"],
  ["HTTP_PROXY", "/p4ssw0rd"],
  ["HTTP_PROXY", "http://u:%p4ssw0rd@127.0.0.1:1"],
] as const)("%s=%s is refused by name, and its value is not shown", ([name, value]) => {
  expect(() => nodeFetch({ proxyEnv: { [name]: value } })).toThrow(`${name} is not the URL of an http or https proxy`);
  expect(() => nodeFetch({ proxyEnv: { [name]: value } })).not.toThrow("p4ssw0rd");
});

test.for<[noProxy: string, isAround: boolean, host?: string]>([
  ["", false],
  ["a.example, 127.0.0.1 ", true],
  ["127.0.0.1:PORT", true],
  ["127.0.0.1:1", false],
  ["*", true],
  ["*.0.0.1", true],
  ["*.127.0.0.1", false],
  [".0.1", true],
  [".127.0.0.1", true],
  [".7.0.0.1", false],
  ["7.0.0.1", false],
  ["127", false],
  ["a.example,,b.example", false],
  ["LocalHost", true, "localhost"],
  ["126.255.255.255 - 127.0.0.1", true],
  ["127.0.0.1-127.0.0.1", true],
  ["127.0.0.2-127.0.0.9", false],
  ["126.0.0.1-127.0.0.0", false],
  ["127.0.0.9-127.0.0.0", false],
  ["127.0.0.0-a", false],
  ["0-127.0.0.9", false],
  ["126.0.0.9-127.0.1.0", true],
  ["9.0.0.0-127.0.0.10", true],
  ["a-127.0.0.9", false],
  ["127.0.0.0/8", false],
  ["0.0.0.0-255.255.255.255", false, "localhost"],
])("NO_PROXY=%s: around the proxy? %s", async ([list, isAround, host = "127.0.0.1"]) => {
  const origin = await served((_request, response) => response.end("origin"));
  const HTTP_PROXY = await served((_request, response) => response.end("proxy"));
  const { port } = new URL(origin);
  const fetch = madeFetch({ proxyEnv: { HTTP_PROXY, NO_PROXY: list.replace("PORT", port) } });
  const response = await fetch(`http://${host}:${port}/`);
  expect(new TextDecoder().decode(await response.arrayBuffer())).toBe(isAround ? "origin" : "proxy");
});

test("NO_PROXY knows the usual port, IPv6 without brackets, and its name in lower case first", async () => {
  const seen: Array<unknown> = [];
  const HTTP_PROXY = await served((request, response) => {
    seen.push(request.url);
    response.end();
  });
  for (const [url, no_proxy] of [
    ["http://proxied.test/", "proxied.test:8080"],
    ["http://127.0.0.1:1/", "127.0.0.1:1"],
    ["http://[::1]:1/", "::1"],
    ["http://[::1]:1/a", "[::1]"],
  ] as const) {
    const fetch = madeFetch({ proxyEnv: { HTTP_PROXY, no_proxy, NO_PROXY: "proxied.test" } });
    await (await fetch(url).catch(() => undefined))?.arrayBuffer();
  }
  expect(seen).toEqual(["http://proxied.test/", "http://[::1]:1/a"]);
  const around = madeFetch({ proxyEnv: { HTTP_PROXY, NO_PROXY: "127.0.0.9:80" } });
  await expect(around("http://127.0.0.9/")).rejects.toMatchObject({ code: "ECONNREFUSED", port: 80 });
});

test("goes through the proxy that the environment names, and around it for NO_PROXY", async () => {
  const origin = await served((_, response) => response.setHeader("content-type", "application/json").end(engine));
  const targets: Array<string> = [];
  const proxy = http.createServer((request, response) => {
    targets.push(request.url ?? "");
    const through = http.request(request.url ?? "", { headers: request.headers }, (answer) => {
      response.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(response);
    });
    through.end();
  });
  proxy.on("connect", (request, socket: Socket) => {
    targets.push(request.url ?? "");
    const [host, port] = (request.url ?? "").split(":");
    const through = connect(Number(port), host, () => socket.write("HTTP/1.1 200 OK\r\n\r\n"));
    through.on("error", () => socket.destroy());
    socket.on("error", () => through.destroy());
    socket.pipe(through).pipe(socket);
  });
  const HTTP_PROXY = await listening(proxy);
  const through = clientOf(origin, { fetch: madeFetch({ proxyEnv: { HTTP_PROXY } }) });
  expect((await through.get("zipper")).name).toBe("zipper");
  expect(targets).toHaveLength(1);
  const around = clientOf(origin, { fetch: madeFetch({ proxyEnv: { HTTP_PROXY, NO_PROXY: "127.0.0.1" } }) });
  expect((await around.get("zipper")).name).toBe("zipper");
  expect(targets).toHaveLength(1);
});

test("names the option that cannot be, and the protocol that it does not speak", async () => {
  expect(() => nodeFetch({ idleTimeoutMs: -1 })).toThrow(/idleTimeoutMs/);
  expect(() => nodeFetch({ maxConnections: 0 })).toThrow(/maxConnections/);
  for (const [options, message] of [
    [{ maxConnection: 1 }, 'there is no option "maxConnection"; did you mean "maxConnections"?'],
    [{ tls: { caa: 1 } }, 'there is no option "tls.caa"; did you mean "ca"?'],
    [{ tls: 5 }, "tls must be an object, not a number"],
    [{ proxyEnv: "http://a" }, "proxyEnv must be an object, not a string"],
    [5, "options must be an object, not a number"],
    [null, "options must be an object, not null"],
  ] as const)
    expect(() => nodeFetch(options as unknown as NodeFetchOptions)).toThrow(message);
  await expect(madeFetch()("ftp://127.0.0.1/", init())).rejects.toThrow(/ftp:/);
});

test("a timeout closes the connection, and no AbortSignal is made for it", async () => {
  const closed = Promise.withResolvers<void>();
  const origin = await rawServer((socket) => void socket.once("close", () => closed.resolve()));
  const made = madeFetch();
  const signals: Array<unknown> = [];
  const takesOnAbort = made.takesOnAbort ?? false;
  const fetch: Fetch = Object.assign(
    (url: string, init: FetchInit) => {
      signals.push(init.signal);
      return made(url, init);
    },
    { takesOnAbort },
  );
  const call = clientOf(origin, { fetch, attemptTimeoutMs: 50 }).get("a");
  expect(await reasonOf(call)).toMatchObject({ _tag: "TimedOut", scope: "attempt" });
  await closed.promise;
  expect(signals).toEqual([undefined]);
});
