// A client over an HttpClient of Effect.
import * as Effect from "effect/Effect";
import * as Layer from "effect/Layer";
import * as Option from "effect/Option";
import * as Stream from "effect/Stream";
import * as FetchHttpClient from "effect/http/FetchHttpClient";
import * as HttpClient from "effect/http/HttpClient";
import * as HttpClientRequest from "effect/http/HttpClientRequest";
import * as HttpClientResponse from "effect/http/HttpClientResponse";
import * as HttpTraceContext from "effect/http/HttpTraceContext";
import type { Headers } from "effect/http/Headers";
import { EngineClient } from "./EngineClient.ts";
import type { EngineClientOptions, EngineError } from "./EngineOptions.ts";
import type { Fetch } from "./Fetch.ts";

/**
 * The layer of an EngineClient whose requests go through the `HttpClient` of the context, with its tracing and middleware.
 * Costs more than the client's own way over `fetch`. The `HttpClient` must neither retry nor follow redirects itself, or the
 * client's rules about both do not hold; the one over `fetch` is configured so here.
 */
export const layerHttpClient = (
  options: Omit<EngineClientOptions, "fetch"> = {},
): Layer.Layer<EngineClient, EngineError, HttpClient.HttpClient> =>
  Layer.unwrap(
    Effect.map(HttpClient.HttpClient, (client) => EngineClient.layer({ ...options, fetch: fetchOf(client) })),
  );

/** A `fetch` over an `HttpClient`. Rejects with what lies under the HttpClientError, as `fetch` itself would. */
export const fetchOf =
  (client: HttpClient.HttpClient): Fetch =>
  async (url, init) => {
    const request = HttpClientRequest.fromWeb(new Request(url, init));
    const answer = client.execute(request).pipe(
      within(request.headers),
      Effect.provideService(FetchHttpClient.RequestInit, { redirect: "manual" }),
      Effect.flatMap(toWebResponse),
      Effect.mapError((error) => error.cause ?? error),
    );
    const { signal } = init;
    const response = await Effect.runPromise(answer, { signal });
    if (signal === undefined || response.body === null) return response;
    // The signal ends the body as well, which HttpClient knows nothing of.
    return new Response(response.body.pipeThrough(new TransformStream(), { signal }), response);
  };

/** In the trace that the client says the request belongs to; without one, the request has none. */
const within = (headers: Headers): (<A, E>(sent: Effect.Effect<A, E>) => Effect.Effect<A, E>) =>
  Option.match(HttpTraceContext.w3c(headers), {
    onSome: (span) => (sent) => Effect.withParentSpan(sent, span),
    onNone: () => Effect.provideService(HttpClient.TracerPropagationEnabled, false),
  });

const toWebResponse = (response: HttpClientResponse.HttpClientResponse): Effect.Effect<Response> =>
  Option.match(HttpClientResponse.toWeb(response), {
    onSome: Effect.succeed,
    onNone: () =>
      Effect.map(
        Stream.toReadableStreamEffect(response.stream),
        (body) => new Response(body, { status: response.status, headers: response.headers }),
      ),
  });
