// Log lines: one JSON object per request, without tokens.
import { basePath } from "@bytenite-engines/core/wire";
import type { LogLevel } from "./Config.ts";
import type { RequestOutcome, Result } from "./Outcome.ts";
import { clientOf } from "./Request.ts";

/** Longest path and query that is logged, in characters. */
const maxTargetLength = 300;

export interface Answered {
  readonly method: string;
  readonly headers: Headers;
  /** Path and query as they were sent. */
  readonly target: string;
  readonly outcome: RequestOutcome;
  readonly requestId: string | undefined;
  /** The data centre (`request.cf.colo`). */
  readonly colo: string | undefined;
  readonly endedAtMs: number;
  readonly durationMs: number;
}

/** Errors are statuses of 500 and above, and stale responses in their place. */
const isError = (result: Result, status: number): boolean => status >= 500 || result === "stale-if-error";

/** Whether the level wants a line about this response. */
export const isLogged = (level: LogLevel, result: Result, status: number): boolean =>
  level === "all" || (level === "errors" && isError(result, status));

export const logLine = ({
  method,
  headers,
  target,
  outcome,
  requestId,
  colo,
  endedAtMs,
  durationMs,
}: Answered): string => {
  const { response, result, route, bytes, upstream } = outcome;
  const { status } = response;
  const client = clientOf(headers);
  return JSON.stringify({
    time: new Date(endedAtMs).toISOString(),
    level: isError(result, status) ? "error" : "info",
    message: `${method} ${status} ${result}`,
    method,
    target: targetToLog(target, outcome).slice(0, maxTargetLength),
    status,
    result,
    endpoint: route?.endpoint,
    mediaType: response.headers.get("content-type") ?? undefined,
    bytes,
    durationMs,
    client: client === "" ? undefined : client,
    colo,
    upstream,
    requestId,
    traceId: traceIdOf(headers.get("traceparent")),
  });
};

/** What was understood of the target. The rest of a query may hold a secret. */
const targetToLog = (target: string, { route }: RequestOutcome): string =>
  route === undefined || route.endpoint === "other" ? (target.split("?", 1)[0] ?? "") : basePath + route.target;

/** The trace-id of a traceparent (W3C Trace Context, 3.2). */
export const traceIdOf = (traceparent: string | null): string | undefined =>
  /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/.exec(traceparent ?? "")?.[1];

/** Logs what failed in this proxy itself. */
export const logError = (message: string, error: unknown): void =>
  console.error(JSON.stringify({ level: "error", message, error: String(error) }));
