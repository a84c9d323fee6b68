import { expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import * as Redacted from "effect/Redacted";
import { EngineClient } from "../src/EngineClient.ts";
import { memoryServer } from "../src/MemoryServer.ts";
import type { Fetch } from "../src/promise.ts";

it.effect("a limit that the wire cannot carry is a defect of the call, not an exception where it is written", () =>
  Effect.gen(function* () {
    const client = yield* EngineClient;
    const exit = yield* Effect.exit(client.list({ limit: -1 }));
    expect(Exit.isFailure(exit) && String(exit.cause)).toContain("limit must be a whole number");
  }).pipe(Effect.provide(EngineClient.layer({ fetch: memoryServer().fetch }))),
);

it.effect(
  "a token may be redacted: of the client, of a call, of a function, and of one that says when it expires",
  () =>
    Effect.gen(function* () {
      const client = yield* EngineClient;
      const sent: Array<string | undefined> = [];
      const fetch: Fetch = (url, init) => {
        sent.push(new Headers(init.headers).get("authorization") ?? undefined);
        return memoryServer({ engines: [{ name: "a", version: "1.0" }] }).fetch(url, init);
      };
      yield* client.get("a", { fetch });
      yield* client.get("a", { fetch, token: Redacted.make("of-the-call") });
      yield* client.get("a", { fetch, token: () => Redacted.make("of-a-function") });
      yield* client.get("a", { fetch, token: async () => ({ token: Redacted.make("expiring"), expiresAtMs: 1e15 }) });
      expect(sent).toEqual(["of-the-client", "of-the-call", "of-a-function", "expiring"]);
    }).pipe(Effect.provide(EngineClient.layer({ token: Redacted.make("of-the-client"), format: "json" }))),
);
