// Decides: whether a user has called too often: a token bucket per user, of numbers and timestamps only.
import { Refusal } from "./Refusal.ts";
import type { User } from "./EngineStore.ts";

/** Users whose buckets are kept; when there are more, full buckets are forgotten first. */
const maxBuckets = 10_000;

/** How often a user may call. */
export interface RateLimitOptions {
  /** Calls a second, over time. */
  readonly perSecond: number;
  /** Calls at once after a pause. */
  readonly burst: number;
}

interface Bucket {
  tokens: number;
  atMs: number;
}

/** Takes one call of a user, or refuses it with the time after which there will be room for one. */
export const makeRateLimit = (
  { perSecond, burst }: RateLimitOptions,
  now: () => number = Date.now,
): ((user: User) => void) => {
  if (!(perSecond > 0) || !(burst >= 1))
    throw new Error("a rate limit needs perSecond above 0 and burst of at least 1");
  const buckets = new Map<string, Bucket>();
  const filled = (bucket: Bucket, atMs: number): number =>
    Math.min(burst, bucket.tokens + (Math.max(0, atMs - bucket.atMs) / 1_000) * perSecond);
  return (user) => {
    const atMs = now();
    if (buckets.size >= maxBuckets && !buckets.has(user.id)) {
      for (const [id, bucket] of buckets) if (filled(bucket, atMs) >= burst) buckets.delete(id);
      if (buckets.size >= maxBuckets) buckets.clear();
    }
    const bucket = buckets.get(user.id) ?? { tokens: burst, atMs };
    const tokens = filled(bucket, atMs);
    if (tokens < 1) {
      buckets.set(user.id, { tokens, atMs });
      const retryDelayMs = Math.ceil(((1 - tokens) / perSecond) * 1_000);
      throw new Refusal("RESOURCE_EXHAUSTED", "too many requests", {
        headers: { "Retry-After": String(Math.ceil(retryDelayMs / 1_000)) },
        retryDelayMs,
      });
    }
    buckets.set(user.id, { tokens: tokens - 1, atMs });
  };
};
