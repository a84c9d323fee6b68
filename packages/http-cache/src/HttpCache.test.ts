import { describe, expect, test } from "vitest";
import { formatHttpDate } from "./HttpDate.ts";
import type { CacheEntry } from "./CacheEntry.ts";
import { httpCache, type CacheRequest } from "./HttpCache.ts";
import type { CacheOptions } from "./CacheOptions.ts";

const now = Date.UTC(2026, 10, 24, 12);
const times = { requestTimeMs: now, responseTimeMs: now };
const at = (seconds: number): number => now + seconds * 1000;
const url = "https://a.example/x";

const get = (headers: CacheRequest["headers"] = {}): CacheRequest => ({ url, headers });

const stored = (
  headers: Record<string, string>,
  request: CacheRequest = get(),
  options: CacheOptions = {},
  status = 200,
): CacheEntry => {
  const result = httpCache(options).store(request, { status, headers }, times);
  if (!result.stored) throw new Error(result.reason);
  return result.entry;
};

const cache = httpCache();
const tagged = { "cache-control": "max-age=60", etag: '"a"' };

describe("store", () => {
  test("an entry is plain JSON with a version", () => {
    const entry = stored(
      { ...tagged, vary: "Accept, X-None", connection: "close, x-hop", "x-hop": "1" },
      get({ Accept: "text/plain" }),
    );
    expect(JSON.parse(JSON.stringify(entry))).toEqual(entry);
    expect(entry).toMatchObject({
      version: 1,
      url,
      status: 200,
      headers: [
        ["cache-control", "max-age=60"],
        ["date", formatHttpDate(now)],
        ["etag", '"a"'],
        ["vary", "Accept, X-None"],
      ],
      vary: [
        ["accept", "text/plain"],
        ["x-none", null],
      ],
      freshness: { lifetimeMs: 60_000, responseTimeMs: now },
    });
  });

  test.each<[CacheRequest, Record<string, string>, number, string]>([
    [{ ...get(), method: "POST" }, {}, 200, "method"],
    [get(), {}, 416, "status"],
    [get({ "cache-control": "no-store" }), {}, 200, "request-no-store"],
    [get(), { "cache-control": "no-store" }, 200, "no-store"],
    [get(), { "cache-control": "private" }, 200, "private"],
    [get({ authorization: "Bearer x" }), { "cache-control": "max-age=60" }, 200, "authorization"],
    [get(), { vary: "*" }, 200, "vary"],
    [get(), {}, 403, "not-cacheable"],
  ])("the response to %j with %j and status %i is refused: %4$s", (request, headers, status, reason) => {
    expect(cache.store(request, { status, headers }, times)).toEqual({ stored: false, reason });
  });

  // RFC 9111, 5.2.2.7: "a shared cache MUST NOT store the listed header fields if they are present in the original
  // response, but MAY store the remainder of the response message without those header fields".
  test("fields that private names are withheld from the entry, not from the first client", () => {
    const response = new Response("", { headers: { "cache-control": 'max-age=60, private="X-User"', "x-user": "1" } });
    const result = cache.store(new Request(url), response, times);
    expect(result.stored && result.entry.headers.map(([name]) => name)).toEqual([
      "cache-control",
      "content-type",
      "date",
    ]);
    expect(response.headers.get("x-user")).toBe("1");
  });

  test("Request and Response, Headers and the records of Node are understood", () => {
    const node = { url: "/x#y", method: "GET", headers: { host: "a.example", accept: "a" } };
    const response = { statusCode: 200, headers: { vary: "Accept", "set-cookie": ["b=1", "c=2"], etag: '"a"' } };
    const result = cache.store(node, response, times);
    expect(result).toMatchObject({ stored: true, entry: { url: "http://a.example/x%23y", vary: [["accept", "a"]] } });
    expect(result.stored && result.entry.headers.filter(([name]) => name === "set-cookie")).toHaveLength(2);
    const fetched = cache.store(new Request(`${url}#part`, { headers: { accept: "b" } }), new Response(""), times);
    expect(fetched).toMatchObject({ stored: true, entry: { url } });
    expect(cache.store({ headers: {} }, { headers: {} }, times)).toMatchObject({
      entry: { url: "http://localhost/", status: 200 },
    });
  });
});

describe("evaluate", () => {
  test("without a stored response a request is forwarded without hop-by-hop fields", () => {
    const request = get({ connection: "x", x: "1", accept: "a", "if-none-match": '"c"' });
    const result = cache.evaluate(request, undefined, now);
    expect(result).toMatchObject({ action: "forward", entry: undefined, outcome: { forward: "uri-miss" } });
    expect("send" in result && Object.fromEntries(result.send)).toEqual({ accept: "a", "if-none-match": '"c"' });
  });

  test("a fresh response is served with its age", () => {
    const entry = stored({ ...tagged, age: "5" });
    const result = cache.evaluate(get(), entry, at(10.9));
    expect(result).toMatchObject({
      action: "fresh",
      entry,
      response: { status: 200 },
      outcome: { hit: true, ttlMs: 44_100 },
    });
    expect("response" in result && Object.fromEntries(result.response.headers)).toEqual({
      age: "15",
      "cache-control": "max-age=60",
      date: formatHttpDate(now),
      etag: '"a"',
    });
  });

  // RFC 9111, 4.3.2: "the cache SHOULD evaluate any applicable conditional header field preconditions received in that
  // request with respect to the corresponding validators contained within the selected response."
  test.each<[Record<string, string>, number]>([
    [{ "if-none-match": '"a"' }, 304],
    [{ "if-none-match": '"b"' }, 200],
    [{ "if-modified-since": formatHttpDate(now) }, 304],
    [{ "if-modified-since": formatHttpDate(now - 1000) }, 200],
  ])("a fresh response to %j has status %i", (headers, status) => {
    const entry = stored({
      ...tagged,
      "content-type": "text/plain",
      "content-length": "3",
      "content-encoding": "br",
      "content-language": "en",
      "content-range": "x",
    });
    const result = cache.evaluate(get(headers), entry, now);
    expect(result).toMatchObject({ action: "fresh", response: { status } });
    const content =
      "response" in result && [...result.response.headers.keys()].filter((name) => name.startsWith("content-"));
    expect(content).toHaveLength(status === 304 ? 0 : 5);
  });

  test("a stored 404 is served as it is, whatever the condition", () => {
    const entry = stored(tagged, get(), {}, 404);
    expect(cache.evaluate(get({ "if-none-match": '"a"' }), entry, now)).toMatchObject({ response: { status: 404 } });
  });

  test("HEAD is served from the response to GET; other methods are forwarded", () => {
    const entry = stored(tagged);
    expect(cache.evaluate({ ...get(), method: "HEAD" }, entry, now)).toMatchObject({ action: "fresh" });
    expect(cache.evaluate({ ...get(), method: "GET" }, entry, now)).toMatchObject({ action: "fresh" });
    for (const method of ["POST", "OPTIONS", "get"]) {
      expect(cache.evaluate({ ...get(), method }, entry, now)).toMatchObject({
        action: "forward",
        entry: undefined,
        outcome: { forward: "method" },
      });
    }
  });

  // "A client's own conditions never travel mixed with ours": RFC 9111, 4.3.1 has the cache send the validators of its
  // stored response, and what a 304 confirms must be certain.
  test("a stale response is validated by its own conditions alone", () => {
    const entry = stored({ ...tagged, "last-modified": formatHttpDate(now - 5000) });
    const request = get({ "if-none-match": '"c"', "if-modified-since": "x", accept: "a", te: "trailers" });
    const result = cache.evaluate(request, entry, at(60));
    expect(result).toMatchObject({ action: "validate", entry, outcome: { forward: "stale" } });
    expect("send" in result && Object.fromEntries(result.send)).toEqual({
      accept: "a",
      "if-none-match": '"a"',
      "if-modified-since": formatHttpDate(now - 5000),
    });
    const onlyTagged = cache.evaluate(get({ "if-modified-since": "x" }), stored(tagged), at(60));
    expect("send" in onlyTagged && Object.fromEntries(onlyTagged.send)).toEqual({ "if-none-match": '"a"' });
    const onlyModified = stored({ "cache-control": "max-age=1", "last-modified": formatHttpDate(now - 5000) });
    const other = cache.evaluate(get({ "if-none-match": '"c"' }), onlyModified, at(60));
    expect("send" in other && Object.fromEntries(other.send)).toEqual({
      "if-modified-since": formatHttpDate(now - 5000),
    });
  });

  test("a stale response without validators is forwarded with the conditions of the client", () => {
    const entry = stored({ "cache-control": "max-age=1" });
    const result = cache.evaluate(get({ "if-none-match": '"c"' }), entry, at(60));
    expect(result).toMatchObject({ action: "forward", entry, outcome: { forward: "stale" } });
    expect("send" in result && result.send.get("if-none-match")).toBe('"c"');
  });

  // RFC 9111, 4.3.2: "A cache MUST NOT evaluate conditional header fields that only apply to an origin server".
  test.each(["If-Match", "If-Unmodified-Since"])("a request with %s is forwarded with its own conditions", (name) => {
    const entry = stored(tagged);
    const result = cache.evaluate(get({ [name]: "x" }), entry, now);
    expect(result).toMatchObject({ action: "forward", entry, outcome: { forward: "request" } });
    expect("send" in result && Object.fromEntries(result.send)).toEqual({ [name.toLowerCase()]: "x" });
  });

  test("If-Range is not mixed with our conditions either; a fresh response is served whole", () => {
    const entry = stored(tagged);
    const request = get({ range: "bytes=0-1", "if-range": '"c"' });
    expect(cache.evaluate(request, entry, now)).toMatchObject({ action: "fresh", response: { status: 200 } });
    const result = cache.evaluate(request, entry, at(60));
    expect(result).toMatchObject({ action: "forward", outcome: { forward: "stale" } });
    expect("send" in result && Object.fromEntries(result.send)).toEqual({ range: "bytes=0-1", "if-range": '"c"' });
  });

  // RFC 9111, 5.2.2.4: "the response MUST NOT be used to satisfy any other request without forwarding it for validation and
  // receiving a successful response".
  test.each(["no-cache, max-age=60", "max-age=60, no-cache, stale-while-revalidate=60, stale-if-error=60"])(
    "a response with %s is validated before each use, and not served in place of an error",
    (control) => {
      const entry = stored({ etag: '"a"', "cache-control": control });
      for (const request of [
        get(),
        get({ "cache-control": "max-stale" }),
        get({ "cache-control": "stale-if-error=99" }),
      ]) {
        for (const second of [0, 30, 61]) {
          expect(cache.evaluate(request, entry, at(second))).toMatchObject({ action: "validate", entry });
          for (const failure of [undefined, { status: 503, headers: {} }]) {
            expect(cache.staleIfError(request, entry, failure, at(second))).toBeUndefined();
          }
        }
      }
    },
  );

  test("no-cache in a request validates", () => {
    const result = cache.evaluate(get({ "Cache-Control": "no-cache" }), stored(tagged), now);
    expect(result).toMatchObject({ action: "validate", outcome: { forward: "request" } });
    expect(cache.evaluate(get({ pragma: "no-cache" }), stored(tagged), now).action).toBe("validate");
  });

  test("no-store in a request forwards", () => {
    const entry = stored(tagged);
    const result = cache.evaluate(get({ "cache-control": "no-store" }), entry, now);
    expect(result).toMatchObject({ action: "forward", entry, outcome: { forward: "request" } });
  });

  test("only-if-cached gets 504 where nothing satisfies it", () => {
    const request = get({ "cache-control": "only-if-cached" });
    expect(cache.evaluate(request, undefined, now)).toMatchObject({
      action: "unsatisfiable",
      response: { status: 504 },
      outcome: { detail: "only-if-cached" },
    });
    expect(cache.evaluate(request, stored(tagged), now).action).toBe("fresh");
    expect(cache.evaluate(request, stored(tagged), at(60)).action).toBe("unsatisfiable");
  });

  test("stale-while-revalidate serves, and says what to send in the background", () => {
    const entry = stored({ "cache-control": "max-age=60, stale-while-revalidate=60", etag: '"a"' });
    const result = cache.evaluate(get({ "if-none-match": '"c"' }), entry, at(61));
    expect(result).toMatchObject({ action: "stale", entry, revalidate: true, outcome: { hit: true, ttlMs: -1000 } });
    expect("response" in result && result.response.headers.get("age")).toBe("61");
    expect("send" in result && Object.fromEntries(result.send)).toEqual({ "if-none-match": '"a"' });
    const unvalidated = stored({ "cache-control": "max-age=60, stale-while-revalidate=60" });
    const other = cache.evaluate(get({ accept: "a" }), unvalidated, at(61));
    expect("send" in other && Object.fromEntries(other.send)).toEqual({ accept: "a" });
    expect(cache.evaluate(get({ "cache-control": "max-stale=5" }), stored(tagged), at(61))).toMatchObject({
      action: "stale",
      revalidate: false,
    });
  });

  test("an entry of another version or URL is not stored", () => {
    const entry = stored(tagged);
    expect(cache.evaluate(get(), { ...entry, version: 2 as 1 }, now)).toMatchObject({
      outcome: { forward: "uri-miss" },
    });
    expect(cache.evaluate({ url: "https://a.example/y", headers: {} }, entry, now).action).toBe("forward");
    expect(cache.evaluate({ url: `${url}#part`, headers: {} }, entry, now).action).toBe("fresh");
    expect(cache.evaluate({ url: "no url", headers: {} }, entry, now).action).toBe("forward");
    const node = stored(tagged, { url: "//y", headers: { host: "b.example" } });
    expect(node.url).toBe("http://b.example//y");
    expect(cache.evaluate({ url: "//y", headers: { Host: "b.example" } }, node, now).action).toBe("fresh");
    expect(cache.evaluate({ url: "//y", headers: { host: "c.example" } }, node, now).action).toBe("forward");
  });

  // RFC 9111, 4.1: "the cache MUST NOT use that stored response without revalidation unless all the presented request header
  // fields nominated by that Vary field value match those fields in the original request".
  test("of several entries the one that Vary selects is used", () => {
    const headers = { ...tagged, vary: "Accept" };
    const entries = [stored(headers, get({ accept: "a" })), stored(headers, get({ accept: "b" }))];
    expect(cache.evaluate(get({ accept: "b" }), entries, now)).toMatchObject({ entry: entries[1] });
    expect(cache.evaluate(get({ accept: "a" }), entries, now)).toMatchObject({ entry: entries[0] });
    expect(cache.evaluate(get({ accept: "c" }), entries, now)).toMatchObject({
      action: "forward",
      entry: undefined,
      outcome: { forward: "vary-miss" },
    });
    expect(cache.evaluate(get({ accept: "c" }), entries[0], now)).toMatchObject({ outcome: { forward: "vary-miss" } });
    expect(cache.evaluate(get({ accept: "c" }), [], now)).toMatchObject({ outcome: { forward: "uri-miss" } });
  });

  test("a language that the request prefers is selected", () => {
    const headers = { ...tagged, vary: "Accept-Language", "content-language": "de" };
    const entry = stored(headers, get({ "accept-language": "en, de" }));
    expect(cache.evaluate(get({ "accept-language": "de" }), entry, now).action).toBe("fresh");
    expect(cache.evaluate(get({ "accept-language": "fr" }), entry, now).action).toBe("forward");
  });

  // RFC 9111, 4: "When more than one suitable response is stored, a cache MUST use the most recent one (as determined by
  // the Date header field)."
  test("of several suitable entries the most recent one is used", () => {
    const older = stored({ ...tagged, date: formatHttpDate(at(-10)), n: "1" });
    const newer = stored({ ...tagged, date: formatHttpDate(at(-5)), n: "2" });
    const alsoNewer = stored({ ...tagged, date: formatHttpDate(at(-5)), n: "3" });
    expect(cache.evaluate(get(), [newer, older], now)).toMatchObject({ entry: newer });
    expect(cache.evaluate(get(), [older, newer], now)).toMatchObject({ entry: newer });
    expect(cache.evaluate(get(), [newer, alsoNewer], now)).toMatchObject({ entry: alsoNewer });
    const undated = { ...newer, headers: newer.headers.filter(([name]) => name !== "date") };
    expect(cache.evaluate(get(), [undated, newer], now)).toMatchObject({ entry: undated });
  });

  test("what a caller keeps with an entry comes back with it", () => {
    const entry = { ...stored(tagged), body: "x" };
    const result = cache.evaluate(get(), entry, now);
    expect(result.action === "fresh" && result.entry.body).toBe("x");
  });
});

const notModified = (headers: Record<string, string>) => ({ status: 304, headers });

describe("update", () => {
  const later = { requestTimeMs: at(100), responseTimeMs: at(101) };

  test("a 304 makes an entry fresh, with its fields and Date", () => {
    const entry = { ...stored({ ...tagged, age: "50", "content-length": "3", x: "1", vary: "Accept" }), body: "x" };
    const request = get({ accept: "b" });
    const result = cache.update(
      entry,
      request,
      notModified({ etag: '"a"', x: "2", vary: "Accept, X", connection: "y", y: "1" }),
      later,
    );
    expect(result).toMatchObject({
      action: "updated",
      response: { status: 200 },
      entry: {
        url,
        status: 200,
        body: "x",
        headers: [
          ["cache-control", "max-age=60"],
          ["content-length", "3"],
          ["date", formatHttpDate(at(101))],
          ["etag", '"a"'],
          ["vary", "Accept, X"],
          ["x", "2"],
        ],
        vary: [
          ["accept", "b"],
          ["x", null],
        ],
        freshness: { initialAgeMs: 1000, responseTimeMs: at(101) },
      },
    });
    expect(result.action === "updated" && result.response.headers.has("age")).toBe(false);
    expect(result.action === "updated" && result.response.headers.get("x")).toBe("2");
  });

  test("the Age of a 304 is passed on", () => {
    const result = cache.update(stored(tagged), get(), notModified({ age: "7" }), later);
    expect(result.action === "updated" && result.response.headers.get("age")).toBe("8");
    expect(result.action === "updated" && result.entry.freshness.initialAgeMs).toBe(8000);
  });

  // RFC 9111, 4.3.2: "If the response to the forwarded request is 304 (Not Modified) and has an ETag field value with an
  // entity tag that is not in the client's list, the cache MUST generate a 200 (OK) response for the client by reusing its
  // corresponding stored response, as updated by the 304 response metadata".
  test.each([
    ['"a"', 304],
    ['"c"', 200],
  ])("a client with If-None-Match: %s gets %i after a 304", (ifNoneMatch, status) => {
    const result = cache.update(
      stored(tagged),
      get({ "if-none-match": ifNoneMatch }),
      notModified({ etag: '"a"' }),
      later,
    );
    expect(result).toMatchObject({ action: "updated", response: { status } });
  });

  test.each<[Record<string, string>, Record<string, string>, Record<string, string>, string]>([
    [tagged, {}, { etag: '"b"' }, "mismatch"],
    [tagged, {}, { "last-modified": formatHttpDate(now) }, "mismatch"],
    [tagged, {}, {}, "updated"],
    [{ "last-modified": formatHttpDate(now) }, {}, { "last-modified": formatHttpDate(now - 1000) }, "mismatch"],
    [{ "last-modified": formatHttpDate(now) }, {}, { "last-modified": formatHttpDate(now) }, "updated"],
    // Nothing of ours was asked: the 304 responds to the condition of the client.
    [{}, { "if-none-match": '"c"' }, {}, "mismatch"],
    [tagged, { "if-match": '"c"' }, {}, "mismatch"],
    [tagged, { "if-range": '"c"' }, { etag: '"a"' }, "mismatch"],
    [tagged, { "if-unmodified-since": "x" }, { etag: '"a"' }, "mismatch"],
  ])("of an entry with %j, for a request with %j, a 304 with %j: %s", (entry, request, update, action) => {
    expect(cache.update(stored(entry), get(request), notModified(update), later).action).toBe(action);
  });

  test.each<[Record<string, string>, string]>([
    [{ "cache-control": "no-store" }, "no-store"],
    [{ "cache-control": "private" }, "private"],
    [{ vary: "*" }, "vary"],
  ])("a 304 with %j has the entry removed: %s", (headers, reason) => {
    const result = cache.update(stored(tagged), get(), notModified(headers), later);
    expect(result).toMatchObject({ action: "remove", reason, response: { status: 200 } });
    expect(result).not.toHaveProperty("entry");
  });

  // RFC 9111, 5.2.2.4: "[...] or the subsequent response has been successfully revalidated with the origin server
  // (updating or removing those fields)".
  test("fields that no-cache names reach the client that had them validated, not the entry", () => {
    const entry = stored({ ...tagged, "cache-control": 'max-age=60, no-cache="x"', x: "1" });
    expect(entry.headers.map(([name]) => name)).not.toContain("x");
    const result = cache.update(entry, get(), notModified({ etag: '"a"', x: "2" }), later);
    expect(result.action === "updated" && result.entry.headers.map(([name]) => name)).not.toContain("x");
    expect(result.action === "updated" && result.response.headers.get("x")).toBe("2");
  });

  test("processed fields stay", () => {
    const processing = httpCache({ processedFields: ["content-type"] });
    const entry = stored({ ...tagged, "content-type": "a/b", "content-encoding": "br" });
    const update = notModified({ "content-type": "c/d", "content-encoding": "gzip" });
    const fields = (result: ReturnType<typeof cache.update>) =>
      result.action === "updated" ? Object.fromEntries(result.entry.headers) : {};
    expect(fields(processing.update(entry, get(), update, later))).toMatchObject({
      "content-type": "a/b",
      "content-encoding": "gzip",
    });
    expect(fields(cache.update(entry, get(), update, later))).toMatchObject({
      "content-type": "c/d",
      "content-encoding": "br",
    });
  });

  // RFC 9111, 4.3.5
  test("a 200 to HEAD updates the entry that it describes, and reports one that it does not", () => {
    const head: CacheRequest = { ...get(), method: "HEAD" };
    const entry = stored({ ...tagged, "content-length": "3" });
    expect(cache.update(entry, head, { status: 200, headers: { etag: '"a"', x: "2" } }, later)).toMatchObject({
      action: "updated",
      entry: { freshness: { responseTimeMs: at(101) } },
    });
    expect(cache.update(entry, head, { status: 200, headers: { etag: '"b"' } }, later)).toEqual({ action: "mismatch" });
    expect(cache.update(entry, head, { status: 200, headers: { "content-length": "4" } }, later)).toEqual({
      action: "mismatch",
    });
    const unvalidated = stored({ "cache-control": "max-age=60" });
    expect(cache.update(unvalidated, head, { status: 200, headers: {} }, later).action).toBe("updated");
    expect(cache.update(unvalidated, head, notModified({}), later).action).toBe("mismatch");
    expect(cache.update(entry, head, notModified({}), later).action).toBe("updated");
  });

  test.each([
    ["GET", 200],
    ["GET", 500],
    ["HEAD", 404],
  ])("the response to %s with status %i is not an update", (method, status) => {
    const update = () => cache.update(stored(tagged), { ...get(), method }, { status, headers: {} }, later);
    expect(update).toThrow(new TypeError(`update takes a 304, or a 200 to HEAD, not ${status}`));
  });
});

describe("staleIfError", () => {
  const entry = stored({ "cache-control": "max-age=60, stale-if-error=60", etag: '"a"' });

  test.each([500, 502, 503, 504, undefined])("within the window, %s is replaced", (status) => {
    const response = status === undefined ? undefined : { status, headers: {} };
    const served = cache.staleIfError(get(), entry, response, at(119));
    expect(served?.status).toBe(200);
    expect(served?.headers.get("age")).toBe("119");
    expect(cache.staleIfError(get(), entry, response, at(120))).toBeUndefined();
  });

  test.each([200, 401, 403, 404, 501])("%i is not replaced", (status) => {
    expect(cache.staleIfError(get(), entry, { status, headers: {} }, at(119))).toBeUndefined();
  });

  test("the condition of the client is evaluated, and its window counts", () => {
    expect(cache.staleIfError(get({ "if-none-match": '"a"' }), entry, undefined, at(61))?.status).toBe(304);
    const request = get({ "cache-control": "stale-if-error=600" });
    expect(cache.staleIfError(request, entry, undefined, at(600))?.status).toBe(200);
  });

  // RFC 9111, 4.2.4: "A cache MUST NOT generate a stale response unless it is disconnected or doing so is explicitly
  // permitted by the client or origin server".
  test("disconnected, a stale response of any age is served where the options say so", () => {
    const disconnected = httpCache({ staleWhenDisconnected: true });
    expect(disconnected.staleIfError(get(), entry, undefined, at(9999))?.status).toBe(200);
    expect(disconnected.staleIfError(get(), entry, { status: 500, headers: {} }, at(9999))).toBeUndefined();
    const strict = stored({ ...tagged, "cache-control": "max-age=60, must-revalidate" });
    expect(disconnected.staleIfError(get(), strict, undefined, at(9999))).toBeUndefined();
  });
});

describe("invalidate", () => {
  const headers = { location: "/y", "cache-group-invalidation": '"g"' };

  test("a successful unsafe request invalidates URLs and groups", () => {
    const expected = { urls: [url, "https://a.example/y"], groups: ["g"] };
    expect(cache.invalidate({ ...get(), method: "POST" }, { status: 201, headers })).toEqual(expected);
    expect(cache.invalidate(new Request(url, { method: "DELETE" }), new Response("", { headers }))).toEqual(expected);
  });

  test.each([
    ["GET", 200],
    ["POST", 500],
  ])("%s with status %i invalidates nothing", (method, status) => {
    expect(cache.invalidate({ ...get(), method }, { status, headers })).toEqual({ urls: [], groups: [] });
  });

  test("an invalid target invalidates nothing", () => {
    expect(cache.invalidate({ url: "*", method: "POST", headers: {} }, { status: 200, headers: {} }).urls).toEqual([]);
  });
});

describe("options", () => {
  test("a private cache stores private responses", () => {
    expect(httpCache({ shared: false }).store(get(), { headers: { "cache-control": "private" } }, times).stored).toBe(
      true,
    );
  });

  test("a shared cache with the user in its key stores private responses, and obeys proxy-revalidate", () => {
    const keyed = httpCache({ keyedByUser: true });
    const headers = { "cache-control": "private, max-age=60, stale-if-error=60, proxy-revalidate" };
    const result = keyed.store(get({ authorization: "Bearer x" }), { headers }, times);
    expect(result).toMatchObject({ stored: true, entry: { freshness: { neverStale: true } } });
  });

  test("targeted fields steer", () => {
    const edge = httpCache({ targetedFields: ["cdn-cache-control"] });
    expect(edge.store(get(), { headers: { "cdn-cache-control": "no-store" } }, times).stored).toBe(false);
  });

  test.each<[CacheOptions, string]>([
    [{ shared: "yes" as never }, "shared must be a boolean"],
    [{ keyedByUser: "no" as never }, "keyedByUser must be a boolean"],
    [{ apparentAge: 1 as never }, "apparentAge must be a boolean"],
    [{ staleWhenDisconnected: null as never }, "staleWhenDisconnected must be a boolean"],
    [{ targetedFields: "cdn-cache-control" as never }, "targetedFields must be an array of field names"],
    [{ targetedFields: ["two words"] }, "targetedFields must be an array of field names"],
    [{ processedFields: [""] }, "processedFields must be an array of field names"],
    [{ defaults: { freshMs: "1" as never } }, "defaults.freshMs must be a number"],
    [{ heuristic: { fraction: 0.1 } as never }, "heuristic.maxMs must be a number"],
  ])("%j is not an option", (options, message) => {
    expect(() => httpCache(options)).toThrow(new TypeError(message));
  });

  test.each<[CacheOptions, string]>([
    [{ defaults: { staleIfErrorMs: -1 } }, "defaults.staleIfErrorMs must be from 0 to "],
    [{ defaults: { staleWhileRevalidateMs: Number.POSITIVE_INFINITY } }, "defaults.staleWhileRevalidateMs"],
    [{ defaults: { freshMs: Number.NaN } }, "defaults.freshMs must be from 0 to "],
    [{ heuristic: { fraction: 1.1, maxMs: 1 } }, "heuristic.fraction must be from 0 to 1, not 1.1"],
  ])("%j is out of range", (options, message) => {
    expect(() => httpCache(options)).toThrow(RangeError);
    expect(() => httpCache(options)).toThrow(message);
  });

  test("valid options are taken", () => {
    const options: CacheOptions = {
      shared: false,
      targetedFields: ["CDN-Cache-Control"],
      defaults: { freshMs: 0, staleIfErrorMs: 5 },
      heuristic: { fraction: 1, maxMs: 0 },
      apparentAge: false,
      processedFields: [],
      staleWhenDisconnected: false,
    };
    expect(() => httpCache(options)).not.toThrow();
  });
});

describe("what a storage returns", () => {
  test("null is not an entry", () => {
    expect(cache.evaluate(get(), null, now)).toMatchObject({ action: "forward", outcome: { forward: "uri-miss" } });
  });

  test("an entry of another version confirms nothing and is not served on an error", () => {
    const entry = stored({ ...tagged, "cache-control": "max-age=60, stale-if-error=60" });
    const other = { ...entry, version: 0 } as unknown as CacheEntry;
    const confirmation = { status: 304, headers: { etag: '"a"' } };
    expect(cache.update(entry, get(), confirmation, times).action).toBe("updated");
    expect(cache.update(other, get(), confirmation, times)).toEqual({ action: "mismatch" });
    expect(cache.staleIfError(get(), entry, undefined, now)).toBeDefined();
    expect(cache.staleIfError(get(), other, undefined, now)).toBeUndefined();
  });
});

const getOverHttp2 = (authority: string): CacheRequest => ({
  url: "/x",
  method: "GET",
  headers: { ":authority": authority, ":method": "GET", ":path": "/x", ":scheme": "https" },
});

// RFC 9113, 8.3.1: ":authority" has the authority portion of the target URI.
test("requests of HTTP/2 in Node for different authorities have different entries", () => {
  const entry = stored(tagged, getOverHttp2("a.example"));
  expect(entry.url).toBe("http://a.example/x");
  expect(cache.evaluate(getOverHttp2("a.example"), entry, now).action).toBe("fresh");
  expect(cache.evaluate(getOverHttp2("b.example"), entry, now)).toMatchObject({ action: "forward" });
  expect(stored(tagged, { url: "/x", headers: new Headers() }).url).toBe("http://localhost/x");
});

// RFC 9112, 3.2: Host and the request target come from the client, and Node passes both on as they were received.
test.each<readonly [path: string, host: string]>([
  ["/upload", "a.example/x#"],
  ["/upload", "a.example/x?"],
  ["/upload", String.raw`a.example\x#`],
  ["/a.example/x", ""],
  ["/x", "a.exa\u00admple"],
  ["/x", "a.exa\tmple"],
  ["/x", "%61.example"],
  ["/x", "user@a.example"],
  ["/x", "b.example, a.example"],
  ["/x#upload", "a.example"],
  ["/upload/../x", "a.example"],
  ["/upload/%2e%2e/x", "a.example"],
  [String.raw`/upload\..\x`, "a.example"],
  ["/fix", "a.example/pre"],
])("the response for path %j and Host %j is not that of another URL", (path, host) => {
  const request = { url: path, headers: { host } };
  const entry = stored(tagged, request);
  expect(cache.evaluate(request, entry, now).action).toBe("fresh");
  const updated = cache.update(entry, request, { status: 304, headers: { etag: '"a"' } }, times);
  expect(updated).toMatchObject({ action: "updated", entry: { url: entry.url } });
  for (const other of ["/x", "/pre/fix"]) {
    const victims = [
      { url: `http://a.example${other}`, headers: {} },
      { url: other, headers: { host: "a.example" } },
    ];
    for (const victim of victims) expect(cache.evaluate(victim, entry, now).action).toBe("forward");
  }
  if (host === "a.example") return;
  const invalid = cache.invalidate({ ...request, method: "POST" }, { status: 200, headers: {} });
  expect(invalid.urls).not.toContain("http://a.example/x");
});

// RFC 9110, 7.6.1: fields that Connection lists are not forwarded, so the origin has not seen them.
test("a client cannot choose a variant by a field that Connection keeps from the origin", () => {
  const entry = stored(
    { ...tagged, vary: "Origin" },
    { url, headers: { origin: "https://b.example", connection: "Origin" } },
  );
  expect(cache.evaluate({ url, headers: { origin: "https://b.example" } }, entry, now).action).toBe("forward");
  expect(cache.evaluate({ url, headers: {} }, entry, now).action).toBe("fresh");
});

test("Host selects an entry without regard to case and to the default port, and a path is invalidated as it was stored", () => {
  const entry = stored(tagged, { url: "/x", headers: { host: "A.example:80" } });
  expect(entry.url).toBe("http://a.example/x");
  expect(stored(tagged, { url: "/x", headers: { host: "[::1]:8080" } }).url).toBe("http://[::1]:8080/x");
  const odd = { url: "/y/../x", method: "POST", headers: { host: "a.example" } };
  expect(cache.invalidate(odd, { status: 200, headers: {} }).urls).toEqual([
    "http://a.example/y/../x",
    "http://a.example/x",
  ]);
  const noHost = { url: "/y", method: "POST", headers: { host: "a.example/x?" } };
  expect(cache.invalidate(noHost, { status: 200, headers: {} }).urls).toEqual([]);
});
