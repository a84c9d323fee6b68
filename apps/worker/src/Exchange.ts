// Asks the upstream for one answer and decides what becomes of what is stored.
import {
  updateFields,
  freshnessOf,
  responseDirectives,
  splitList,
  storingRefusal,
  varyNames,
  type CacheOptions,
  type Freshness,
  type ResponseDirectives,
} from "@bytenite-engines/http-cache";
import type { Config } from "./Config.ts";
import {
  clientFields,
  entryFormat,
  inOtherForm,
  receivedHeaders,
  strongEtag,
  withoutDigests,
  type Entry,
} from "./Entry.ts";
import { isReadable } from "./Readability.ts";
import type { Route } from "./Route.ts";
import type { AskUpstream, UpstreamAnswer } from "./Upstream.ts";
import { forwardedNames } from "./Visit.ts";
import { wholeAnswer, type Question } from "./WholeAnswer.ts";

/** Targeted fields that are meant for a cache at Cloudflare's edge, the most specific one first (RFC 9213, 2.2). */
const targetedFields: ReadonlyArray<string> = ["cloudflare-cdn-cache-control", "cdn-cache-control"];

/** The policy of an endpoint: a private cache, one for each token. Only answers of status 200 get default lifetimes. */
export const policyOf = (config: Pick<Config, "lifetimes">, route: Route, status: number): CacheOptions =>
  status === 200
    ? { shared: false, targetedFields, defaults: config.lifetimes[route.endpoint] }
    : { shared: false, targetedFields };

/** Fields that were applied to stored bodies: their coding was decoded, and their form was recognized by Content-Type. */
const processedFields: ReadonlyArray<string> = ["content-encoding", "content-type"];

/** Asks; a 304 gives the stored object back, made fresh again. Rejects with UpstreamFailure. */
export const exchange = async (
  question: Question,
  ask: AskUpstream,
  config: Pick<Config, "lifetimes">,
): Promise<{ readonly entry: Entry; readonly answer: UpstreamAnswer }> => {
  const answer = await wholeAnswer(question, ask);
  return { entry: await entryOf(question, answer, config), answer };
};

const entryOf = async (
  question: Question,
  answer: UpstreamAnswer,
  config: Pick<Config, "lifetimes">,
): Promise<Entry> => {
  const { route, identity, format: askedFormat } = question;
  const validated = answer.status === 304 ? question.stored : undefined;
  const status = validated?.status ?? answer.status;
  const headers =
    validated === undefined
      ? asDecoded(answer)
      : updateFields(receivedHeaders(validated), answer.headers, processedFields);
  const policy = policyOf(config, route, status);
  const control = asProxy(responseDirectives(headers, policy));
  const freshness = within(freshnessOf(status, headers, control, answer, policy), identity?.expiresAtMs);
  const request = { method: "GET", control: question.control, authorized: true };
  const format = validated?.format ?? entryFormat(headers);
  const bytes = validated?.bytes ?? answer.bytes;
  const lost = validated === undefined && isLost({ status, format, bytes }, headers.get("content-encoding"));
  const storable =
    identity !== undefined &&
    status === 200 &&
    !lost &&
    !variesBeyondKey(headers) &&
    storingRefusal(request, status, headers, control, policy) === undefined;
  const etag = status === 200 ? (validated?.client["etag"] ?? (await strongEtag(bytes, format))) : "";
  const cacheControl = lost ? neverStored : clientControl(status, headers, control, freshness, answer, policy);
  const entry: Entry = {
    owner: identity?.digest ?? "",
    endpoint: route.endpoint,
    tag: route.tag,
    status,
    askedFormat,
    format,
    received: [...headers],
    client: clientFields(headers, cacheControl, etag),
    bytes,
    freshness,
    fetchedAtMs: answer.requestTimeMs,
    storable,
  };
  // What was confirmed is confirmed in both forms.
  if (validated?.other !== undefined) {
    entry.other = validated.other === "lossy" ? "lossy" : inOtherForm(entry, validated.other);
  }
  return entry;
};

/**
 * Whether a success says nothing that could be read, or is encoded as nobody asked: it is passed on as it came, and is no news of
 * the resource.
 */
export const isLost = (
  { status, format, bytes }: Pick<Entry, "status" | "format" | "bytes">,
  coding: string | null | undefined,
): boolean => status === 200 && ((coding !== null && coding !== undefined) || !isReadable(format, bytes));

/** Content codings that the runtime asks for, and takes off. */
const decodedCodings: ReadonlySet<string> = new Set(["gzip", "br", "identity"]);

/** The header of the bytes that are here: without a coding that was taken off, and digests of what was sent with it. */
const asDecoded = ({ headers }: UpstreamAnswer): Headers => {
  const coding = headers.get("content-encoding");
  if (coding === null || !decodedCodings.has(coding.trim().toLowerCase())) return headers;
  const decoded = withoutDigests(headers);
  decoded.delete("content-encoding");
  return decoded;
};

/**
 * What an answer asks of this cache. `no-cache` and the like for some fields only are obeyed for the whole answer (RFC 9111, 5.2.2.4
 * allows it). It keeps answers for one user each, and yet it is a proxy: what is said to shared caches, `proxy-revalidate` and
 * `s-maxage`, is obeyed where it shortens the use of an answer.
 */
const asProxy = (control: ResponseDirectives): ResponseDirectives => ({
  ...control,
  noCache: control.noCache || control.withheldFields.length > 0,
  mustRevalidate: control.mustRevalidate || control.proxyRevalidate || control.sMaxage !== undefined,
  maxAge: control.sMaxage === undefined ? control.maxAge : Math.min(control.sMaxage, control.maxAge ?? control.sMaxage),
});

/** Whether the answer was chosen by fields that go upstream and are not in the key (RFC 9111, 4.1). */
const variesBeyondKey = (headers: Headers): boolean =>
  varyNames(headers).some((name) => name !== "authorization" && forwardedNames.has(name));

/** No answer is fresh for longer than its token lives (`exp`); how long it may be stale is seen to when it is used. */
const within = (freshness: Freshness, expiresAtMs = Number.POSITIVE_INFINITY): Freshness => {
  const mostMs = Math.max(0, expiresAtMs - freshness.responseTimeMs) + freshness.initialAgeMs;
  return freshness.lifetimeMs <= mostMs ? freshness : { ...freshness, lifetimeMs: mostMs };
};

/** Cache-Control of what no client is to keep either. */
const neverStored = "private, no-store";

const nameOf = (directive: string): string => (directive.split("=", 1)[0] ?? "").trim().toLowerCase();

/** Directives that are for shared caches, and `private`, which is said anyway. */
const notForClients: ReadonlySet<string> = new Set(["private", "public", "s-maxage"]);

/**
 * Cache-Control for the client: what the upstream sent, for one client only. What it says in a targeted field is for the cache that
 * the field names (RFC 9213). Where it sent none: what Expires says, else our lifetime, or less where this cache has less.
 */
const clientControl = (
  status: number,
  headers: Headers,
  control: ResponseDirectives,
  freshness: Freshness,
  answer: UpstreamAnswer,
  policy: CacheOptions,
): string => {
  const sent = splitList(headers.get("cache-control") ?? "");
  if (sent.length > 0) {
    return ["private", ...sent.filter((directive) => !notForClients.has(nameOf(directive)))].join(", ");
  }
  const forClients = { ...policy, targetedFields: [] };
  const stated = freshnessOf(status, headers, responseDirectives(headers, forClients), answer, forClients);
  if (!stated.explicit && (status !== 200 || control.noStore)) return neverStored;
  const lifetimeMs = stated.explicit ? stated.lifetimeMs : Math.min(stated.lifetimeMs, freshness.lifetimeMs);
  return `private, max-age=${Math.floor(lifetimeMs / 1000)}`;
};
