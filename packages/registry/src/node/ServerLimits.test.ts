import { expect, test } from "vitest";
import { defaultLimits } from "./ServerLimits.ts";

test("the limits that nobody sets are of seconds, of hundreds of connections, and of megabytes", () => {
  expect(defaultLimits).toEqual({
    headerBytes: 16_384,
    headersTimeoutMs: 10_000,
    requestTimeoutMs: 15_000,
    anonymousTimeoutMs: 5_000,
    uploadTimeoutMs: 600_000,
    keepAliveTimeoutMs: 75_000,
    connections: 1_000,
    connectionsPerAddress: 256,
    pipelinedRequests: 32,
    responseTimeoutMs: 30_000,
    answerBytes: 16_777_216,
    bytesInFlight: 33_554_432,
    drainDelayMs: 0,
    drainMs: 10_000,
  });
});
