// Engines as plain data: JSON and dates.
import type { JsonObject } from "@bufbuild/protobuf";
import type { Engine, EngineListResponse, EngineMessage } from "@bytenite-engines/proto";
import { EngineListResponseSchema, EngineMessageSchema, EngineSchema } from "./gen/descriptors.ts";
import { encodePlainJson } from "./WireJson.ts";

/**
 * An engine, a page or a status as JSON has it, with times as text: `JSON.stringify(toJson(engine))`. `JSON.stringify` of the message itself
 * throws, since the seconds of its times are BigInt.
 */
export const toJson = (message: Engine | EngineListResponse | EngineMessage): JsonObject => {
  switch (message.$typeName) {
    case "bytenite.engine.Engine":
      return encodePlainJson(EngineSchema, message);
    case "bytenite.developer.EngineListResponse":
      return encodePlainJson(EngineListResponseSchema, message);
    case "bytenite.developer.EngineMessage":
      return encodePlainJson(EngineMessageSchema, message);
  }
};

/** A time of an engine as a Date, in whole milliseconds: `toDate(engine.createdAt)`. Undefined where there is none. */
export function toDate(time: EngineTime): Date;
export function toDate(time: EngineTime | undefined): Date | undefined;
export function toDate(time: EngineTime | undefined): Date | undefined {
  return time === undefined ? undefined : new Date(Number(time.seconds) * 1_000 + Math.floor(time.nanos / 1_000_000));
}

/** A Timestamp. */
export interface EngineTime {
  readonly seconds: bigint;
  readonly nanos: number;
}
