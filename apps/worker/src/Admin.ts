// Operator endpoints: health, and with the admin secret metrics, purges, explanations.
import { basePath, withoutBearer, type Format } from "@bytenite-engines/core/wire";
import { currentAge, timeToLive, usableUntil } from "@bytenite-engines/http-cache";
import { decide, isServedAfterFailure, look } from "./Decision.ts";
import { fieldIn, hasForm, type Entry } from "./Entry.ts";
import { base64url, ownersOf, tokenOf } from "./Identity.ts";
import type { Isolate } from "./Isolate.ts";
import { parsePurge, wrongParameter } from "./Purge.ts";
import { parseRequest, badRequest, refusal, refuse, unknownPath, wrongMethod } from "./Request.ts";

export const adminPrefix = "/-/";

export const answerAdmin = async (request: Request, path: string, isolate: Isolate): Promise<Response> => {
  const { method, headers } = request;
  const [name = "", query = ""] = path.slice(adminPrefix.length).split("?", 2);
  if (name === "health") {
    return method === "GET" || method === "HEAD" ? health(isolate) : refuse(wrongMethod(method, "GET, HEAD"), null);
  }
  const { adminSecrets } = isolate.config;
  const answer = new Map(Object.entries({ metrics, purge, explain })).get(name);
  // Without a secret these do not exist.
  if (answer === undefined || adminSecrets.length === 0) return refuse(unknownPath, null);
  if (!(await isSecret(headers.get("authorization"), adminSecrets))) return refuse(unauthenticated, null);
  const allowed = name === "purge" ? "POST" : "GET";
  if (method !== allowed) return refuse(wrongMethod(method, allowed), null);
  return answer(isolate, new URLSearchParams(query), request);
};

const utf8 = new TextEncoder();

/** Compares digests with a salt of this request: the time it takes reveals nothing about the secrets. */
const isSecret = async (authorization: string | null, secrets: ReadonlyArray<string>): Promise<boolean> => {
  const given = withoutBearer(authorization ?? "");
  const salt = crypto.randomUUID();
  const digestOf = async (text: string): Promise<string> =>
    base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", utf8.encode(salt + text))));
  return given !== "" && (await Promise.all(secrets.map(digestOf))).includes(await digestOf(given));
};

const moment = (ms: number): string | null => (ms === 0 ? null : new Date(ms).toISOString());

const seconds = (ms: number): number => Math.floor(ms / 1000);

const json = (body: unknown): Response => Response.json(body, { headers: { "cache-control": "no-store" } });

/** Always 200 while this isolate can answer: an upstream that is down is not a reason to take the proxy out of service. */
const health = ({ metrics: { breakerState, upstreamAnsweredAtMs, upstreamFailedAtMs } }: Isolate): Response => {
  const isDown = breakerState !== "closed" || upstreamFailedAtMs > upstreamAnsweredAtMs;
  const state = isDown ? "failing" : upstreamAnsweredAtMs === 0 ? "unknown" : "answering";
  const [lastAnswer, lastFailure] = [moment(upstreamAnsweredAtMs), moment(upstreamFailedAtMs)];
  return json({ status: "ok", upstream: { state, breaker: breakerState, lastAnswer, lastFailure } });
};

const metrics = ({ metrics: counted, store, budget }: Isolate): Response => {
  const { memory } = store;
  const text = counted.text([
    ["bytenite_edge_memory_entries", "Keys in the memory of this isolate.", memory.entries],
    ["bytenite_edge_memory_bytes", "Bytes that they are counted with.", memory.bytes],
    ["bytenite_edge_body_bytes", "Bytes of bodies under way in this isolate.", budget.bytes()],
    [
      "bytenite_edge_undecryptable_found",
      "Entries under a key that its token could not decrypt. Anything but 0 is a fault in the key.",
      store.undecryptable(),
    ],
  ]);
  return new Response(text, { headers: { "content-type": "text/plain; version=0.0.4", "cache-control": "no-store" } });
};

/** Longest form that is read, in bytes. */
const maxFormBytes = 16_384;

const invalid = (message: string): Response => refuse(badRequest(message), null);

/** Purges by parameters, or by a token in a form (`token=...`), which is always hard: a URL may be logged. */
const purge = async (isolate: Isolate, parameters: URLSearchParams, request: Request): Promise<Response> => {
  const { store, flights, identities } = isolate;
  if (Number(request.headers.get("content-length")) > maxFormBytes) return invalid("the form is too long");
  const form = new URLSearchParams(await request.text());
  if ([...form.keys()].some((name) => name !== "token")) return invalid("a form may have token=... alone");
  const [given, ...more] = form.getAll("token");
  if (more.length > 0) return invalid("token is given more than once: send one request for each");
  const token = given === undefined ? undefined : tokenOf(given);
  if (given !== undefined && token === undefined) return invalid("token must be what its user sends in Authorization");
  if (token !== undefined && parameters.size > 0) return invalid("token stands alone");
  const atMs = store.purgeTime();
  if (token !== undefined) {
    const owners = ownersOf(await identities.of(token));
    flights.close(owners[0]);
    await store.purge({ atMs, hard: true, owners });
    return json({ purged: { token: true, hard: true }, reach: store.reach });
  }
  const parsed = parsePurge(parameters, atMs);
  if (typeof parsed === "string") return invalid(parsed);
  flights.close();
  await store.purge(parsed);
  const { atMs: _atMs, ...scope } = parsed;
  return json({ purged: scope, reach: store.reach });
};

const rules: Readonly<Record<string, readonly [rule: string, section: string]>> = {
  fresh: ["fresh, and the request takes it", "RFC 9111, 4.2"],
  stale: ["stale, within stale-while-revalidate or max-stale", "RFC 5861, 3; RFC 9111, 5.2.1.2"],
  "validate/stale": ["stale, or no-cache: it has to be validated", "RFC 9111, 4.3 and 5.2.2.4"],
  purged: ["a soft purge lies on it: it has to be validated", "RFC 9111, 4.3"],
  "stale-if-error": ["the upstream failed lately: served stale, validated in the background", "RFC 5861, 4"],
  "validate/request": ["the request asks for something newer", "RFC 9111, 5.2.1"],
  "forward/uri-miss": ["nothing is stored under this key", "RFC 9111, 4"],
  "forward/vary-miss": ["no stored response has the fields that Vary names", "RFC 9111, 4.1"],
  "forward/request": ["the request has no-store, or a condition for the origin", "RFC 9111, 5.2.1.5 and 4.3.2"],
  "forward/method": ["the method is not cached", "RFC 9111, 3"],
  "forward/stale": ["stale, without a validator", "RFC 9111, 4.3.1"],
  unsatisfiable: ["only-if-cached, and nothing satisfies the request", "RFC 9111, 5.2.1.7"],
};

/** Why a request would hit or miss here: Accept and Cache-Control are this one's, X-Explain-Authorization is its token. */
const explain = async (isolate: Isolate, parameters: URLSearchParams, request: Request): Promise<Response> => {
  const wrong = wrongParameter(parameters, ["path"]);
  if (wrong !== undefined) return invalid(wrong);
  const path = parameters.get("path");
  if (path === null) return invalid(`say which request: path=${basePath}/engines/zipper`);
  const headers = new Headers(request.headers);
  const authorization = headers.get("x-explain-authorization");
  headers.delete("authorization");
  if (authorization !== null) headers.set("authorization", authorization);
  const parsed = parseRequest("GET", headers, path, isolate.config);
  if ("status" in parsed) return json({ refused: { status: parsed.status, message: parsed.message } });
  const reader = await look(parsed, isolate, { waitUntil: () => {} });
  const nowMs = isolate.now();
  const plan = decide(reader);
  const { decision, selected, applicant } = plan;
  const { owner = "" } = reader;
  const { route, representation } = parsed;
  const { outcome } = decision;
  const action = isServedAfterFailure(plan) ? "stale-if-error" : decision.action;
  const because = "forward" in outcome ? outcome.forward : null;
  const purged = (selected && isolate.store.purgeOf(selected)) ?? null;
  const isPurged = purged !== null && because === "stale" && action !== "stale-if-error";
  const [rule, section] = rules[isPurged ? "purged" : `${action}/${because}`] ?? rules[action] ?? ["", ""];
  const { admission } = isolate;
  return json({
    key: {
      user: reader.owner === undefined ? "none: nothing is stored" : owner === "" ? "everybody" : "this token",
      endpoint: route.endpoint,
      target: route.target,
      form: representation.format,
    },
    ...(selected === undefined
      ? { stored: null, freshness: null }
      : detailsOf(selected, purged, representation.format, nowMs)),
    upstream: {
      isDown: admission.isDown(),
      isFailing: admission.isFailing(applicant),
      isBackingOff: admission.isBackingOff(applicant),
    },
    lastNotStored: isolate.store.uncacheable(owner, route) ?? null,
    decision: { action, because, rule, section },
  });
};

const detailsOf = (entry: Entry, purged: string | null, format: Format, nowMs: number) => {
  const { status, askedFormat, fetchedAtMs, names, headers, freshness } = entry;
  return {
    stored: {
      status,
      purged,
      askedFormat,
      isTranscoded: !hasForm(entry, format),
      fetchedAt: moment(fetchedAtMs),
      contains: names,
      cacheControl: fieldIn(headers, "cache-control") ?? null,
    },
    freshness: {
      lifetimeSeconds: seconds(freshness.lifetimeMs),
      isExplicit: freshness.explicit,
      ageSeconds: seconds(currentAge(freshness, nowMs)),
      ttlSeconds: seconds(timeToLive(freshness, nowMs)),
      staleWhileRevalidateSeconds: seconds(freshness.staleWhileRevalidateMs),
      staleIfErrorSeconds: seconds(freshness.staleIfErrorMs),
      mustValidate: freshness.alwaysValidate,
      neverStale: freshness.neverStale,
      usableUntil: moment(usableUntil(freshness)),
    },
  };
};

const unauthenticated = refusal(401, "UNAUTHENTICATED", "the admin secret is missing or wrong", {
  "www-authenticate": "Bearer",
});
