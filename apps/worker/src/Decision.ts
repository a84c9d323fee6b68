// Identity of a request, its stored entries, and the cache decision.
import { requestIdFrom } from "@bytenite-engines/core/wire";
import { errorStatuses, hopByHopNames, parseRange, rangeFor, sliceOf } from "@bytenite-engines/http-cache";
import type { CacheOutcome, CacheRequest, HttpCache } from "@bytenite-engines/http-cache";
import { userOf, type Applicant } from "./Admission.ts";
import { fieldIn, otherForm, type Entry } from "./Entry.ts";
import type { Identity } from "./Identity.ts";
import type { Isolate } from "./Isolate.ts";
import { clientOf, tooLong, upstreamUrlOf, type ParsedRequest, type RequestContext } from "./Request.ts";
import { nobody } from "./Store.ts";

/** Request headers that are forwarded for endpoints; all others are dropped. */
export const forwardedFields: ReadonlyArray<string> =
  "authorization baggage traceparent tracestate user-agent x-d1-bookmark".split(" ");

/** A parsed request, its user, and the cache rules that apply to it. */
export type Reader = Awaited<ReturnType<typeof look>>;
/** The same with the decision of the cache rules. */
export type Plan = ReturnType<typeof decide>;

/** Looks up the stored entries of a request, in memory and in the Cache API: fresh ones first. */
export const look = async (request: ParsedRequest, isolate: Isolate, context: RequestContext) => {
  const { headers, isRead, route, token, representation, control } = request;
  const { admission, config, identities, caches, store, budget, now } = isolate;
  // Then the rules of a shared cache decide what may be stored of a request with a token.
  const isShared = route.endpoint === "other" && isRead && config.cachesAnonymous;
  // A token that Connection lists is for this hop alone (RFC 9110, 7.6.1).
  const isHopByHop = headers.has("connection") && hopByHopNames(headers).has("authorization");
  const isForwarded = token !== undefined && !isShared && !isHopByHop;
  const known = isForwarded ? (identities.recall(token) ?? (await identities.of(token))) : undefined;
  // Undefined without a token, or when it has expired.
  const identity = known !== undefined && known.expiresAtMs > now() ? known : undefined;
  // Owner of the entries that it may use and store; undefined: none.
  const owner = isShared ? nobody : isRead ? identity?.digest : undefined;
  const user = identity?.digest ?? userOf({ owner: undefined, client: clientOf(headers) });
  const found: Array<Entry> = [];
  const cache: HttpCache = caches[route.endpoint];
  const reader = { request, cache, identity, owner, user, budget, isolate, context, found };
  if (owner === undefined) return reader;
  const { format } = representation;
  const formats = route.endpoint === "other" || control.noTransform ? [format] : [format, otherForm(format)];
  // Notes and entries are read from the Cache API at the same time.
  const finding = store.find(owner, identity, route, formats);
  const notes =
    store.areNotesDue(identity, now()) && store.readNotes(identity, admission.knows(owner), finding, context);
  const [looked] = await Promise.all([finding, notes]);
  for (const entry of looked) {
    const isAsked = entry.part === undefined || holdsRange(entry, entry.part, request);
    const usable = isAsked ? usableNow(entry, identity, isolate) : undefined;
    if (usable !== undefined) found.push(usable);
  }
  return reader;
};

export const decide = (reader: Reader) => {
  const { request, cache, identity, isolate, found } = reader;
  const { method, isRead, headers, route } = request;
  const nowMs = isolate.now();
  const url = upstreamUrlOf(route, isolate.config.upstreamUrl);
  // Conditions for endpoints refer to the proxy's own entity tags.
  const asRead: CacheRequest & { readonly url: string } =
    route.endpoint === "other" ? { url, method, headers } : { url, headers: forwardedOf(request) };
  const decision = cache.evaluate(asRead, found, nowMs);
  const { action } = decision;
  // The stored entry for the request, if any: a 200 to HEAD updates it (RFC 9111, 4.3.5).
  const selected = "entry" in decision ? decision.entry : undefined;
  // An error in place of another one would hide that the resource works again.
  const isAnswer = selected !== undefined && !errorStatuses.has(selected.status);
  const isStaleUsable = isAnswer && cache.staleIfError(asRead, selected, undefined, nowMs) !== undefined;
  const orStale = action === "stale" || isStaleUsable;
  const client = clientOf(headers);
  const applicant: Applicant = { owner: identity?.digest, client, resource: url, orStale, isWrite: !isRead };
  // The stored entry, where the request validates it.
  const validated = action === "forward" ? undefined : selected;
  const send = "send" in decision ? decision.send : new Headers();
  const requestId = requestIdFrom(headers.get("x-request-id"));
  return { ...reader, asRead, applicant, decision, selected, validated, send, requestId };
};

/** Whether the upstream failed lately, so that a stale entry is served at once, and validated in the background. */
export const isServedAfterFailure = ({ decision, applicant, isolate }: Plan): boolean => {
  const { forward }: CacheOutcome = decision.outcome;
  return forward === "stale" && applicant.orStale && isolate.admission.isFailing(applicant);
};

const forwardedOf = ({ headers, cacheControl }: ParsedRequest): Record<string, string> => {
  const fields: Record<string, string> = cacheControl === null ? {} : { "cache-control": cacheControl };
  for (const name of [...forwardedFields, "connection"]) {
    const value = headers.get(name);
    if (value !== null && !tooLong(value)) fields[name] = value;
  }
  return fields;
};

const holdsRange = (entry: Entry, part: NonNullable<Entry["part"]>, { method, headers }: ParsedRequest): boolean => {
  const field = rangeFor(method, headers, fieldIn(entry.headers, "etag"));
  const range = parseRange(field);
  const slice = range && sliceOf(range, part, entry.bytes.byteLength);
  return field === part.askedRange || typeof slice === "object";
};

/** An entry found before an `await`; undefined if meanwhile its token expired or was revoked, or it was purged. */
export const usableNow = (entry: Entry, identity: Identity | undefined, { store, now }: Isolate): Entry | undefined =>
  identity !== undefined && identity.expiresAtMs <= now() ? undefined : store.afterPurges(entry);
