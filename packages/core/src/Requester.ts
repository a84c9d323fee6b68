// One request: header fields, token, middleware, event.
import type * as Clock from "effect/Clock";
import type { Span } from "effect/Tracer";
import { countRequest, type AttemptTimer, type CallState, type Trace, type Tracing } from "./AttemptPlan.ts";
import type { CallSettings } from "./ClientOptions.ts";
import { credentialsError } from "./Credentials.ts";
import { EngineError } from "./EngineError.ts";
import type { EngineEvent, EventSubject, ResponseEvent } from "./EngineEvent.ts";
import { AttemptFailure } from "./Failure.ts";
import { credentialsIn, redact } from "./Secret.ts";
import type { InFlight } from "./Deduplication.ts";
import type { Fetch, ResponseHeaders } from "./Fetch.ts";
import type { Cancellation } from "./Cancellation.ts";
import { assertResponse, exchange, lowerCased, type HttpResponse, type HttpRequest } from "./Transport.ts";

/** Context of all requests of one call. */
export interface RequesterParts {
  readonly tracing: Tracing | undefined;
  readonly fetch: Fetch;
  /** Whether a refused token can be replaced by another one. */
  readonly renewable: boolean;
  /** The token to send now, undefined for none. `rejected` is one that was just refused. */
  readonly token: (
    clock: Clock.Clock,
    rejected: string | undefined,
    cancel: Cancellation,
    trace: Trace,
  ) => Promise<string> | string | undefined;
  /** Absent when nobody listens. */
  readonly emit: ((event: EngineEvent) => void) | undefined;
  /** Deduplication of identical requests; undefined: off. */
  readonly inFlight: InFlight<HttpResponse> | undefined;
}

/** One request of a call. */
export interface RequestPlan {
  readonly subject: EventSubject;
  readonly url: string;
  readonly settings: CallSettings;
  readonly state: CallState;
  readonly clock: Clock.Clock;
  readonly span: Span | undefined;
  readonly cancel: Cancellation;
  readonly timer: AttemptTimer;
  /** Number of the hedged request, from 0: a second one must not wait for the first. Absent: not hedged. */
  readonly hedge?: number | undefined;
  /** Absent: nothing is sent. */
  readonly body?: Uint8Array<ArrayBuffer> | undefined;
}

/** A response and its request. */
export interface Answered {
  readonly answer: HttpResponse;
  /** The credentials of the request, to redact them. */
  readonly secrets: () => ReadonlyArray<string>;
  /** Content-Type of the response, as sent. */
  readonly mediaType: string | undefined;
  /** From sending to the last byte of the body, in milliseconds. */
  readonly durationMs: number;
  /** Whether another call sent the request. */
  readonly followed: boolean;
}

/**
 * Sends one request, and reads its answer; a 401 is answered with a new token and one more request, once in a call. Rejects with
 * AttemptFailure, or as `read` does.
 */
export const request = <T>(
  parts: RequesterParts,
  plan: RequestPlan,
  accept: string,
  read: (answered: Answered) => T | Promise<T>,
  rejected?: string,
  token = tokenOf(parts, plan, rejected),
): Promise<T> => {
  // By `then`, which allocates less than an async function.
  if (typeof token === "object") return token.then((known) => request(parts, plan, accept, read, rejected, known));
  const { settings, state, clock } = plan;
  const headers: Record<string, string> = { ...settings.headers, accept };
  if (token !== undefined) headers["authorization"] = token;
  const trace = settings.propagateTrace ? parts.tracing?.traceparent(plan.span) : undefined;
  if (trace !== undefined) headers["traceparent"] = trace;
  countRequest(state);
  state.shared = undefined;
  const count = { attempt: state.attempt, request: state.requests };
  const start = clock.monotonicTimeNanosUnsafe();
  const method = plan.subject.method ?? "GET";
  const outgoing: HttpRequest =
    plan.body === undefined ? { url: plan.url, method, headers } : { url: plan.url, method, headers, body: plan.body };
  const { middleware } = settings;
  const added = middleware.length === 0 ? undefined : new Set<string>();
  const sent = added === undefined ? delivered(parts, plan, outgoing) : through(parts, plan, added)(outgoing);
  return sent.then(
    (answer) => {
      state.status = answer.status;
      const durationMs = msSince(clock, start);
      const mediaType = answer.headers.get("content-type") ?? undefined;
      const secrets = (): ReadonlyArray<string> => [...credentialsIn(plan.url, headers), ...(added ?? [])];
      const answered = { answer, secrets, mediaType, durationMs, followed: isFollower(state) };
      // The sender of the request emits the event.
      if (!isFollower(state)) parts.emit?.(exchangeEvent(plan.subject, count, answered));
      if (answer.status !== 401 || !parts.renewable || state.renewed) return read(answered);
      state.renewed = true;
      return request(parts, plan, accept, read, token);
    },
    (cause: unknown) => {
      // A timeout or abort rejects with its reason.
      const error: unknown = plan.cancel.aborted ? plan.cancel.reason : cause;
      if (!(error instanceof EngineError)) throw cause;
      const reason = error.reason._tag;
      if (!isFollower(state))
        parts.emit?.({ ...plan.subject, type: "request-error", ...count, reason, durationMs: msSince(clock, start) });
      throw new AttemptFailure(error);
    },
  );
};

/** Synchronous if the token is known, the usual case. */
const tokenOf = (parts: RequesterParts, plan: RequestPlan, rejected?: string): Promise<string> | string | undefined => {
  const { clock, cancel, span, state } = plan;
  const token = parts.token(clock, rejected, cancel, { span, services: state.services });
  // Where tokens come from may ask to wait longer than one of our attempts may take.
  return typeof token === "object"
    ? plan.timer.aside(token).catch((cause: unknown) => failedToken(plan, cause))
    : token;
};

const failedToken = (plan: RequestPlan, cause: unknown): never => {
  const error = credentialsError(plan.subject.url, cause);
  plan.state.requests += error.requests;
  plan.state.attempts += error.attempts;
  throw new AttemptFailure(error, { exhausted: true });
};

type Exchange = (request: HttpRequest) => Promise<HttpResponse>;

/** Runs the middleware and collects credentials that it adds, for redaction. */
const through = (parts: RequesterParts, plan: RequestPlan, secrets: Set<string>): Exchange =>
  plan.settings.middleware.reduceRight<Exchange>(
    (next, wrap) => async (request) => {
      const answer = await wrap(request, next);
      assertResponse(answer, "a middleware", "what next(request) resolves with");
      if (answer.bytes instanceof Uint8Array) return answer;
      throw new TypeError("a middleware must resolve with a response whose bytes are a Uint8Array");
    },
    (request) => {
      const headers = lowerCased(request.headers);
      for (const secret of credentialsIn(request.url, headers, plan.url)) secrets.add(secret);
      return delivered(parts, plan, { ...request, headers });
    },
  );

const isFollower = ({ shared }: CallState): boolean => shared?.followed === true;

/** Sends a request, or waits for an identical one. */
const delivered = (
  { fetch, inFlight }: RequesterParts,
  plan: RequestPlan,
  outgoing: HttpRequest,
): Promise<HttpResponse> => {
  const { url, settings, cancel, hedge } = plan;
  const sent = (): Promise<HttpResponse> => exchange(fetch, outgoing, settings.limits, cancel, url);
  if (inFlight === undefined || !settings.dedupe || outgoing.method !== "GET") return sent();
  return inFlight.dedupe(keyOf(outgoing, hedge), plan, sent);
};

/** The deduplication key: URL and all headers except `traceparent`. */
const keyOf = ({ url, headers }: HttpRequest, hedge: number | undefined): string => {
  let key = `${hedge} ${url}`;
  // Header values cannot contain a line feed.
  for (const name in headers) if (name !== "traceparent") key += `\n${name}:${headers[name]}`;
  return key;
};

const copyOfHeaders = (headers: ResponseHeaders): ResponseHeaders => {
  const copy = new Headers();
  headers.forEach((value, name) => copy.append(name, value));
  return copy;
};

/** Bytes and headers can be changed, so each caller gets its own. */
export const copyOf = (answer: HttpResponse): HttpResponse => ({
  ...answer,
  headers: copyOfHeaders(answer.headers),
  bytes: answer.bytes.slice(),
});

const msSince = (clock: Clock.Clock, start: bigint): number => Number(clock.monotonicTimeNanosUnsafe() - start) / 1e6;

const exchangeEvent = (
  subject: EventSubject,
  count: Pick<ResponseEvent, "attempt" | "request">,
  { answer, secrets, mediaType, durationMs }: Answered,
): EngineEvent => {
  const { status, headers, bytes } = answer;
  const cacheStatus = headers.get("cache-status");
  return {
    ...subject,
    type: "response",
    method: subject.method ?? "GET",
    ...count,
    status,
    mediaType: mediaType === undefined ? undefined : redact(mediaType, secrets()),
    bytes: bytes.byteLength,
    durationMs,
    cacheStatus: cacheStatus === null ? undefined : redact(cacheStatus, secrets()),
  };
};
