// The calls of the engines API.
import type { DescMessage, Message, MessageInitShape } from "@bufbuild/protobuf";
import type { EngineMessage } from "@bytenite-engines/proto";
import * as Effect from "effect/Effect";
import type { ApiResponse, ResponseOf } from "../ApiResponse.ts";
import type { CallOptions } from "../ClientOptions.ts";
import { invalidOptions, withPartsOfCall, type ClientParts } from "../ClientParts.ts";
import { newMessage } from "../Descriptor.ts";
import { endpoints, isPathTag, readNames, type EndpointName } from "../Endpoint.ts";
import type { EngineError } from "../EngineError.ts";
import { parseTag } from "../EngineTag.ts";
import { EngineMessageSchema } from "../gen/descriptors.ts";
import { bindings } from "../gen/endpoints.ts";
import {
  listRequest,
  messageRequest,
  type EngineRpcs,
  type ListParams,
  type MessageParams,
  type WriteCondition,
} from "../Parameters.ts";
import { noHeaders, type HttpCall } from "./HttpCall.ts";
import { callService, type ServiceCallPlan, type ServiceMethod } from "./ServiceCall.ts";

/** Parts of a client of the engines API. */
export interface EngineParts extends ClientParts {
  /** The formats that it reads and writes. */
  readonly wire: Pick<HttpCall<Message>, "codec" | "receive">;
}

const rpcs: Partial<Record<EndpointName, ServiceMethod>> = {};

/** The rpc of an endpoint. */
export const rpcOf = (name: EndpointName): ServiceMethod => {
  const { request: input, response: output, idempotency } = endpoints[name];
  return (rpcs[name] ??= { name, input, output, bindings: [bindings[name]], isIdempotent: idempotency !== "none" });
};

/** Calls an rpc of the engines API. */
export const call = <M extends Message>(
  parts: EngineParts,
  method: ServiceMethod,
  init: MessageInitShape<DescMessage>,
  { headers = noHeaders, gone, recover }: Pick<ServiceCallPlan<M>, "headers" | "gone" | "recover"> = {},
): Effect.Effect<ApiResponse<M>, EngineError> => {
  const { format } = parts.settings;
  const { codec, receive } = parts.wire;
  const sends = format === "protobuf" ? "protobuf" : "json";
  // A request that changes something, and a signed link, cannot be sent twice to compare them.
  const isRead = (readNames as ReadonlyArray<string>).includes(method.name);
  const asked = isRead && format === "auto" ? "verify" : sends;
  const isStrict = isRead || sends === "json";
  return callService<M>(parts, { method, codec, receive, format: asked, isStrict, headers, gone, recover }, init);
};

/** Makes a call, within an effect; what is thrown about its parameters is InvalidArgument, and nothing is sent. */
export const made = <A>(
  { baseUrl }: ClientParts,
  method: string,
  make: () => Effect.Effect<A, EngineError>,
): Effect.Effect<A, EngineError> => {
  try {
    return make();
  } catch (cause) {
    return Effect.fail(invalidOptions(`${baseUrl}/engines`, cause, method));
  }
};

/** One page of engines. */
const list = (
  parts: EngineParts,
  params: ListParams | undefined,
): Effect.Effect<ApiResponse<ResponseOf<"list">>, EngineError> =>
  made(parts, "GET", () => call(parts, rpcOf("list"), listRequest(params)));

type TagName = Exclude<EndpointName, "list" | "upload">;

/** A call about one engine. */
export const callTag = <N extends TagName>(
  parts: EngineParts,
  name: N,
  tag: string,
  params: MessageParams & WriteCondition = {},
): Effect.Effect<ApiResponse<ResponseOf<N>>, EngineError> =>
  made(parts, endpoints[name].method, () => {
    if (typeof tag !== "string" || !isPathTag(tag))
      throw new TypeError(`${shown(tag)} is not a tag; one looks like name, name@1 or name@1.2`);
    const init = { ...messageRequest(params), engineTag: tag };
    return call(parts, rpcOf(name), init, { headers: conditionOf(params.ifRevision, 1) });
  });

/** Deletes one version of an engine. An extension of our registry, so that the table of endpoints has no row of it. */
const remove = (
  parts: EngineParts,
  tag: string,
  { ifRevision }: WriteCondition = {},
): Effect.Effect<ApiResponse<EngineMessage>, EngineError> =>
  made(parts, "DELETE", () => {
    if (typeof tag !== "string" || parseTag(tag)?.minor === undefined)
      throw new TypeError(`${shown(tag)} must be name@major.minor`);
    const method = {
      ...rpcOf("get"),
      name: "delete",
      output: EngineMessageSchema,
      bindings: [{ ...bindings.get, method: "DELETE" }],
    };
    const gone = newMessage(EngineMessageSchema, { engineTag: tag });
    return call(parts, method, { engineTag: tag }, { headers: conditionOf(ifRevision, 1), gone });
  });

const shown = (tag: unknown): string => (typeof tag === "string" ? JSON.stringify(tag.slice(0, 100)) : String(tag));

/** Largest revision: it is an int32. */
const maxRevision = 2_147_483_647;

/** The headers of a condition. Throws RangeError for a revision below `least`: only an upload may be for an engine that there is not yet. */
export const conditionOf = (ifRevision: number | undefined, least: 0 | 1): Readonly<Record<string, string>> => {
  if (ifRevision === undefined) return noHeaders;
  if (!Number.isInteger(ifRevision) || ifRevision < least || ifRevision > maxRevision)
    throw new RangeError(`ifRevision must be a whole number from ${least} to ${maxRevision}, not ${ifRevision}`);
  return ifRevision === 0 ? { "if-none-match": "*" } : { "if-match": `"revision-${ifRevision}"` };
};

/** One method for each call. */
export type EngineMethods = {
  readonly [N in keyof EngineRpcs<CallOptions>]: (
    ...args: Parameters<EngineRpcs<CallOptions>[N]>
  ) => Effect.Effect<ApiResponse<ReturnType<EngineRpcs<CallOptions>[N]>>, EngineError>;
};

/** Names of the parameters of most calls. */
export const messageNames = ["engineId", "engineData", "engineLink", "engineStatus"];
const changeNames = [...messageNames, "ifRevision"];

/** The methods of a client that need no archive. `others`: names of further options of the entry. */
export const shortMethods = (parts: EngineParts, others: ReadonlyArray<string>): Omit<EngineMethods, "upload"> => {
  const tagCall = <N extends TagName>(name: N, ownNames: ReadonlyArray<string>) => {
    const names = [...others, ...ownNames];
    return (tag: string, options?: CallOptions & MessageParams & WriteCondition) =>
      withPartsOfCall(parts, options, names, (own) => callTag(own, name, tag, options));
  };
  const deleteNames = [...others, "ifRevision"];
  return {
    list: (params, options) => withPartsOfCall(parts, options, others, (own) => list(own, params)),
    get: tagCall("get", messageNames),
    status: tagCall("status", messageNames),
    activate: tagCall("activate", changeNames),
    deactivate: tagCall("deactivate", changeNames),
    download: tagCall("download", changeNames),
    delete: (tag, options) => withPartsOfCall(parts, options, deleteNames, (own) => remove(own, tag, options)),
  };
};
