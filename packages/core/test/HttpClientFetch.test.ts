import { expect, it } from "@effect/vitest";
import * as Effect from "effect/Effect";
import * as FetchHttpClient from "effect/http/FetchHttpClient";
import * as HttpClient from "effect/http/HttpClient";
import * as Layer from "effect/Layer";
import { defaultBodyLimits, readBody } from "../src/Body.ts";
import { EngineClient } from "../src/EngineClient.ts";
import { fetchOf, layerHttpClient } from "../src/HttpClientFetch.ts";
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

/** The `fetch` of Node by way of an HttpClient. */
const byClient = Effect.map(HttpClient.HttpClient, fetchOf).pipe(Effect.provide(FetchHttpClient.layer));

it.live("a signal ends the body as well, with its reason", () =>
  Effect.gen(function* () {
    const fetch = yield* byClient;
    const server = yield* Effect.promise(() =>
      startServer((_request, response) => void response.writeHead(200).write("begun")),
    );
    const controller = new AbortController();
    const response = yield* Effect.promise(() => fetch(server.baseUrl, { signal: controller.signal }));
    const reader = response.body?.getReader();
    expect(new TextDecoder().decode((yield* Effect.promise(() => reader?.read() ?? Promise.reject()))?.value)).toBe(
      "begun",
    );
    const rest = reader?.read().catch((cause: unknown) => cause);
    controller.abort("enough");
    expect(yield* Effect.promise(async () => rest)).toBe("enough");
    yield* Effect.promise(() => server[Symbol.asyncDispose]());
  }),
);

it.live("with and without a signal, and without a body, the response is that of the server", () =>
  Effect.gen(function* () {
    const fetch = yield* byClient;
    const server = yield* Effect.promise(() =>
      startServer(
        ({ method }, response) => void response.writeHead(method === "PUT" ? 204 : 200, { "x-a": "b" }).end("all"),
      ),
    );
    const { signal } = new AbortController();
    const answers = [{}, { signal }, { method: "PUT" }, { method: "PUT", signal }].map(async (init) => {
      const response = await fetch(server.baseUrl, init);
      const text = new TextDecoder().decode(await readBody(response, defaultBodyLimits));
      return [response.status, response.headers.get("x-a"), text, response.body === null];
    });
    expect(yield* Effect.promise(() => Promise.all(answers))).toEqual([
      [200, "b", "all", false],
      [200, "b", "all", false],
      [204, "b", "", true],
      [204, "b", "", true],
    ]);
    yield* Effect.promise(() => server[Symbol.asyncDispose]());
    const error = yield* Effect.flip(
      Effect.tryPromise({ try: () => fetch(server.baseUrl, {}), catch: (cause) => cause }),
    );
    expect(error).toEqual(new TypeError("fetch failed"));
  }),
);
