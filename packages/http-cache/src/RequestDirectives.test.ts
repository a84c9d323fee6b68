import { expect, test } from "vitest";
import { maxDeltaSeconds } from "./CacheControl.ts";
import { requestDirectives } from "./RequestDirectives.ts";

const none = requestDirectives(null, null);

test("a request without Cache-Control has no directives", () => {
  expect(Object.values(none)).toEqual([false, false, false, false, undefined, undefined, undefined, undefined]);
});

test.each([
  ["no-store", { noStore: true }],
  ["no-cache", { noCache: true }],
  ["only-if-cached", { onlyIfCached: true }],
  ["no-transform", { noTransform: true }],
  ["max-age=5", { maxAge: 5 }],
  ["min-fresh=5", { minFresh: 5 }],
  ["max-stale=5", { maxStale: 5 }],
  ["max-stale", { maxStale: maxDeltaSeconds }],
  ["max-stale=5, max-stale", { maxStale: 5 }],
  ["max-age=5, max-age", { maxAge: 0 }],
  ["stale-if-error=5", { staleIfError: 5 }],
  // Malformed directives have their most restrictive sense.
  ["max-age = 5", { maxAge: 0 }],
  ["max-age=x", { maxAge: 0 }],
  ["min-fresh", { minFresh: maxDeltaSeconds }],
  ["min-fresh=x", { minFresh: maxDeltaSeconds }],
  ["max-stale=x", { maxStale: 0 }],
  ["max-stale = 5", {}],
  ["no-cache;max-age=5", { noCache: true, maxAge: 0 }],
])("the directives of %s are %j", (field, expected) => {
  expect(requestDirectives(field, null)).toEqual({ ...none, ...expected });
});

// RFC 9111, 5.4: "When the Cache-Control header field is not present in a request, caches MUST consider the no-cache
// request pragma-directive as having the same effect as if "Cache-Control: no-cache" were present".
test.each<[string | null, string | null, boolean]>([
  [null, "no-cache", true],
  [null, "No-Cache", true],
  [null, "other", false],
  ["max-age=60", "no-cache", false],
])("with Cache-Control %s and Pragma %s, no-cache is %s", (cacheControl, pragma, expected) => {
  expect(requestDirectives(cacheControl, pragma).noCache).toBe(expected);
});
