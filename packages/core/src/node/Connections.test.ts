import { AsyncLocalStorage } from "node:async_hooks";
import { execFile } from "node:child_process";
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import { getEventListeners, once } from "node:events";
import * as http from "node:http";
import * as https from "node:https";
import { connect, createServer, type AddressInfo, type Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { selfSigned } from "@bytenite-engines/test-kit/certificate";
import { promisify } from "node:util";
import { expect, onTestFinished, test } from "vitest";
import type { FetchInit } from "../promise.ts";
import {
  clientOf,
  clientSockets,
  engine,
  head,
  init,
  listening,
  madeFetch,
  published,
  rawServer,
  reasonOf,
  served,
} from "../../test/NodeServers.ts";

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

test("an address of IPv6 is reached without its brackets", async () => {
  await expect(madeFetch()("http://[::1]:1/")).rejects.toMatchObject({ address: "::1", port: 1 });
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

test.for([{}, { method: "POST", body: "x" }])(
  "a server that speaks no TLS is told from one that is gone (%o)",
  async (more) => {
    const origin = (await served((_request, response) => response.end())).replace("http:", "https:");
    const fetch = madeFetch();
    await expect(fetch(origin, init(more))).rejects.toMatchObject({ code: "EPROTO" });
    const call = clientOf(origin, { fetch: (url, each) => fetch(url, { ...each, ...more }) }).get("zipper");
    expect(await reasonOf(call)).toMatchObject({ _tag: "Unreachable", problem: "tls" });
  },
);

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
    import { nodeFetch } from ${JSON.stringify(new URL("../node.ts", import.meta.url).href)};
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

test("with maxConnections 1 POSTs whose kept connection ends take one connection together", async () => {
  const origin = await served((_, response) => void response.end());
  const sockets = clientSockets();
  const fetch = madeFetch({ maxConnections: 1 });
  const send = async (method: string) =>
    (await fetch(origin, init(method === "POST" ? { method, body: "x" } : {}))).arrayBuffer();
  await send("GET");
  const posts = [send("POST"), send("POST")];
  // It has closed before the first may take it.
  sockets[0]?.destroy();
  await Promise.all(posts);
  expect(sockets).toHaveLength(2);
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
  return { fetch, call: (more?: Partial<FetchInit>) => fetch("https://a.test/", init(more)) };
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
  const calls = [1, 2].map((path) => fetch(`https://[2001:db8::1]/${path}`).catch((error: unknown) => String(error)));
  for (const error of await Promise.all(calls)) {
    expect(error).toContain(message);
    expect(error).not.toContain("p4ss");
  }
  const fields = "host: [2001:db8::1]:443\r\nproxy-connection: keep-alive\r\nproxy-authorization: Basic";
  const sent = `CONNECT [2001:db8::1]:443 HTTP/1.1\r\n${fields} ${btoa("user:p4ss:")}\r\n\r\n`;
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
  const fetch = madeFetch({ maxConnections: 1, proxyEnv: { HTTPS_PROXY }, tls: { ca: cert, servername: "localhost" } });
  const calls = [1, 2, 3].map(
    async (path) => (await (await fetch(`https://a.test/${path}`, init())).arrayBuffer()).byteLength,
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

const meanwhiles = [
  ["ends", [4, 2]],
  ["sends more", [4, 2]],
  ["does nothing", [4, 1]],
  ["close", ["ECONNRESET", 1]],
  ["abort", ["stop", 1]],
  ["ends, and abort", ["stop", 1]],
] as const;
const methods = [{}, { method: "POST", body: "x" }];

test.for(methods.flatMap((method) => meanwhiles.map(([what, expected]) => [what, method, expected] as const)))(
  "a request that waits for what came on its connection before: %s, %o",
  async ([what, method, expected]) => {
    const asked: Array<string> = [];
    const origin = await rawServer((socket, _, text) => {
      asked.push(text.slice(0, 4));
      socket.write(head("here"));
    });
    const sockets = clientSockets();
    let controller = new AbortController();
    const meanwhile = (): void => {
      if (what.startsWith("ends")) sockets[0]?.push(null);
      if (what === "sends more") sockets[0]?.push(head("poison"));
      if (what === "close") fetch.close();
      if (what.endsWith("abort")) controller.abort(new Error("stop"));
    };
    const send = async () => {
      const response = await fetch(origin, init({ ...method, signal: controller.signal })).catch(
        (error: NodeJS.ErrnoException) => error.code ?? error.message,
      );
      return typeof response === "string" ? response : (await response.arrayBuffer()).byteLength;
    };
    let fetch = madeFetch();
    expect(await send()).toBe(4);
    const second = send();
    setImmediate(meanwhile);
    expect([await second, sockets.length]).toEqual(expected);
    // The same where it waited for the connection.
    sockets.length = 0;
    controller = new AbortController();
    fetch = madeFetch({ maxConnections: 1 });
    const first = send();
    sockets[0]?.once("free", () => setImmediate(meanwhile));
    const next = send();
    expect([await first, await next, sockets.length]).toEqual([4, ...expected]);
  },
);
