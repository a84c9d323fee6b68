// Rate limits by user or address: token buckets, runtime limiters.
import QuickLRU from "quick-lru";
import { ApiError } from "./ApiError.ts";

/** Most buckets; beyond, the least recently used are dropped. */
const maxBuckets = 10_000;

/** Key of an address in limits: of IPv6 its /64 network. */
export const countedAddress = (address = ""): string => {
  const plain = address.startsWith("::ffff:") && address.includes(".") ? address.slice("::ffff:".length) : address;
  if (!plain.includes(":")) return plain;
  const [head = "", tail] = plain.split("%")[0]?.split("::") ?? [];
  const left = head === "" ? [] : head.split(":");
  const right = tail === undefined || tail === "" ? [] : tail.split(":");
  const groups =
    tail === undefined
      ? left
      : [...left, ...Array<string>(Math.max(0, 8 - left.length - right.length)).fill("0"), ...right];
  return `${groups.slice(0, 4).join(":")}::/64`;
};

/** Rate and burst of a token bucket. */
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

/** A limit by key: a user, an address. */
export interface RateLimit {
  /** Counts one call, or rejects it with the time until the next is allowed. */
  readonly take: (key: string) => void;
  /** Gives back one call. */
  readonly giveBack: (key: string) => void;
}

/** A limiter outside of this process: Cloudflare's binding (https://developers.cloudflare.com/workers/runtime-apis/bindings/rate-limit/). */
export interface RateLimiter {
  readonly limit: (options: { readonly key: string }) => Promise<{ readonly success: boolean }>;
}

/** Seconds of the period of a limiter, as configured: it does not report the remaining wait. */
export const limiterPeriodSeconds = 10;

/** Counts one call by a limiter, or throws ApiError (429). */
export const makeLimiterCheck =
  (limiter: RateLimiter) =>
  async (key: string): Promise<void> => {
    if (!(await limiter.limit({ key })).success) throw tooMany(limiterPeriodSeconds * 1_000);
  };

const tooMany = (retryDelayMs: number): ApiError =>
  new ApiError("RESOURCE_EXHAUSTED", "too many requests", {
    headers: { "Retry-After": String(Math.ceil(retryDelayMs / 1_000)) },
    retryDelayMs,
  });

/** A limit by key. */
export const makeLimit = ({ perSecond, burst }: RateLimitOptions, now: () => number = Date.now): RateLimit => {
  if (!(perSecond > 0) || !(burst >= 1))
    throw new Error("a rate limit needs perSecond above 0 and burst of at least 1");
  const buckets = new QuickLRU<string, Bucket>({ maxSize: maxBuckets });
  const filled = (bucket: Bucket, atMs: number): number =>
    Math.min(burst, bucket.tokens + (Math.max(0, atMs - bucket.atMs) / 1_000) * perSecond);
  const take = (key: string): void => {
    const atMs = now();
    const bucket = buckets.get(key) ?? { tokens: burst, atMs };
    const tokens = filled(bucket, atMs);
    if (tokens < 1) {
      buckets.set(key, { tokens, atMs });
      throw tooMany(Math.ceil(((1 - tokens) / perSecond) * 1_000));
    }
    buckets.set(key, { tokens: tokens - 1, atMs });
  };
  return {
    take,
    giveBack: (key) => {
      const bucket = buckets.get(key);
      if (bucket !== undefined) bucket.tokens = Math.min(burst, bucket.tokens + 1);
    },
  };
};
