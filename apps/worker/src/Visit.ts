// Decides: what a request is, as far as the cache cares; refuses what it does not take.
import { negotiate, offered, type Representation } from "@bytenite-engines/core/wire";
import { hopByHopNames, requestDirectives, type RequestDirectives } from "@bytenite-engines/http-cache";
import type { Asked } from "./Answer.ts";
import { isCredential, tokenOf } from "./Identity.ts";
import { isLoop, withHop } from "./Loop.ts";
import { maxHeaderLength, route, type Route } from "./Route.ts";
import type { RequestId } from "./Log.ts";
import type { Refusal } from "./Refusal.ts";
import type { Received } from "./Runtime.ts";

/** A request for one of the endpoints, read. */
export interface Visit {
  readonly route: Route;
  readonly asked: Asked;
  readonly control: RequestDirectives;
  /** Undefined: the request has none. It may be one that is not to be handed on: see `tokenToForward`. */
  readonly token: string | undefined;
  /** The request's own fields. */
  readonly headers: Headers;
  /** Names the request in logs, here and upstream; made when somebody writes it down. */
  readonly requestId: RequestId;
}

/** The request for a target (path and query, as sent), or why it is refused. */
export const visitOf = (
  { method, headers }: Received,
  target: string,
  requestId: RequestId,
  deployment: string,
): Visit | Refusal => {
  const matched = route(method, target);
  if ("status" in matched) return matched;
  const accept = headers.get("accept");
  const authorization = headers.get("authorization");
  const ifNoneMatch = headers.get("if-none-match");
  const ifModifiedSince = headers.get("if-modified-since");
  const cacheControl = headers.get("cache-control");
  if (tooLong(accept) || tooLong(authorization) || tooLong(ifNoneMatch)) return tooLongHeader;
  const via = headers.get("via");
  const cdnLoop = headers.get("cdn-loop");
  if (tooLong(ifModifiedSince) || tooLong(cacheControl) || tooLong(via) || tooLong(cdnLoop)) return tooLongHeader;
  // Before anything is looked up: a proxy that reaches itself would wait for itself, or store its own stale answer as a fresh one.
  if (isLoop(via, cdnLoop, deployment)) return loop;
  if (authorization !== null && !isCredential(authorization)) return notCredential;
  if (headers.has("x-http-method-override")) {
    return { status: 400, code: "INVALID_ARGUMENT", message: "the method cannot be overridden" };
  }
  const representation = negotiated(accept);
  if (representation === undefined) return notAcceptable;
  return {
    route: matched,
    asked: {
      representation,
      head: method === "HEAD",
      condition: { ifNoneMatch, ifModifiedSince },
    },
    // Pragma is not asked for: it is deprecated (RFC 9111, 5.4), and each look costs a hundredth of a hit.
    control: requestDirectives(cacheControl, null),
    token: tokenOf(authorization),
    headers,
    requestId,
  };
};

const tooLong = (value: string | null): boolean => value !== null && value.length > maxHeaderLength;

const tooLongHeader: Refusal = {
  status: 431,
  code: "INVALID_ARGUMENT",
  message: `a header is longer than ${maxHeaderLength} characters`,
};

const loop: Refusal = {
  status: 508,
  code: "FAILED_PRECONDITION",
  message: "this proxy has been reached by itself: its UPSTREAM_URL leads back to it (Via, CDN-Loop)",
};

const notCredential: Refusal = {
  status: 401,
  code: "UNAUTHENTICATED",
  message:
    "the Authorization field must hold one token of visible ASCII characters (0x21 to 0x7E), after a scheme such as Bearer and one space if it has one",
  headers: { "www-authenticate": "Bearer" },
};

const notAcceptable: Refusal = {
  status: 406,
  code: "INVALID_ARGUMENT",
  message: `none of the accepted media types is offered; offered are ${offered.map(({ mediaType }) => mediaType).join(", ")}`,
};

/** Number of Accept values whose outcome is remembered, and the longest one of them, in characters. */
const maxRemembered = 500;
const maxRememberedLength = 256;

const remembered = new Map<string, Representation>();

const negotiated = (accept: string | null): Representation | undefined => {
  const field = accept ?? "";
  const known = remembered.get(field);
  if (known !== undefined) return known;
  const representation = negotiate(accept);
  if (representation !== undefined && field.length <= maxRememberedLength) {
    if (remembered.size >= maxRemembered) remembered.clear();
    remembered.set(field, representation);
  }
  return representation;
};

/** The token that the upstream may be asked with: one that Connection lists is for this hop alone (RFC 9110, 7.6.1). */
export const tokenToForward = ({ headers, token }: Visit): string | undefined => {
  const connection = headers.get("connection");
  const isPlain = connection === null || connection === "keep-alive";
  return isPlain || !hopByHopNames(headers).has("authorization") ? token : undefined;
};

/** Fields of the request that the upstream gets; all others end here. */
const forwarded: ReadonlyArray<string> = ["authorization", "baggage", "traceparent", "tracestate", "user-agent"];

/** Names of all that goes upstream and depends on the request, but for Accept. */
export const forwardedNames: ReadonlySet<string> = new Set([
  ...forwarded,
  "cache-control",
  "cdn-loop",
  "pragma",
  "via",
  "x-request-id",
]);

/** Why a request that the upstream is to be asked for is refused after all: fields that are read only now are too long. */
export const lateRefusal = ({ headers }: Visit): Refusal | undefined =>
  [...forwarded, "connection"].some((name) => tooLong(headers.get(name))) ? tooLongHeader : undefined;

/** The fields that go to the upstream with a request. What Connection lists was meant for this hop only. */
export const forwardedHeaders = ({ headers, requestId }: Visit, deployment: string): Headers => {
  const listed = hopByHopNames(headers);
  const kept = new Headers();
  for (const name of forwarded) {
    const value = listed.has(name) ? null : headers.get(name);
    if (value !== null && !tooLong(value)) kept.set(name, value);
  }
  // Whatever Connection lists: without these a loop has no end.
  for (const [name, value] of withHop(headers, deployment)) kept.set(name, value);
  kept.set("x-request-id", requestId.value);
  return kept;
};

/**
 * Who sends a request, as Cloudflare tells it: the address, of IPv6 the network (/64), since one client has all of that. Empty
 * where nobody tells; elsewhere the field is as good as whoever sets it.
 */
export const clientOf = (headers: Headers): string => {
  const address = (headers.get("cf-connecting-ip") ?? "").slice(0, maxAddressLength);
  return address.includes(":") ? (address.split("::", 1)[0] ?? "").split(":").slice(0, 4).join(":") : address;
};

/** Longest address, in characters. */
const maxAddressLength = 45;
