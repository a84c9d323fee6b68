import { expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import * as Stream from "effect/Stream";
import * as TestClock from "effect/testing/TestClock";
import { create } from "@bufbuild/protobuf";
import { EngineSchema } from "@bytenite-engines/proto";
import { EngineClient } from "../src/EngineClient.ts";
import { memoryServer } from "../src/MemoryServer.ts";
import type { Fetch } from "../src/promise.ts";

it.effect("a limit that the wire cannot carry is an error of the call, not an exception where it is written", () =>
  Effect.gen(function* () {
    const client = yield* EngineClient;
    const error = yield* Effect.flip(client.list({ limit: -1 }));
    expect(error.reason).toEqual({ _tag: "InvalidArgument" });
    expect(error.message).toContain("limit must be a whole number");
    const ofAll = yield* Effect.flip(Stream.runDrain(client.listAll({ offset: 1.5 })));
    expect(ofAll.message).toContain("offset must be a whole number");
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

it.effect("an origin that answers in JSON is asked for JSON for five minutes, then for protobuf again", () => {
  const asked: Array<string | null> = [];
  const events: Array<string> = [];
  const fetch: Fetch = (_url, init) => {
    asked.push(new Headers(init.headers).get("accept"));
    return Promise.resolve(new Response('{"name":"a"}', { headers: { "content-type": "application/json" } }));
  };
  return Effect.gen(function* () {
    const client = yield* EngineClient;
    for (const pause of ["0 millis", "1 second", "298999 millis", "1 millis"] as const) {
      yield* TestClock.adjust(pause);
      yield* client.get("a");
    }
    expect(asked.map((accept) => accept?.replace("application/", ""))).toEqual([
      "x-protobuf",
      "json",
      "json",
      "x-protobuf",
    ]);
    expect(events.filter((type) => type === "fallback")).toHaveLength(2);
  }).pipe(Effect.provide(EngineClient.layer({ fetch, onEvent: ({ type }) => void events.push(type) })));
});

it.effect("a client for tests has the calls that it was given, and says which other one was made", () =>
  Effect.gen(function* () {
    const client = yield* EngineClient;
    expect((yield* client.get("a")).name).toBe("given");
    const exits = yield* Effect.all([
      Effect.exit(client.list()),
      Effect.exit(client.status("a")),
      Effect.exit(Stream.runDrain(client.listAll())),
      Effect.exit(client.withResponse.get("a")),
    ]);
    expect(exits.map((exit) => /was not given the call ([\w.]+)/.exec(String(exit))?.[1])).toEqual([
      "list",
      "status",
      "listAll",
      "withResponse.get",
    ]);
  }).pipe(
    Effect.provide(EngineClient.layerTest({ get: () => Effect.succeed(create(EngineSchema, { name: "given" })) })),
  ),
);
