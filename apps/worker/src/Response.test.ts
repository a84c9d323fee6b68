import { offered } from "@bytenite-engines/core/wire";
import { expect, test } from "vitest";
import { entryWith } from "../test/entry.ts";
import { createBodyBudget } from "./Body.ts";
import type { Answer, Entry } from "./Entry.ts";
import { parseRequest } from "./Request.ts";
import { allowOrigin, respond, respondFromMemory, respondOptions } from "./Response.ts";

const target = "/v1/dev/engines/zipper@0.1";
const other = "/v1/dev/other/x";

const recipient = (fields: Record<string, string> = {}, method = "GET", path = target) => {
  const config = { deployment: "test", forwardedPaths: ["/v1/dev"] };
  const request = parseRequest(method, new Headers(fields), path, config);
  if ("status" in request) throw new Error(request.message);
  const context = { waitUntil: () => {}, isGone: () => false };
  return { request, user: "alice", budget: createBodyBudget(() => 0), context };
};

const fieldsOf = (response: Response) => Object.fromEntries(response.headers);
const hit = { hit: true, ttlMs: 60_000 } as const;
const text = (body: string) => new TextEncoder().encode(body);

test("a hit has its age in seconds and the media type that was asked for; what is made for one serves the others of the second", async () => {
  const [first, second] = offered.filter(({ format }) => format === "protobuf").map(({ mediaType }) => mediaType);
  const entry = entryWith({
    format: "protobuf",
    client: [
      ["content-type", String(first)],
      ["x-a", "b"],
      ["age", "9"],
    ],
  });
  const seen = (nowMs: number, accept = String(first)) => {
    const response = respondFromMemory(entry, nowMs, recipient({ accept }));
    return [
      response.status,
      response.headers.get("age"),
      response.headers.get("content-type"),
      response.headers.get("x-a"),
    ];
  };
  expect(seen(1_000)).toEqual([200, "0", first, "b"]);
  const { prepared } = entry;
  expect([seen(1_999), entry.prepared === prepared]).toEqual([[200, "0", first, "b"], true]);
  expect(seen(1_999, second)).toEqual([200, "0", second, "b"]);
  expect(seen(2_000, second)).toEqual([200, "1", second, "b"]);
  expect(await respondFromMemory(entry, 2_000, recipient()).text()).toBe("{}");
});

test.each([
  [hit, "1", "bytenite-edge; hit; ttl=60", undefined],
  [{ forward: "uri-miss" }, "9", "bytenite-edge; fwd=uri-miss", 'cache;desc="uri-miss"'],
  [
    { forward: "stale", detail: "stale-if-error" },
    "1",
    "bytenite-edge; fwd=stale; detail=stale-if-error",
    'cache;desc="stale-if-error"',
  ],
] as const)("the outcome %j is told", async (outcome, age, cacheStatus, timing) => {
  const entry = entryWith({
    client: [
      ["content-type", "text/plain"],
      ["age", "9"],
    ],
  });
  const response = respond(entry, 2_999, outcome, recipient({ accept: "application/json" }));
  expect([response.status, await response.text(), fieldsOf(response)]).toEqual([
    200,
    "{}",
    {
      age,
      "cache-status": cacheStatus,
      "content-type": "application/json",
      ...(timing && { "server-timing": timing }),
    },
  ]);
});

const plain: Answer = {
  ...entryWith({ endpoint: "other", client: [["etag", '"e"']], bytes: text("abcdef"), format: undefined }),
};
const stored = plain as Entry;
const part = { first: 2, total: 10, askedRange: "bytes=2-7" };
const { fetchedAtMs: _, ...unstored } = stored;
const epoch = "Thu, 01 Jan 1970 00:00:00 GMT";
const changed = { ...stored, client: [["last-modified", epoch]] } as const;

test.each<[string, Answer, Record<string, string>, string, readonly [number, string, string | null, string | null]]>([
  ["whole", stored, {}, "GET", [200, "abcdef", null, null]],
  ["a range", stored, { range: "bytes=1-2" }, "GET", [206, "bc", "bytes 1-2/6", "2"]],
  ["a range beyond it", stored, { range: "bytes=6-" }, "GET", [416, "", "bytes */6", null]],
  ["a range that is none", stored, { range: "lines=1-2" }, "GET", [200, "abcdef", null, null]],
  [
    "a range of another representation",
    stored,
    { range: "bytes=1-2", "if-range": '"other"' },
    "GET",
    [200, "abcdef", null, null],
  ],
  ["a range of an error", { ...stored, status: 404 }, { range: "bytes=1-2" }, "GET", [404, "abcdef", null, null]],
  ["a range of what is not stored", unstored, { range: "bytes=1-2" }, "GET", [200, "abcdef", null, null]],
  ["the range of a part", { ...stored, status: 206, part }, { range: "bytes=2-7" }, "GET", [206, "abcdef", null, null]],
  [
    "a range in a part",
    { ...stored, status: 206, part },
    { range: "bytes=3-4" },
    "GET",
    [206, "bc", "bytes 3-4/10", "2"],
  ],
  ["a range of HEAD", stored, { range: "bytes=1-2" }, "HEAD", [200, "", null, null]],
  ["the entity tag that it has", stored, { "if-none-match": '"e"' }, "GET", [304, "", null, null]],
  ["another entity tag", stored, { "if-none-match": '"f"' }, "GET", [200, "abcdef", null, null]],
  ["a time", stored, { "if-modified-since": epoch }, "GET", [200, "abcdef", null, null]],
  [
    "the entity tag of an error",
    { ...stored, status: 404 },
    { "if-none-match": '"e"' },
    "GET",
    [404, "abcdef", null, null],
  ],
  ["the entity tag of a write", unstored, { "if-none-match": '"e"' }, "POST", [200, "abcdef", null, null]],
  ["a time since which it is the same", changed, { "if-modified-since": epoch }, "GET", [304, "", null, null]],
  ["a 304 that nobody asked for", { ...unstored, status: 304, bytes: text("") }, {}, "GET", [304, "", null, null]],
  ["a 304 of the upstream", { ...unstored, status: 304 }, { "if-none-match": '"x"' }, "GET", [304, "", null, null]],
  ["HEAD", stored, {}, "HEAD", [200, "", null, null]],
  ["204", { ...unstored, status: 204, bytes: text("") }, {}, "GET", [204, "", null, null]],
  ["205", { ...unstored, status: 205, bytes: text("") }, {}, "POST", [205, "", null, null]],
])("another path: %s", async (_what, answer, fields, method, expected) => {
  const response = respond(answer, 1_000, hit, recipient(fields, method, other));
  const { status, headers, statusText } = response;
  expect([status, await response.text(), headers.get("content-range"), headers.get("content-length")]).toEqual(
    expected,
  );
  expect(statusText).toBe(expected[2]?.includes("-") === true ? "Partial Content" : "");
});

test("a 304 and a 416 describe no content", () => {
  const answer = {
    ...unstored,
    status: 304,
    client: [
      ["content-type", "text/plain"],
      ["etag", '"e"'],
    ],
  } as const;
  const { headers } = respond(answer, 1_000, hit, recipient({ "if-none-match": '"x"' }, "GET", other));
  expect([headers.get("etag"), headers.get("content-type")]).toEqual(['"e"', null]);
  const measured = { ...stored, client: [["content-length", "6"]] } as const;
  const beyond = respond(measured, 1_000, hit, recipient({ range: "bytes=6-" }, "GET", other));
  expect([beyond.status, beyond.headers.has("content-length")]).toEqual([416, false]);
});

test("an endpoint has no ranges, and says to HEAD how long it is", async () => {
  const entry = entryWith({ bytes: text("abcdef") });
  const ranged = respond(entry, 1_000, hit, recipient({ range: "bytes=1-2" }));
  expect([ranged.status, await ranged.text()]).toEqual([200, "abcdef"]);
  const head = respond(entry, 1_000, hit, recipient({}, "HEAD"));
  expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, "6", ""]);
  const posted = respond(entry, 1_000, hit, recipient({}, "POST", other));
  expect(posted.headers.has("content-length")).toBe(false);
  const streamed = respond({ ...entry, stream: new ReadableStream() }, 1_000, hit, recipient({}, "HEAD"));
  expect(streamed.headers.has("content-length")).toBe(false);
});

test("for a client that left no body of 64 KiB is made, and a stream is cancelled", async () => {
  const left = { ...recipient(), context: { waitUntil: () => {}, isGone: () => true } };
  const sent = (bytes: number) => respond(entryWith({ bytes: new Uint8Array(bytes) }), 1_000, hit, left);
  expect([sent(65_536).body, (await sent(65_535).arrayBuffer()).byteLength]).toEqual([null, 65_535]);
  const isCancelled = Promise.withResolvers<void>();
  const stream = new ReadableStream<Uint8Array<ArrayBuffer>>({ cancel: () => isCancelled.resolve() });
  expect(respond({ ...entryWith({}), stream }, 1_000, hit, left).body).toBeNull();
  await isCancelled.promise;
});

test("beyond the bytes that may be under way to a user it is refused", async () => {
  const asked = recipient();
  asked.budget.lease("alice").grow(6 * 1024 * 1024);
  const refused = respond(entryWith({ bytes: new Uint8Array(65_536) }), 1_000, hit, asked);
  expect([
    refused.status,
    await refused.json(),
    refused.headers.get("retry-after"),
    refused.headers.get("proxy-status"),
  ]).toEqual([
    503,
    {
      code: 8,
      message:
        "too many bytes of bodies are under way (at most 6291456 to one user): read those that you asked for, then try again",
      details: [],
    },
    "5",
    "bytenite-edge; error=connection_limit_reached",
  ]);
});

const app = "https://app.example";

const fieldsFor = (origin: string | undefined, allowed: ReadonlyArray<string>) => {
  const response = new Response(null, { headers: { vary: "Accept" } });
  allowOrigin(response, new Headers(origin === undefined ? {} : { origin }), allowed);
  return fieldsOf(response);
};

test("a page of an allowed origin may read an answer; of others only Vary tells", () => {
  expect(fieldsFor(app, [])).toEqual({ vary: "Accept" });
  for (const origin of [undefined, "https://other.example"])
    expect(fieldsFor(origin, [app])).toEqual({ vary: "Accept, Origin" });
  expect(fieldsFor(app, [app])).toEqual({
    vary: "Accept, Origin",
    "access-control-allow-origin": app,
    "access-control-expose-headers": expect.stringMatching(
      /^Age, Bytenite-Schema-Digest, Cache-Status, Content-Length, /,
    ),
  });
});

test("OPTIONS gives the methods, and what a preflight of an allowed origin asks for", () => {
  const options = (fields: Record<string, string>, writes = false) => {
    const response = respondOptions(new Headers(fields), [app], writes);
    return [response.status, fieldsOf(response)];
  };
  const always = { allow: "GET, HEAD, OPTIONS", "cache-control": "private, no-store", vary: "Origin" };
  expect(options({})).toEqual([204, always]);
  expect(options({ origin: "https://other.example", "access-control-request-method": "GET" })).toEqual([204, always]);
  const mayRead = { "access-control-allow-origin": app, "access-control-expose-headers": expect.any(String) };
  expect(options({ origin: app })).toEqual([204, { ...always, ...mayRead }]);
  const allow = "GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE";
  expect(options({ origin: app, "access-control-request-method": "POST" }, true)).toEqual([
    204,
    {
      ...always,
      ...mayRead,
      allow,
      "access-control-allow-methods": allow,
      "access-control-allow-headers": expect.stringMatching(
        /^Accept, Authorization, .* Traceparent, Tracestate, X-Request-Id$/,
      ),
      "access-control-max-age": "7200",
    },
  ]);
});
