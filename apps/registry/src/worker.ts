// Worker entry of the registry over D1 and R2.
import {
  attemptLimit,
  countedAddress,
  databaseRetrySeconds,
  fetchHandler,
  loggedPath,
  makeAccessTokens,
  defaultUploadLimits,
  makeLastUse,
  makeLimit,
  makeLimiterCheck,
  makeLinks,
  makeSecretBox,
  makeApp,
  makeWeb,
  makeSerializer,
  publicUrlProblem,
  schemaProblem,
  sweep,
  webDigest,
  withKeyCheck,
  withWeb,
  type ArchiveOptions,
  type LastUse,
  type RateLimiter,
  type SecretBox,
  type Web,
} from "@bytenite-engines/registry/api";
import { makeCredentialsDriver, makeD1Driver, sessionOf, type D1Binding } from "./D1Driver.ts";
import { makeR2Staging, sweepStaged, type StagingOptions } from "./R2Staging.ts";
import { makeR2Store, workerSha256, type R2Binding } from "./R2Store.ts";

/** Bindings, variables and secrets; see wrangler.jsonc for each. */
export interface Env {
  readonly DB: D1Binding;
  readonly ARCHIVES?: R2Binding;
  readonly PUBLIC_URL?: string;
  readonly MAX_ARCHIVE_BYTES?: string;
  readonly MAX_LINKED_ARCHIVE_BYTES?: string;
  readonly BUCKET_URL?: string;
  readonly R2_ACCESS_KEY_ID?: string;
  readonly R2_SECRET_ACCESS_KEY?: string;
  readonly ADDRESS_LIMIT?: RateLimiter;
  readonly USER_LIMIT?: RateLimiter;
  readonly BYTENITE_REGISTRY_KEY?: string;
  readonly ACCESS_LOG?: string;
  readonly CORS_ORIGINS?: string;
}

interface Handler {
  readonly answer: (request: Request) => Promise<Response>;
  readonly lastUse: LastUse;
  readonly box: SecretBox | undefined;
}

/** Work after the response. */
interface Context {
  readonly waitUntil: (work: Promise<unknown>) => void;
}

/** Checks the deployment: valid settings, tables in the database, and the key of the database. */
const readiness = async (env: Env, box: SecretBox | undefined): Promise<Response> => {
  const headers = { "Cache-Control": "no-store" };
  const sql = makeD1Driver(env.DB);
  try {
    const problem = await schemaProblem(sql);
    if (problem === undefined) await withKeyCheck(sql, box).read([{ sql: "SELECT 1 AS found", values: [] }]);
    return new Response(`${problem ?? "ready"}\n`, { status: problem === undefined ? 200 : 503, headers });
  } catch (error) {
    const { name, message } = error as Error;
    return new Response(`${name === "KeyError" ? message : "the database cannot be read"}\n`, {
      status: 503,
      headers: { ...headers, "Retry-After": String(databaseRetrySeconds) },
    });
  }
};

interface Settings {
  readonly web: Web;
  readonly key: string | undefined;
  readonly archiveBytes: number;
  /** Undefined: archives come in requests only. */
  readonly staging: StagingOptions | undefined;
}

const bytesIn = (name: string, text: string, otherwise: number): number => {
  const bytes = text === "" ? otherwise : Number(text);
  if (!Number.isSafeInteger(bytes) || bytes < 1) throw new TypeError(`${name} is a whole number of bytes`);
  return bytes;
};

/** Settings from the variables. Throws TypeError for invalid values; `scripts/build.ts` calls it before each deploy. */
export const settingsIn = ({
  ACCESS_LOG = "off",
  CORS_ORIGINS = "",
  PUBLIC_URL = "",
  MAX_ARCHIVE_BYTES = "",
  MAX_LINKED_ARCHIVE_BYTES = "",
  BUCKET_URL = "",
  R2_ACCESS_KEY_ID: accessKeyId = "",
  R2_SECRET_ACCESS_KEY: secretAccessKey = "",
  BYTENITE_REGISTRY_KEY: key,
}: Omit<Env, "DB">): Settings => {
  if (ACCESS_LOG !== "on" && ACCESS_LOG !== "off") throw new TypeError('ACCESS_LOG is "on" or "off"');
  const problem = PUBLIC_URL === "" ? undefined : publicUrlProblem(PUBLIC_URL);
  if (problem !== undefined) throw new TypeError(`PUBLIC_URL: ${problem}`);
  const archiveBytes = bytesIn("MAX_ARCHIVE_BYTES", MAX_ARCHIVE_BYTES, defaultUploadLimits.archiveBytes);
  const maxBytes = bytesIn("MAX_LINKED_ARCHIVE_BYTES", MAX_LINKED_ARCHIVE_BYTES, defaultUploadLimits.unpackedBytes);
  const links = [BUCKET_URL, accessKeyId, secretAccessKey];
  const isComplete = links.every((value) => value !== "");
  if (!isComplete && links.some((value) => value !== "")) {
    throw new TypeError("BUCKET_URL, R2_ACCESS_KEY_ID and R2_SECRET_ACCESS_KEY go together");
  }
  const bucketProblem = isComplete ? publicUrlProblem(BUCKET_URL) : undefined;
  if (bucketProblem !== undefined) throw new TypeError(`BUCKET_URL: ${bucketProblem}`);
  const staging = isComplete ? { url: BUCKET_URL, accessKeyId, secretAccessKey, maxBytes } : undefined;
  const corsOrigins = CORS_ORIGINS.split(",").map((origin) => origin.trim());
  const web = makeWeb({ digest: webDigest, corsOrigins: corsOrigins.filter((origin) => origin !== "") });
  return { web, key: key || undefined, archiveBytes, staging };
};

/** Concurrent uploads of one isolate: each holds 8 MiB, and an isolate has 128 MiB. */
const uploadsAtOnce = { uploads: 4, uploadsPerUser: 2 } as const;

const build = async (env: Env): Promise<Handler> => {
  const { web, key, archiveBytes, staging } = settingsIn(env);
  const box = key === undefined ? undefined : await makeSecretBox(key);
  // Reads the check value of the key along with the first credential: a new isolate makes no query of its own.
  const sql = withKeyCheck(makeD1Driver(env.DB), box);
  const credentials = withKeyCheck(makeCredentialsDriver(env.DB), box);
  const lastUse = makeLastUse(sql);
  const byUser = env.USER_LIMIT === undefined ? undefined : makeLimiterCheck(env.USER_LIMIT);
  const byAddress = env.ADDRESS_LIMIT === undefined ? undefined : makeLimiterCheck(env.ADDRESS_LIMIT);
  const archives: ArchiveOptions | undefined =
    env.ARCHIVES === undefined
      ? undefined
      : {
          store: makeR2Store(env.ARCHIVES),
          staging: staging === undefined ? undefined : makeR2Staging(env.ARCHIVES, staging),
          sha256: workerSha256,
          links: await makeLinks(key),
          // Without a shared key, a link would be valid in one isolate only.
          publicUrl: key === undefined ? undefined : env.PUBLIC_URL || undefined,
          limits: { ...defaultUploadLimits, ...uploadsAtOnce, archiveBytes },
        };
  const app = makeApp({
    ...(archives === undefined ? {} : { archives }),
    sql,
    credentials,
    session: sessionOf(env.DB),
    serializer: makeSerializer(),
    box,
    // Without a shared key, a token would be valid in one isolate only.
    accessTokens: key === undefined ? undefined : await makeAccessTokens(key),
    accepts: ["token"],
    ...(byUser === undefined ? {} : { checkRate: async ({ id }) => byUser(id) }),
    ...(byAddress === undefined ? {} : { checkAddressRate: byAddress }),
    attempts: makeLimit(attemptLimit),
    addressOf: (head) => {
      // Set by Cloudflare, which overrides the client's; absent in calls by a service binding.
      const address = head.header("cf-connecting-ip");
      return address === null ? undefined : countedAddress(address);
    },
    used: lastUse.note,
    onFault: (error, requestId) => console.error(`request ${requestId} failed:`, error),
  });
  return { answer: fetchHandler(withWeb(app, web)), lastUse, box };
};

/**
 * The API of this isolate, once made. Not a promise: Workers forbids waiting for another request's I/O, so concurrent first
 * requests each make it.
 */
let made: Handler | undefined;

/** Fields of a log line; no query, token or user. */
const logLine = (request: Request, path: string, response: Response, ms: number): string =>
  JSON.stringify({
    method: request.method,
    path: loggedPath(path),
    status: response.status,
    type: response.headers.get("content-type"),
    requestId: response.headers.get("x-request-id"),
    ms,
  });

/** The response while a setting is invalid. `/readyz` and the log name the setting; clients cannot change it. */
const cannotStart = (error: unknown, path: string): Response => {
  if (path !== "/readyz") {
    return Response.json({ code: 13, message: "the registry cannot start", details: [] }, { status: 500 });
  }
  return new Response(`the registry cannot start: ${(error as Error).message}\n`, {
    status: 503,
    headers: { "Cache-Control": "no-store" },
  });
};

export default {
  /** Removes orphaned objects, by the cron trigger of wrangler.jsonc. */
  async scheduled(_event: unknown, env: Env): Promise<void> {
    if (env.ARCHIVES === undefined) return;
    await sweep(makeD1Driver(env.DB), makeR2Store(env.ARCHIVES), Date.now());
    await sweepStaged(env.ARCHIVES, Date.now());
  },
  async fetch(request: Request, env: Env, context?: Context): Promise<Response> {
    const start = Date.now();
    const path = new URL(request.url).pathname;
    if (path === "/healthz") return new Response("ok\n");
    let response: Response;
    try {
      made ??= await build(env);
      response = path === "/readyz" ? await readiness(env, made.box) : await made.answer(request);
      if (made.lastUse.isDue(Date.now())) context?.waitUntil(made.lastUse.flush());
    } catch (error) {
      console.error("cannot start:", error);
      response = cannotStart(error, path);
    }
    if (env.ACCESS_LOG === "on") console.log(logLine(request, path, response, Date.now() - start));
    return response;
  },
};
