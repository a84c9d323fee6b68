// Decides: how a cache tells what it did (RFC 9211).

/** Why a request was forwarded (RFC 9211, 2.2). */
export type ForwardReason = "bypass" | "method" | "uri-miss" | "vary-miss" | "miss" | "request" | "stale" | "partial";

/** What a cache did with a request. */
export interface CacheOutcome {
  /** Answered from the store without asking the origin. */
  readonly hit?: boolean;
  /** Why the origin was asked. */
  readonly forward?: ForwardReason;
  /** The origin's status, when the client got another one. */
  readonly forwardStatus?: number;
  /** Remaining freshness in milliseconds; negative when stale. */
  readonly ttlMs?: number;
  /** The answer was stored. */
  readonly stored?: boolean;
  /** The request shared another one's forwarding. */
  readonly collapsed?: boolean;
  /** A token or a short text for people. Never a key, never anything of a token. */
  readonly detail?: string;
}

const tokenPattern = /^[A-Za-z*][!#$%&'*+.^_`|~0-9A-Za-z:/-]*$/;

/** One member of Cache-Status, such as `edge; hit; ttl=12`. `name` must be a token of RFC 9651. */
export const cacheStatus = (name: string, outcome: CacheOutcome): string => {
  let member = name;
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
