// Outcomes of requests, and their log lines: JSON, without tokens.
import { basePath } from "@bytenite-engines/core/wire";
import type { Config } from "./Config.ts";
import { clientOf, type Route } from "./Request.ts";

/** What became of a request, in one word; the README explains them. */
export type Result = "refused" | "hit" | "stale" | "stale-if-error" | "miss" | "validated" | "collapsed" | "bypass";

export interface RequestOutcome {
  readonly response: Response;
  readonly result: Result;
  /** Undefined: refused before it was known. */
  readonly route?: Route | undefined;
  /** Length of the body; 0 for errors of the proxy, and for streams. */
  readonly bytes: number;
  readonly requestId?: string;
  /** The exchange that this request itself had with the upstream. */
  readonly upstream?:
    | { readonly status?: number; readonly problem?: string; readonly attempts: number; readonly durationMs: number }
    | undefined;
}

/** A received request. Its fields are read once, since getters of `Request` are slow. */
export interface Received {
  /** `cf.colo`: the data centre. */
  readonly request: Request & { readonly cf?: { readonly colo?: string } };
  readonly method: string;
  readonly headers: Headers;
  readonly target: string;
  readonly startedAtMs: number;
}

/** Longest path and query that is logged, in characters. */
const maxTargetLength = 300;

const isError = (result: Result, status: number): boolean => status >= 500 || result === "stale-if-error";

export const isLogged = (level: Config["logLevel"], result: Result, status: number): boolean =>
  level === "all" || (level === "errors" && isError(result, status));

export const logLine = (
  received: Received,
  outcome: RequestOutcome,
  requestId: string | undefined,
  durationMs: number,
) => {
  const { request, method, headers, target, startedAtMs } = received;
  const { response, result, route, bytes, upstream } = outcome;
  const { status } = response;
  // What was understood of the target: the rest of a query may hold a secret.
  const understood = route === undefined || route.endpoint === "other" ? undefined : basePath + route.target;
  return JSON.stringify({
    time: new Date(startedAtMs + durationMs).toISOString(),
    level: isError(result, status) ? "error" : "info",
    message: `${method} ${status} ${result}`,
    method,
    target: (understood ?? target.split("?", 1)[0] ?? "").slice(0, maxTargetLength),
    status,
    result,
    endpoint: route?.endpoint,
    mediaType: response.headers.get("content-type") ?? undefined,
    bytes,
    durationMs,
    client: clientOf(headers) || undefined,
    colo: request.cf?.colo,
    upstream,
    requestId,
    traceId: traceIdOf(headers.get("traceparent")),
  });
};

/** The trace-id of a traceparent (W3C Trace Context, 3.2). */
export const traceIdOf = (traceparent: string | null): string | undefined =>
  /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}/.exec(traceparent ?? "")?.[1];

export const logError = (message: string, error: unknown): void =>
  console.error(JSON.stringify({ level: "error", message, error: String(error) }));
