// HTTP request of an rpc call.
import { create, type DescMessage, type Message, type MessageInitShape } from "@bufbuild/protobuf";
import * as Effect from "effect/Effect";
import type { ApiResponse } from "../ApiResponse.ts";
import { readAny } from "../CountedMessage.ts";
import type { ClientParts } from "../ClientParts.ts";
import { EngineError } from "../EngineError.ts";
import { transcode } from "../http-rule/Transcoding.ts";
import { mediaTypeOf, type Format } from "../MediaType.ts";
import { encodeQuery } from "../QueryParameters.ts";
import { noHeaders, sendCall, type HttpCall, type ServiceFormat } from "./HttpCall.ts";
import type { MessageCodec } from "./MessageCodec.ts";
import { changesNothing, isRepeatable, type ServiceMethod } from "./ServiceMethod.ts";

/** Parameters of a call. */
export interface ServiceCallPlan {
  readonly method: ServiceMethod;
  readonly codec: MessageCodec;
  readonly format: ServiceFormat;
  /** Whether the call may be sent again although it may have been carried out; undefined: as its method and rpc say. */
  readonly idempotent: boolean | undefined;
}

/** Calls an rpc with a message, or what one is made from. A request that cannot be made fails with InvalidArgument, before anything is sent. */
export const callService = (
  parts: ClientParts,
  plan: ServiceCallPlan,
  init: MessageInitShape<DescMessage> | undefined,
): Effect.Effect<ApiResponse<Message>, EngineError> =>
  Effect.suspend(() => {
    const call = prepare(parts, plan, init);
    return call instanceof EngineError ? Effect.fail(call) : sendCall(parts, call);
  });

const prepare = (
  parts: ClientParts,
  { method, codec, format, idempotent }: ServiceCallPlan,
  init: MessageInitShape<DescMessage> | undefined,
): HttpCall<Message> | EngineError => {
  const { input, output } = method;
  // Only protobuf by name sends protobuf: a server that reads other numbers would read another request.
  const sends: Format = format === "protobuf" ? "protobuf" : "json";
  try {
    const message = create(input, init);
    const { binding, path, query, body } = transcode(method.bindings, input, message, init, encodeQuery);
    return {
      name: method.name,
      method: binding.method,
      template: binding.template.source,
      target: `${path}${query === "" ? "" : `?${query}`}`,
      headers: body === undefined ? noHeaders : { "content-type": mediaTypeOf(sends) },
      body: body === undefined ? undefined : codec.encode(input, body.message, body.field, sends),
      format,
      isStrict: false,
      output,
      bodySchema: binding.responseBody?.message ?? output,
      isComparable: binding.method === "GET" && changesNothing(method, binding),
      repeats: idempotent ?? isRepeatable(method, binding),
      readBytes: readAny,
      decode: (answer, limits, readProtobuf) =>
        codec.decode(output, binding.responseBody, answer, limits, readProtobuf),
    };
  } catch (cause) {
    return invalidRequest(parts, method, cause);
  }
};

const invalidRequest = (parts: ClientParts, { name, bindings }: ServiceMethod, cause: unknown): EngineError =>
  new EngineError({
    reason: { _tag: "InvalidArgument" },
    method: bindings[0]?.method ?? "GET",
    url: `${parts.baseUrl}${bindings[0]?.template.source ?? ""}`,
    attempts: 0,
    serverMessage: `${name}: ${cause instanceof Error ? cause.message : String(cause)}`,
    cause,
  });
