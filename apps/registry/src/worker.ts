// The registry on Workers: the same routes and SQL as on Node, over a D1 database.
import {
  attemptLimit,
  countedAddress,
  databaseRetrySeconds,
  DatabaseUnavailable,
  fetchHandler,
  makeAccessTokens,
  makeLastUse,
  makeLimit,
  makeRateLimit,
  makeSecretBox,
  makeSite,
  makeWeb,
  makeWire,
  migrate,
  webDigest,
  withWeb,
  type LastUse,
  type SqlPort,
} from "@bytenite-engines/registry/api";
import { makeD1Port, sessionOf, type D1Binding } from "./D1Port.ts";

/** Bindings, variables and secrets; see wrangler.jsonc for each. */
export interface Env {
  readonly DB: D1Binding;
  readonly BYTENITE_REGISTRY_KEY?: string;
  readonly ACCESS_LOG?: string;
  readonly RATE_PER_SECOND?: string;
  readonly RATE_BURST?: string;
  readonly CORS_ORIGINS?: string;
}

interface Handler {
  readonly answer: (request: Request) => Promise<Response>;
  readonly lastUse: LastUse;
}

/** What goes on after an answer. */
interface Context {
  readonly waitUntil: (work: Promise<unknown>) => void;
}

/** Whether this isolate can answer: its settings hold, and the database has its tables. */
const readiness = async (sql: SqlPort): Promise<Response> => {
  const headers = { "Cache-Control": "no-store" };
  try {
    await sql.read([{ sql: "SELECT count(*) AS found FROM migrations", values: [] }]);
    return new Response("ready\n", { headers });
  } catch {
    return new Response("the database cannot be read\n", {
      status: 503,
      headers: { ...headers, "Retry-After": String(databaseRetrySeconds) },
    });
  }
};

const build = async (env: Env): Promise<Handler> => {
  const sql = makeD1Port(env.DB);
  const key = env.BYTENITE_REGISTRY_KEY || undefined;
  const box = key === undefined ? undefined : await makeSecretBox(key);
  // A rollback of the Worker finds the tables of the version that it came from.
  await migrate(sql, Date.now(), box, { acceptNewer: true });
  const lastUse = makeLastUse(sql);
  const limit = { perSecond: Number(env.RATE_PER_SECOND), burst: Number(env.RATE_BURST ?? env.RATE_PER_SECOND) };
  const site = makeSite({
    sql,
    session: sessionOf(env.DB),
    wire: makeWire(),
    box,
    // Isolates come and go: without a key that they share, a token would be good in one of them only.
    accessTokens: key === undefined ? undefined : await makeAccessTokens(key),
    accepts: ["token"],
    ...(env.RATE_PER_SECOND === undefined ? {} : { admit: makeRateLimit(limit) }),
    attempts: makeLimit(attemptLimit),
    addressOf: (head) => {
      // Set by Cloudflare, whatever a client sends; absent where another Worker asks through a binding.
      const address = head.header("cf-connecting-ip");
      return address === null ? undefined : countedAddress(address);
    },
    used: lastUse.note,
    onFault: (error, requestId) => console.error(`request ${requestId} failed:`, error),
  });
  const corsOrigins = (env.CORS_ORIGINS ?? "").split(",").map((origin) => origin.trim());
  const web = makeWeb({ digest: webDigest, corsOrigins: corsOrigins.filter((origin) => origin !== "") });
  return { answer: fetchHandler(withWeb(site, web)), lastUse };
};

/**
 * The API, once an isolate has made it. Not a promise of it: requests may not wait for each other's I/O here, so those
 * that come before it is there make it themselves. Making the tables twice does nothing the second time.
 */
let made: Handler | undefined;

/** No query, token or user: what a log may hold. */
const logLine = (request: Request, path: string, response: Response, ms: number): string =>
  JSON.stringify({
    method: request.method.slice(0, 20),
    path: path.slice(0, 200),
    status: response.status,
    type: response.headers.get("content-type"),
    requestId: response.headers.get("x-request-id"),
    ms,
  });

/** A database that does not answer may do so soon; a setting that cannot work, or a fault of ours, does not. The log says which. */
const cannotStart = (isPassing: boolean): Response => {
  const body = { code: isPassing ? 14 : 13, message: "the registry cannot start", details: [] };
  return isPassing
    ? Response.json(body, { status: 503, headers: { "Retry-After": String(databaseRetrySeconds) } })
    : Response.json(body, { status: 500 });
};

export default {
  async fetch(request: Request, env: Env, context?: Context): Promise<Response> {
    const start = Date.now();
    const path = new URL(request.url).pathname;
    if (path === "/healthz") return new Response("ok\n");
    let response: Response;
    try {
      made ??= await build(env);
      response = path === "/readyz" ? await readiness(makeD1Port(env.DB)) : await made.answer(request);
      if (made.lastUse.isDue(Date.now())) context?.waitUntil(made.lastUse.flush());
    } catch (error) {
      console.error("cannot start:", error);
      response = cannotStart(error instanceof DatabaseUnavailable);
    }
    if (env.ACCESS_LOG === "on") console.log(logLine(request, path, response, Date.now() - start));
    return response;
  },
};
