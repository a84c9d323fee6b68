import { expect, test } from "vitest";
import {
  basePath,
  boundedBytes,
  defaultBaseUrl,
  isLoopback,
  jwtExpiryMs,
  requestIdFrom,
  withoutBearer,
} from "./HttpRules.ts";

test.each([
  ["Bearer t", "t"],
  ["bearer t", "t"],
  ["BEARER   t", "t"],
  ["Bearer", ""],
  ["Bearer ", ""],
  // Upstream takes the raw token, which may begin with any letters.
  ["t", "t"],
  ["bearert", "bearert"],
  ["Basic t", "Basic t"],
  ["x Bearer t", "x Bearer t"],
  ["", ""],
])("the credential of %j is %j", (authorization, expected) => {
  expect(withoutBearer(authorization)).toBe(expected);
});

const jwt = (claims: unknown): string =>
  `e30.${btoa(JSON.stringify(claims)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "")}.c2ln`;

test.each([
  [jwt({ exp: 12 }), 12_000],
  [jwt({ exp: 1.5 }), 1_500],
  // The alphabet of base64url.
  [jwt({ a: "??>>~~", exp: 7 }), 7_000],
  [jwt({ exp: "12" }), undefined],
  [jwt({}), undefined],
  [jwt(null), undefined],
  [jwt(12), undefined],
  ["a.b.c", undefined],
  ["a..c", undefined],
  ["opaque", undefined],
  ["", undefined],
])("the token %s expires at %s", (token, expected) => {
  expect(jwtExpiryMs(token)).toBe(expected);
});

test.each([
  ["localhost", true],
  ["127.0.0.1", true],
  ["127.255.0.9", true],
  ["127.10.99.100", true],
  ["127.199.200.249", true],
  ["127.0.0.x1", false],
  ["127.0.0.:1", false],
  ["::1", true],
  ["[::1]", true],
  ["0:0:0:0:0:0:0:1", true],
  ["[0:0::1]", true],
  ["[::ffff:7f00:1]", true],
  ["::ffff:7fff:ffff", true],
  ["::ffff:7f0:1", false],
  ["::ffff:8000:1", false],
  ["::fffe:7f00:1", false],
  ["1::ffff:7f00:1", false],
  ["0000:0000:0000:0000:0000:0000:0000:0001", true],
  ["0::0:1", true],
  ["::1]", false],
  ["::1]/x[", false],
  ["0:1", false],
  [":".repeat(100_000), false],
  ["127.1", false],
  ["127.0.0.256", false],
  ["127.0.0.1.example", false],
  ["localhost.example", false],
  ["0.0.0.0", false],
  ["::", false],
  ["::11", false],
  ["1::1", false],
  ["::ffff:127.0.0.1", false],
  ["10.0.0.1", false],
  ["", false],
])("%s is loopback: %s", (hostname, expected) => {
  expect(isLoopback(hostname)).toBe(expected);
});

test.each(["abc-1.2:3_4~5", "x".repeat(128), "0"])("the request id %s is kept", (id) => {
  expect(requestIdFrom(id)).toBe(id);
});

test.each([null, "", "a b", 'a"b', "a\n", "x".repeat(129), "é"])("another id is made in place of %j", (id) => {
  expect(requestIdFrom(id)).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
});

async function* chunks(...lengths: ReadonlyArray<number>): AsyncGenerator<Uint8Array> {
  for (const length of lengths) yield new Uint8Array(length).fill(length);
}

test("bytes are collected up to the bound, and no further", async () => {
  expect(await boundedBytes(chunks(), 0)).toEqual(new Uint8Array());
  expect(await boundedBytes(chunks(1, 2), 3)).toEqual(Uint8Array.of(1, 2, 2));
  let given = 0;
  const endless = async function* () {
    for (;;) {
      given += 1;
      yield new Uint8Array(10);
    }
  };
  expect(await boundedBytes(endless(), 29)).toBeUndefined();
  expect(given).toBe(3);
});

test("the address of the API is the documented one", () => {
  expect([basePath, defaultBaseUrl]).toEqual(["/v1/dev", "https://api.bytenite.com/v1/dev"]);
});
