// One call of an rpc as HTTP: attempts, and what its answer means.
import type { DescMessage, JsonValue, Message } from "@bufbuild/protobuf";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import type { AttemptPlan, CallState } from "../AttemptPlan.ts";
import { attempts } from "../Attempts.ts";
import type { Answer } from "../Answer.ts";
import type { ClientParts } from "../ClientParts.ts";
import { EngineError, type EngineErrorReason } from "../EngineError.ts";
import type { EventSubject } from "../EngineEvent.ts";
import { AttemptFailure, failureOf, requestIdOf } from "../Failure.ts";
import { mediaTypeOf, type Format } from "../MediaType.ts";
import { UnreadableBody } from "../Reading.ts";
import { LimitExceeded, type ReadLimits } from "../ReadLimits.ts";
import { request, type Answered, type RequestPlan } from "../Requester.ts";
import { redact } from "../Secret.ts";
import { inCallSpan } from "../Spans.ts";
import { publicUrl } from "../Transport.ts";
import { unknownFieldsEvent } from "../UnknownFields.ts";
import type { SchemaMemory } from "./SchemaMemory.ts";

/** What travels between a client and a service: `json`; `protobuf`, for who owns the schema; `verify`: see SchemaMemory. */
export type ServiceFormat = "json" | "protobuf" | "verify";

/** A body as it arrived. */
export interface RawBody {
  readonly contentType: string | undefined;
  readonly status: number;
  readonly bytes: Uint8Array;
}

/** A message as it was read, and what its schema does not know, by path. */
export interface DecodedBody<M = Message> {
  readonly format: Format;
  readonly message: M;
  readonly unknownFields: ReadonlyMap<string, JsonValue>;
}

/** An answer and the message in it. */
export interface ReceivedBody<M = Message> extends DecodedBody<M> {
  readonly answered: Answered;
}

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
  readonly schemas: SchemaMemory;
  /** The answer, and the message that its body is (another one where a rule has `response_body`). */
  readonly output: DescMessage;
  readonly bodySchema: DescMessage;
  /** Whether it changes nothing, so that it may be asked in two forms. */
  readonly changesNothing: boolean;
  /** Whether it may be sent again although it may have been carried out. */
  readonly repeats: boolean;
  /** Throws UnreadableBody and LimitExceeded. */
  readonly decode: (body: RawBody, limits: ReadLimits) => DecodedBody<M>;
  /**
   * Where it must not be repeated blindly: looks whether an earlier request was carried out. The answer that it then had, or headers
   * to send it again with. Rejects with AttemptFailure.
   */
  readonly recover?: (plan: RequestPlan) => Promise<ReceivedBody<M> | Readonly<Record<string, string>>>;
}

/** Sends it until it succeeds, fails for good, or runs out of attempts, budget or time. */
export const sendCall = <M extends Message>(
  parts: ClientParts,
  call: HttpCall<M>,
): Effect.Effect<Answer<M>, EngineError> =>
  Effect.withFiber((fiber) => {
    const clock = fiber.getRef(Clock.Clock);
    const start = clock.monotonicTimeNanosUnsafe();
    const plan = attemptPlan(parts, call);
    const sent = Effect.mapBoth(attempts(plan, start), {
      onSuccess: (received) => answerOf(received, plan.state, Number(clock.monotonicTimeNanosUnsafe() - start) / 1e6),
      onFailure: ({ error }) => error.with({ attempts: plan.state.requests, method: call.method }),
    });
    return inCallSpan(sent, call.name, call.template);
  });

const attemptPlan = <M extends Message>(parts: ClientParts, call: HttpCall<M>): AttemptPlan<ReceivedBody<M>> => {
  const { recover } = call;
  const url = `${parts.baseUrl}${call.target}`;
  const subject: EventSubject = {
    endpoint: call.name,
    url,
    ...(call.method === "GET" ? {} : { method: call.method }),
    template: call.template,
  };
  const mayRepeat = call.repeats || recover !== undefined;
  const headers = { ...parts.settings.headers, ...call.headers };
  // A second request beside a slow one is one more time.
  const settings = { ...parts.settings, headers, ...(call.repeats ? {} : { hedging: undefined }) };
  const state: CallState = { requests: 0, spoiled: 0, renewed: false, status: undefined };
  const body = call.body === undefined ? {} : { body: call.body };
  const emit = parts.emit ?? (() => {});
  /** Whether an earlier request of this call may have been carried out. */
  let isOpen = false;
  const sendOnce = async (plan: RequestPlan): Promise<ReceivedBody<M>> => {
    if (recover === undefined) return receive(parts, call, plan);
    const wasOpen = isOpen;
    let sent = plan;
    if (wasOpen) {
      const found = await recover(plan);
      if (isReceived(found)) return found;
      sent = { ...plan, settings: { ...settings, headers: { ...headers, ...found } } };
    }
    isOpen = true;
    try {
      return await receive(parts, call, sent);
    } catch (cause) {
      if (cause instanceof AttemptFailure && wasNotProcessed(cause)) isOpen = wasOpen;
      // The request before this one may have arrived after it was looked for.
      if (wasOpen && cause instanceof AttemptFailure && cause.error.status === 412) {
        const found = await recover(plan);
        if (isReceived(found)) return found;
      }
      throw cause;
    }
  };
  return {
    subject,
    origin: parts.origin,
    settings,
    budget: parts.budget,
    breaker: parts.breaker,
    emit,
    state,
    ...(mayRepeat ? {} : { mayRepeat: wasNotProcessed }),
    run: async (signal, clock, span, timer, hedge) => {
      const received = await sendOnce({ subject, url, settings, state, clock, span, signal, timer, hedge, ...body });
      if (parts.emit !== undefined) {
        const { message, unknownFields, answered } = received;
        const event = unknownFieldsEvent(subject, call.output, message, unknownFields, answered.secrets);
        if (event !== undefined) emit(event);
      }
      return received;
    },
  };
};

const isReceived = <M>(found: ReceivedBody<M> | Readonly<Record<string, string>>): found is ReceivedBody<M> =>
  "answered" in found;

/** Whether a failed request was certainly not carried out: refused with a wish to wait, or never connected. */
export const wasNotProcessed = ({ error, hintMs }: AttemptFailure): boolean => {
  const { reason, status } = error;
  if (reason._tag === "Unreachable") return reason.problem === "refused" || reason.problem === "dns";
  return (status === 429 || status === 503) && hintMs !== undefined;
};

const receive = <M extends Message>(
  parts: ClientParts,
  call: HttpCall<M>,
  plan: RequestPlan,
): Promise<ReceivedBody<M>> => {
  const ask = async (format: Format): Promise<ReceivedBody<M>> => {
    const answered = await request(parts, plan, mediaTypeOf(format));
    return { answered, ...readAnswer(answered, plan, call.decode) };
  };
  if (call.format !== "verify") return ask(call.format);
  if (!call.changesNothing) return ask("json");
  return call.schemas.verified(parts.origin, call.bodySchema, plan.clock.currentTimeMillisUnsafe(), ask);
};

/** The message in an answer. Throws AttemptFailure for one that is no success, and for one whose body is none. */
export const readAnswer = <M>(
  answered: Answered,
  { clock, settings }: RequestPlan,
  decode: HttpCall<M & Message>["decode"],
): DecodedBody<M> => {
  const { answer, secrets, mediaType } = answered;
  const { status, bytes } = answer;
  const { limits } = settings;
  if (status < 200 || status > 299) throw failureOf(answer, clock.currentTimeMillisUnsafe(), secrets, limits);
  try {
    return decode({ contentType: mediaType, status, bytes }, limits);
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

const answerOf = <M>(
  { answered, format, message, unknownFields }: ReceivedBody<M>,
  state: CallState,
  totalMs: number,
): Answer<M> => {
  const { status, headers, url } = answered.answer;
  const { mediaType, durationMs } = answered;
  const attempted = { attempts: state.requests, lastAttemptMs: durationMs, totalMs };
  return { data: message, unknownFields, status, headers, format, mediaType, url, ...attempted };
};
