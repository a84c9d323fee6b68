import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as TestClock from "effect/testing/TestClock";
import { expect, test } from "vitest";
import { EngineClient } from "../src/index.ts";
import { memoryServer } from "../src/MemoryServer.ts";
import { createEngineClient } from "../src/promise.ts";

const baseUrl = "http://127.0.0.1:4010/v1/dev";

/** A server that asks to wait at first. */
const hinting = (headers: Record<string, string>) =>
  memoryServer({
    engines: [{ id: "1", name: "zipper", version: "0.1" }],
    answer: (_request, count) => (count === 1 ? new Response("{}", { status: 503, headers }) : undefined),
  }).fetch;

const expected = {
  data: { id: "1", name: "zipper" },
  unknownFields: new Map(),
  status: 200,
  format: "protobuf",
  mediaType: "application/x-protobuf",
  url: `${baseUrl}/engines/zipper`,
  attempts: 2,
};

test("the result has data, status, headers, media type, attempts and times", async () => {
  const client = createEngineClient({ baseUrl, fetch: hinting({ "retry-after-ms": "20" }) });
  const answer = await client.withResponse.get("zipper");
  expect(answer).toMatchObject(expected);
  expect(answer.headers.get("content-type")).toBe("application/x-protobuf");
  expect(answer.lastAttemptMs).toBeLessThan(answer.totalMs);
  expect(answer.totalMs).toBeGreaterThanOrEqual(19);
});

test("the whole time is that of the call's clock, with what was waited", async () => {
  const answer = await Effect.gen(function* () {
    const client = yield* EngineClient;
    const call = yield* Effect.forkChild(client.withResponse.get("zipper"), { startImmediately: true });
    while (call.pollUnsafe() === undefined) yield* TestClock.adjust("1 second");
    return yield* Fiber.join(call);
  }).pipe(
    Effect.provide(EngineClient.layer({ baseUrl, fetch: hinting({ "retry-after": "7" }) })),
    Effect.provide(TestClock.layer()),
    Effect.runPromise,
  );
  expect(answer).toMatchObject({ ...expected, lastAttemptMs: 0 });
  // The clock goes on by whole seconds while nothing is waited for.
  expect(answer.totalMs % 1_000).toBe(0);
  expect(answer.totalMs).toBeGreaterThanOrEqual(7_000);
});
