// Response changed by a fault.
import { negotiate, requestIdFrom, rpcCodeOfHttp, schemaDigestHeader, mediaTypeOf } from "@bytenite-engines/core/wire";
import { statusBody } from "../api/ApiError.ts";
import type { Answer, RequestHead } from "../api/Answer.ts";
import type { Fault, FaultyBody, Hint, Latency } from "./FaultRule.ts";
import { hintHeaders, retryInfoMs } from "./Hint.ts";

/** The hints of a fault. */
const hintsOf = ({ hint }: Fault): ReadonlyArray<Hint> =>
  hint === undefined ? [] : Array.isArray(hint) ? (hint as ReadonlyArray<Hint>) : [hint as Hint];

/** The response of a fault with a status: google.rpc.Status in the negotiated format. */
export const statusAnswer = (
  fault: Fault & { readonly status: number },
  head: RequestHead,
  endpoint: Answer["logFields"]["endpoint"],
): Answer => {
  const format = fault.jsonOnly === true ? "json" : (negotiate(head.header("accept"))?.format ?? "json");
  const code = fault.code ?? rpcCodeOfHttp(fault.status);
  return {
    status: fault.status,
    headers: {
      "Content-Type": mediaTypeOf(format),
      ...(fault.jsonOnly === true ? {} : { Vary: "Accept" }),
      "X-Request-Id": requestIdFrom(head.header("x-request-id")),
    },
    body: statusBody(code, fault.message ?? `fault: ${code}`, format, retryInfoMs(hintsOf(fault))),
    logFields: { endpoint, user: undefined },
  };
};

/** Applies the headers, media type, clock and body of a fault to a response. */
export const applyFault = (answer: Answer, fault: Fault, nowMs: number): Answer => {
  const clock = nowMs + (fault.clockSkewMs ?? 0);
  const headers: Record<string, string> = {
    ...answer.headers,
    ...(fault.clockSkewMs === undefined ? {} : { Date: new Date(clock).toUTCString() }),
    ...hintHeaders(hintsOf(fault), clock),
    ...labelOf(fault),
  };
  if (fault.schemaDigest === false) delete headers[schemaDigestHeader];
  if (typeof fault.schemaDigest === "string") headers[schemaDigestHeader] = fault.schemaDigest;
  for (const [name, value] of Object.entries(fault.headers ?? {})) {
    for (const known of Object.keys(headers)) if (known.toLowerCase() === name.toLowerCase()) delete headers[known];
    if (value !== null) headers[name] = value;
  }
  return { ...answer, headers, body: bodyOf(fault.body) ?? answer.body };
};

const labelOf = ({ contentType, body }: Fault): Readonly<Record<string, string>> => {
  if (contentType !== undefined) return { "Content-Type": contentType };
  return body === "html" ? { "Content-Type": "text/html" } : {};
};

/** Neither protobuf nor JSON: an end-group tag, then bytes that are not UTF-8. */
const garbage = Uint8Array.from({ length: 64 }, (_, index) => (index === 0 ? 0x0c : 0xff - (index % 7)));

const bodyOf = (body: FaultyBody | undefined): string | Uint8Array | undefined => {
  if (body === undefined || (typeof body === "object" && "bytes" in body)) return undefined;
  if (body === "empty") return "";
  if (body === "html") return "<html><body><h1>502 Bad Gateway</h1></body></html>\n";
  if (body === "garbage") return garbage;
  return "text" in body ? body.text : Uint8Array.from(atob(body.base64), (char) => char.charCodeAt(0));
};

/** A random latency in milliseconds, never negative. */
export const drawLatency = (latency: Latency, random: () => number): number => {
  if (typeof latency === "number") return latency;
  if ("uniform" in latency) return latency.uniform[0] + random() * (latency.uniform[1] - latency.uniform[0]);
  if ("exponential" in latency) return -Math.log(1 - random()) * latency.exponential;
  // Box-Muller transform.
  const normal = Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Math.max(0, latency.normal[0] + normal * latency.normal[1]);
};
