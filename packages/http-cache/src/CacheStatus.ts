// Cache-Status (RFC 9211).

/** Why a request was forwarded (RFC 9211, 2.2). */
export type ForwardReason = "bypass" | "method" | "uri-miss" | "vary-miss" | "miss" | "request" | "stale" | "partial";

/** How a cache handled a request. */
export interface CacheOutcome {
  /** Served from the cache without forwarding. */
  readonly hit?: boolean;
  /** Why the request was forwarded. */
  readonly forward?: ForwardReason;
  /** The status of the origin, where the client gets another one. */
  readonly forwardStatus?: number;
  /** Remaining freshness in milliseconds; negative when stale. */
  readonly ttlMs?: number;
  /** The response was stored. */
  readonly stored?: boolean;
  /** The request was collapsed with another one. */
  readonly collapsed?: boolean;
  /** A token or a short text for people. Put no key and no credentials here. */
  readonly detail?: string;
}

const tokenPattern = /^[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*$/;

/** One member of Cache-Status, such as `edge; hit; ttl=12`. A name outside the syntax of tokens is written as a string. */
export const cacheStatus = (name: string, outcome: CacheOutcome): string => {
  let member = itemOf(name);
  if (outcome.hit === true) member += "; hit";
  else if (outcome.forward !== undefined) member += `; fwd=${outcome.forward}`;
  if (outcome.forwardStatus !== undefined) member += `; fwd-status=${outcome.forwardStatus}`;
  if (outcome.ttlMs !== undefined) member += `; ttl=${Math.floor(outcome.ttlMs / 1000)}`;
  if (outcome.stored === true) member += "; stored";
  if (outcome.collapsed === true) member += "; collapsed";
  if (outcome.detail !== undefined) member += `; detail=${itemOf(outcome.detail)}`;
  return member;
};

const itemOf = (text: string): string =>
  tokenPattern.test(text) ? text : `"${text.replaceAll(/[^ -~]/g, "?").replaceAll(/["\\]/g, (char) => `\\${char}`)}"`;
