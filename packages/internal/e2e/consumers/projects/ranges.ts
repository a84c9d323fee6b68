// Types of the Effect entry with the application's own peers.
import { create, toBinary } from "@bufbuild/protobuf";
import { EngineClient, type EngineCalls, type EngineError } from "@bytenite-engines/core";
import { layerHttpClient } from "@bytenite-engines/core/http-client";
import { EngineSchema, type Engine } from "@bytenite-engines/proto";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import * as Stream from "effect/Stream";

const program: Effect.Effect<number, EngineError, EngineClient> = Effect.gen(function* () {
  const client: EngineCalls = yield* EngineClient;
  const engine: Engine = yield* client.get("zipper");
  yield* Stream.runDrain(client.listAll());
  return toBinary(EngineSchema, create(EngineSchema, engine)).length;
});

export const run: Promise<number> = Effect.runPromise(
  program.pipe(Effect.provide(EngineClient.layer({ token: Redacted.make("a-token") }))),
);
export const overHttpClient = layerHttpClient();
