import { createServer, type RequestListener } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { brotliCompressSync, deflateSync, gzipSync, zstdCompressSync } from "node:zlib";
import { expect, test } from "vitest";
import { httpFetch } from "./HttpFetch.ts";

/** A server for one test. */
const serving = async (listener: RequestListener): Promise<AsyncDisposable & { readonly url: string }> => {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await once(server, "listening");
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
    },
  };
};

const body = "the answer ".repeat(1_000);

test("an answer comes with status, headers and body, in one go and piece by piece", async () => {
  await using server = await serving((request, response) => {
    response.writeHead(201, { "content-type": "text/plain", "x-asked": request.headers["x-ask"] ?? "no" });
    response.end(body);
  });
  const answer = await httpFetch(server.url, { headers: { "x-ask": "yes" } });
  expect([
    answer.status,
    answer.headers.get("Content-Type"),
    answer.headers.get("x-asked"),
    answer.headers.get("x-none"),
  ]).toEqual([201, "text/plain", "yes", null]);
  expect(new TextDecoder().decode(await answer.arrayBuffer())).toBe(body);
  const reader = (await httpFetch(server.url, {})).body?.getReader();
  let text = "";
  for (let part = await reader?.read(); part?.done === false; part = await reader?.read())
    text += new TextDecoder().decode(part.value);
  expect(text).toBe(body);
});

test("a body that was compressed unasked is understood, one that cannot be is refused", async () => {
  const encoders = { gzip: gzipSync, deflate: deflateSync, br: brotliCompressSync, zstd: zstdCompressSync };
  await using server = await serving((request, response) => {
    const name = (request.url ?? "").slice(1);
    response.setHeader("content-encoding", name);
    response.end(Object.hasOwn(encoders, name) ? encoders[name as keyof typeof encoders](Buffer.from(body)) : body);
  });
  for (const name of Object.keys(encoders)) {
    const answer = await httpFetch(server.url + name, {});
    expect([name, new TextDecoder().decode(await answer.arrayBuffer())]).toEqual([name, body]);
  }
  await expect(httpFetch(`${server.url}rot13`, {})).rejects.toThrow('encoded as "rot13"');
});

test("a redirect is handed on, not followed", async () => {
  await using server = await serving((_, response) => response.writeHead(302, { location: "/elsewhere" }).end());
  const answer = await httpFetch(server.url, { redirect: "manual" });
  expect([answer.status, answer.headers.get("location")]).toEqual([302, "/elsewhere"]);
});

test("a connection that is refused, a body that breaks off and a signal reject", async () => {
  await expect(httpFetch("http://127.0.0.1:9/", {})).rejects.toMatchObject({ code: "ECONNREFUSED" });
  await using server = await serving((request, response) => {
    if (request.url === "/silent") return;
    response.writeHead(200, { "content-length": "1000" });
    response.write("short", () => response.destroy());
  });
  const broken = await httpFetch(server.url, {});
  await expect(broken.arrayBuffer()).rejects.toMatchObject({ code: "ECONNRESET" });
  const controller = new AbortController();
  const pending = httpFetch(`${server.url}silent`, { signal: controller.signal });
  controller.abort();
  await expect(pending).rejects.toMatchObject({ name: "AbortError" });
});

test("a kept connection that the server has closed is replaced without a word", async () => {
  let requests = 0;
  await using server = await serving((request, response) => {
    requests++;
    if (requests === 2) {
      // As a server does whose keep-alive time is over just then.
      request.socket.resetAndDestroy();
      return;
    }
    response.end("fine");
  });
  await (await httpFetch(server.url, {})).arrayBuffer();
  const answer = await httpFetch(server.url, {});
  expect(new TextDecoder().decode(await answer.arrayBuffer())).toBe("fine");
  expect(requests).toBe(3);
});
