import { inspect } from "node:util";
import * as Effect from "effect/Effect";
import { expect, test } from "vitest";
import { EngineError, invalidArgument, type EngineErrorReason } from "./EngineError.ts";
import { EngineError as YieldableEngineError } from "./index.ts";

const url = "http://127.0.0.1/v1/dev/engines";

test.for<[reason: EngineErrorReason, sentence: string]>([
  [{ _tag: "NotFound" }, "Not found"],
  [{ _tag: "RateLimited", retryAfterMs: 1_200 }, "Too many requests, it asks to wait 2 s"],
  [{ _tag: "RateLimited" }, "Too many requests"],
  [{ _tag: "RateLimited", retryAfterMs: 3_000_000 }, "Too many requests, it asks to wait 3000 s"],
  [{ _tag: "Unauthenticated", noneSent: true }, "The server asks for a token, and none was sent"],
  [{ _tag: "Unauthenticated" }, "The server does not accept the token"],
  [{ _tag: "Unavailable", retryAfterMs: 0 }, "The server cannot answer now, it asks to wait 0 s"],
  [
    { _tag: "Unreachable", problem: "dns", systemCode: "ENOTFOUND" },
    "The server's name does not resolve; set another base URL if it has moved (ENOTFOUND)",
  ],
  [{ _tag: "TimedOut", scope: "attempt", limitMs: 10 }, "No answer within the attempt timeout of 10 ms"],
  [{ _tag: "TimedOut", scope: "deadline", limitMs: 10 }, "No answer within the deadline of 10 ms"],
  [{ _tag: "Undecodable", problem: "it is empty" }, "The answer cannot be decoded: it is empty"],
  [{ _tag: "TooLarge", limit: "maxBodyBytes", value: 5 }, "The answer exceeds maxBodyBytes = 5"],
  [{ _tag: "TooLarge", limit: "maxArchiveBytes", value: 5 }, "The archive exceeds maxArchiveBytes = 5"],
])("%j says: %s", ([reason, sentence]) => {
  expect(new EngineError({ reason, url, attempts: 1 }).message).toBe(`${sentence} [GET ${url}]`);
});

test.for([
  [0, "Nothing was sent: the circuit breaker is open, it asks to wait 5 s"],
  [3, "Nothing more was sent: the circuit breaker is open, it asks to wait 5 s after 3 attempts"],
] as const)("after %d requests, an open circuit says: %s", ([attempts, sentence]) => {
  const error = new EngineError({ reason: { _tag: "CircuitOpen", retryAfterMs: 5_000 }, url, attempts });
  expect(error.message).toBe(`${sentence} [GET ${url}]`);
});

const full = new EngineError({
  reason: { _tag: "Unavailable" },
  url,
  attempts: 1,
  status: 503,
  code: "UNAVAILABLE",
  serverMessage: "down",
  requestId: "r-1",
  details: [{ type: "a.B", json: {} }],
  cause: new Error("under it"),
});

test("the message is made from all that is known", () => {
  expect(full.with({ attempts: 4 }).message).toBe(
    `The server cannot answer now (503 UNAVAILABLE) after 4 attempts: down [GET ${url}]`,
  );
});

test("another number of attempts changes nothing else", () => {
  const again = full.with({ attempts: 4 });
  expect(again).toBeInstanceOf(EngineError);
  expect({ ...again.toJSON(), message: "", attempts: 1 }).toEqual({ ...full.toJSON(), message: "" });
  expect(again.details).toEqual(full.details);
  expect(again.cause).toBe(full.cause);
});

test("as JSON it is plain data, without cause, stack and details", () => {
  expect(JSON.parse(JSON.stringify(full))).toEqual({
    reason: { _tag: "Unavailable" },
    message: full.message,
    method: "GET",
    url,
    attempts: 1,
    requests: 1,
    status: 503,
    code: "UNAVAILABLE",
    serverMessage: "down",
    requestId: "r-1",
  });
});

test("it can be yielded in Effect, is caught by its tag or its reason, and is printed as an error", async () => {
  const failing = Effect.gen(function* () {
    return yield* new YieldableEngineError({ reason: { _tag: "NotFound" }, url, attempts: 1 });
  });
  const byReason = failing.pipe(Effect.catchReason("EngineError", "NotFound", () => Effect.succeed("not found")));
  expect(await Effect.runPromise(byReason)).toBe("not found");
  const byTag = failing.pipe(Effect.catchTag("EngineError", ({ reason }) => Effect.succeed(reason._tag)));
  expect(await Effect.runPromise(byTag)).toBe("NotFound");
  expect(inspect(full)).toMatch(/^EngineError: The server cannot answer now.*\n {4}at /);
});

test("a call that cannot be made has no attempt and no request", () => {
  expect(invalidArgument(url, "no").toJSON()).toMatchObject({
    method: "GET",
    attempts: 0,
    requests: 0,
    serverMessage: "no",
  });
  expect(invalidArgument(url, "no", "POST").method).toBe("POST");
});
