// Decides: what is written to the log about a request, as one line of JSON. Nothing of a token is in it.
import { basePath, type LogLevel } from "./Config.ts";
import type { Observed } from "./Observed.ts";
import type { Received } from "./Runtime.ts";

/** Longest path and query that is logged, in characters. */
const maxTargetLength = 300;

/** One answered request. */
export interface Answered {
  readonly received: Received;
  /** Path and query as they were sent. */
  readonly target: string;
  readonly response: Response;
  readonly requestId: RequestId;
  readonly observed: Observed;
  readonly startedAtMs: number;
  readonly endedAtMs: number;
}

/** Errors are answers of 500 and above, and stale ones in their place. */
const isError = (observed: Observed, status: number): boolean => status >= 500 || observed.result === "stale-if-error";

/** Whether the level wants a line about this answer. */
export const isLogged = (level: LogLevel, observed: Observed, status: number): boolean =>
  level === "all" || (level === "errors" && isError(observed, status));

/** The line about an answer. */
export const logLine = (answered: Answered): string => {
  const { received, target, response, observed, requestId } = answered;
  return JSON.stringify({
    time: new Date(answered.endedAtMs).toISOString(),
    level: isError(observed, response.status) ? "error" : "info",
    message: `${received.method} ${response.status} ${observed.result}`,
    method: received.method,
    target: targetToLog(target, observed).slice(0, maxTargetLength),
    status: response.status,
    result: observed.result,
    endpoint: observed.route?.endpoint,
    mediaType: response.headers.get("content-type") ?? undefined,
    bytes: observed.bytes,
    durationMs: answered.endedAtMs - answered.startedAtMs,
    upstream: upstreamOf(observed),
    requestId: requestId.value,
    traceId: traceIdOf(received.headers.get("traceparent")),
  });
};

/** What was understood of the target. The rest of a query is somebody's own, a token perhaps. */
const targetToLog = (target: string, { route }: Observed): string =>
  route === undefined ? (target.split("?", 1)[0] ?? "") : basePath + route.target;

const upstreamOf = ({ fetched }: Observed): unknown => {
  if (fetched === undefined) return undefined;
  if ("failure" in fetched) return { problem: fetched.failure.problem, attempts: fetched.failure.attempts };
  return { status: fetched.status, attempts: fetched.attempts, durationMs: fetched.durationMs };
};

/** The trace-id of a traceparent (W3C Trace Context, 3.2). */
export const traceIdOf = (traceparent: string | null): string | undefined =>
  /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/.exec(traceparent ?? "")?.[1];

/** The id of a request: the client's where it is a plain word, else one that is made when somebody writes it down. */
export class RequestId {
  readonly #given: string | null;
  #value: string | undefined;

  constructor(given: string | null) {
    this.#given = given;
  }

  get value(): string {
    this.#value ??= this.#given !== null && plainWord.test(this.#given) ? this.#given : crypto.randomUUID();
    return this.#value;
  }

  /** Whether it was written down: by the client itself, in our log, or for the upstream. */
  get isKnown(): boolean {
    return this.#value !== undefined || this.#given !== null;
  }
}

const plainWord = /^[A-Za-z0-9._:-]{1,128}$/;
