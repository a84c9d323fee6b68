// A JavaScript program on Node with a registry of the same installation.
import * as Effect from "effect/Effect";
import { EngineClient } from "@bytenite-engines/core";
import { createEngineClient, EngineError } from "@bytenite-engines/core/promise";
import { encodeJson } from "@bytenite-engines/core/wire";
import { freshnessOf, responseDirectives } from "@bytenite-engines/http-cache";
import { EngineSchema } from "@bytenite-engines/proto";
import { startRegistry } from "@bytenite-engines/registry/testing";

const registry = await startRegistry();
const options = { baseUrl: registry.url, token: registry.tokens.alice };
const client = createEngineClient(options);

const listed = [];
for await (const engine of client.listAll()) listed.push(`${engine.name}@${engine.version}`);

const { data, mediaType } = await client.withResponse.get("zipper");
const missing = await client.get("no-such-engine").catch((error) => error);
const throughEffect = await Effect.runPromise(
  Effect.flatMap(EngineClient, (calls) => calls.status("zipper")).pipe(Effect.provide(EngineClient.layer(options))),
);

const policy = { shared: true, targetedFields: [] };
const headers = new Headers({ "cache-control": "max-age=60" });
const times = { requestTimeMs: 0, responseTimeMs: 0 };
const { lifetimeMs } = freshnessOf(200, headers, responseDirectives(headers, policy), times, policy);

await registry.stop();
process.stdout.write(
  JSON.stringify({
    listed,
    mediaType,
    engine: encodeJson(EngineSchema, data).name,
    missing: missing instanceof EngineError ? missing.reason._tag : `${missing}`,
    status: throughEffect.engineStatus,
    lifetimeMs,
  }),
);
