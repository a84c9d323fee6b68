// Identity of a request, its stored entry, and the cache decision.
import {
  hopByHopNames,
  parseRange,
  sliceOf,
  type CacheRequest,
  type EvaluateResult,
  type HttpCache,
} from "@bytenite-engines/http-cache";
import { hasForm, inForm, isFresh, otherForm, rangeFor, type Entry } from "./Entry.ts";
import type { Identity } from "./Identity.ts";
import type { Isolate } from "./Isolate.ts";
import { upstreamUrlOf, type ParsedRequest } from "./Request.ts";
import type { RequestContext } from "./Runtime.ts";
import { nobody } from "./Store.ts";

/** What is stored for a request, in the form that it asks for. */
export interface Found {
  readonly entry: Entry;
  /** The entry as it came: `entry`, or the one that it was transcoded from. */
  readonly source: Entry;
}

/** A parsed request with whose entries it may see, and by which rules. */
export interface Reader {
  readonly request: ParsedRequest;
  readonly cache: HttpCache;
  /** The request as the rules read it. */
  readonly asRead: CacheRequest & { readonly url: string };
  /** Undefined: the request has no (living) token. */
  readonly identity: Identity | undefined;
  /** Whose entries it may use; undefined: nothing is stored. */
  readonly owner: string | undefined;
  readonly isolate: Isolate;
  readonly context: RequestContext;
}

/** What the cache has decided about a request that the upstream is asked for. */
export interface CacheDecision extends Reader {
  readonly validated: Entry | undefined;
  /** The entry that a 200 to HEAD updates (RFC 9111, 4.3.5). */
  readonly updatedByHead?: Entry | undefined;
  readonly send: Headers;
  /** Whether something stale can be served instead. */
  readonly orStale: boolean;
  readonly requestId: string;
}

/** What is stored for a request. Waits for the data centre; changes nothing. */
export const look = async (
  request: ParsedRequest,
  isolate: Isolate,
  context: RequestContext,
): Promise<{ readonly reader: Reader; readonly found: ReadonlyArray<Found> }> => {
  const { store } = isolate;
  const reader = await readerOf(request, isolate, context);
  const { identity, owner } = reader;
  const nowMs = isolate.now();
  // Both are waits for the data centre: they are one wait.
  const isDue = identity !== undefined && owner !== undefined && store.areNotesDue(identity, nowMs);
  const notes = isDue ? store.readNotes(identity, nowMs) : undefined;
  const looked = owner === undefined ? [] : await lookUp(request, identity, owner, nowMs, isolate);
  await notes;
  return { reader, found: looked.flatMap((each) => usableNow(each, identity, isolate)) };
};

/** What the rules say of a request and what is stored for it. */
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

/** Whose entries a request may see, and by which rules. */
const readerOf = async (request: ParsedRequest, isolate: Isolate, context: RequestContext): Promise<Reader> => {
  const { method, headers, route, token, cacheControl } = request;
  const { config, identities, caches } = isolate;
  const isRead = method === "GET" || method === "HEAD";
  const isOther = route.endpoint === "other";
  // The rules of a shared cache then say what of a request with a token may be for everybody.
  const isShared = isOther && isRead && config.cachesAnonymous;
  // A token that Connection lists is for this hop alone (RFC 9110, 7.6.1).
  const isForwarded = token !== undefined && !isShared && !hopByHopNames(headers).has("authorization");
  const known = isForwarded ? await identities.of(token) : undefined;
  const identity = known !== undefined && known.expiresAtMs > isolate.now() ? known : undefined;
  const url = upstreamUrlOf(route, config);
  // Of a request for an endpoint the rules read Cache-Control alone: its conditions are about our entity tags.
  const asRead = isOther
    ? { url, method, headers }
    : { url, headers: cacheControl === null ? {} : { "cache-control": cacheControl } };
  return {
    request,
    cache: caches[route.endpoint],
    asRead,
    identity,
    owner: isShared ? nobody.digest : isRead ? identity?.digest : undefined,
    isolate,
    context,
  };
};

/** What is stored for a request: fresh before stale, as it came before one that has to be transcoded. */
const lookUp = async (
  request: ParsedRequest,
  identity: Identity | undefined,
  owner: string,
  nowMs: number,
  { store }: Isolate,
): Promise<ReadonlyArray<Found>> => {
  const { route, representation, control, headers } = request;
  if (route.endpoint === "other") {
    const entries = await store.find(identity, route, "json", nowMs);
    return entries
      .filter((entry) => holdsRange(entry, rangeFor(headers, entry)))
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

/** Whether a stored answer holds what a request asks for: the whole, or a part that it can be cut from. */
const holdsRange = ({ part, bytes }: Entry, rangeField: string | null): boolean => {
  if (part === undefined) return true;
  const range = parseRange(rangeField);
  return (
    rangeField === part.askedRange ||
    (range !== undefined && typeof sliceOf(range, part, bytes.byteLength) === "object")
  );
};

/** What was found before a wait, as it may be used after it: the token may have expired or been revoked, or it was purged. */
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
