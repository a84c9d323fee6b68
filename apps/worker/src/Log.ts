// Decides: what is written to the log about a request, as one line of JSON. Nothing of a token is in it.
import type { LogLevel } from "./Config.ts";
import type { Observed } from "./Observed.ts";

/** Longest path and query that is logged, in characters. */
const maxTargetLength = 300;

/** One answered request. */
export interface Answered {
  readonly request: Request;
  readonly response: Response;
  readonly requestId: () => string;
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
  const { request, response, observed, requestId } = answered;
  const url = request.url;
  const target = url.slice(url.indexOf("/", url.indexOf("//") + 2)).slice(0, maxTargetLength);
  return JSON.stringify({
    time: new Date(answered.endedAtMs).toISOString(),
    level: isError(observed, response.status) ? "error" : "info",
    message: `${request.method} ${response.status} ${observed.result}`,
    method: request.method,
    target,
    status: response.status,
    result: observed.result,
    endpoint: observed.endpoint,
    mediaType: response.headers.get("content-type") ?? undefined,
    bytes: observed.bytes,
    durationMs: answered.endedAtMs - answered.startedAtMs,
    upstream: upstreamOf(observed),
    requestId: requestId(),
    traceId: traceIdOf(request.headers.get("traceparent")),
  });
};

const upstreamOf = ({ fetched }: Observed): unknown => {
  if (fetched === undefined) return undefined;
  if ("failure" in fetched) return { problem: fetched.failure.problem, attempts: fetched.failure.attempts };
  return { status: fetched.status, attempts: fetched.attempts, durationMs: fetched.durationMs };
};

/** The trace-id of a traceparent (W3C Trace Context, 3.2). */
export const traceIdOf = (traceparent: string | null): string | undefined =>
  /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/.exec(traceparent ?? "")?.[1];

/** The client's request id where it is a plain word, else a new one. */
export const requestIdOf = (given: string | null): string =>
  given !== null && /^[A-Za-z0-9._:-]{1,128}$/.test(given) ? given : crypto.randomUUID();
