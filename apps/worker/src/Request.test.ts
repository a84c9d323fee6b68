import * as fc from "fast-check";
import { expect, test } from "vitest";
import { maxUrlLength, clientOf, parseRequest, refuse, routeOf, targetOf, upstreamUrlOf, withHop } from "./Request.ts";

const route = (method: string, target: string) => routeOf(method, target, ["/v1/auth"]);

const at = (target: string): string => targetOf(`https://edge.example${target}`);

test.each([
  ["/v1/dev/engines", { endpoint: "list", target: "/engines" }],
  ["/v1/dev/engines?", { endpoint: "list", target: "/engines" }],
  ["/v1/dev/engines?unknown=1", { endpoint: "list", target: "/engines" }],
  ["/v1/dev/engines?isPublic=false&pagination.limit=0", { endpoint: "list", target: "/engines" }],
  ["/v1/dev/engines/zipper@0.1", { endpoint: "get", tag: "zipper@0.1", target: "/engines/zipper@0.1" }],
  ["/v1/dev/engines/zipper%400.1", { endpoint: "get", tag: "zipper@0.1", target: "/engines/zipper@0.1" }],
  ["/v1/dev/engines/%7Aipper@0.1", { endpoint: "get", tag: "zipper@0.1", target: "/engines/zipper@0.1" }],
  ["/v1/dev/engines/zipper/status", { endpoint: "status", tag: "zipper", target: "/engines/zipper/status" }],
])("%s is %j", (target, expected) => {
  expect(route("GET", at(target))).toEqual(expected);
});

test("equivalent requests have one normal form", () => {
  const same = [
    "?orderBy=createdAt&pagination.limit=5&isPublic=true",
    "?pagination.limit=5&is_public=1&order_by=createdAt",
    "?isPublic=T&order_by=created%41t&pagination.limit=5&x=y",
    "?isPublic=TRUE&orderBy=createdAt&pagination.limit=05&pagination.offset=0",
  ];
  const targets = same.map((query) => route("GET", at(`/v1/dev/engines${query}`)));
  expect(new Set(targets.map((each) => JSON.stringify(each))).size).toBe(1);
});

test.each([
  ["GET", "/", 404],
  ["GET", "/v1/dev", 404],
  ["GET", "/v1/dev/", 404],
  ["GET", "/v1/dev/engines/", 404],
  ["GET", "/v1/dev/engines//status", 404],
  ["GET", "/v1/dev/engines/a/b", 404],
  ["GET", "/v1/dev/engines/a/status/x", 404],
  ["GET", "/v1/devengines", 404],
  ["GET", "/v1/dev/../dev/engines", 404],
  ["GET", "/v1/dev/engines/..", 400],
  ["GET", "/v1/dev/engines/%2e%2E", 400],
  ["GET", "/v1/dev/engines/a%2Fb", 400],
  ["GET", "/v1/dev/engines/a%5Cb/status", 400],
  ["GET", "/v1/dev/engines/a%00", 400],
  ["GET", "/v1/dev/engines/%zz", 400],
  ["GET", "/v1/dev/engines/%ff", 400],
  ["GET", "/v1/dev/engines?orderBy=%zz", 400],
  ["GET", "/v1/dev/engines?orderBy=%ff", 400],
  ["GET", "/v1/dev/engines?orderBy=a&order_by=b", 400],
  ["GET", "/v1/dev/engines?pagination.limit=1&pagination.limit=1", 400],
  ["GET", "/v1/dev/engines?pagination.limit=-1", 400],
  ["GET", "/v1/dev/engines?isPublic=maybe", 400],
  ["GET", `/v1/dev/engines?x=${"y".repeat(maxUrlLength)}`, 414],
  ["POST", "/v1/dev/engines", 405],
  ["DELETE", "/v1/dev/engines/a", 405],
  ["POST", "/v1/dev/nothing", 404],
  ["GET", "/v1/auth/../dev/x", 404],
  ["GET", "/v1/auth/%2E%2e/dev", 404],
  ["POST", "/v1/auth/a%2fb", 404],
  ["GET", "/v1/authority", 404],
])("%s %.60s is refused with %i", (method, target, status) => {
  expect(route(method, at(target))).toMatchObject({ status });
});

test("any text is a route or a refusal, and a route leads nowhere but below the base URL", () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...Array.from("/.%25eE@?&=2Ff\\;#\0é engins")) }), (text) => {
      const found = route("GET", at(`/v1/dev/engines/${encodeURI(text)}`));
      if ("status" in found) return;
      const url = new URL(`https://upstream.example/base${found.target}`);
      expect(url.origin).toBe("https://upstream.example");
      expect(url.pathname.startsWith("/base/engines")).toBe(true);
    }),
    { numRuns: 2_000 },
  );
});

test("what is remembered is what was found", () => {
  fc.assert(
    fc.property(fc.constantFrom("", "?isPublic=true", "?pagination.limit=1", "/a", "/a/status"), (rest) => {
      const url = at(`/v1/dev/engines${rest}`);
      expect(route("GET", url)).toEqual(route("GET", url));
      expect(route("PUT", url)).toMatchObject({ status: 405 });
    }),
  );
});

test("paths below a configured prefix are passed on as they came, with any method", () => {
  for (const method of ["GET", "POST", "DELETE"]) {
    const target = "/v1/auth/access_token?b=%20&a=1";
    expect(route(method, target)).toMatchObject({ endpoint: "other", target });
  }
});

// A runtime that lets TRACE through: workerd refuses it before the Worker.
test("TRACE of a forwarded path is refused, with a token or without one", () => {
  for (const headers of [new Headers({ authorization: "alice" }), new Headers()]) {
    const config = { deployment: "test", forwardedPaths: ["/v1/auth"] };
    expect(parseRequest("TRACE", headers, "/v1/auth/a", config)).toMatchObject({ status: 405 });
  }
});

const config = { deployment: "test", forwardedPaths: ["/v1/auth"] };

const read = (headers: Readonly<Record<string, string>>, target = "/v1/dev/engines", method = "GET") =>
  parseRequest(method, new Headers(headers), target, config);

test("fields are read up to 8,192 characters, and URLs up to 4,096", () => {
  for (const name of [
    "accept",
    "authorization",
    "if-none-match",
    "if-modified-since",
    "cache-control",
    "via",
    "cdn-loop",
  ]) {
    // Of any length `*/*` and a token are understood.
    const value = (length: number): string => (name === "accept" ? "*/*,".padEnd(length, "*/*,") : "a".repeat(length));
    expect([name, read({ [name]: value(8_192) })]).toMatchObject([name, { isRead: true }]);
    expect([name, read({ [name]: value(8_193) })]).toMatchObject([
      name,
      { status: 431, message: "a header is longer than 8192 characters" },
    ]);
  }
  const target = "/v1/dev/engines?x=";
  expect(read({}, target.padEnd(4_096, "y"))).toMatchObject({ isRead: true });
  expect(read({}, target.padEnd(4_097, "y"))).toMatchObject({
    status: 414,
    message: "the URL is longer than 4096 characters",
  });
});

test.each([
  [{ accept: "text/html" }, "GET", { status: 406, code: "INVALID_ARGUMENT" }],
  [{ authorization: "two tokens here" }, "GET", { status: 401, code: "UNAUTHENTICATED" }],
  [{ authorization: "Bearer " }, "GET", { status: 401 }],
  [{ "x-http-method-override": "DELETE" }, "GET", { status: 400, message: "the method cannot be overridden" }],
  [{ via: "1.1 bytenite-edge-test" }, "GET", { status: 508, code: "FAILED_PRECONDITION" }],
  [{ via: "1.0 a, 1.1  Bytenite-Edge-TEST (comment)" }, "GET", { status: 508 }],
  [{ via: "1.1 bytenite-edge-tests, bytenite-edge-test 1.1" }, "GET", { isRead: true }],
  [{ "cdn-loop": "a, bytenite-edge-test; v=1" }, "GET", { status: 508 }],
  [{ "cdn-loop": "a; bytenite-edge-test" }, "GET", { isRead: true }],
  [{ via: '1.1 "open', "cdn-loop": "bytenite-edge-test" }, "GET", { status: 508 }],
  [
    {},
    "M".repeat(21),
    { status: 405, message: `method ${"M".repeat(20)} is not offered here; GET, HEAD, OPTIONS are` },
  ],
  [{}, "HEAD", { isRead: true, route: { endpoint: "list" } }],
])("a request with %j by %s is %j", (headers, method, expected) => {
  expect(read(headers as Record<string, string>, "/v1/dev/engines", method)).toMatchObject(expected);
});

test.each([
  ["GET", "a", true],
  ["POST", "a", false],
  ["PROPFIND", "a", undefined],
  ["PROPFIND", "", false],
  ["TRACE", "", undefined],
])("at a forwarded path %s with the token %j is a reading request: %s", (method, authorization, isRead) => {
  const found = read(authorization === "" ? {} : { authorization, accept: "text/html" }, "/v1/auth/a", method);
  expect("isRead" in found ? found.isRead : undefined).toBe(isRead);
  expect(found).toMatchObject(isRead === undefined ? { status: 405 } : { representation: { format: "json" } });
});

test("a bookmark asks for the present state, whatever Cache-Control says", () => {
  for (const [headers, cacheControl] of [
    [{}, null],
    [{ "cache-control": "max-age=5" }, "max-age=5"],
    [{ "x-d1-bookmark": "b" }, "no-cache, "],
    [{ "x-d1-bookmark": "b", "cache-control": "max-age=5" }, "no-cache, max-age=5"],
  ] as const) {
    const found = read(headers);
    expect(found).toMatchObject({ cacheControl, control: { noCache: "x-d1-bookmark" in headers } });
  }
});

test.each([
  ["", ""],
  ["192.0.2.7", "192.0.2.7"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2"],
  ["2001:db8::1", "2001:db8"],
  ["2001:db8:1:2:3::1", "2001:db8:1:2"],
  ["x".repeat(50), "x".repeat(45)],
])("the client of the address %s is %s", (address, client) => {
  expect(clientOf(new Headers(address === "" ? {} : { "cf-connecting-ip": address }))).toBe(client);
});

test.each([
  [{}, ["1.1 bytenite-edge-test", "bytenite-edge-test"]],
  [{ via: "", "cdn-loop": "" }, ["1.1 bytenite-edge-test", "bytenite-edge-test"]],
  [{ via: "1.0 a", "cdn-loop": "b" }, ["1.0 a, 1.1 bytenite-edge-test", "b, bytenite-edge-test"]],
])("after %j it is named last in Via and CDN-Loop", (headers, [via, loop]) => {
  expect(withHop(new Headers(headers as Record<string, string>), "test")).toEqual([
    ["via", via],
    ["cdn-loop", loop],
  ]);
});

test.each([
  ["/v1/dev/engines?pagination.limit=5", "https://up.example/base/engines?pagination.limit=5"],
  ["/v1/auth/a?b=/v1/dev/c", "https://up.example/v1/auth/a?b=/v1/dev/c"],
])("%s is asked for at %s", (target, url) => {
  expect(
    upstreamUrlOf(
      route("GET", target) as Exclude<ReturnType<typeof route>, { status: number }>,
      "https://up.example/base",
    ),
  ).toBe(url);
});

test("another path below the base path is asked for below the upstream's", () => {
  const found = routeOf("POST", "/v1/dev/other/a", ["/v1/dev"]);
  expect(upstreamUrlOf(found as Exclude<typeof found, { status: number }>, "https://up.example/base")).toBe(
    "https://up.example/base/other/a",
  );
});

test.each([
  ["//a//b", "/a/b"],
  ["/a%20b?c=//d", "/a b"],
  ["/%ff", undefined],
])("the path of %s is %s for the cache", (path, expected) => {
  const target = `/v1/auth${path}`;
  expect(route("GET", target)).toEqual({
    endpoint: "other",
    target,
    ...(expected !== undefined && { path: `/v1/auth${expected}` }),
  });
});

test("a refusal is a Status of the asked form, and of none to HEAD", async () => {
  const refused = { status: 404, code: "NOT_FOUND", message: "no such path", headers: { "x-a": "b" } } as const;
  const json = refuse(refused, "application/json");
  expect([json.status, await json.json(), Object.fromEntries(json.headers)]).toEqual([
    404,
    { code: 5, message: "no such path", details: [] },
    {
      "cache-control": "private, no-store",
      "content-length": "48",
      "content-type": "application/json",
      vary: "Accept, Authorization",
      "x-a": "b",
    },
  ]);
  const head = refuse(refused, "application/x-protobuf", false);
  expect([head.headers.get("content-type"), head.headers.get("content-length"), await head.text()]).toEqual([
    "application/x-protobuf",
    "16",
    "",
  ]);
});

test("up to 2,000 targets of up to 512 characters are remembered as they were read", () => {
  for (const length of [512, 513]) {
    const target = `/v1/dev/engines?${"&".repeat(length - 16)}`;
    expect(route("GET", target) === route("GET", target)).toBe(length === 512);
  }
  for (const [others, expected] of [
    [1_999, true],
    [2_000, false],
  ] as const) {
    const first = route("GET", `/v1/dev/engines/first-${others}`);
    for (let index = 0; index < others; index++) route("GET", `/v1/dev/engines/n${others}-${index}`);
    expect(route("GET", `/v1/dev/engines/first-${others}`) === first).toBe(expected);
  }
});

test("the target of a URL begins with its path", () => {
  expect(["http://h/a?b=//c", "https://edge.example/"].map(targetOf)).toEqual(["/a?b=//c", "/"]);
});
