import { randomBytes } from "node:crypto";
import { getEventListeners } from "node:events";
import type * as http from "node:http";
import type { Socket } from "node:net";
import { brotliCompressSync, gzipSync, zstdCompressSync } from "node:zlib";
import { expect, test } from "vitest";
import {
  clientOf,
  clientSockets,
  engine,
  head,
  init,
  madeFetch,
  published,
  rawServer,
  reasonOf,
  served,
} from "../../test/NodeServers.ts";

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

test.for([
  ["plain", (body: Buffer) => body],
  ["gzip", gzipSync],
] as const)("reads a body as long as its limit, and none a byte longer: %s", async ([coding, compress]) => {
  const origin = await served((_, response) => {
    response.writeHead(200, coding === "gzip" ? { "content-encoding": coding } : {});
    response.end(compress(Buffer.alloc(100_000)));
  });
  const read = async (maxBytes: number) =>
    (await madeFetch()(origin, init())).bytesWithin(maxBytes, () => new RangeError(`more than ${maxBytes}`));
  expect(await read(100_000)).toHaveLength(100_000);
  await expect(read(99_999)).rejects.toEqual(new RangeError("more than 99999"));
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

// A decoder that goes on after its end keeps the process busy for ever.
test.for(["gzip", "br", "zstd"] as const)(
  "goes on after a %s body whose connection breaks off, or that is given up",
  async (coding) => {
    const compress = { gzip: gzipSync, br: brotliCompressSync, zstd: zstdCompressSync }[coding];
    const small = compress("hello hello hello");
    const large = compress(randomBytes(400_000));
    const origin = await rawServer((socket, _count, asked) => {
      const body = asked.startsWith("GET /small ") ? small : large;
      socket.write(`HTTP/1.1 200 OK\r\ncontent-encoding: ${coding}\r\ncontent-length: ${body.length + 1}\r\n\r\n`);
      if (body === small) socket.end(body);
      else socket.write(body);
    });
    const fetch = madeFetch();
    for (let count = 0; count < 20; count++) {
      const cut = await fetch(`${origin}/small`, init());
      await expect(cut.arrayBuffer()).rejects.toBeInstanceOf(Error);
      const given = await fetch(`${origin}/large`, init());
      const reader = given.body?.getReader();
      await reader?.read();
      await reader?.cancel();
    }
  },
);

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

test.each([
  ["HEAD", "200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 40"],
  ["HEAD", "200 OK\r\ncontent-length: 40"],
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
