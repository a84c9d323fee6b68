import { expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as FetchHttpClient from "effect/http/FetchHttpClient";
import * as Layer from "effect/Layer";
import { EngineClient } from "../src/EngineClient.ts";
import { layerHttpClient } from "../src/HttpClientFetch.ts";
import { json, startServer } from "@bytenite-engines/test-kit/ports";

const clientOf = (baseUrl: string) =>
  layerHttpClient({ baseUrl, token: "secret-token", format: "json", retry: { baseDelayMs: 1 } }).pipe(
    Layer.provide(FetchHttpClient.layer),
  );

it.live("calls go through the HttpClient of the context, with the client's own retries", () =>
  Effect.gen(function* () {
    const server = yield* Effect.promise(() =>
      startServer((request, response, count) =>
        count === 1 ? json(response, 503, {}) : json(response, 200, { id: "1", name: request.headers.authorization }),
      ),
    );
    const answer = yield* Effect.gen(function* () {
      const client = yield* EngineClient;
      return yield* client.withResponse.get("zipper");
    }).pipe(Effect.provide(clientOf(server.baseUrl)));
    expect(answer).toMatchObject({ attempts: 2, data: { name: "secret-token" } });
    yield* Effect.promise(() => server[Symbol.asyncDispose]());
  }),
);

it.live("the token does not follow a redirect to another origin", () =>
  Effect.gen(function* () {
    const other = yield* Effect.promise(() => startServer((_request, response) => json(response, 200, {})));
    const server = yield* Effect.promise(() =>
      startServer((_request, response) => json(response, 302, {}, { location: `${other.baseUrl}/engines/zipper` })),
    );
    const error = yield* Effect.gen(function* () {
      const client = yield* EngineClient;
      return yield* Effect.flip(client.get("zipper"));
    }).pipe(Effect.provide(clientOf(server.baseUrl)));
    expect(error.reason._tag).toBe("RedirectRefused");
    expect(other.requests).toHaveLength(0);
    yield* Effect.promise(() => Promise.all([server[Symbol.asyncDispose](), other[Symbol.asyncDispose]()]));
  }),
);

it.live("an unreachable server gives the same error as over fetch", () =>
  Effect.gen(function* () {
    const server = yield* Effect.promise(() => startServer(() => {}));
    yield* Effect.promise(() => server[Symbol.asyncDispose]());
    const client = yield* EngineClient.pipe(Effect.provide(clientOf(server.baseUrl)));
    const error = yield* Effect.flip(client.get("zipper"));
    expect(error.reason).toMatchObject({ _tag: "Unreachable", problem: "refused" });
  }),
);

it.live("a request belongs to the caller's trace, and to none where there is none or where the option says so", () =>
  Effect.gen(function* () {
    const server = yield* Effect.promise(() => startServer((_request, response) => json(response, 200, { id: "1" })));
    const get = (propagateTrace: boolean) =>
      Effect.flatMap(EngineClient, (client) => client.get("zipper", { propagateTrace })).pipe(
        Effect.provide(clientOf(server.baseUrl)),
      );
    const traceId = yield* Effect.currentSpan.pipe(
      Effect.tap(() => get(true)),
      Effect.tap(() => get(false)),
      Effect.map((span) => span.traceId),
      Effect.withSpan("caller"),
    );
    yield* get(true);
    const sent = server.requests.map(({ headers }) => [headers["traceparent"], headers["b3"]].join());
    expect(sent).toEqual([expect.stringContaining(`00-${traceId}-`), ",", ","]);
    yield* Effect.promise(() => server[Symbol.asyncDispose]());
  }),
);
