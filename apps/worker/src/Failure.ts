// Error responses for upstream failures and reached limits.
import { maxPerIdentity } from "./Admission.ts";
import { maxBodyBytesPerUser } from "./Body.ts";
import type { ErrorResponse } from "./Request.ts";
import type { UpstreamFailure, UpstreamProblem } from "./Upstream.ts";

export const nothingStored: ErrorResponse = {
  status: 504,
  code: "DEADLINE_EXCEEDED",
  message: "no stored response satisfies only-if-cached",
};

/** Default Retry-After, in seconds. */
const retryAfterSeconds = 5;

export const tooManyBytes: ErrorResponse = {
  status: 503,
  code: "RESOURCE_EXHAUSTED",
  message: `more than ${maxBodyBytesPerUser} bytes of bodies are under way to this user: read them before you ask for more`,
  headers: { "retry-after": `${retryAfterSeconds}` },
  error: "connection_limit_reached",
};

/** Error types of Proxy-Status (RFC 9209, 2.3). */
export const errorTypes: Readonly<Record<UpstreamProblem, string>> = {
  unreachable: "connection_terminated",
  "timed-out": "http_response_timeout",
  "cut-short": "http_response_incomplete",
  redirected: "http_protocol_error",
  unusable: "http_protocol_error",
  "known-to-be-down": "destination_unavailable",
  busy: "connection_limit_reached",
  crowded: "connection_limit_reached",
  limited: "http_request_denied",
};

/** Problems with another status than 502. 504: no response in time. 503: not sent, try later. 429: too many requests of the user. */
const refusals: Partial<Record<UpstreamProblem, Pick<ErrorResponse, "status" | "code" | "message">>> = {
  busy: {
    status: 429,
    code: "RESOURCE_EXHAUSTED",
    message: `this client has ${maxPerIdentity} requests at the upstream, and more waiting; wait for some to end`,
  },
  limited: { status: 429, code: "RESOURCE_EXHAUSTED", message: "too many requests; wait before you send more" },
  "timed-out": {
    status: 504,
    code: "DEADLINE_EXCEEDED",
    message: "the upstream did not respond in time (timed-out)",
  },
};

export const unavailable = ({
  problem,
  retryAfterMs,
}: Pick<UpstreamFailure, "problem" | "retryAfterMs">): ErrorResponse => {
  const seconds = retryAfterMs === undefined ? retryAfterSeconds : Math.ceil(retryAfterMs / 1000);
  const base =
    problem === "known-to-be-down" || problem === "crowded"
      ? { status: 503, message: `the upstream is unavailable (${problem})` }
      : { status: 502, message: `the upstream sent no valid response (${problem})` };
  const headers = { "retry-after": `${seconds}` };
  return { ...base, code: "UNAVAILABLE", error: errorTypes[problem], headers, ...refusals[problem] };
};
