// Faults that were reported for other caches, as cases for this one.
import { expect, test } from "vitest";
import { httpCache, type CacheEntry, type CacheOptions, type CacheRequest } from "../src/index.ts";

const now = Date.UTC(2026, 10, 24, 12);
const times = { requestTimeMs: now, responseTimeMs: now };
const at = (seconds: number): number => now + seconds * 1000;
const later = (seconds: number) => ({ requestTimeMs: at(seconds), responseTimeMs: at(seconds) });
const url = "https://a.example/x";
const get = (headers: Record<string, string> = {}): CacheRequest => ({ url, headers });

const storing = (headers: Record<string, string>, options: CacheOptions = {}, request = get(), status = 200) =>
  httpCache(options).store(request, { status, headers }, times);

const stored = (...given: Parameters<typeof storing>): CacheEntry => {
  const result = storing(...given);
  if (!result.stored) throw new Error(result.reason);
  return result.entry;
};

const cache = httpCache();
const action = (entry: CacheEntry, seconds: number, request: Record<string, string> = {}): string =>
  cache.evaluate(get(request), entry, at(seconds)).action;

// kornelski/http-cache-semantics#54. RFC 9111, 5.2.2.2: "once the response has become stale".
test("must-revalidate allows fresh use, and forbids stale use", () => {
  const entry = stored({ "cache-control": "max-age=60, must-revalidate", etag: '"a"' });
  expect(action(entry, 59)).toBe("fresh");
  expect(action(entry, 60)).toBe("validate");
});

// kornelski/http-cache-semantics#56, nodejs/undici#5508, darkweak/souin#237. RFC 9111, 4.2.4: "A cache MUST NOT generate a
// stale response if it is prohibited by an explicit in-protocol directive".
test.each(["must-revalidate", "proxy-revalidate", "s-maxage=60", "no-cache"])(
  "neither max-stale nor a stale window overrides %s",
  (directive) => {
    const windows = "stale-while-revalidate=600, stale-if-error=600";
    const entry = stored({ "cache-control": `max-age=60, ${windows}, ${directive}`, etag: '"a"' });
    const request = get({ "cache-control": "max-stale=600, stale-if-error=600" });
    expect(cache.evaluate(request, entry, at(61)).action).toBe("validate");
    for (const failure of [undefined, { status: 503, headers: {} }]) {
      expect(cache.staleIfError(request, entry, failure, at(61))).toBeUndefined();
    }
  },
);

// kornelski/http-cache-semantics#57. RFC 9111, 4.1: a member "*" always fails to match.
test.each(["*", " *", "*,", "X, *", "*, X", ",*,"])("Vary: %j matches no request", (vary) => {
  expect(storing({ "cache-control": "max-age=60", vary })).toEqual({ stored: false, reason: "vary" });
});

test.each(["constructor", "__proto__", "hasOwnProperty", "toString"])("Vary: %s is the name of a field", (vary) => {
  const entry = stored({ "cache-control": "max-age=60", vary });
  const again = JSON.parse(JSON.stringify(entry)) as CacheEntry;
  expect(action(again, 1)).toBe("fresh");
  const name = again.vary[0]?.[0] ?? "";
  const headers = Object.fromEntries([[name, "1"]]);
  expect(cache.evaluate({ url, headers }, again, at(1)).action).toBe("forward");
});

// http-tests/cache-tests#188. RFC 9110, 5.1: field names are case-insensitive.
test("names in Vary are compared without case", () => {
  const entry = stored({ "cache-control": "max-age=60", vary: "FOO" }, {}, get({ Foo: "1" }));
  expect(action(entry, 1, { foo: "1" })).toBe("fresh");
  expect(action(entry, 1, { foo: "2" })).toBe("forward");
});

// kornelski/rusty-http-cache-semantics#30: the Age of a stored response is not that of its update.
test("an Age does not outlive a 304", () => {
  const entry = stored({ "cache-control": "max-age=60", etag: '"a"', age: "50" });
  const result = cache.update(entry, get(), { status: 304, headers: { etag: '"a"' } }, later(20));
  expect(result.action === "updated" && cache.evaluate(get(), result.entry, at(79)).action).toBe("fresh");
});

// kornelski/rusty-http-cache-semantics#35. RFC 9110, 6.6.1: Date is when the message was originated.
test("serving a stored response keeps its Date, so that its age is not counted twice", () => {
  const date = new Date(now).toUTCString();
  const result = cache.evaluate(get(), stored({ "cache-control": "max-age=60", date }), at(30));
  expect(
    result.action === "fresh" && [result.response.headers.get("date"), result.response.headers.get("age")],
  ).toEqual([date, "30"]);
});

// nodejs/undici#5505, httpwg/http-core#965, envoyproxy/envoy#15830, notatallshaw/nab#427.
test("a 304 makes fresh again, with its own lifetime or the stored one, and its Date", () => {
  const entry = stored({ "cache-control": "max-age=60", etag: '"a"' });
  const bare = cache.update(entry, get(), { status: 304, headers: {} }, later(100));
  expect(bare.action === "updated" && cache.evaluate(get(), bare.entry, at(159))).toMatchObject({
    action: "fresh",
    outcome: { ttlMs: 1000 },
  });
  const longer = { status: 304, headers: { "cache-control": "max-age=600" } };
  const extended = cache.update(entry, get(), longer, later(100));
  expect(extended.action === "updated" && cache.evaluate(get(), extended.entry, at(699)).action).toBe("fresh");
});

// nodejs/undici#5732: a 304 may add Vary, whose fields are those of the request that was validated.
test("a Vary that a 304 adds is obeyed", () => {
  const entry = stored({ "cache-control": "max-age=60", etag: '"a"' }, {}, get({ accept: "a" }));
  const update = { status: 304, headers: { etag: '"a"', vary: "Accept" } };
  const result = cache.update(entry, get({ accept: "b" }), update, later(60));
  const evaluated = (accept: string) =>
    result.action === "updated" && cache.evaluate(get({ accept }), result.entry, at(61)).action;
  expect([evaluated("b"), evaluated("a")]).toEqual(["fresh", "forward"]);
});

// nodejs/undici#4334 and #4293: 307 is not heuristically cacheable, 206 needs knowledge of Range, and any other final status
// is cacheable when it says so.
test.each([
  [307, {}, false],
  [302, {}, false],
  [302, { "cache-control": "max-age=60" }, true],
  [404, { "cache-control": "public, max-age=60" }, true],
  [400, { "cache-control": "max-age=60" }, true],
  [206, { "cache-control": "max-age=60" }, false],
])("with default lifetimes, a %i with %j is stored: %s", (status, headers, expected) => {
  expect(storing(headers as Record<string, string>, { defaults: { freshMs: 60_000 } }, get(), status).stored).toBe(
    expected,
  );
});

// nodejs/undici#4178 and #5515: what must always be validated is stored, and validated.
test.each(["no-cache", "max-age=0"])("%s is stored and validated by its entity tag", (cacheControl) => {
  const entry = stored({ "cache-control": cacheControl, etag: '"a"' });
  const result = cache.evaluate(get(), entry, at(1));
  expect(result.action === "validate" && result.send.get("if-none-match")).toBe('"a"');
});

// nodejs/undici#5507. RFC 5861, 4: an error is "any situation that would result in a 500, 502, 503, or 504".
test("stale-if-error covers an origin that cannot be reached", () => {
  const entry = stored({ "cache-control": "max-age=1, stale-if-error=60" });
  expect(cache.staleIfError(get(), entry, undefined, at(30))?.status).toBe(200);
});

// darkweak/souin#486 and #684: the 304 to a validation in the background must make the stored response fresh.
test("stale-while-revalidate ends when the validation in the background has succeeded", () => {
  const entry = stored({ "cache-control": "max-age=10, stale-while-revalidate=60", etag: '"a"' });
  const result = cache.evaluate(get(), entry, at(11));
  expect(result).toMatchObject({ action: "stale", revalidate: true });
  const updated = cache.update(entry, get(), { status: 304, headers: { etag: '"a"' } }, later(11));
  expect(updated.action === "updated" && cache.evaluate(get(), updated.entry, at(12)).action).toBe("fresh");
});

// darkweak/souin#794. RFC 9110, 15.4.5: a 304 responds to a conditional request.
test("a 304 of the origin does not reach a client without conditions", () => {
  const entry = stored({ "cache-control": "max-age=1, must-revalidate", etag: '"a"' });
  const result = cache.update(entry, get(), { status: 304, headers: { etag: '"a"' } }, later(2));
  expect(result.action === "updated" && result.response.status).toBe(200);
});

// darkweak/souin#634, apache/httpcomponents-client#868. RFC 9111, 5.2.2.7: fields of repeated directives add up.
test.each(['no-cache="Set-Cookie"', 'private="X-A", private="Set-Cookie"'])(
  "%s withholds Set-Cookie from the cache, not from the first client",
  (directive) => {
    const entry = stored({ "cache-control": `max-age=60, ${directive}`, "set-cookie": "s=1", "x-b": "1" });
    expect(entry.headers.map(([name]) => name)).toEqual(["cache-control", "date", "x-b"]);
  },
);

// meziantou/Meziantou.Framework#2843. RFC 9111, 3.5 is about shared caches.
test("a private cache stores responses to requests with Authorization", () => {
  const request = get({ authorization: "Bearer x" });
  expect(storing({ "cache-control": "max-age=60" }, { shared: false }, request).stored).toBe(true);
  expect(storing({ "cache-control": "max-age=60" }, {}, request).stored).toBe(false);
});

// tempesta-tech/tempesta#1899: proxy-revalidate does not permit to store a response to Authorization.
test("proxy-revalidate is not permission to store", () => {
  const request = get({ authorization: "Bearer x" });
  expect(storing({ "cache-control": "max-age=60, proxy-revalidate" }, {}, request)).toMatchObject({
    reason: "authorization",
  });
});

// tempesta-tech/tempesta#1706: a wrong Date makes a response no older than apparent age says, or not at all.
test("an invalid Date is replaced, and a wrong one need not count", () => {
  const invalid = stored({ "cache-control": "max-age=60", date: "Sat, 01 Oct 2022 7:19:16 GMT" });
  expect(invalid.freshness.initialAgeMs).toBe(0);
  const wrong = { "cache-control": "max-age=60", date: "Sat, 01 Oct 2022 07:19:16 GMT" };
  expect(action(stored(wrong), 1)).toBe("forward");
  expect(action(stored(wrong, { apparentAge: false }), 1)).toBe("fresh");
});
