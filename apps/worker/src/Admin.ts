// Answers operators: health for everybody; metrics and purges for who knows the admin secret.
import { notesReadEveryMs } from "./EdgeCache.ts";
import { parsePurge } from "./Purge.ts";
import { refuse, type Refusal } from "./Refusal.ts";
import type { Rooms } from "./Rooms.ts";

/** Paths of operators begin so. */
export const adminPrefix = "/-/";

export const answerAdmin = async (request: Request, path: string, rooms: Rooms): Promise<Response> => {
  const [name = "", query = ""] = path.slice(adminPrefix.length).split("?", 2);
  if (name === "health") return health(request, rooms);
  if (name !== "metrics" && name !== "purge") return refuse(unknown, null);
  const { adminSecret } = rooms.config;
  // Without a secret these do not exist.
  if (adminSecret === undefined) return refuse(unknown, null);
  if (!(await isSecret(request.headers.get("authorization"), adminSecret))) return refuse(unauthenticated, null);
  if (name === "metrics") return request.method === "GET" ? metrics(rooms) : refuse(wrongMethod("GET"), null);
  return request.method === "POST" ? purge(new URLSearchParams(query), rooms) : refuse(wrongMethod("POST"), null);
};

const utf8 = new TextEncoder();

/** Compares digests of both, byte by byte to the end: the time it takes tells nothing about the secret. */
const isSecret = async (authorization: string | null, secret: string): Promise<boolean> => {
  const given = authorization?.replace(/^bearer +/i, "") ?? "";
  const [a, b] = await Promise.all(
    [given, secret].map(async (text) => new Uint8Array(await crypto.subtle.digest("SHA-256", utf8.encode(text)))),
  );
  let difference = 0;
  for (const [index, byte] of (a ?? new Uint8Array()).entries()) difference |= byte ^ (b?.[index] ?? 0);
  return difference === 0 && given !== "";
};

const moment = (ms: number): string | null => (ms === 0 ? null : new Date(ms).toISOString());

/** Always 200 while this isolate can answer: an upstream that is down is no reason to take the proxy out of service. */
const health = ({ method }: Request, rooms: Rooms): Response => {
  if (method !== "GET" && method !== "HEAD") return refuse(wrongMethod("GET, HEAD"), null);
  const { breakerState, upstreamAnsweredAtMs, upstreamFailedAtMs } = rooms.metrics;
  const isDown = breakerState !== "closed" || upstreamFailedAtMs > upstreamAnsweredAtMs;
  const state = isDown ? "failing" : upstreamAnsweredAtMs === 0 ? "unknown" : "answering";
  const lastAnswer = moment(upstreamAnsweredAtMs);
  const body = {
    status: "ok",
    upstream: { state, breaker: breakerState, lastAnswer, lastFailure: moment(upstreamFailedAtMs) },
  };
  return Response.json(body, { headers: { "cache-control": "no-store" } });
};

const metrics = ({ metrics: counted, cache }: Rooms): Response => {
  const text = counted.text([
    {
      name: "bytenite_edge_memory_entries",
      help: "Answers in the memory of this isolate.",
      value: cache.memory.entries,
    },
    { name: "bytenite_edge_memory_bytes", help: "Bytes that they are counted with.", value: cache.memory.bytes },
    {
      name: "bytenite_edge_sealed_found",
      help: "Entries under a key that its token could not open. Anything but 0 is a fault in the key.",
      value: cache.sealedFound,
    },
  ]);
  return new Response(text, { headers: { "content-type": "text/plain; version=0.0.4", "cache-control": "no-store" } });
};

const purge = async (parameters: URLSearchParams, rooms: Rooms): Promise<Response> => {
  const parsed = parsePurge(parameters, rooms.now());
  if (typeof parsed === "string") return refuse({ status: 400, code: "INVALID_ARGUMENT", message: parsed }, null);
  rooms.collapse.close();
  await rooms.cache.purge(parsed);
  return Response.json(
    { purged: { ...parsed, atMs: undefined }, elsewhereInTheDataCentreWithinMs: notesReadEveryMs },
    { headers: { "cache-control": "no-store" } },
  );
};

const unknown: Refusal = { status: 404, code: "NOT_FOUND", message: "no such path" };
const unauthenticated: Refusal = {
  status: 401,
  code: "UNAUTHENTICATED",
  message: "the admin secret is missing or wrong",
  headers: { "www-authenticate": "Bearer" },
};
const wrongMethod = (allow: string): Refusal => ({
  status: 405,
  code: "UNIMPLEMENTED",
  message: `this takes ${allow} only`,
  headers: { allow },
});
