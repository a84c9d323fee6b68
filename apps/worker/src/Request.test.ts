import * as fc from "fast-check";
import { expect, test } from "vitest";
import { maxUrlLength, parseRequest, routeOf, targetOf } from "./Request.ts";

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
