import { getEventListeners, once } from "node:events";
import type { Socket } from "node:net";
import { expect, onTestFinished, test, vi } from "vitest";
import { nodeFetch, type NodeFetchOptions } from "./node.ts";
import type { Fetch, FetchInit } from "./promise.ts";
import {
  clientOf,
  clientSockets,
  engine,
  head,
  init,
  published,
  madeFetch,
  rawServer,
  reasonOf,
  served,
} from "../test/NodeServers.ts";

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

/** The first address and port to which a request connects. */
const peerOf = async (url: string, options?: NodeFetchOptions): Promise<ReadonlyArray<unknown>> => {
  const attempts = published("net.client.socket", (message) =>
    once((message as { socket: Socket }).socket, "connectionAttempt"),
  );
  const controller = new AbortController();
  const call = madeFetch(options)(url, init({ signal: controller.signal })).catch(String);
  await expect.poll(() => attempts.length).toBe(1);
  const [address, port] = (await attempts[0]) ?? [];
  controller.abort();
  await call;
  return [address, port];
};

test("the proxy of the process is used, unless proxyEnv is false", async () => {
  for (const name of ["http_proxy", "NO_PROXY", "no_proxy"]) vi.stubEnv(name, "");
  vi.stubEnv("HTTP_PROXY", "127.0.0.1:1");
  onTestFinished(() => void vi.unstubAllEnvs());
  expect(await peerOf("http://192.0.2.1:2/")).toEqual(["127.0.0.1", 1]);
  expect(await peerOf("http://192.0.2.1:2/", { proxyEnv: false })).toEqual(["192.0.2.1", 2]);
});

test.for(["idleTimeoutMs", "maxConnections"])("%s is 2147483647 at most", (name) => {
  expect(() => nodeFetch({ [name]: 2_147_483_647 })).not.toThrow();
  expect(() => nodeFetch({ [name]: 2_147_483_648 })).toThrow("to 2147483647, not 2147483648");
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
  ["resets", 30_000, {}],
  ["resets", 30_000, { onBodySent: () => {} }],
  ["resets", 29_999, {}],
  ["ends", 30_000, {}],
] as const)(
  "an answer is read to its end where the server %s the connection before the body was sent (%d, %o)",
  async ([how, rest, more]) => {
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
    if (how === "resets") socket.resetAndDestroy();
    else socket.end(() => socket.destroy());
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

  for (const read of ["whole", "reader"] as const) {
    const inBody = new AbortController();
    const response = await fetch(`${origin}/body`, init({ signal: inBody.signal }));
    const reader = read === "reader" ? response.body?.getReader() : undefined;
    // The first part is there; the rest never comes.
    await reader?.read();
    const body = reader === undefined ? response.arrayBuffer() : reader.read();
    inBody.abort(stop);
    await expect(body).rejects.toBe(stop);
  }
});

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
  ["a.example, 192.0.2.1 ", true],
  ["192.0.2.1:8080", true],
  ["192.0.2.1:1", false],
  ["*", true],
  ["*.0.2.1", true],
  ["*.192.0.2.1", false],
  [".2.1", true],
  [".192.0.2.1", true],
  [".2.0.2.1", false],
  ["2.0.2.1", false],
  ["192", false],
  ["a.example,,b.example", false],
  ["2001:DB8::1", true, "[2001:db8::1]"],
  ["[2001:db8::1]", false, "[2001:db8::1]"],
  ["191.255.255.255 - 192.0.2.1", true],
  ["192.0.2.1-192.0.2.1", true],
  ["192.0.2.2-192.0.2.9", false],
  ["191.0.2.1-192.0.2.0", false],
  ["192.0.2.9-192.0.2.0", false],
  ["192.0.2.0-a", false],
  ["0-192.0.2.9", false],
  ["191.0.2.9-192.0.3.0", true],
  ["9.0.0.0-192.0.2.10", true],
  ["a-192.0.2.9", false],
  ["192.0.0.0/8", false],
  ["0.0.0.0-255.255.255.255", false, "a.test"],
])("NO_PROXY=%s: around the proxy? %s", async ([NO_PROXY, isAround, host = "192.0.2.1"]) => {
  const [address] = await peerOf(`http://${host}:8080/`, { proxyEnv: { HTTP_PROXY: "127.0.0.1:1", NO_PROXY } });
  expect(address).toBe(isAround ? host.replaceAll(/[[\]]/g, "") : "127.0.0.1");
});

test("NO_PROXY knows the usual port, and its name in lower case is the first", async () => {
  const proxyEnv = { HTTP_PROXY: "127.0.0.1:1", no_proxy: "192.0.2.1:80,192.0.2.2:8080", NO_PROXY: "192.0.2.2" };
  expect(await peerOf("http://192.0.2.1/", { proxyEnv })).toEqual(["192.0.2.1", 80]);
  expect(await peerOf("http://192.0.2.2/", { proxyEnv })).toEqual(["127.0.0.1", 1]);
});

test.for(["localhost", "127.0.0.1", "127.9.8.7", "[::1]"])("a request for %s goes through no proxy", async (host) => {
  const proxyEnv = { http_proxy: "192.0.2.1", https_proxy: "192.0.2.1" };
  for (const url of [`http://${host}:1/`, `https://${host}:1/`])
    expect(await peerOf(url, { proxyEnv })).toEqual([expect.not.stringContaining("192") as unknown, 1]);
});

test("the proxy of a URL is named without its password", () => {
  const fetch = madeFetch({ proxyEnv: { http_proxy: "http://u:p@192.0.2.1:3128" } });
  expect(["http://a.test/b", "https://a.test/", "http://localhost/"].map((url) => fetch.proxyOf(url))).toEqual([
    "http://192.0.2.1:3128",
    undefined,
    undefined,
  ]);
});

test("a client asks through the proxy, for the server by its name", async () => {
  const asked: Array<string> = [];
  const HTTP_PROXY = await served((request, response) => {
    asked.push(request.url ?? "");
    response.setHeader("content-type", "application/json").end(engine);
  });
  const through = clientOf("http://a.test:81", { fetch: madeFetch({ proxyEnv: { HTTP_PROXY } }) });
  expect((await through.get("zipper")).name).toBe("zipper");
  expect(asked).toEqual(["http://a.test:81/v1/dev/engines/zipper"]);
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
