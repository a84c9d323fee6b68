// Both entries with the application's own effect and @bufbuild/protobuf.
import { create, toBinary } from "@bufbuild/protobuf";
import { EngineClient } from "@bytenite-engines/core";
import { createEngineClient } from "@bytenite-engines/core/promise";
import { memoryServer } from "@bytenite-engines/core/testing";
import { EngineSchema } from "@bytenite-engines/proto";
import * as Effect from "effect/Effect";
import * as Redacted from "effect/Redacted";
import * as Stream from "effect/Stream";

const engine = create(EngineSchema, { name: "zipper", version: "0.1" });
const { fetch, requests } = memoryServer({ engines: [engine] });
const options = { baseUrl: "http://memory.example/v1/dev", fetch };

const promised = await createEngineClient({ ...options, token: "promise-token" }).get("zipper");
const names = await Effect.gen(function* () {
  const client = yield* EngineClient;
  return yield* Stream.runCollect(Stream.map(client.listAll(), ({ name }) => name));
}).pipe(Effect.provide(EngineClient.layer({ ...options, token: Redacted.make("redacted-token") })), Effect.runPromise);
const result = {
  names: [promised.name, ...names],
  sameBytes: toBinary(EngineSchema, promised).length === toBinary(EngineSchema, engine).length,
  tokens: [...new Set(requests.map(({ headers }) => headers.get("authorization")))],
};
process.stdout.write(JSON.stringify(result));
