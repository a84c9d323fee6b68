// A process with a small heap that reads a response per line.
import { createInterface } from "node:readline";
import * as Effect from "effect/Effect";
import { BadRequestSchema } from "@bytenite-engines/proto";
import { findDetails } from "../src/details.ts";
import { EngineClient } from "../src/index.ts";
import { nodeFetch } from "../src/node.ts";
import { createEngineClient, EngineError, type ClientOptions } from "../src/promise.ts";
import { createServiceClient } from "../src/service.ts";
import { FieldNumberInference } from "../src/infer/index.ts";
import { Kitchen } from "./gen/kitchen/v1/kitchen_pb.ts";

/** One response: who reads it, and from where. */
export interface Job {
  readonly entry: "promise" | "effect" | "service json" | "service protobuf";
  readonly baseUrl: string;
  readonly limits?: Readonly<Record<string, number>>;
  readonly infers?: boolean;
  readonly isNodeFetch?: boolean;
}

const list = ({ entry, baseUrl, limits = {}, infers = false, isNodeFetch = false }: Job): Promise<unknown> => {
  const options: ClientOptions = {
    baseUrl,
    limits,
    retry: { maxAttempts: 2, baseDelayMs: 1 },
    attemptTimeoutMs: 60_000,
    deadlineMs: 60_000,
    ...(isNodeFetch ? { fetch: nodeFetch() } : {}),
    ...(infers ? { format: "json", middleware: [new FieldNumberInference().middleware] } : {}),
  };
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

for await (const line of createInterface(process.stdin)) {
  const ended = await list(JSON.parse(line) as Job).then(
    () => "ok",
    (error: unknown) => {
      if (!(error instanceof EngineError)) return String(error);
      return { ...error.reason, details: findDetails(error, BadRequestSchema).length };
    },
  );
  process.stdout.write(`${JSON.stringify(ended)}\n`);
}
