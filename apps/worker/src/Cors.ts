// Decides: which browsers' pages may read answers (the Fetch standard's CORS protocol), by a list of origins.
import { schemaDigestHeader } from "@bytenite-engines/core/wire";
import { withVary } from "@bytenite-engines/http-cache";
import { allowedMethods } from "./Refusal.ts";
import type { Received } from "./Runtime.ts";

/** How long a browser may remember a preflight, in seconds. */
const preflightSeconds = 7_200;

/** Request fields that pages may set. */
const allowedHeaders = [
  "Accept",
  "Authorization",
  "Baggage",
  "Cache-Control",
  "If-Modified-Since",
  "If-None-Match",
  "Traceparent",
  "Tracestate",
  "X-Request-Id",
].join(", ");

/** Response fields that pages may read, beyond the few that they always may. */
const exposedHeaders = [
  "Age",
  schemaDigestHeader,
  "Cache-Status",
  "Content-Length",
  "Date",
  "ETag",
  "Retry-After",
  "Server-Timing",
  "X-Request-Id",
].join(", ");

/** Adds what an allowed origin needs to read an answer. Says nothing to others, but Vary: the answer depends on it. */
export const allowOrigin = (headers: Headers, origin: string | null, allowed: ReadonlyArray<string>): void => {
  if (allowed.length === 0) return;
  headers.set("vary", withVary(headers.get("vary"), ["Origin"]));
  if (origin === null || !allowed.includes(origin)) return;
  headers.set("access-control-allow-origin", origin);
  headers.set("access-control-expose-headers", exposedHeaders);
};

/** The answer to OPTIONS: a preflight of an allowed origin, else only which methods there are. */
export const answerOptions = ({ headers: asked }: Received, allowed: ReadonlyArray<string>): Response => {
  const headers = new Headers({ allow: allowedMethods, "cache-control": "private, no-store" });
  const origin = asked.get("origin");
  allowOrigin(headers, origin, allowed);
  if (asked.has("access-control-request-method") && headers.has("access-control-allow-origin")) {
    headers.set("access-control-allow-methods", allowedMethods);
    headers.set("access-control-allow-headers", allowedHeaders);
    headers.set("access-control-max-age", `${preflightSeconds}`);
  }
  return new Response(null, { status: 204, headers });
};
