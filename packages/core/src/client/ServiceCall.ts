// HTTP request of an rpc call.
import type { DescMessage, Message, MessageInitShape } from "@bufbuild/protobuf";
import * as Effect from "effect/Effect";
import type { ApiResponse } from "../ApiResponse.ts";
import type { ClientParts } from "../ClientParts.ts";
import { invalidArgument, type EngineError } from "../EngineError.ts";
import { transcode, type HttpBinding } from "../http-rule/HttpRule.ts";
import { mediaTypeOf, type Format } from "../MediaType.ts";
import { idempotentMethods } from "../Retry.ts";
import { noHeaders, sendCall, type HttpCall } from "./HttpCall.ts";

/** A unary rpc with an HTTP rule. */
export interface ServiceMethod {
  /** What events and spans call it, e.g. `google.example.library.v1.LibraryService.GetBook`. */
  readonly name: string;
  readonly input: DescMessage;
  readonly output: DescMessage;
  /** In the order of the annotation; the first one whose path fields are set is used. */
  readonly bindings: ReadonlyArray<HttpBinding>;
  /** Whether the rpc says that calling it again does no harm (`idempotency_level`). */
  readonly isIdempotent: boolean;
}

/** Parameters of a call. */
export interface ServiceCallPlan<M extends Message = Message>
  extends
    Pick<HttpCall<M>, "codec" | "receive" | "format" | "gone" | "recover">,
    Partial<Pick<HttpCall<M>, "headers" | "isStrict">> {
  readonly method: ServiceMethod;
  /** Whether the call may be sent again although it may have been carried out; undefined: as its method and rpc say. */
  readonly idempotent?: boolean | undefined;
}

/**
 * Calls an rpc with a message, or what one is made from. A request that cannot be made fails with InvalidArgument, before
 * anything is sent. To be called within an effect: the parameters are read at once.
 */
export const callService = <M extends Message>(
  parts: ClientParts,
  plan: ServiceCallPlan<M>,
  init: MessageInitShape<DescMessage> | undefined,
): Effect.Effect<ApiResponse<M>, EngineError> => {
  let call: HttpCall<M>;
  try {
    call = prepare(plan, init);
  } catch (cause) {
    return Effect.fail(invalidRequest(parts, plan.method, cause));
  }
  return sendCall(parts, call);
};

const prepare = <M extends Message>(
  plan: ServiceCallPlan<M>,
  init: MessageInitShape<DescMessage> | undefined,
): HttpCall<M> => {
  const { codec, receive, format, idempotent, headers = noHeaders, isStrict = false, gone, recover } = plan;
  const { name, input, output, bindings, isIdempotent } = plan.method;
  // Only protobuf by name sends protobuf: a server that reads other numbers would read another request.
  const sends: Format = format === "protobuf" ? "protobuf" : "json";
  const message = codec.create(input, init);
  const { binding, path, query, body } = transcode(bindings, input, message, init, codec.wellKnown);
  const { method, template, responseBody } = binding;
  return {
    codec,
    receive,
    format,
    isStrict,
    gone,
    recover,
    name,
    method,
    template: template.source,
    target: query === "" ? path : `${path}?${query}`,
    headers: body === undefined ? headers : { ...headers, "content-type": mediaTypeOf(sends) },
    body: body === undefined ? undefined : codec.encode(input, message, body, sends),
    output,
    responseBody,
    isComparable: method === "GET",
    repeats: idempotent ?? (isIdempotent || idempotentMethods.has(method)),
  };
};

const invalidRequest = (parts: ClientParts, { name, bindings: [first] }: ServiceMethod, cause: unknown): EngineError =>
  invalidArgument(
    `${parts.baseUrl}${first?.template.source ?? ""}`,
    `${name}: ${cause instanceof Error ? cause.message : String(cause)}`,
    first?.method,
    cause,
  );
