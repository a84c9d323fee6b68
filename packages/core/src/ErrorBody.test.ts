import { expect, test } from "vitest";
import { failureOf } from "./Failure.ts";
import { defaultReadLimits } from "./ReadLimits.ts";

const failed = (status: number, body: string, maxDepth?: number) =>
  failureOf(
    {
      url: "http://127.0.0.1:4010/v1/dev/engines",
      status,
      headers: new Headers({ "content-type": "application/json" }),
      bytes: new TextEncoder().encode(body),
    },
    Date.UTC(2026, 10, 24),
    ["tok-0123456789abcdef"],
    { ...defaultReadLimits, maxJsonDepth: maxDepth ?? defaultReadLimits.maxJsonDepth },
  ).error;

/** A Status with a detail whose JSON is so many levels deep, and one after it. */
const nested = (levels: number): string => {
  const deep = `${"[".repeat(levels - 1)}${"]".repeat(levels - 1)}`;
  return `{"code":8,"message":"no","details":[{"@type":"t/a.Deep","a":${deep}},{"@type":"t/google.rpc.RetryInfo","retryDelay":"3s"}]}`;
};

test.for([70, 100_000])("a detail that is %d levels deep is left out, and the rest is read", (levels) => {
  const error = failed(429, nested(levels));
  expect(error.reason).toEqual({ _tag: "RateLimited", retryAfterMs: 3_000 });
  expect(error.details.map(({ type }) => type)).toEqual(["google.rpc.RetryInfo"]);
});

test("how deep a detail may be follows the limit of the client", () => {
  expect(failed(429, nested(8), 10).details).toHaveLength(2);
  expect(failed(429, nested(8), 9).details).toHaveLength(1);
});

test("the envelope of Google's gateways gives its code, message and hint", () => {
  const retryInfo = { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "90s" };
  const status = { code: 503, message: "slow down", status: "RESOURCE_EXHAUSTED", details: [{}, retryInfo] };
  expect(failed(503, JSON.stringify({ error: status }))).toMatchObject({
    code: "RESOURCE_EXHAUSTED",
    serverMessage: "slow down",
    reason: { _tag: "RateLimited", retryAfterMs: 90_000 },
  });
});
