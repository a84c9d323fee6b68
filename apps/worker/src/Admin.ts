// Operator endpoints: health, and with the admin secret metrics, purges, explanations.
import { basePath, withoutBearer } from "@bytenite-engines/core/wire";
import { currentAge, timeToLive, usableUntil } from "@bytenite-engines/http-cache";
import { decide, look } from "./Decision.ts";
import type { Isolate } from "./Isolate.ts";
import { tokenOf } from "./Identity.ts";
import { parsePurge, wrongParameter } from "./Purge.ts";
import { parseRequest, refuse, unknownPath, wrongMethod, type ErrorResponse } from "./Request.ts";
import { cacheKey, ownersOf } from "./Store.ts";

/** Paths of operators begin so. */
export const adminPrefix = "/-/";

export const answerAdmin = async (request: Request, path: string, isolate: Isolate): Promise<Response> => {
  const [name = "", query = ""] = path.slice(adminPrefix.length).split("?", 2);
  if (name === "health") return health(request, isolate);
  const { adminSecrets } = isolate.config;
  // Without a secret these do not exist.
  if (!["metrics", "purge", "explain"].includes(name) || adminSecrets.length === 0) return refuse(unknownPath, null);
  if (!(await isSecret(request.headers.get("authorization"), adminSecrets))) return refuse(unauthenticated, null);
  const method = name === "purge" ? "POST" : "GET";
  if (request.method !== method) return refuse(wrongMethod(request.method, method), null);
  const parameters = new URLSearchParams(query);
  if (name === "metrics") return metrics(isolate);
  return name === "purge" ? purge(request, parameters, isolate) : explain(request, parameters, isolate);
};

const utf8 = new TextEncoder();
const digestOf = async (text: string): Promise<Uint8Array> =>
  new Uint8Array(await crypto.subtle.digest("SHA-256", utf8.encode(text)));

/** Compares digests, byte by byte to the end: the time it takes reveals nothing about the secrets. */
const isSecret = async (authorization: string | null, secrets: ReadonlyArray<string>): Promise<boolean> => {
  const given = withoutBearer(authorization ?? "");
  const digest = await digestOf(given);
  let isOne = false;
  for (const secret of await Promise.all(secrets.map(digestOf))) {
    let difference = 0;
    for (const [index, byte] of secret.entries()) difference |= byte ^ (digest[index] ?? 0);
    isOne ||= difference === 0;
  }
  return isOne && given !== "";
};

const moment = (ms: number): string | null => (ms === 0 ? null : new Date(ms).toISOString());

const seconds = (ms: number): number => Math.floor(ms / 1000);

const json = (body: unknown): Response => Response.json(body, { headers: { "cache-control": "no-store" } });

/** Always 200 while this isolate can answer: an upstream that is down is not a reason to take the proxy out of service. */
const health = ({ method }: Request, { metrics }: Isolate): Response => {
  if (method !== "GET" && method !== "HEAD") return refuse(wrongMethod(method, "GET, HEAD"), null);
  const { breakerState, upstreamAnsweredAtMs, upstreamFailedAtMs } = metrics;
  const isDown = breakerState !== "closed" || upstreamFailedAtMs > upstreamAnsweredAtMs;
  const state = isDown ? "failing" : upstreamAnsweredAtMs === 0 ? "unknown" : "answering";
  const lastAnswer = moment(upstreamAnsweredAtMs);
  return json({
    status: "ok",
    upstream: { state, breaker: breakerState, lastAnswer, lastFailure: moment(upstreamFailedAtMs) },
  });
};

const metrics = ({ metrics: counted, store, budget }: Isolate): Response => {
  const text = counted.text([
    { name: "bytenite_edge_memory_entries", help: "Keys in the memory of this isolate.", value: store.memory.entries },
    { name: "bytenite_edge_memory_bytes", help: "Bytes that they are counted with.", value: store.memory.bytes },
    { name: "bytenite_edge_body_bytes", help: "Bytes of bodies under way in this isolate.", value: budget.bytes },
    {
      name: "bytenite_edge_undecryptable_found",
      help: "Entries under a key that its token could not decrypt. Anything but 0 is a fault in the key.",
      value: store.undecryptable,
    },
  ]);
  return new Response(text, { headers: { "content-type": "text/plain; version=0.0.4", "cache-control": "no-store" } });
};

/** Longest form that is read, in bytes. */
const maxFormBytes = 16_384;

const invalid = (message: string): Response => refuse({ status: 400, code: "INVALID_ARGUMENT", message }, null);

/** Purges by parameters, or by a token in a form (`token=...`), which is always hard: a URL may be logged. */
const purge = async (request: Request, parameters: URLSearchParams, isolate: Isolate): Promise<Response> => {
  const { store, flights, identities, now } = isolate;
  if (Number(request.headers.get("content-length") ?? 0) > maxFormBytes) return invalid("the form is too long");
  const form = new URLSearchParams(await request.text());
  if ([...form.keys()].some((name) => name !== "token")) return invalid("a form may have token=... alone");
  const [given, ...more] = form.getAll("token");
  if (more.length > 0) return invalid("token is given more than once: send one request for each");
  const token = given === undefined ? undefined : tokenOf(given);
  if (given !== undefined && token === undefined) return invalid("token must be what its user sends in Authorization");
  if (token !== undefined && parameters.size > 0) return invalid("token stands alone");
  const atMs = store.purgeTime(now());
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

/** The rule behind a decision, and where it is. */
const rules: Readonly<Record<string, readonly [rule: string, section: string]>> = {
  fresh: ["fresh, and the request takes it", "RFC 9111, 4.2"],
  stale: ["stale, within stale-while-revalidate or max-stale", "RFC 5861, 3; RFC 9111, 5.2.1.2"],
  "validate/stale": ["stale, or no-cache: it has to be validated", "RFC 9111, 4.3 and 5.2.2.4"],
  "validate/request": ["the request asks for something newer", "RFC 9111, 5.2.1"],
  "forward/uri-miss": ["nothing is stored under this key", "RFC 9111, 4"],
  "forward/vary-miss": ["no stored response has the fields that Vary names", "RFC 9111, 4.1"],
  "forward/request": ["the request has no-store, or a condition for the origin", "RFC 9111, 5.2.1.5 and 4.3.2"],
  "forward/method": ["the method is not cached", "RFC 9111, 3"],
  "forward/stale": ["stale, without a validator", "RFC 9111, 4.3.1"],
  unsatisfiable: ["only-if-cached, and nothing satisfies the request", "RFC 9111, 5.2.1.7"],
};

/**
 * Why a request would hit or miss in this isolate: `path` is its path and query; Accept and Cache-Control are those of this request,
 * and `X-Explain-Authorization` is its Authorization. Nothing is fetched.
 */
const explain = async (request: Request, parameters: URLSearchParams, isolate: Isolate): Promise<Response> => {
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
  const { reader, found } = await look(parsed, isolate, { waitUntil: () => {} });
  const nowMs = isolate.now();
  const { decision, chosen } = decide(reader, found, nowMs);
  const { action } = decision;
  const because = "forward" in decision.outcome ? decision.outcome.forward : undefined;
  const [rule, section] = rules[because === undefined ? action : `${action}/${because}`] ?? rules[action] ?? ["", ""];
  const freshness = chosen?.source.freshness;
  return json({
    key: {
      user: reader.owner === undefined ? "none: nothing is stored" : reader.owner === "" ? "everybody" : "this token",
      endpoint: parsed.route.endpoint,
      target: parsed.route.target,
      form: parsed.representation.format,
    },
    stored:
      chosen === undefined || freshness === undefined
        ? null
        : {
            status: chosen.source.status,
            askedFormat: chosen.source.askedFormat,
            isTranscoded: chosen.entry !== chosen.source,
            fetchedAt: moment(chosen.source.fetchedAtMs),
            contains: chosen.source.names,
            cacheControl: chosen.source.headers.find(([name]) => name === "cache-control")?.[1] ?? null,
          },
    freshness:
      freshness === undefined
        ? null
        : {
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
    lastNotStored:
      isolate.store.uncacheable(cacheKey(reader.owner ?? "", parsed.route, parsed.representation.format), nowMs) ??
      null,
    decision: { action, because: because ?? null, rule, section },
  });
};

const unauthenticated: ErrorResponse = {
  status: 401,
  code: "UNAUTHENTICATED",
  message: "the admin secret is missing or wrong",
  headers: { "www-authenticate": "Bearer" },
};
