// A process with a small heap that reads one response.
import * as Effect from "effect/Effect";
import { BadRequestSchema } from "@bytenite-engines/proto";
import { findDetails } from "../src/details.ts";
import { EngineClient } from "../src/index.ts";
import { createEngineClient, EngineError, type ClientOptions } from "../src/promise.ts";
import { createServiceClient } from "../src/service.ts";
import { FieldNumberInference } from "../src/infer/index.ts";
import { Kitchen } from "./gen/kitchen/v1/kitchen_pb.ts";

const [, , entry = "", baseUrl = "", limits = "{}", infer = ""] = process.argv;
const options: ClientOptions = {
  baseUrl,
  limits: JSON.parse(limits) as Record<string, number>,
  retry: { maxAttempts: 2, baseDelayMs: 1 },
  attemptTimeoutMs: 60_000,
  deadlineMs: 60_000,
  ...(infer === "" ? {} : { format: "json", middleware: [new FieldNumberInference().middleware] }),
};
const list = (): Promise<unknown> => {
  if (entry === "promise") return createEngineClient(options).list();
  if (entry === "service json" || entry === "service protobuf")
    return createServiceClient(Kitchen, {
      ...options,
      baseUrl,
      format: entry === "service json" ? "json" : "protobuf",
    }).find({});
  return EngineClient.pipe(
    Effect.flatMap((client) => client.list()),
    Effect.provide(EngineClient.layer(options)),
    Effect.runPromise,
  );
};

const ended = await list().then(
  () => "ok",
  (error: unknown) => {
    if (!(error instanceof EngineError)) return String(error);
    return { ...error.reason, details: findDetails(error, BadRequestSchema).length };
  },
);
process.stdout.write(JSON.stringify(ended));
