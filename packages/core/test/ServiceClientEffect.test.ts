// Service clients with Effect: layers, errors, interruption, time.
import { it } from "@effect/vitest";
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as Redacted from "effect/Redacted";
import * as Tracer from "effect/Tracer";
import * as TestClock from "effect/testing/TestClock";
import { makeServiceClient, serviceClientLayer, type EffectServiceClient } from "@bytenite-engines/core/service";
import { expect } from "vitest";
import type { Fetch } from "../src/promise.ts";
import { LibraryService } from "./gen/google/example/library/v1/library_pb.ts";
import { Kitchen } from "./gen/kitchen/v1/kitchen_pb.ts";
import { libraryHandlers } from "./LibraryService.ts";
import { startService } from "./ServiceServer.ts";

class Library extends Context.Service<Library, EffectServiceClient<typeof LibraryService>>()("test/Library") {}

it.live("a layer gives the client under a key of the program's own", () =>
  Effect.gen(function* () {
    const server = yield* Effect.acquireRelease(
      Effect.promise(() => startService(LibraryService, libraryHandlers())),
      (server) => Effect.promise(() => server[Symbol.asyncDispose]()),
    );
    const program = Effect.gen(function* () {
      const library = yield* Library;
      const shelf = yield* library.createShelf({ shelf: { theme: "Poems" } });
      const { status, data } = yield* library.withResponse.getShelf({ name: shelf.name });
      const missing = yield* Effect.flip(library.getShelf({ name: "shelves/9" }));
      return { status, theme: data.theme, missing: missing.reason._tag };
    });
    const layer = serviceClientLayer(Library, LibraryService, {
      baseUrl: server.baseUrl,
      token: Redacted.make("secret"),
    });
    expect(yield* Effect.provide(program, layer)).toEqual({ status: 200, theme: "Poems", missing: "NotFound" });
    expect(server.requests[0]?.headers.authorization).toBe("secret");
  }),
);

it.effect("waits, timeouts and interruption follow the clock and the fiber of the program", () =>
  Effect.gen(function* () {
    let aborted = 0;
    const kitchen = yield* makeServiceClient(Kitchen, {
      baseUrl: "http://127.0.0.1:1",
      retry: { maxAttempts: 2, baseDelayMs: 0 },
      attemptTimeoutMs: 1_000,
      fetch: (_url, init) =>
        new Promise((_resolve, reject) =>
          init.signal?.addEventListener("abort", () => {
            aborted += 1;
            reject(new Error("aborted"));
          }),
        ),
    });
    const timedOut = yield* Effect.forkChild(Effect.flip(kitchen.find({})));
    yield* TestClock.adjust("3 seconds");
    const error = yield* Fiber.join(timedOut);
    expect(error).toMatchObject({ reason: { _tag: "TimedOut" }, attempts: 2 });
    expect(aborted).toBe(2);
    const interrupted = yield* Effect.forkChild(kitchen.find({}));
    yield* TestClock.adjust("1 millis");
    yield* Fiber.interrupt(interrupted);
    expect(aborted).toBe(3);
  }),
);

const emptyObject: Fetch = () =>
  Promise.resolve(new Response("{}", { headers: { "content-type": "application/json" } }));

it.effect("the span of a call has the full name of its rpc", () =>
  Effect.gen(function* () {
    const spans: Array<string> = [];
    const tracer = Tracer.make({
      span: (options) => {
        spans.push(options.name);
        return new Tracer.NativeSpan(options);
      },
    });
    const kitchen = yield* makeServiceClient(Kitchen, { baseUrl: "http://127.0.0.1:1", fetch: emptyObject });
    yield* Effect.provideService(kitchen.find({}), Tracer.Tracer, tracer);
    expect(spans).toEqual(["kitchen.v1.Kitchen.Find", "GET /v1/everything"]);
  }),
);

it.effect("what is no schedule is an invalid option, not a defect", () =>
  Effect.gen(function* () {
    const layer = serviceClientLayer(Library, LibraryService, {
      baseUrl: "http://127.0.0.1:1",
      retry: { schedule: 5 as never },
    });
    const error = yield* Effect.flip(Effect.provide(Library, layer));
    expect(error.reason._tag).toBe("InvalidArgument");
    expect(error.message).toContain("schedule must be a Schedule of Effect, not a number");
  }),
);

it.effect("invalid options of a client are an error of its effect", () =>
  Effect.gen(function* () {
    for (const options of [{ baseUrl: "http://127.0.0.1:1", tokn: "x" }, {}, null]) {
      const error = yield* Effect.flip(makeServiceClient(LibraryService, options as never));
      expect(error.reason._tag).toBe("InvalidArgument");
    }
  }),
);
