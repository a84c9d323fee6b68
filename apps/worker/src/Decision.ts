// Identity of a request, its stored entry, and the cache decision.
import {
  hopByHopNames,
  parseRange,
  sliceOf,
  type CacheRequest,
  type EvaluateResult,
  type HttpCache,
} from "@bytenite-engines/http-cache";
import type { Applicant } from "./Admission.ts";
import { hasForm, inForm, isFresh, otherForm, rangeFor, type Entry } from "./Entry.ts";
import type { Identity } from "./Identity.ts";
import type { Isolate } from "./Isolate.ts";
import { clientOf, tooLong, upstreamUrlOf, type ParsedRequest } from "./Request.ts";
import type { RequestContext } from "./Runtime.ts";
import { nobody } from "./Store.ts";

/** Request headers that are forwarded for endpoints; all others are dropped. */
export const forwardedFields: ReadonlyArray<string> = [
  "authorization",
  "baggage",
  "traceparent",
  "tracestate",
  "user-agent",
  "x-d1-bookmark",
];

/** A stored response in the format of the request. */
export interface Found {
  readonly entry: Entry;
  /** The entry as stored: `entry`, or the one it was transcoded from. */
  readonly source: Entry;
}

/** A parsed request, its identity, and the cache rules that apply to it. */
export interface Reader {
  readonly request: ParsedRequest;
  readonly cache: HttpCache;
  /** The request as passed to http-cache. */
  readonly asRead: CacheRequest & { readonly url: string };
  /** Undefined without a token, or when it has expired. */
  readonly identity: Identity | undefined;
  /** Owner of the entries that it may use and store; undefined: none. */
  readonly owner: string | undefined;
  /** Whom the upstream is asked for, and for what. */
  readonly applicant: Applicant;
  readonly isolate: Isolate;
  readonly context: RequestContext;
}

/** The cache decision for a request that goes to the upstream. */
export interface CacheDecision extends Reader {
  /** The stored entry for the request, if any: a 200 to HEAD updates it (RFC 9111, 4.3.5). */
  readonly selected: Entry | undefined;
  /** The same, where the request validates it. */
  readonly validated: Entry | undefined;
  readonly send: Headers;
  readonly requestId: string;
}

/** Looks up the stored entries of a request, in memory and in the Cache API. */
export const look = async (
  request: ParsedRequest,
  isolate: Isolate,
  context: RequestContext,
): Promise<{ readonly reader: Reader; readonly found: ReadonlyArray<Found> }> => {
  const { store } = isolate;
  const reader = await readerOf(request, isolate, context);
  const { identity, owner } = reader;
  const nowMs = isolate.now();
  // Notes and entries are read from the Cache API at the same time.
  const isDue = identity !== undefined && owner !== undefined && store.areNotesDue(identity, nowMs);
  const notes = isDue ? store.readNotes(identity, nowMs) : undefined;
  const looked = owner === undefined ? [] : await lookUp(request, identity, owner, nowMs, isolate);
  await notes;
  return { reader, found: looked.flatMap((each) => usableNow(each, identity, isolate)) };
};

/** Evaluates a request against its stored entries. */
export const decide = (
  { cache, asRead }: Reader,
  found: ReadonlyArray<Found>,
  nowMs: number,
): { readonly decision: EvaluateResult<Entry>; readonly chosen: Found | undefined } => {
  const stored = found.map(({ source }) => source);
  const decision = cache.evaluate(asRead, stored, nowMs);
  const entry = "entry" in decision ? decision.entry : undefined;
  return { decision, chosen: found.find(({ source }) => source === entry) };
};

/** The identity of a request and the cache rules that apply to it. */
const readerOf = async (request: ParsedRequest, isolate: Isolate, context: RequestContext): Promise<Reader> => {
  const { method, headers, route, token, cacheControl } = request;
  const { config, identities, caches } = isolate;
  const isRead = method === "GET" || method === "HEAD";
  const isOther = route.endpoint === "other";
  // Then the rules of a shared cache decide what may be stored of a request with a token.
  const isShared = isOther && isRead && config.cachesAnonymous;
  // A token that Connection lists is for this hop alone (RFC 9110, 7.6.1).
  const isForwarded = token !== undefined && !isShared && !hopByHopNames(headers).has("authorization");
  const known = isForwarded ? await identities.of(token) : undefined;
  const identity = known !== undefined && known.expiresAtMs > isolate.now() ? known : undefined;
  const url = upstreamUrlOf(route, config);
  // Conditions for endpoints refer to the proxy's own entity tags.
  const asRead = isOther ? { url, method, headers } : { url, headers: forwardedOf(headers, cacheControl) };
  return {
    request,
    cache: caches[route.endpoint],
    asRead,
    identity,
    owner: isShared ? nobody.digest : isRead ? identity?.digest : undefined,
    applicant: { owner: identity?.digest, client: clientOf(headers), resource: url, orStale: false },
    isolate,
    context,
  };
};

const forwardedOf = (headers: Headers, cacheControl: string | null): Record<string, string> => {
  const fields: Record<string, string> = cacheControl === null ? {} : { "cache-control": cacheControl };
  for (const name of [...forwardedFields, "connection"]) {
    const value = headers.get(name);
    if (value !== null && !tooLong(value)) fields[name] = value;
  }
  return fields;
};

/** Stored entries of a request: fresh ones first, the requested format before one to transcode. */
const lookUp = async (
  request: ParsedRequest,
  identity: Identity | undefined,
  owner: string,
  nowMs: number,
  { store }: Isolate,
): Promise<ReadonlyArray<Found>> => {
  const { method, route, representation, control, headers } = request;
  if (route.endpoint === "other") {
    const entries = await store.find(identity, route, "json", nowMs);
    return entries
      .filter((entry) => holdsRange(entry, rangeFor(method, headers, entry)))
      .map((entry) => ({ entry, source: entry }));
  }
  let stale: ReadonlyArray<Found> = [];
  const { format } = representation;
  for (const stored of control.noTransform ? [format] : [format, otherForm(format)]) {
    for (const source of await store.find(identity, route, stored, nowMs)) {
      if (source.owner !== owner) continue;
      const isMade = source.other === undefined && !hasForm(source, format);
      const entry = await inForm(source, format);
      if (isMade) store.recount(route, source);
      if (entry === undefined) continue;
      if (isFresh(source, nowMs)) return [{ entry, source }];
      if (stale.length === 0) stale = [{ entry, source }];
    }
  }
  return stale;
};

/** Whether an entry contains the requested range; complete entries always do. */
const holdsRange = ({ part, bytes }: Entry, rangeField: string | null): boolean => {
  if (part === undefined) return true;
  const range = parseRange(rangeField);
  return (
    rangeField === part.askedRange ||
    (range !== undefined && typeof sliceOf(range, part, bytes.byteLength) === "object")
  );
};

/** Drops an entry found before an `await` if meanwhile its token expired or was revoked, or it was purged. */
export const usableNow = (
  found: Found,
  identity: Identity | undefined,
  { store, now }: Isolate,
): ReadonlyArray<Found> => {
  if (identity !== undefined && identity.expiresAtMs <= now()) return [];
  const source = store.afterPurges(found.source);
  if (source === undefined) return [];
  return source === found.source ? [found] : [{ source, entry: { ...found.entry, freshness: source.freshness } }];
};
