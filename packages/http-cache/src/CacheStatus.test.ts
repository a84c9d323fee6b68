import { parseList } from "structured-headers";
import { expect, test } from "vitest";
import { cacheStatus } from "./CacheStatus.ts";

test.each([
  // The examples of RFC 9211, 3.
  [{ hit: true, ttlMs: 376_000 }, "edge; hit; ttl=376"],
  [{ forward: "uri-miss" as const, stored: true }, "edge; fwd=uri-miss; stored"],
  [{ forward: "stale" as const, forwardStatus: 304 }, "edge; fwd=stale; fwd-status=304"],
  [{ forward: "uri-miss" as const, collapsed: true }, "edge; fwd=uri-miss; collapsed"],
  [{ hit: true, ttlMs: -412_000 }, "edge; hit; ttl=-412"],
  [{ hit: true, ttlMs: 1_900 }, "edge; hit; ttl=1"],
  [{ hit: true, ttlMs: -100 }, "edge; hit; ttl=-1"],
  [{ forward: "bypass" as const, detail: "expired-token" }, "edge; fwd=bypass; detail=expired-token"],
  [{ hit: true, detail: "1 token" }, 'edge; hit; detail="1 token"'],
  [{ hit: true, detail: " token" }, 'edge; hit; detail=" token"'],
  [{}, "edge"],
  [{ detail: "only-if-cached" }, "edge; detail=only-if-cached"],
  [{ hit: true, detail: 'say "no"\n' }, 'edge; hit; detail="say \\"no\\"?"'],
])("%j is written as %s", (outcome, expected) => {
  expect(cacheStatus("edge", outcome)).toBe(expected);
  expect(() => parseList(expected)).not.toThrow();
});

// RFC 9211, 2: the name of a cache is a String or a Token.
test("a name outside the syntax of tokens is a string", () => {
  expect(cacheStatus('my "edge"', { hit: true })).toBe('"my \\"edge\\""; hit');
});
