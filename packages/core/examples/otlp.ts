// Export of a call's spans and metrics to an OTLP collector.
//
// `node examples/otlp.ts [COLLECTOR_URL]`. The engines come from memory; leave `fetch` out to call a server.
import * as Console from "effect/Console";
import * as Effect from "effect/Effect";
import * as FetchHttpClient from "effect/http/FetchHttpClient";
import * as Layer from "effect/Layer";
import * as OtlpMetrics from "effect/observability/OtlpMetrics";
import * as OtlpSerialization from "effect/observability/OtlpSerialization";
import * as OtlpTracer from "effect/observability/OtlpTracer";
import { EngineClient } from "@bytenite-engines/core";
import { metricsListener } from "@bytenite-engines/core/metrics";
import { memoryServer } from "@bytenite-engines/core/testing";

const collector = process.argv[2] ?? "http://127.0.0.1:4318";
const resource = { serviceName: "engines-example" };

const Observability = Layer.mergeAll(
  OtlpTracer.layer({ url: `${collector}/v1/traces`, resource }),
  OtlpMetrics.layer({ url: `${collector}/v1/metrics`, resource }),
).pipe(Layer.provide(OtlpSerialization.layerJson), Layer.provide(FetchHttpClient.layer));

const { fetch } = memoryServer({ engines: [{ id: "1", name: "zipper", version: "0.1", status: "active" }] });

const program = Effect.gen(function* () {
  const client = yield* EngineClient;
  const engine = yield* client.get("zipper@0.1");
  yield* Console.log(`${engine.name}@${engine.version} is ${engine.status}`);
}).pipe(Effect.withSpan("example"));

await Effect.runPromise(
  program.pipe(
    Effect.provide(EngineClient.layer({ fetch, token: "a-token", onEvent: metricsListener() })),
    Effect.provide(Observability),
  ),
);
