// Decides: how a call becomes an answer: which form is asked, whose numbers are believed, what is handed out.
import { create, type DescMessage } from "@bufbuild/protobuf";
import * as Clock from "effect/Clock";
import * as Effect from "effect/Effect";
import type { Answer, RequestOf, ResponseOf } from "./Answer.ts";
import type { AttemptPlan, CallState } from "./AttemptPlan.ts";
import { attempts } from "./Attempts.ts";
import { endpoints, pathOf, type EndpointName } from "./Endpoint.ts";
import { EngineError } from "./EngineError.ts";
import type { EventSubject } from "./EngineEvent.ts";
import type { ClientParts } from "./ClientParts.ts";
import { InvalidParameter } from "./Parameters.ts";
import { encodePlainQuery } from "./QueryParameters.ts";
import { readAnswer, type Received } from "./Receiving.ts";
import { inCallSpan } from "./Spans.ts";

/** A call that is ready to be sent. */
export interface PreparedCall<N extends EndpointName> {
  readonly name: N;
  readonly plan: AttemptPlan<Received<N>>;
}

/** One call of the API. */
export const call = <N extends EndpointName>(
  parts: ClientParts,
  name: N,
  tag: string | undefined,
  request: RequestOf<N> | InvalidParameter | undefined,
): Effect.Effect<Answer<ResponseOf<N>>, EngineError> =>
  Effect.suspend(() => {
    const prepared = prepare(parts, name, tag, request);
    return prepared instanceof EngineError ? Effect.fail(prepared) : send(prepared);
  });

/** What a call will be, or why it cannot be. */
export const prepare = <N extends EndpointName>(
  parts: ClientParts,
  name: N,
  tag: string | undefined,
  request: RequestOf<N> | InvalidParameter | undefined,
): PreparedCall<N> | EngineError => {
  const path = pathOf(name, tag);
  if (path === undefined) return invalidTag(parts, tag);
  if (request instanceof InvalidParameter) return invalidArgument(parts, request.problem);
  const schema: DescMessage = endpoints[name].request;
  const query = request === undefined ? "" : encodePlainQuery(schema, create(schema, request), ["engine_tag"]);
  const url = `${parts.baseUrl}${path}${query === "" ? "" : `?${query}`}`;
  const { settings, origin, budget, breaker } = parts;
  const subject: EventSubject = { endpoint: name, url };
  const state: CallState = { requests: 0, spoiled: 0, renewed: false, status: undefined };
  const plan: AttemptPlan<Received<N>> = {
    subject,
    origin,
    settings,
    budget,
    breaker,
    emit: parts.emit ?? silent,
    state,
    run: (signal, clock, span, timer, hedge) =>
      readAnswer(parts, name, { subject, url, settings, state, clock, span, signal, timer, hedge }),
  };
  return { name, plan };
};

/** Sends a prepared call. */
export const send = <N extends EndpointName>({
  name,
  plan,
}: PreparedCall<N>): Effect.Effect<Answer<ResponseOf<N>>, EngineError> =>
  Effect.withFiber((fiber) => {
    const clock = fiber.getRef(Clock.Clock);
    const start = clock.monotonicTimeNanosUnsafe();
    const sent = Effect.mapBoth(attempts(plan, start), {
      onSuccess: (received) => answerOf(received, plan.state, Number(clock.monotonicTimeNanosUnsafe() - start) / 1e6),
      onFailure: (failure) => failure.error.withAttempts(plan.state.requests),
    });
    return inCallSpan(sent, name, endpoints[name].path);
  });

const silent = (): void => {};

/** The answer that was received. */
export const answerOf = <N extends EndpointName>(
  { answered, format, data, unknownFields }: Received<N>,
  state: CallState,
  totalMs: number,
): Answer<ResponseOf<N>> => {
  const { status, headers, url } = answered.answer;
  return {
    data,
    unknownFields,
    status,
    headers,
    format,
    mediaType: answered.mediaType,
    url,
    attempts: state.requests,
    lastAttemptMs: answered.durationMs,
    totalMs,
  };
};

const invalidTag = (parts: ClientParts, tag: unknown): EngineError =>
  invalidArgument(
    parts,
    `${typeof tag === "string" ? JSON.stringify(tag.slice(0, 100)) : String(tag)} is no tag; one looks like name, name@1 or name@1.2`,
  );

const invalidArgument = (parts: ClientParts, problem: string): EngineError =>
  new EngineError({
    reason: { _tag: "InvalidArgument" },
    url: `${parts.baseUrl}/engines`,
    attempts: 0,
    serverMessage: problem,
  });
