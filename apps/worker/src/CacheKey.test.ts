import * as fc from "fast-check";
import { expect, test } from "vitest";
import { cacheKey } from "./CacheKey.ts";
import { Identities, type Identity } from "./Identity.ts";
import { route, type Route } from "./Route.ts";

const anyTarget = fc
  .tuple(fc.constantFrom("a", "b", "a@1", "a@1.0", "ab"), fc.constantFrom("", "/status"))
  .map(([tag, rest]) => `/v1/dev/engines/${tag}${rest}`);
const anyRequest = fc.record({
  token: fc.constantFrom("t", "tt", "t/json", "protobuf", "json/engines"),
  target: fc.oneof(anyTarget, fc.constantFrom("/v1/dev/engines", "/v1/dev/engines?isPublic=true")),
  format: fc.constantFrom("json", "protobuf"),
});

test("two requests have the same key only if their tokens, their targets and the forms asked for are the same", async () => {
  const identities = new Identities();
  const keyOf = async ({ token, target, format }: { token: string; target: string; format: "json" | "protobuf" }) => {
    const identity: Identity = await identities.of(token);
    return cacheKey(identity, route("GET", target) as Route, format);
  };
  await fc.assert(
    fc.asyncProperty(anyRequest, anyRequest, async (one, other) => {
      const areSame = one.token === other.token && one.target === other.target && one.format === other.format;
      expect((await keyOf(one)) === (await keyOf(other))).toBe(areSame);
    }),
    { numRuns: 500 },
  );
});

test("a key names the digest of the token, never the token", async () => {
  const identity = await new Identities().of("token-0123456789");
  const key = cacheKey(identity, route("GET", "/v1/dev/engines/a") as Route, "protobuf");
  expect(key).toBe(`${identity.digest}/protobuf/engines/a`);
  expect(key).not.toContain("token-0123456789");
});
