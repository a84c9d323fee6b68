import { expect, test } from "vitest";
import { apiKey } from "./ApiKey.ts";
import { baseUrlOf, settingsOf, type CallOptions } from "./ClientOptions.ts";
import { defaultBaseUrl } from "./HttpRules.ts";
import { breaker } from "./FailureRateBreaker.ts";
import { hedging } from "./LatencyHedging.ts";
import { memoryServer } from "./MemoryServer.ts";
import { makeClientParts } from "./ClientParts.ts";
import { makeEngineParts } from "./client/EngineMethods.ts";

test("the defaults are those of the documents; the README test compares the numbers", () => {
  expect(settingsOf({})).toMatchObject({
    format: "auto",
    dedupe: true,
    propagateTrace: true,
    attemptTimeoutMs: 10_000,
    deadlineMs: 30_000,
  });
  const mebibytes = 64 * 1_048_576;
  expect(settingsOf({}).limits).toEqual({
    maxBodyBytes: mebibytes,
    maxDecodedBodyBytes: mebibytes,
    maxArchiveBytes: mebibytes,
    maxPages: 100_000,
    maxJsonDepth: 64,
    maxEnginesPerPage: 100_000,
    maxItems: 250_000,
  });
});

test("a call overrides what it names, and nothing else; undefined names nothing", () => {
  const client = settingsOf({ headers: { a: "1" }, retry: { maxAttempts: 2, factor: 3 }, deadlineMs: 5 });
  const options = { headers: { b: "2" }, retry: { maxAttempts: 1, factor: undefined }, deadlineMs: undefined };
  const call = settingsOf(options, client);
  expect(call.headers).toEqual({ a: "1", b: "2" });
  expect(call.retry).toMatchObject({ maxAttempts: 1, factor: 3, baseDelayMs: client.retry.baseDelayMs });
  expect(call.deadlineMs).toBe(5);
  expect(client.retry.maxAttempts).toBe(2);
});

test.for<[options: object, named: RegExp]>([
  [{ format: "xml" }, /^format must be "auto", "protobuf" or "json", not "xml"$/],
  [{ attemptTimeoutMs: -1 }, /^attemptTimeoutMs must be a number from 0, not -1$/],
  [{ deadlineMs: Number.NaN }, /^deadlineMs/],
  [{ deadlineMs: "5" }, /^deadlineMs/],
  [{ limits: { maxBodyBytes: -1 } }, /^maxBodyBytes/],
  [{ limits: { maxJsonDepth: Number.NaN } }, /^maxJsonDepth/],
  [{ headers: "abc" }, /^headers must be an object of names and values$/],
  [{ headers: null }, /^headers must be an object of names and values$/],
  [{ retry: { maxAttempts: 0 } }, /^maxAttempts must be a number from 1, not 0$/],
  [{ retry: { maxAttempts: 1.5 } }, /^maxAttempts must be a whole number, not 1.5$/],
  [{ retry: { factor: 0.5 } }, /^factor must be a number from 1/],
  [{ retry: { baseDelayMs: -1 } }, /^baseDelayMs/],
  [{ retryBudget: -1 }, /^retryBudget/],
  [{ retryBudget: Number.NaN }, /^retryBudget/],
])("%j is refused, by name", ([options, named]) => {
  expect(() => makeEngineParts(options)).toThrow(named);
});

test.for<[given: string | undefined, used: string]>([
  [undefined, defaultBaseUrl],
  ["http://127.0.0.1:4010/v1/dev/", "http://127.0.0.1:4010/v1/dev"],
  ["http://127.0.0.1:4010", "http://127.0.0.1:4010"],
  ["HTTPS://Example.COM/v1/", "https://example.com/v1"],
])("the base URL %s is used as %s", ([given, used]) => {
  expect(baseUrlOf(given)).toBe(used);
});

test.for([
  "",
  "api.bytenite.com",
  "ftp://a.example",
  "http://user:pass@a.example",
  "http://user@a.example",
  "http://:pass@a.example",
  "http://a.example?x=1",
  "http://a.example#x",
])("the base URL %j is refused, and a password in it is not shown", (given) => {
  let error: unknown;
  try {
    baseUrlOf(given);
  } catch (thrown) {
    error = thrown;
  }
  expect(error).toBeInstanceOf(TypeError);
  expect(String(error)).not.toContain("user:pass");
});

test.for<[headers: Readonly<Record<string, string>>, named: string]>([
  [{ "x y": "1" }, '"x y" is not a header name'],
  [{ "x-secret": "s3cr3t\r\nx: y" }, "invalid value for header x-secret"],
  [{ "Content-Length": "0" }, "content-length is not yours to set"],
  [{ "transfer-encoding": "s3cr3t" }, "transfer-encoding is not yours to set"],
  [{ Host: "a.example" }, "host is not yours to set"],
])("headers that cannot be sent are refused by name, and no value is shown", ([headers, named]) => {
  expect(() => makeClientParts({ headers }, [])).toThrow(named);
  expect(() => makeClientParts({ headers }, [])).not.toThrow("s3cr3t");
});

test.for<[option: string, value: unknown]>([
  ["dedupe", "no"],
  ["dedupe", 0],
  ["propagateTrace", "false"],
  ["middleware", {}],
  ["middleware", [undefined]],
])("%s = %j is refused by name", ([option, value]) => {
  expect(() => makeClientParts({ [option]: value }, [])).toThrow(new RegExp(`^${option} must be`));
});

test.for<[make: () => unknown, problem: string]>([
  [() => hedging({ dealyMs: 5 } as never), 'there is no option "hedging.dealyMs"; did you mean "delayMs"?'],
  [() => hedging({ delayMs: "5" } as never), "delayMs must be a number from 0, not a string"],
  [() => hedging({ minSamples: -1 }), "minSamples must be a number from 0, not -1"],
  [() => breaker({ delay: 1 } as never), 'there is no option "breaker.delay"'],
  [() => breaker({ openMs: "5" } as never), "openMs must be a number from 0, not a string"],
  [() => memoryServer({ foo: 1 } as never), 'there is no option "memoryServer.foo"'],
  [() => memoryServer({ engines: 5 } as never), "engines must be an array of engines"],
  [() => memoryServer({ answer: 5 } as never), "answer must be a function, not a number"],
  [() => apiKey(""), "key is empty"],
  [() => apiKey("a\nb"), "key has characters that no HTTP header can carry"],
  [() => apiKey(null as never), "key must be text, not null"],
  [() => apiKey("a", { uri: "x" } as never), 'there is no option "apiKey.uri"; did you mean "url"?'],
  [() => makeEngineParts({ retryBudget: "5" } as never), "retryBudget must be a number from 0, not a string"],
])("%s is refused: %s", ([make, problem]) => {
  expect(make).toThrow(problem);
});

test.for<CallOptions>([
  { token: null },
  { token: "abc" },
  { token: () => "abc" },
  { onEvent: null },
  { onEvent: () => {} },
  { hedging: null },
  { hedging: hedging() },
  { breaker: null },
  { breaker: breaker() },
  { middleware: [] },
  { middleware: [(request, next) => next(request)] },
  { headers: {} },
  { headers: { a: "\tb \u00ff" } },
  { retry: { maxAttempts: Infinity } },
  { attemptTimeoutMs: Infinity, deadlineMs: 0 },
  { retryBudget: Infinity },
  { format: "protobuf", dedupe: false, propagateTrace: false },
])("the options %o are taken", (options) => {
  expect(() => makeClientParts(options, [])).not.toThrow();
});
