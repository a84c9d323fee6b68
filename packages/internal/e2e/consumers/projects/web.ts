// A typed program without Node's types.
import * as Effect from "effect/Effect";
import * as Stream from "effect/Stream";
import { EngineClient, type EngineError } from "@bytenite-engines/core";
import { apiKey } from "@bytenite-engines/core/api-key";
import { breaker } from "@bytenite-engines/core/breaker";
import { findDetails } from "@bytenite-engines/core/details";
import { createRawClient, type RawResponse } from "@bytenite-engines/core/exchange";
import { hedging } from "@bytenite-engines/core/hedging";
import { layerHttpClient } from "@bytenite-engines/core/http-client";
import { metricsListener } from "@bytenite-engines/core/metrics";
import { createEngineClient, EngineError as Failure, type PromiseEngineClient } from "@bytenite-engines/core/promise";
import { memoryServer } from "@bytenite-engines/core/testing";
import { FieldNumberInference, writeProfile, type Profile } from "@bytenite-engines/core/infer";
import { decode, encode, parseTag, type Format } from "@bytenite-engines/core/wire";
import { evaluate, requestDirectives, type Evaluation } from "@bytenite-engines/http-cache";
import { ErrorInfoSchema, EngineSchema, type Engine, type ErrorInfo } from "@bytenite-engines/proto";
import { Developer } from "@bytenite-engines/proto/service";

export const client: PromiseEngineClient = createEngineClient({
  token: apiKey("key"),
  breaker: breaker(),
  hedging: hedging({ delayMs: 50 }),
  onEvent: metricsListener(),
  middleware: [new FieldNumberInference().middleware],
  fetch: memoryServer({ engines: [{ name: "zipper", version: "0.1" }] }).fetch,
});

export const names = async (): Promise<ReadonlyArray<string>> => {
  const found: Array<string> = [];
  for await (const engine of client.listAll({ isPublic: true })) found.push(engine.name);
  return found;
};

export const reasonOf = (error: unknown): string | undefined =>
  error instanceof Failure ? error.reason._tag : undefined;

export const detailsOf = (error: EngineError): ReadonlyArray<ErrorInfo> => findDetails(error, ErrorInfoSchema);

export const counted: Effect.Effect<number, EngineError> = Effect.gen(function* () {
  const calls = yield* EngineClient;
  return yield* Stream.runCount(calls.listAll());
}).pipe(Effect.provide(EngineClient.layer({ token: "t" })));

export const layer = layerHttpClient({ token: "t" });
export const passedOn = (url: string, token: string): Promise<RawResponse> =>
  createRawClient({ breaker: breaker() }).send({ url, headers: { authorization: token }, endpoint: "list" });
export const recoded = (bytes: Uint8Array, from: Format, to: Format): Uint8Array =>
  encode(EngineSchema, decode(EngineSchema, bytes, from), to);
export const latest: Engine["version"] | undefined = parseTag("zipper@0.1")?.name;
export const decision: Evaluation = evaluate(requestDirectives("no-cache", null), undefined, 0);
export const profileText = (profile: Profile): string => writeProfile(profile);
export const method: string = Developer.method.getEngines?.name ?? "";

// @ts-expect-error A page has a number of engines, not a text.
export const wrong = client.list({ limit: "many" });

// @ts-expect-error Each request of an exchanger brings its own token.
export const ignored = createRawClient({ token: "t" });
