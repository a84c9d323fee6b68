// One call of an rpc over HTTP: request, attempts, answer.
import { create, type DescMessage, type Message, type MessageInitShape } from "@bufbuild/protobuf";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import type { Answer } from "../Answer.ts";
import { attempts, type AttemptPlan, type CallState } from "../Attempts.ts";
import type { ClientParts } from "../ClientParts.ts";
import { EngineError, type EngineErrorReason } from "../EngineError.ts";
import type { EventSubject } from "../EngineEvent.ts";
import { AttemptFailure, failureOf, requestIdOf } from "../Failure.ts";
import { transcode, type QueryEncoder, type TranscodedRequest } from "../http-rule/Transcoding.ts";
import { mediaTypeOf, type Format } from "../MediaType.ts";
import { UnreadableBody } from "../Reading.ts";
import { LimitExceeded } from "../ReadLimits.ts";
import { request, type Answered, type RequestPlan } from "../Requester.ts";
import { redact } from "../Secret.ts";
import { inCallSpan } from "../Spans.ts";
import { publicUrl } from "../Transport.ts";
import { unknownFieldsEvent } from "../UnknownFields.ts";
import type { DecodedBody, MessageCodec } from "./MessageCodec.ts";
import type { SchemaMemory } from "./SchemaMemory.ts";
import { changesNothing, isRepeatable, wasNotProcessed, type ServiceMethod } from "./ServiceMethod.ts";

/** What travels between a client and a service: `json`; `protobuf`, for who owns the schema; `verify`: see SchemaMemory. */
export type ServiceFormat = "json" | "protobuf" | "verify";

/** All that a call needs beside its client's parts. */
export interface ServiceCallPlan {
  readonly method: ServiceMethod;
  readonly codec: MessageCodec;
  readonly encodeQuery: QueryEncoder;
  readonly format: ServiceFormat;
  readonly schemas: SchemaMemory;
  /** Whether the call may be sent again although it may have been carried out; undefined: as its method and rpc say. */
  readonly idempotent: boolean | undefined;
  /** Further headers of the request. */
  readonly headers?: Readonly<Record<string, string>>;
}

interface ReceivedBody extends DecodedBody {
  readonly answered: Answered;
}

/** Calls an rpc with a message, or what one is made from. A request that cannot be made fails with InvalidArgument, before anything is sent. */
export const callService = (
  parts: ClientParts,
  plan: ServiceCallPlan,
  init: MessageInitShape<DescMessage> | undefined,
): Effect.Effect<Answer<Message>, EngineError> =>
  Effect.withFiber((fiber) => {
    const clock = fiber.getRef(Clock.Clock);
    const start = clock.monotonicTimeNanosUnsafe();
    const prepared = prepare(parts, plan, init);
    if (prepared instanceof EngineError) return Effect.fail(prepared);
    const { state, subject } = prepared;
    const sent = Effect.mapBoth(attempts(prepared, start), {
      onSuccess: (received) => answerOf(received, state, Number(clock.monotonicTimeNanosUnsafe() - start) / 1e6),
      onFailure: ({ error }) => error.with({ attempts: state.requests, method: subject.method ?? "GET" }),
    });
    return inCallSpan(sent, plan.method.name, subject.template ?? "");
  });

const prepare = (
  parts: ClientParts,
  plan: ServiceCallPlan,
  init: MessageInitShape<DescMessage> | undefined,
): AttemptPlan<ReceivedBody> | EngineError => {
  const { method, codec, encodeQuery, schemas } = plan;
  const { name, input } = method;
  let transcoded: TranscodedRequest;
  let body: Uint8Array<ArrayBuffer> | undefined;
  // Only protobuf by name sends protobuf: a server that reads other numbers would read another request.
  const sends: Format = plan.format === "protobuf" ? "protobuf" : "json";
  try {
    const message = create(input, init);
    transcoded = transcode(method.bindings, input, message, init, encodeQuery);
    const content = transcoded.body;
    body = content === undefined ? undefined : codec.encode(input, content.message, content.field, sends);
  } catch (cause) {
    return invalidRequest(parts, method, cause);
  }
  const { binding, path, query } = transcoded;
  const url = `${parts.baseUrl}${path}${query === "" ? "" : `?${query}`}`;
  const subject: EventSubject = {
    endpoint: name,
    url,
    ...(binding.method === "GET" ? {} : { method: binding.method }),
    template: binding.template.source,
  };
  const repeats = plan.idempotent ?? isRepeatable(method, binding);
  const headers = {
    ...parts.settings.headers,
    ...plan.headers,
    ...(body === undefined ? {} : { "content-type": mediaTypeOf(sends) }),
  };
  // A second request beside a slow one is one more time.
  const settings = { ...parts.settings, headers, ...(repeats ? {} : { hedging: undefined }) };
  const state: CallState = { requests: 0, spoiled: 0, renewed: false, status: undefined };
  const ask = async (requestPlan: RequestPlan, format: Format): Promise<ReceivedBody> => {
    const answered = await request(parts, requestPlan, mediaTypeOf(format));
    return { answered, ...readAnswer(answered, plan, transcoded, requestPlan) };
  };
  return {
    subject,
    origin: parts.origin,
    settings,
    budget: parts.budget,
    breaker: parts.breaker,
    emit: parts.emit ?? (() => {}),
    state,
    ...(repeats ? {} : { mayRepeat: wasNotProcessed }),
    run: async (signal, clock, span, timer, hedge) => {
      const requestPlan: RequestPlan = {
        subject,
        url,
        settings,
        state,
        clock,
        span,
        signal,
        timer,
        hedge,
        ...(body === undefined ? {} : { body }),
      };
      const received =
        plan.format === "verify" && changesNothing(method, binding)
          ? await schemas.verified(
              parts.origin,
              bodySchema(method, transcoded),
              clock.currentTimeMillisUnsafe(),
              (format) => ask(requestPlan, format),
            )
          : await ask(requestPlan, plan.format === "protobuf" ? "protobuf" : "json");
      if (parts.emit !== undefined) {
        const { message, unknownFields, answered } = received;
        const event = unknownFieldsEvent(subject, method.output, message, unknownFields, answered.secrets);
        if (event !== undefined) parts.emit(event);
      }
      return received;
    },
  };
};

/** The message that the body of an answer is. */
const bodySchema = ({ output }: ServiceMethod, { binding }: TranscodedRequest): DescMessage =>
  binding.responseBody?.message ?? output;

const readAnswer = (
  answered: Answered,
  { method, codec }: ServiceCallPlan,
  { binding }: TranscodedRequest,
  { clock, settings }: RequestPlan,
): DecodedBody => {
  const { answer, secrets, mediaType } = answered;
  const { status, bytes } = answer;
  const { limits } = settings;
  if (status < 200 || status > 299) throw failureOf(answer, clock.currentTimeMillisUnsafe(), secrets, limits);
  try {
    return codec.decode(method.output, binding.responseBody, { contentType: mediaType, status, bytes }, limits);
  } catch (cause) {
    if (cause instanceof LimitExceeded)
      throw new AttemptFailure(errorOf(answered, { _tag: "TooLarge", limit: cause.limit, value: cause.value }, cause));
    if (!(cause instanceof UnreadableBody)) throw cause;
    throw new AttemptFailure(
      errorOf(answered, { _tag: "Undecodable", problem: redact(cause.message, secrets) }, cause.cause),
    );
  }
};

const errorOf = ({ answer, secrets }: Answered, reason: EngineErrorReason, cause: unknown): EngineError => {
  const requestId = requestIdOf(answer.headers);
  return new EngineError({
    reason,
    url: redact(publicUrl(answer.url), secrets),
    attempts: 1,
    status: answer.status,
    cause,
    ...(requestId === undefined ? {} : { requestId: redact(requestId, secrets) }),
  });
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

const answerOf = (
  { answered, format, message, unknownFields }: ReceivedBody,
  state: CallState,
  totalMs: number,
): Answer<Message> => {
  const { status, headers, url } = answered.answer;
  const { mediaType, durationMs } = answered;
  const attempted = { attempts: state.requests, lastAttemptMs: durationMs, totalMs };
  return { data: message, unknownFields, status, headers, format, mediaType, url, ...attempted };
};
