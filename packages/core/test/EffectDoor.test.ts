import { expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import { EngineClient } from "../src/EngineClient.ts";
import { memoryServer } from "../src/MemoryServer.ts";

it.effect("a limit that the wire cannot carry is a defect of the call, not an exception where it is written", () =>
  Effect.gen(function* () {
    const client = yield* EngineClient;
    const exit = yield* Effect.exit(client.list({ limit: -1 }));
    expect(Exit.isFailure(exit) && String(exit.cause)).toContain("limit must be a whole number");
  }).pipe(Effect.provide(EngineClient.layer({ fetch: memoryServer().fetch }))),
);
