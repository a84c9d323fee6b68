// JSON entry: a client for browsers, without protobuf.
import type { JsonObject } from "@bufbuild/protobuf";
import type { Engine, EngineListResponse, EngineMessage } from "@bytenite-engines/proto";
import { shortMethods } from "./client/EngineCalls.ts";
import { receiveAs, type Receive } from "./client/HttpCall.ts";
import { promiseCalls } from "./client/PromiseCalls.ts";
import type { PromiseEngineClient } from "./client/PromiseClient.ts";
import type { ClientOptions } from "./ClientOptions.ts";
import { makeClientParts } from "./ClientParts.ts";
import { invalidArgument } from "./EngineError.ts";
import { AttemptFailure } from "./Failure.ts";
import { newMessage } from "./Descriptor.ts";
import { EngineListResponseSchema, EngineMessageSchema, EngineSchema } from "./gen/descriptors.ts";
import { decodeJsonWithin } from "./JsonReader.ts";
import { UnreadableBody, type MessageCodec } from "./Reading.ts";
import { encodePlainJson } from "./WireJson.ts";

export { EngineError } from "./EngineError.ts";
export type { PromiseCallOptions } from "./client/PromiseClient.ts";
export type { ClientOptions } from "./ClientOptions.ts";

/** Options of a client that speaks JSON only. */
export type JsonClientOptions = Omit<ClientOptions, "format" | "protobufVerification">;

/** The calls of `PromiseEngineClient` but `upload` and `archive`. */
export interface JsonEngineClient extends Omit<PromiseEngineClient, "upload" | "archive" | "withResponse"> {
  readonly withResponse: Omit<PromiseEngineClient["withResponse"], "upload">;
}

const noProtobuf = (): never => {
  throw new UnreadableBody("it is protobuf, and this client reads JSON only");
};

const codec: MessageCodec = {
  create: newMessage,
  encode: (schema, message, { pathFields }) => {
    const json = encodePlainJson(schema, message);
    const inPath = new Set(pathFields.map(({ fields: [field] }) => field?.jsonName));
    for (const [name, value] of Object.entries(json)) if (value === "" || inPath.has(name)) delete json[name];
    return new TextEncoder().encode(JSON.stringify(json));
  },
  readJson: decodeJsonWithin,
  readProtobuf: noProtobuf,
  errors: undefined,
  around: noProtobuf,
  wellKnown: undefined,
};

const receive: Receive = async (parts, call, plan) => {
  if (call.format !== "protobuf") return receiveAs(parts, call, plan, "json");
  const problem = 'format "protobuf" needs the client of @bytenite-engines/core/promise';
  throw new AttemptFailure(invalidArgument(plan.url, problem, call.method));
};

/**
 * Creates a client that asks for JSON and reads nothing else, for pages. Throws and rejects as that of `@bytenite-engines/core/promise`
 * does; the format "protobuf" is InvalidArgument.
 */
export const createEngineClient = (options: JsonClientOptions = {}): JsonEngineClient => {
  const parts = { ...makeClientParts(options, []), wire: { codec, receive } };
  return promiseCalls(parts, shortMethods(parts, ["signal"]));
};

/**
 * An engine, a page or a status as JSON has it, with times as text: `JSON.stringify(toJson(engine))`. `JSON.stringify` of the message itself
 * throws, since the seconds of its times are BigInt. Throws TypeError for any other message.
 */
export const toJson = (message: Engine | EngineListResponse | EngineMessage): JsonObject => {
  switch (message.$typeName) {
    case "bytenite.engine.Engine":
      return encodePlainJson(EngineSchema, message);
    case "bytenite.developer.EngineListResponse":
      return encodePlainJson(EngineListResponseSchema, message);
    case "bytenite.developer.EngineMessage":
      return encodePlainJson(EngineMessageSchema, message);
    default:
      throw new TypeError("toJson takes messages of the engines API; for others there is toJson of @bufbuild/protobuf");
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
