// One rpc call over HTTP: attempts and response.
import type { DescField, DescMessage, Message } from "@bufbuild/protobuf";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import { counted, newState, type AttemptPlan, type CallState } from "../AttemptPlan.ts";
import { attempts } from "../Attempts.ts";
import type { ApiResponse } from "../ApiResponse.ts";
import type { ClientParts } from "../ClientParts.ts";
import type { EngineError } from "../EngineError.ts";
import type { EngineEvent, EventSubject } from "../EngineEvent.ts";
import { AttemptFailure, failureOf, responseError, tooLarge, wasNotProcessed } from "../Failure.ts";
import { mediaTypeOf, type Format } from "../MediaType.ts";
import type { ProtobufReader } from "../MessageReader.ts";
import { decodeBody, UnreadableBody, UnverifiedProtobuf, type DecodedBody, type MessageCodec } from "../Reading.ts";
import { LimitExceeded } from "../ReadLimits.ts";
import { request, type Answered, type RequestPlan } from "../Requester.ts";
import { redact } from "../Secret.ts";
import type { HttpResponse } from "../Transport.ts";
import { noUnknownFields, unknownFieldsEvent } from "../UnknownFields.ts";

/**
 * The encoding of bodies: `json`; `protobuf`, for services whose schema is yours; `verify`: protobuf where the server names our schema
 * or its field numbers are verified, else JSON.
 */
export type ServiceFormat = "json" | "protobuf" | "verify";

/** An answer and the message in it. */
export interface ReceivedBody<M = Message> extends DecodedBody<M> {
  readonly answered: Answered;
}

/** Sends one request, and reads its answer; more than one request where formats are compared. */
export type Receive = <M extends Message>(
  parts: ClientParts,
  call: HttpCall<M>,
  plan: RequestPlan,
) => Promise<ReceivedBody<M>>;

/** A request and what is known of its rpc. */
export interface HttpCall<M extends Message> {
  /** What events and spans call it. */
  readonly name: string;
  readonly method: string;
  /** Path template, for spans. */
  readonly template: string;
  /** Below the base URL, with query. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array<ArrayBuffer> | undefined;
  readonly format: ServiceFormat;
  /** Whether no body, and protobuf that is not verified, are failures, whatever was asked for. */
  readonly isStrict: boolean;
  readonly output: DescMessage;
  /** The field of the answer that the body is (`response_body`); undefined: the body is the answer. */
  readonly responseBody: DescField | undefined;
  /** Whether both formats of its response are of one resource: only then may it be sent once more to compare them. */
  readonly isComparable: boolean;
  /** Whether it may be sent again although it may have been carried out. */
  readonly repeats: boolean;
  readonly codec: MessageCodec;
  readonly receive: Receive;
  /** What a 404 means once an earlier request may have been carried out: that one did it. */
  readonly gone?: M | undefined;
  /**
   * Where it must not be repeated blindly: looks whether an earlier request was carried out. The answer that it then had, or headers
   * to send it again with. Rejects with AttemptFailure.
   */
  readonly recover?: ((plan: RequestPlan) => Promise<ReceivedBody<M> | Readonly<Record<string, string>>>) | undefined;
}

/** Sends it until it succeeds, fails for good, or runs out of attempts, budget or time. */
export const sendCall = <M extends Message>(
  parts: ClientParts,
  call: HttpCall<M>,
): Effect.Effect<ApiResponse<M>, EngineError> =>
  Effect.withFiber((fiber) => {
    const clock = fiber.getRef(Clock.Clock);
    const start = clock.monotonicTimeNanosUnsafe();
    const plan = attemptPlan(parts, call);
    plan.state.services = fiber.context;
    const sent = Effect.matchEffect(attempts(plan, fiber, clock, start), {
      onSuccess: (received) =>
        Effect.succeed(answerOf(received, plan.state, Number(clock.monotonicTimeNanosUnsafe() - start) / 1e6)),
      // The exchange of an API key has a method of its own.
      onFailure: ({ error, exhausted }) =>
        Effect.fail(error.with({ ...counted(plan.state), method: exhausted ? error.method : call.method })),
    });
    return parts.tracing === undefined ? sent : parts.tracing.call(sent, call.name, call.template);
  });

/** Of a call without header fields of its own. */
export const noHeaders: Readonly<Record<string, string>> = {};

const attemptPlan = <M extends Message>(parts: ClientParts, call: HttpCall<M>): AttemptPlan<ReceivedBody<M>> => {
  const { name: endpoint, method, template, body, repeats, recover } = call;
  const { tracing, origin, budget, breaker } = parts;
  const url = `${parts.baseUrl}${call.target}`;
  const subject: EventSubject = method === "GET" ? { endpoint, url, template } : { endpoint, url, method, template };
  const settings =
    repeats && call.headers === noHeaders
      ? parts.settings
      : {
          ...parts.settings,
          headers: { ...parts.settings.headers, ...call.headers },
          // A hedged request counts as one more.
          hedging: repeats ? parts.settings.hedging : undefined,
        };
  const state = newState();
  const emit = parts.emit ?? ignored;
  const mayRepeat = repeats || recover !== undefined ? undefined : wasNotProcessed;
  const receive = recover === undefined && call.gone === undefined ? call.receive : carefully();
  const run: AttemptPlan<ReceivedBody<M>>["run"] = (cancel, clock, span, timer, hedge) => {
    const plan = { subject, url, settings, state, clock, span, cancel, timer, hedge, body };
    const received = receive(parts, call, plan);
    return parts.emit === undefined ? received : received.then((received) => noteUnknown(emit, plan, call, received));
  };
  return { subject, tracing, origin, settings, budget, breaker, emit, state, mayRepeat, run };
};

const ignored = (): void => {};

const noteUnknown = <M extends Message>(
  emit: (event: EngineEvent) => void,
  { subject }: RequestPlan,
  { output }: HttpCall<M>,
  received: ReceivedBody<M>,
): ReceivedBody<M> => {
  const { message, unknownFields, answered } = received;
  const event = unknownFieldsEvent(subject, output, message, unknownFields, answered.secrets());
  if (event !== undefined) emit(event);
  return received;
};

/** Sends a request that may have been carried out before: looks for that first. */
const carefully = (): Receive => {
  /** Whether an earlier request of this call may have been carried out. */
  let isOpen = false;
  return async (parts, call, plan) => {
    const { recover } = call;
    const wasOpen = isOpen;
    let sent = plan;
    if (wasOpen && recover !== undefined) {
      const found = await recover(plan);
      if (isReceived(found)) return found;
      sent = { ...plan, settings: { ...plan.settings, headers: { ...plan.settings.headers, ...found } } };
    }
    isOpen = true;
    try {
      return await call.receive(parts, call, sent);
    } catch (cause) {
      if (cause instanceof AttemptFailure && wasNotProcessed(cause)) isOpen = wasOpen;
      if (wasOpen && cause instanceof AttemptFailure && cause.answer?.status === 404 && call.gone !== undefined)
        return { ...withoutBody(cause.answer), message: call.gone };
      // The request before this one may have arrived after it was looked for.
      if (wasOpen && recover !== undefined && cause instanceof AttemptFailure && cause.error.status === 412) {
        const found = await recover(plan);
        if (isReceived(found)) return found;
      }
      throw cause;
    }
  };
};

const withoutBody = (answer: HttpResponse): Omit<ReceivedBody, "message"> => ({
  format: "json",
  unknownFields: noUnknownFields,
  answered: { answer, secrets: () => [], mediaType: undefined, durationMs: 0, followed: false },
});

const isReceived = <M>(found: ReceivedBody<M> | Readonly<Record<string, string>>): found is ReceivedBody<M> =>
  "answered" in found;

/** Asks for a format, and reads the answer. */
export const receiveAs = <M extends Message>(
  parts: ClientParts,
  call: HttpCall<M>,
  plan: RequestPlan,
  format: Format,
  readVerified?: ProtobufReader,
): Promise<ReceivedBody<M>> =>
  request(parts, plan, mediaTypeOf(format), (answered) => {
    try {
      return readAnswer(answered, plan, call, readVerified);
    } catch (cause) {
      throw cause instanceof UnverifiedProtobuf ? new AttemptFailure(unverified(answered, "json")) : cause;
    }
  });

export const readNothing: ProtobufReader = (schema, bytes) => {
  throw new UnverifiedProtobuf(schema, bytes);
};

/** The failure of protobuf whose field numbers are not verified. */
export const unverified = ({ answer, secrets }: Answered, asked: Format): EngineError => {
  const problem =
    asked === "json"
      ? "the server answers in protobuf only, and its field numbers are not verified"
      : 'the server does not name our schema, so its protobuf is not verified; ask with format "auto" or "json"';
  return responseError(answer, { _tag: "Undecodable", problem }, secrets());
};

/** The message in a response. Throws AttemptFailure for an error response or a malformed body. */
export const readAnswer = <M extends Message>(
  answered: Answered,
  { clock, settings }: RequestPlan,
  { codec, output, responseBody, isStrict }: Pick<HttpCall<M>, "codec" | "output" | "responseBody" | "isStrict">,
  readVerified?: ProtobufReader,
): ReceivedBody<M> => {
  const { answer, secrets, mediaType: contentType } = answered;
  const { status, bytes } = answer;
  const { limits } = settings;
  if (status < 200 || status > 299)
    throw failureOf(answer, clock.currentTimeMillisUnsafe(), secrets(), limits, codec.errors);
  try {
    const body = { contentType, status, bytes, isRequired: isStrict };
    const decoded = decodeBody(codec, output, responseBody, body, limits, readVerified) as DecodedBody<M>;
    const { format, message, unknownFields } = decoded;
    return { answered, format, message, unknownFields };
  } catch (cause) {
    if (cause instanceof LimitExceeded) throw tooLarge(answer, cause, secrets());
    if (!(cause instanceof UnreadableBody)) throw cause;
    const reason = { _tag: "Undecodable", problem: redact(cause.message, secrets()) } as const;
    throw new AttemptFailure(responseError(answer, reason, secrets(), { cause: cause.cause }));
  }
};

const answerOf = <M>(
  { answered, format, message, unknownFields }: ReceivedBody<M>,
  state: CallState,
  totalMs: number,
): ApiResponse<M> => {
  const { status, headers, url, bytes: body } = answered.answer;
  return {
    data: message,
    unknownFields,
    status,
    headers,
    body,
    format,
    mediaType: answered.mediaType,
    url,
    attempts: state.attempts,
    requests: state.requests,
    lastAttemptMs: answered.durationMs,
    totalMs,
  };
};
