import { describe, expect, test } from "vitest";
import { formatHttpDate } from "../HttpDate.ts";
import { CachePolicy, type PolicyOptions, type PolicyResponse } from "./index.ts";

const storedAt = Date.UTC(2026, 10, 24, 12);
let now = storedAt;

class Policy extends CachePolicy {
  override now(): number {
    return now;
  }
}

const request = { url: "/x", method: "GET", headers: { host: "a.example", accept: "b" } };

/** A policy of which this many seconds have passed. */
const aged = (
  seconds: number,
  headers: Record<string, string>,
  options: PolicyOptions = {},
  status?: number,
  first: ConstructorParameters<typeof Policy>[0] = request,
): Policy => {
  now = storedAt;
  const policy = new Policy(first, status === undefined ? { headers } : { status, headers }, options);
  now += seconds * 1000;
  return policy;
};

const tagged = { "cache-control": "max-age=60", etag: '"a"' };

test("a fresh response is served with its age", () => {
  const policy = aged(10.9, {
    ...tagged,
    age: "5",
    date: formatHttpDate(storedAt),
    connection: "X-Hop",
    "x-hop": "1",
    warning: "199 -",
  });
  expect(policy.storable()).toBe(true);
  expect(policy.satisfiesWithoutRevalidation(request)).toBe(true);
  expect(policy.evaluateRequest(request)).toEqual({
    response: {
      status: 200,
      headers: { ...tagged, age: "15", date: formatHttpDate(storedAt) },
    },
    revalidation: undefined,
  });
  expect([policy.age(), policy.maxAge(), policy.stale(), policy.status(), policy.date()]).toEqual([
    15.9,
    60,
    false,
    200,
    storedAt,
  ]);
  expect(policy.timeToLive()).toBe(44_100);
});

test("the clock is the real one unless it is overridden", () => {
  const before = Date.now();
  expect(new CachePolicy(request, { headers: {} }).date()).toBeGreaterThanOrEqual(before);
});

test("a stale response is validated by its own conditions", () => {
  const policy = aged(60, { ...tagged, "last-modified": "Sun, 06 Nov 1994 08:49:37 GMT" });
  expect(policy.stale()).toBe(true);
  expect(policy.timeToLive()).toBe(0);
  const asked = {
    ...request,
    headers: { ...request.headers, "If-None-Match": '"c"', "if-range": '"c"', te: "trailers" },
  };
  expect(policy.evaluateRequest(asked)).toEqual({
    response: undefined,
    revalidation: {
      synchronous: true,
      headers: { ...request.headers, "if-none-match": '"a"', "if-modified-since": "Sun, 06 Nov 1994 08:49:37 GMT" },
    },
  });
  expect(policy.revalidationHeaders({ ...asked, method: "HEAD" })).toHaveProperty("if-none-match", '"a"');
});

test.each<[Record<string, string>, string, string, Record<string, string>]>([
  [{ host: "a.example" }, "/y", "GET", {}],
  [{ host: "b.example" }, "/x", "GET", {}],
  [{ host: "a.example" }, "/x", "POST", {}],
  [{ host: "a.example", "if-match": '"c"' }, "/x", "GET", {}],
  [{ host: "a.example", "if-unmodified-since": "x" }, "/x", "GET", {}],
  [{ host: "a.example" }, "/x", "GET", { vary: "Accept" }],
  [{ host: "a.example" }, "/x", "GET", { "cache-control": "no-store" }],
])("a request with %j for %s by %s is sent without conditions of ours (%j)", (headers, url, method, changes) => {
  const policy = aged(60, { ...tagged, ...changes });
  const sent = policy.revalidationHeaders({ url, method, headers: { ...headers, "if-none-match": '"c"' } });
  expect(sent).toEqual(headers);
});

test.each([
  [{ host: "a.example" }, "/y", "GET"],
  [{ host: "b.example" }, "/x", "GET"],
  [{ host: "a.example" }, "/x", "POST"],
])("a request with %j for %s by %s is not served", (headers, url, method) => {
  expect(aged(0, tagged).satisfiesWithoutRevalidation({ url, method, headers })).toBe(false);
});

test("stored requests without URL or host, and requests without method, match", () => {
  const policy = aged(0, tagged, {}, 200, { headers: {} });
  expect(policy.satisfiesWithoutRevalidation({ url: "/any", headers: {} })).toBe(true);
  expect(policy.satisfiesWithoutRevalidation({ headers: { host: "a" } })).toBe(false);
  expect(
    aged(0, tagged, {}, 200, { url: "", headers: {} }).satisfiesWithoutRevalidation({ url: "/any", headers: {} }),
  ).toBe(true);
});

test("Vary selects, a language by preference", () => {
  const policy = aged(0, { ...tagged, vary: "Accept" });
  expect(policy.satisfiesWithoutRevalidation(request)).toBe(true);
  expect(policy.satisfiesWithoutRevalidation({ ...request, headers: { host: "a.example", accept: "c" } })).toBe(false);
  const german = aged(0, { ...tagged, vary: "Accept-Language", "content-language": "de" });
  expect(
    german.satisfiesWithoutRevalidation({ ...request, headers: { host: "a.example", "accept-language": "de" } }),
  ).toBe(true);
});

test("responses to HEAD serve HEAD, of GET only GET, and HEAD may validate GET", () => {
  const head = { ...request, method: "HEAD" };
  expect(aged(0, tagged, {}, 200, head).satisfiesWithoutRevalidation(head)).toBe(true);
  expect(aged(0, tagged).satisfiesWithoutRevalidation(head)).toBe(false);
  expect(aged(0, tagged, {}, 200, { ...request, method: "POST" }).storable()).toBe(false);
});

test("stale-while-revalidate serves and validates behind; max-stale only serves", () => {
  const policy = aged(61, { "cache-control": "max-age=60, stale-while-revalidate=60", etag: '"a"' });
  expect(policy.useStaleWhileRevalidate()).toBe(true);
  expect(policy.timeToLive()).toBe(59_000);
  expect(policy.satisfiesWithoutRevalidation(request)).toBe(false);
  expect(policy.evaluateRequest(request)).toMatchObject({
    response: { status: 200 },
    revalidation: { synchronous: false, headers: { "if-none-match": '"a"' } },
  });
  now += 59_000;
  expect(policy.useStaleWhileRevalidate()).toBe(false);
  expect(aged(0, tagged).useStaleWhileRevalidate()).toBe(false);
  const asked = { ...request, headers: { ...request.headers, "cache-control": "max-stale=5" } };
  expect(aged(61, tagged).satisfiesWithoutRevalidation(asked)).toBe(true);
});

// http-cache-semantics, issue 56: max-stale overrides what forbids stale use there.
test.each([
  "max-age=1, must-revalidate",
  "max-age=1, proxy-revalidate",
  "s-maxage=1",
  "no-cache",
  "no-store",
  "private",
])("max-stale does not override %s", (cacheControl) => {
  const asked = { ...request, headers: { ...request.headers, "cache-control": "max-stale" } };
  const policy = aged(61, { "cache-control": `${cacheControl}, stale-while-revalidate=999, stale-if-error=999` });
  expect(policy.evaluateRequest(asked).response).toBeUndefined();
  expect(policy.timeToLive()).toBe(0);
  expect(policy.useStaleWhileRevalidate()).toBe(false);
});

test.each<[Record<string, string>, PolicyOptions, number]>([
  [{ "cache-control": "max-age=60", "set-cookie": "c=1" }, {}, 0],
  [{ "cache-control": "max-age=60", "set-cookie": "c=1" }, { shared: false }, 60],
  [{ "cache-control": "max-age=60, public", "set-cookie": "c=1" }, {}, 60],
  [{ "cache-control": "max-age=60, immutable", "set-cookie": "c=1" }, {}, 60],
  [{ expires: formatHttpDate(storedAt + 60_000), pragma: "no-cache" }, {}, 0],
  [{ expires: formatHttpDate(storedAt + 60_000), pragma: "x" }, {}, 60],
  [{ "cache-control": "max-age=60", pragma: "no-cache" }, {}, 60],
  [{ "cache-control": "max-age=60", vary: "X, *" }, {}, 0],
  [{ "cache-control": "no-cache, max-age=60" }, {}, 0],
  [{ "cache-control": "private, max-age=60" }, {}, 0],
  [{ "cache-control": "private, max-age=60" }, { shared: false }, 60],
  [{ "last-modified": formatHttpDate(storedAt - 1_000_000) }, {}, 100],
  [{ "last-modified": formatHttpDate(storedAt - 1_000_000) }, { cacheHeuristic: 0.5 }, 500],
  [{ "last-modified": formatHttpDate(storedAt - 1_000_000) }, { cacheHeuristic: 0 }, 0],
  [{ "cache-control": "immutable" }, {}, 86_400],
  [{ "cache-control": "immutable" }, { immutableMinTimeToLive: 5_000 }, 5],
  [{ "cache-control": "immutable=1" }, {}, 0],
  [{ "cache-control": "immutable, max-age=7" }, {}, 7],
  [{ "cache-control": "immutable, s-maxage=7" }, {}, 7],
  [{ "cache-control": "immutable, s-maxage=7" }, { shared: false }, 86_400],
  [{ "cache-control": "immutable", expires: formatHttpDate(storedAt + 60_000) }, {}, 86_400],
  [{ "cache-control": "immutable", expires: "0" }, {}, 0],
  [{ "cache-control": "max-age=60, pre-check=0, post-check=0, no-store" }, {}, 0],
  [{ "cache-control": "max-age=60, pre-check=0, post-check=0, no-store" }, { ignoreCargoCult: true }, 60],
  [{ "cache-control": "max-age=60, pre-check=0, no-store" }, { ignoreCargoCult: true }, 0],
  [{ "cache-control": "max-age=60, post-check=0, no-store" }, { ignoreCargoCult: true }, 0],
  [{ "cache-control": "max-age=60, no-store" }, { ignoreCargoCult: true }, 0],
])("the lifetime with %j and %j is %i s", (headers, options, seconds) => {
  const policy = aged(0, headers, options);
  expect([policy.maxAge(), policy.timeToLive(), policy.stale()]).toEqual([seconds, seconds * 1000, seconds === 0]);
  now += seconds * 1000 - 1;
  expect(policy.stale()).toBe(seconds === 0);
});

test("Pragma counts in requests without Cache-Control", () => {
  const asked = { ...request, headers: { ...request.headers, pragma: "no-cache" } };
  expect(aged(0, tagged).satisfiesWithoutRevalidation(asked)).toBe(false);
});

test("If-Modified-Since of a client is not sent", () => {
  const asked = { ...request, headers: { ...request.headers, "if-modified-since": "x" } };
  expect(aged(60, tagged).revalidationHeaders(asked)).toEqual({ ...request.headers, "if-none-match": '"a"' });
});

test("the time since Date is not age", () => {
  expect(aged(1, { ...tagged, date: formatHttpDate(storedAt - 10_000) }).age()).toBe(1);
});

test("one Set-Cookie line is text", () => {
  expect(aged(0, { ...tagged, "set-cookie": "a=1" }).responseHeaders()).toHaveProperty("set-cookie", "a=1");
});

test("Vary: * may be stored, and is never served", () => {
  const policy = aged(0, { ...tagged, vary: "*" });
  expect(policy.storable()).toBe(true);
  expect(policy.satisfiesWithoutRevalidation(request)).toBe(false);
});

test("with ignoreCargoCult, copied directives and fields go, and others stay", () => {
  const headers = {
    "cache-control":
      'pre-check=0, post-check=0, no-cache, no-store, must-revalidate, max-age=100, custom, foo="a b", bar=A',
    expires: "0",
    pragma: "no-cache",
    x: "1",
  };
  expect(aged(0, headers, { ignoreCargoCult: true }).responseHeaders()).toEqual({
    "cache-control": 'max-age=100, custom, foo="a b", bar=A',
    x: "1",
    age: "0",
  });
});

test.each<[number | undefined, string, string, boolean]>([
  [200, "", "", true],
  [undefined, "", "", true],
  [403, "", "", false],
  [403, "max-age=1", "", true],
  [200, "", "no-store", false],
])("with status %s, %j and a request with %j, storable is %s", (status, response, asked, expected) => {
  const first = { ...request, headers: { "cache-control": asked } };
  expect(aged(0, { "cache-control": response }, {}, status, first).storable()).toBe(expected);
});

test("Authorization prevents storing in a shared cache", () => {
  const first = { ...request, headers: { authorization: "x" } };
  expect(aged(0, tagged, {}, 200, first).storable()).toBe(false);
  expect(aged(0, tagged, { shared: false }, 200, first).storable()).toBe(true);
  expect(aged(0, tagged).storable()).toBe(true);
});

test("several Set-Cookie lines stay apart, and withheld fields are not served", () => {
  now = storedAt;
  const headers = { "cache-control": 'public, private="x"', "set-cookie": ["a=1", "b=2"], x: "1" };
  expect(new Policy(request, { headers }).responseHeaders()).toEqual({
    "cache-control": 'public, private="x"',
    "set-cookie": ["a=1", "b=2"],
    age: "0",
  });
});

test.each(["no-store", "only-if-cached"])("%s in a request does not matter for a fresh response", (directive) => {
  const asked = { ...request, headers: { ...request.headers, "cache-control": directive } };
  expect(aged(0, tagged).satisfiesWithoutRevalidation(asked)).toBe(true);
  expect(aged(99, tagged).evaluateRequest(asked).revalidation?.synchronous).toBe(true);
});

describe("revalidatedPolicy", () => {
  test("a 304 updates the policy", () => {
    const policy = aged(
      70,
      { ...tagged, x: "1" },
      { shared: false, cacheHeuristic: 0.3, immutableMinTimeToLive: 7, ignoreCargoCult: true },
      203,
    );
    const result = policy.revalidatedPolicy(request, { status: 304, headers: { etag: '"a"', x: "2", "x-new": "3" } });
    expect(result).toMatchObject({ modified: false, matches: true });
    expect(result.policy).toBeInstanceOf(Policy);
    expect(result.policy.age()).toBe(0);
    expect(result.policy.responseHeaders()).toMatchObject({ ...tagged, x: "2", "x-new": "3" });
    expect(result.policy.toObject()).toMatchObject({ sh: false, ch: 0.3, imm: 7, icc: true, st: 203 });
  });

  test.each<[PolicyResponse & { headers: { etag?: string } }, boolean]>([
    [{ status: 304, headers: { etag: '"b"' } }, false],
    [{ status: 200, headers: { etag: '"a"' } }, true],
    [{ status: 404, headers: {} }, true],
    [{ headers: { etag: '"b"' } }, true],
    [{ headers: { etag: '"a"' } }, false],
  ])("%j: modified is %s", (response, modified) => {
    const result = aged(70, tagged).revalidatedPolicy(request, response);
    expect(result.modified).toBe(modified);
    expect(result.matches).toBe(!modified && response.headers.etag === '"a"');
  });

  test("stale-if-error keeps the policy", () => {
    const policy = aged(70, { "cache-control": "max-age=60, stale-if-error=60" });
    for (const response of [undefined, null, { status: 503, headers: {} }]) {
      expect(policy.revalidatedPolicy(request, response)).toEqual({ policy, modified: false, matches: true });
    }
    expect(policy.revalidatedPolicy(request, { status: 404, headers: {} }).modified).toBe(true);
    now += 60_000;
    expect(() => policy.revalidatedPolicy(request, undefined)).toThrow("Response headers missing");
    expect(policy.revalidatedPolicy(request, { status: 503, headers: {} }).modified).toBe(true);
  });

  test("what may not be stored does not stand in for an error", () => {
    const policy = aged(0, { "cache-control": "no-store, stale-if-error=60" });
    expect(policy.revalidatedPolicy(request, { status: 503, headers: {} }).matches).toBe(false);
  });
});

describe("toObject and fromObject", () => {
  const first = { ...request, headers: { ...request.headers, authorization: "x", "cache-control": "max-age=0" } };

  test("the format is that of http-cache-semantics", () => {
    const policy = aged(0, { ...tagged, vary: "Accept" }, {}, 200, first);
    expect(policy.toObject()).toEqual({
      v: 1,
      t: storedAt,
      sh: true,
      ch: 0.1,
      imm: 86_400_000,
      icc: false,
      st: 200,
      resh: { ...tagged, vary: "Accept" },
      rescc: { "max-age": "60" },
      m: "GET",
      u: "/x",
      h: "a.example",
      a: false,
      reqh: first.headers,
      reqcc: { "max-age": "0" },
    });
    expect(aged(0, tagged).toObject()).toMatchObject({ reqh: null, a: true });
    expect(aged(0, tagged, { ignoreCargoCult: true }).toObject().icc).toBe(true);
  });

  test("a policy comes back from JSON", () => {
    const policy = aged(10, { ...tagged, vary: "Accept" });
    const again = Policy.fromObject(JSON.parse(JSON.stringify(policy.toObject())) as never);
    expect(again).toBeInstanceOf(Policy);
    expect(again.age()).toBe(10);
    expect(again.toObject()).toEqual(policy.toObject());
    expect(again.satisfiesWithoutRevalidation(request)).toBe(true);
    const { imm: _imm, icc: _icc, ...older } = aged(0, { "cache-control": "immutable" }).toObject();
    expect(Policy.fromObject(older).maxAge()).toBe(86_400);
    expect(Policy.fromObject({ ...older, reqcc: { "no-store": true } }).storable()).toBe(false);
  });

  test.each([undefined, {}, { v: 2 }])("%j is not a policy", (object) => {
    expect(() => CachePolicy.fromObject(object as never)).toThrow(new Error("Invalid serialization"));
  });
});

test("missing headers are an error", () => {
  expect(() => new Policy(request, {} as never)).toThrow(new Error("Response headers missing"));
  expect(() => new Policy(request, undefined as never)).toThrow(new Error("Response headers missing"));
  expect(() => new Policy({} as never, { headers: {} })).toThrow(new Error("Request headers missing"));
  const policy = aged(0, tagged);
  expect(() => policy.evaluateRequest({} as never)).toThrow(new Error("Request headers missing"));
  expect(() => policy.revalidationHeaders(undefined as never)).toThrow(new Error("Request headers missing"));
  expect(() => policy.revalidatedPolicy({} as never, undefined)).toThrow(new Error("Request headers missing"));
});
