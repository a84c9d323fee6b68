import { expect, it } from "@effect/vitest";
import * as Clock from "effect/Clock";
import * as Config from "effect/Config";
import * as ConfigProvider from "effect/ConfigProvider";
import * as Duration from "effect/Duration";
import * as Effect from "effect/Effect";
import * as Fiber from "effect/Fiber";
import * as Redacted from "effect/Redacted";
import * as Schedule from "effect/Schedule";
import * as Stream from "effect/Stream";
import * as Tracer from "effect/Tracer";
import * as TestClock from "effect/testing/TestClock";
import { create } from "@bufbuild/protobuf";
import { EngineSchema } from "@bytenite-engines/proto";
import { EngineClient } from "../src/EngineClient.ts";
import { memoryServer } from "../src/MemoryServer.ts";
import type { EngineEvent, Fetch } from "../src/promise.ts";

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

const engines = [{ name: "a", version: "1.0" }];

const silent: Fetch = () => new Promise(() => {});

it.effect("times may be durations; wrong ones are a failure that says which", () =>
  Effect.gen(function* () {
    const client = yield* EngineClient;
    const options = { fetch: silent, retry: { maxAttempts: 1 } } as const;
    // Where both end at once, it is the attempt.
    const asked = yield* Effect.forkChild(
      Effect.flip(client.get("a", { ...options, attemptTimeout: "2 seconds", deadline: "2 seconds" })),
      { startImmediately: true },
    );
    yield* TestClock.adjust("2 seconds");
    expect((yield* Fiber.join(asked)).reason).toEqual({ _tag: "TimedOut", scope: "attempt", limitMs: 2_000 });
    const late = yield* Effect.forkChild(
      Effect.flip(client.get("a", { ...options, deadline: Duration.minutes(1), attemptTimeout: Duration.infinity })),
      { startImmediately: true },
    );
    yield* TestClock.adjust("1 minute");
    expect((yield* Fiber.join(late)).reason).toEqual({ _tag: "TimedOut", scope: "deadline", limitMs: 60_000 });
    const error = yield* Effect.flip(client.get("a", { deadline: "soon" as never }));
    expect([error.reason._tag, error.serverMessage]).toEqual([
      "InvalidArgument",
      'deadline must be a duration, e.g. "10 seconds", not "soon"',
    ]);
  }).pipe(Effect.provide(EngineClient.layer())),
);

it.effect("a schedule is another backoff: its delays, and its end", () =>
  Effect.gen(function* () {
    const client = yield* EngineClient;
    const delays: Array<number> = [];
    const options = {
      fetch: memoryServer({ engines, answer: () => new Response("{}", { status: 503 }) }).fetch,
      onEvent: (event: EngineEvent) => void (event.type === "retry" && delays.push(event.delayMs)),
      retry: {
        schedule: Schedule.exponential("100 millis", 3).pipe(Schedule.upTo({ times: 4 })),
        maxAttempts: undefined,
      },
    };
    const asked = yield* Effect.forkChild(Effect.flip(client.get("a", options)), { startImmediately: true });
    while (asked.pollUnsafe() === undefined) {
      yield* TestClock.adjust("1 second");
      yield* Effect.promise(() => new Promise(setImmediate));
    }
    const { attempts, retryStopped } = yield* Fiber.join(asked);
    expect([delays, attempts, retryStopped]).toEqual([[100, 300, 900, 2_700], 5, "schedule"]);
  }).pipe(Effect.provide(EngineClient.layer())),
);

it.effect("an effect is a source of tokens, run for every request", () => {
  let runs = 0;
  const token = Effect.sync(() => Redacted.make(`token-${(runs += 1)}`));
  const server = memoryServer({ engines });
  return Effect.gen(function* () {
    const client = yield* EngineClient;
    yield* client.get("a");
    yield* client.get("a");
    expect(server.requests.map(({ headers }) => headers.get("authorization"))).toEqual(["token-1", "token-2"]);
    const error = yield* Effect.flip(client.get("a", { token: Effect.fail(new Error("the vault is sealed")) }));
    expect(error.reason).toEqual({ _tag: "CredentialsFailed", problem: "the vault is sealed" });
  }).pipe(Effect.provide(EngineClient.layer({ token, fetch: server.fetch })));
});

it.effect("an effect that gives tokens has the clock and the span of its call", () => {
  const server = memoryServer({ engines });
  const spans: Array<Tracer.NativeSpan> = [];
  const tracer = Tracer.make({
    span: (options) => {
      const span = new Tracer.NativeSpan(options);
      spans.push(span);
      return span;
    },
  });
  const token = Effect.sleep("5 seconds").pipe(
    Effect.andThen(Clock.currentTimeMillis),
    Effect.map((now) => `at-${now}`),
    Effect.withSpan("vault"),
  );
  return Effect.gen(function* () {
    const client = yield* EngineClient;
    const asked = yield* Effect.forkChild(client.get("a"), { startImmediately: true });
    yield* TestClock.adjust("5 seconds");
    yield* Fiber.join(asked);
    expect(server.requests.map(({ headers }) => headers.get("authorization"))).toEqual(["at-5000"]);
    const vault = spans.find(({ name }) => name === "vault");
    expect(vault?.parent).toMatchObject({ value: { name: "GET /engines/{engine_tag}" } });
  }).pipe(
    Effect.provide(EngineClient.layer({ token, fetch: server.fetch })),
    Effect.provideService(Tracer.Tracer, tracer),
  );
});

it.effect("options come from configuration", () => {
  const server = memoryServer({ engines });
  const layer = EngineClient.layerConfig({
    token: Config.Redacted("BYTENITE_TOKEN"),
    baseUrl: Config.String("BYTENITE_BASE_URL"),
    fetch: Config.succeed(server.fetch),
  });
  const env = { BYTENITE_TOKEN: "secret", BYTENITE_BASE_URL: "http://configured.example/v1" };
  return Effect.gen(function* () {
    yield* Effect.provide(
      Effect.flatMap(EngineClient, (client) => client.get("a")),
      layer,
    );
    const [request] = server.requests;
    expect([request?.url, request?.headers.get("authorization")]).toEqual([
      "http://configured.example/v1/engines/a",
      "secret",
    ]);
  }).pipe(Effect.provide(ConfigProvider.layer(ConfigProvider.fromUnknown(env))));
});

it.effect("options that cannot be are failures of the layer, and of the call", () =>
  Effect.gen(function* () {
    const made = yield* Effect.flip(Effect.provide(EngineClient, EngineClient.layer({ deadlineMs: -1 })));
    expect([made.reason._tag, made.serverMessage]).toEqual([
      "InvalidArgument",
      "deadlineMs must be a number from 0, not -1",
    ]);
    for (const options of [null, 5, []]) {
      const { serverMessage } = yield* Effect.flip(Effect.provide(EngineClient, EngineClient.layer(options as never)));
      expect(serverMessage).toContain("options must be an object, not");
    }
    const client = yield* EngineClient;
    for (const [options, said] of [
      [{ deadlineMS: 5 }, 'there is no option "deadlineMS"; did you mean "deadlineMs"?'],
      [{ deadlin: 5 }, 'there is no option "deadlin"; did you mean "deadline"?'],
      [{ attemptTimeot: 5 }, 'there is no option "attemptTimeot"; did you mean "attemptTimeout"?'],
      [{ deadline: -1 }, 'deadline must be a duration, e.g. "10 seconds", not -1'],
      [{ retry: { maxAttempt: 1 } }, 'there is no option "maxAttempt"; did you mean "maxAttempts"?'],
      [{ retry: { basedelay: 1 } }, 'did you mean "baseDelay"?'],
      [null, "options must be an object, not null"],
      [5, "options must be an object, not a number"],
      [[], "options must be an object, not an array"],
      [{ deadline: Number.NaN }, 'deadline must be a duration, e.g. "10 seconds", not NaN'],
      [{ retry: { baseDelay: Number.NaN } }, "baseDelay must be a duration"],
      [{ hedging: {} }, "hedging must be an object that hedging(...) gives"],
    ] as const) {
      const error = yield* Effect.flip(client.get("a", options as never));
      expect([error.reason._tag, error.attempts]).toEqual(["InvalidArgument", 0]);
      expect(error.serverMessage?.replace("retry.", "")).toContain(said);
    }
    const noToken = yield* Effect.flip(client.get("a", { token: Effect.succeed(null as never) }));
    expect(noToken.message).toContain("Could not get a token: token must be text, not null");
  }).pipe(Effect.provide(EngineClient.layer())),
);

it.effect("an error is caught by its reason, and can be yielded again", () =>
  Effect.gen(function* () {
    const client = yield* EngineClient;
    const absent = client
      .get("absent")
      .pipe(Effect.catchReason("EngineError", "NotFound", () => Effect.succeed("no such engine")));
    expect(yield* absent).toBe("no such engine");
    const again = client.get("absent").pipe(
      Effect.catchTag("EngineError", (error) =>
        Effect.gen(function* () {
          return yield* error;
        }),
      ),
    );
    expect((yield* Effect.flip(again)).reason._tag).toBe("NotFound");
  }).pipe(Effect.provide(EngineClient.layer({ fetch: memoryServer({ engines }).fetch }))),
);
