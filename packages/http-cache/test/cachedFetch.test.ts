import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { readFileSync } from "node:fs";
import { close, listen } from "@bytenite-engines/test-kit/ports";
import { afterAll, beforeAll, beforeEach, expect, test, vi } from "vitest";
import { cachedFetch } from "../examples/cachedFetch.ts";

/** What the origin does with the next requests, and what it got. */
let handler: (request: IncomingMessage, response: ServerResponse) => void;
const received: Array<IncomingMessage> = [];
const server = createServer((request, response) => {
  received.push(request);
  // Its Date would be that of the real clock.
  response.sendDate = false;
  handler(request, response);
});
let origin = "";
let path = 0;

beforeAll(async () => {
  vi.useFakeTimers({ toFake: ["Date"] });
  origin = await listen(server);
});
afterAll(() => {
  vi.useRealTimers();
  return close(server);
});
beforeEach(() => {
  received.length = 0;
  path += 1;
});

const url = (): string => `${origin}/${path}`;
const later = (seconds: number): unknown => vi.setSystemTime(Date.now() + seconds * 1000);
const text = async (headers: Record<string, string> = {}): Promise<string> =>
  (await cachedFetch(url(), { headers })).text();

/** Responds with these fields and a body that counts, and 304 to its own entity tag. */
const respondWith = (fields: Record<string, string>): void => {
  let count = 0;
  handler = (request, response) => {
    for (const [name, value] of Object.entries(fields)) response.setHeader(name, value);
    const tag = fields["etag"];
    if (tag !== undefined && request.headers["if-none-match"] === tag) response.writeHead(304).end();
    else response.end(`${(count += 1)}`);
  };
};

test("the README has this example, which has 40 lines", () => {
  const example = readFileSync(new URL("../examples/cachedFetch.ts", import.meta.url), "utf8");
  expect(readFileSync(new URL("../README.md", import.meta.url), "utf8")).toContain(example);
  const lines = example.split("\n").filter((line) => line !== "" && !line.startsWith("/**"));
  expect(lines.length).toBeLessThanOrEqual(40);
});

test("a 304 of the resource to which a validation is redirected confirms nothing", async () => {
  respondWith({ "cache-control": "max-age=60", etag: '"1"' });
  expect(await text()).toBe("1");
  later(61);
  handler = (request, response) => {
    if (request.url !== "/moved") response.writeHead(302, { location: "/moved" }).end();
    else if (request.headers["if-none-match"] === '"1"') response.writeHead(304, { etag: '"1"' }).end();
    else response.end("moved");
  };
  expect(await text()).toBe("moved");
});

test("a fresh response is served from the cache", async () => {
  respondWith({ "cache-control": "max-age=60" });
  expect([await text(), await text()]).toEqual(["1", "1"]);
  later(5);
  expect((await cachedFetch(url())).headers.get("age")).toBe("5");
  later(60);
  expect(await text()).toBe("2");
});

test("a stale response is validated, and fresh again afterwards", async () => {
  respondWith({ "cache-control": "max-age=60", etag: '"a"' });
  await text();
  later(60);
  expect(await text({ "if-none-match": '"b"' })).toBe("1");
  expect(received[1]?.headers["if-none-match"]).toBe('"a"');
  expect(await text()).toBe("1");
  expect((await cachedFetch(url(), { headers: { "if-none-match": '"a"' } })).status).toBe(304);
  expect(received).toHaveLength(2);
});

test("a 304 for another representation is asked again", async () => {
  respondWith({ "cache-control": "max-age=60", etag: '"a"' });
  await text();
  later(60);
  handler = (request, response) => {
    if (request.headers["if-none-match"] === undefined) response.end("new");
    else response.writeHead(304, { etag: '"b"' }).end();
  };
  expect(await text()).toBe("new");
});

test("stale-while-revalidate serves and validates behind", async () => {
  respondWith({ "cache-control": "max-age=60, stale-while-revalidate=60" });
  await text();
  later(61);
  expect(await text()).toBe("1");
  await vi.waitUntil(async () => (await text()) !== "1");
  expect(received.length).toBeGreaterThan(1);
});

test("stale-if-error covers errors and an unreachable origin, and nothing else does", async () => {
  respondWith({ "cache-control": "max-age=60, stale-if-error=60" });
  await text();
  later(61);
  handler = (_, response) => response.writeHead(503).end();
  expect(await text()).toBe("1");
  handler = (request) => request.socket.destroy();
  expect(await text()).toBe("1");
  later(60);
  await expect(text()).rejects.toThrow("fetch failed");
});

test("only-if-cached, HEAD, POST, redirects and no-store", async () => {
  respondWith({ "cache-control": "max-age=60", etag: '"a"' });
  expect((await cachedFetch(url(), { headers: { "cache-control": "only-if-cached" } })).status).toBe(504);
  await text();
  const head = await cachedFetch(url(), { method: "HEAD" });
  expect([head.status, head.headers.get("etag"), await head.text()]).toEqual([200, '"a"', ""]);
  expect(received).toHaveLength(1);
  expect(await (await cachedFetch(url(), { method: "POST", body: "x" })).text()).toBe("2");
  expect(await text()).toBe("3");
  // A HEAD that shows another representation removes the stored one.
  respondWith({ etag: '"b"' });
  await cachedFetch(url(), { method: "HEAD", headers: { "cache-control": "no-cache" } });
  expect(await text()).toBe("2");
  respondWith({ "cache-control": "no-store" });
  later(60);
  expect([await text(), await text()]).toEqual(["1", "2"]);
  path += 1;
  const target = url();
  path += 1;
  handler = (request, response) =>
    `${origin}${request.url}` === target
      ? response.writeHead(200, { "cache-control": "max-age=60" }).end("target")
      : response.writeHead(302, { location: target }).end();
  expect([await text(), await text()]).toEqual(["target", "target"]);
  expect(received.slice(-4).map((request) => request.url)).toHaveLength(4);
});

test.each([204, 205])("a stored %i has no body", async (status) => {
  handler = (_, response) => {
    response.writeHead(status, { "cache-control": "max-age=60" }).end();
  };
  expect((await cachedFetch(url())).status).toBe(status);
  expect((await cachedFetch(url())).status).toBe(status);
  expect(received).toHaveLength(1);
});

test("a fragment is not part of the key", async () => {
  respondWith({ "cache-control": "max-age=60", etag: '"a"' });
  const fragment = async (name: string) => (await cachedFetch(`${url()}#${name}`)).text();
  expect([await fragment("a"), await fragment("b"), await text()]).toEqual(["1", "1", "1"]);
  later(60);
  expect([await fragment("a"), await text(), await fragment("c")]).toEqual(["1", "1", "1"]);
  expect(received).toHaveLength(2);
  await cachedFetch(`${url()}#a`, { method: "POST", body: "x" });
  expect(await fragment("a")).toBe("3");
});
