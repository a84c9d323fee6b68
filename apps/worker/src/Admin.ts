// Operator endpoints: health, and with the admin secret metrics, purges, explanations.
import { basePath, withoutBearer, type Format } from "@bytenite-engines/core/wire";
import { currentAge, timeToLive, usableUntil } from "@bytenite-engines/http-cache";
import { decide, isServedAfterFailure, look } from "./Decision.ts";
import { fieldIn, hasForm, type Entry } from "./Entry.ts";
import { base64url, ownersOf, tokenOf, utf8 } from "./Identity.ts";
import type { Isolate } from "./Isolate.ts";
import { parsePurge, purgeForms, wrongParameter } from "./Purge.ts";
import { badRequest, parseRequest, refusal, refuse, unauthenticated, unknownPath, wrongMethod } from "./Request.ts";
import type { RequestContext } from "./Request.ts";
import { inTime, logUnrecorded, nobody } from "./Store.ts";

export const adminPrefix = "/-/";

export const answerAdmin = async (request: Request, path: string, isolate: Isolate, context: RequestContext) => {
  const { method, headers } = request;
  const [name = "", ...rest] = path.slice(adminPrefix.length).split("?");
  if (name === "health") {
    return method === "GET" || method === "HEAD" ? health(isolate) : refuse(wrongMethod(method, "GET, HEAD"), null);
  }
  const { adminSecrets } = isolate.config;
  const answer = new Map(Object.entries({ metrics, purge, explain })).get(name);
  // Without a secret these do not exist.
  if (adminSecrets.length === 0) return refuse(unknownPath, null);
  if (answer === undefined) return refuse(noSuchName, null);
  if (!(await isSecret(headers.get("authorization"), adminSecrets))) return refuse(notSecret, null);
  const allowed = name === "purge" ? "POST" : "GET";
  if (method !== allowed) return refuse(wrongMethod(method, allowed), null);
  return answer(isolate, new URLSearchParams(rest.join("?")), request, context);
};

const noSuchName = refusal(404, "NOT_FOUND", "no such path; there are /-/health, /-/metrics, /-/explain and /-/purge");

/** Compares digests with a salt of this request: the time it takes reveals nothing about the secrets. */
const isSecret = async (authorization: string | null, secrets: ReadonlyArray<string>): Promise<boolean> => {
  const given = withoutBearer(authorization ?? "");
  const salt = crypto.randomUUID();
  const digestOf = async (text: string): Promise<string> =>
    base64url(new Uint8Array(await crypto.subtle.digest("SHA-256", utf8.encode(salt + text))));
  return given !== "" && (await Promise.all(secrets.map(digestOf))).includes(await digestOf(given));
};

const moment = (ms: number): string | null => (ms === 0 ? null : new Date(ms).toISOString());
const json = (body: unknown): Response => Response.json(body, { headers: { "cache-control": "no-store" } });

/** Always 200 while this isolate can answer: an upstream that is down is not a reason to take the proxy out of service. */
const health = ({ admission, upstream: { last } }: Isolate): Response => {
  const isDown = admission.isDown() || last.failureMs > last.answerMs;
  const state = isDown ? "failing" : last.answerMs === 0 ? "unknown" : "answering";
  const breaker = admission.isDown() ? "open" : "closed";
  const times = { lastAnswer: moment(last.answerMs), lastFailure: moment(last.failureMs) };
  return json({ status: "ok", upstream: { state, breaker, ...times } });
};

const notDecrypted = "Entries under a key that its token could not decrypt. Anything but 0 is a fault in the key.";

const metrics = ({ metrics: counted, store, budget }: Isolate): Response => {
  const text = counted.text([
    ["memory_entries", "Keys in the memory of this isolate.", store.memory.count()],
    ["memory_bytes", "Bytes that they are counted with.", store.memory.size()],
    ["body_bytes", "Bytes of bodies under way in this isolate.", budget.bytes()],
    ["undecryptable_found", notDecrypted, store.undecryptable()],
  ]);
  return new Response(text, { headers: { "content-type": "text/plain; version=0.0.4", "cache-control": "no-store" } });
};

const maxFormBytes = 16_384; // longest form that is read, in bytes
const invalid = (message: string): Response => refuse(badRequest(message), null);

const maxPurgeWaitMs = 5_000; // longest wait for a purge to be recorded, in milliseconds: then it goes on behind the answer
const notRecorded = refusal(503, "UNAVAILABLE", "purged in this isolate, perhaps not in others: send it again");

/** Purges by parameters, or by a token in a form (`token=...`), which is always hard: a URL may be logged. */
const purge = async (isolate: Isolate, parameters: URLSearchParams, request: Request, context: RequestContext) => {
  const { store, flights, identities } = isolate;
  const text = Number(request.headers.get("content-length")) > maxFormBytes ? undefined : await request.text();
  if (text === undefined || text.length > maxFormBytes) return invalid("the form is too long");
  const form = new URLSearchParams(text);
  const wrong = wrongParameter(form, ["token"], purgeForms);
  if (wrong !== undefined) return invalid(wrong);
  const given = form.get("token");
  if (given !== null && parameters.size > 0) return invalid("token stands alone");
  const token = given === null ? undefined : tokenOf(given);
  if (given !== null && token === undefined) return invalid("token must be what its user sends in Authorization");
  const owners = token === undefined ? undefined : ownersOf(await identities.of(token));
  const scope = owners === undefined ? parsePurge(parameters) : { hard: true, owners };
  if (typeof scope === "string") return invalid(scope);
  flights.close(owners?.[0]);
  const recorded = store.purge({ atMs: store.purgeTime(), ...scope }).then(() => true, logUnrecorded);
  context.waitUntil(recorded);
  if ((await inTime(maxPurgeWaitMs, recorded)) !== true) return refuse(notRecorded, null);
  return json({ purged: owners === undefined ? scope : { token: true, hard: true }, reach: store.reach });
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
const explain = async (isolate: Isolate, parameters: URLSearchParams, request: Request, context: RequestContext) => {
  const { admission, config, now, store } = isolate;
  const wrong = wrongParameter(parameters, ["path"], "path=...");
  if (wrong !== undefined) return invalid(wrong);
  const path = parameters.get("path");
  if (path === null) return invalid(`say which request: path=${basePath}/engines/zipper`);
  const headers = new Headers(request.headers);
  const authorization = headers.get("x-explain-authorization");
  headers.delete("authorization");
  if (authorization !== null) headers.set("authorization", authorization);
  const parsed = parseRequest("GET", headers, path, config);
  if ("status" in parsed) return json({ refused: { status: parsed.status, message: parsed.message } });
  const plan = decide(await look(parsed, isolate, context));
  const { decision, selected, applicant, owner } = plan;
  const action = isServedAfterFailure(plan) ? "stale-if-error" : decision.action;
  const because = "forward" in decision.outcome ? decision.outcome.forward : null;
  const purged = selected === undefined ? null : (store.purgeOf(selected) ?? null);
  const isPurged = purged !== null && because === "stale" && action !== "stale-if-error";
  const [rule, section] = rules[isPurged ? "purged" : `${action}/${because}`] ?? rules[action] ?? ["", ""];
  const user = owner === undefined ? "none: nothing is stored" : owner === nobody ? "everybody" : "this token";
  const form = parsed.representation.format;
  return json({
    key: { user, endpoint: parsed.route.endpoint, target: parsed.route.target, form },
    ...(selected ? describe(selected, purged, form, now()) : { stored: null, freshness: null }),
    upstream: {
      isDown: admission.isDown(),
      isFailing: admission.isFailing(applicant),
      isBackingOff: admission.isBackingOff(applicant),
    },
    lastNotStored: store.uncacheable(owner ?? nobody, parsed.route) ?? null,
    decision: { action, because, rule, section },
  });
};

/** What is stored, and its freshness in milliseconds with what follows from it now. */
const describe = (entry: Entry, purged: string | null, form: Format, nowMs: number) => {
  const { status, askedFormat, fetchedAtMs, names: contains, headers, freshness } = entry;
  const cacheControl = fieldIn(headers, "cache-control") ?? null;
  const times = { ageMs: currentAge(freshness, nowMs), ttlMs: timeToLive(freshness, nowMs) };
  const fetched = { isTranscoded: !hasForm(entry, form), status, askedFormat, fetchedAt: moment(fetchedAtMs) };
  const stored = { purged, ...fetched, contains, cacheControl };
  return { stored, freshness: { ...freshness, ...times, usableUntil: moment(usableUntil(freshness)) } };
};

const notSecret = unauthenticated("the admin secret is missing or wrong");
