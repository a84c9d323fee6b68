// Decides: what the cached entrypoint answers: one exchange with the upstream, sealed for the bearer of the token, and for
// how long Workers Cache may keep that.
import type { Format } from "@bytenite-engines/core/wire";
import { timeToLive } from "@bytenite-engines/http-cache";
import { cacheKey } from "./CacheKey.ts";
import { basePath } from "./Config.ts";
import type { Entry } from "./Entry.ts";
import { exchange } from "./Exchange.ts";
import { tokenOf } from "./Identity.ts";
import { plainControl } from "./PlainControl.ts";
import { route, targetOf } from "./Route.ts";
import type { Rooms } from "./Rooms.ts";
import type { SealedProps } from "./Runtime.ts";
import { seal } from "./Seal.ts";
import { UpstreamFailure, type UpstreamProblem } from "./Upstream.ts";

/** Why no answer came, as plain data. */
export interface SealedFailure {
  readonly problem: UpstreamProblem;
  readonly attempts: number;
  readonly retryAfterMs?: number;
}

/** Says that something stale can be served if no answer comes: then a failure may not cost time. */
export const orStaleField = "x-or-stale";

/** Tells whose places at the upstream are taken. */
export const clientField = "x-client";

/** Never resolved. Host is no part of the key: path, query and props are. */
const origin = "https://e.invalid";

export const sealedUrl = (format: Format, target: string): string => `${origin}/${format}${target}`;

/** Answers a request for `sealedUrl`, with the token in Authorization. What is not an answer to keep is `no-store`. */
export const answerSealed = async (request: Request, { owner }: SealedProps, rooms: Rooms): Promise<Response> => {
  const path = targetOf(request.url);
  const format: Format | undefined = formats.find((name) => path.startsWith(`/${name}/`));
  const token = tokenOf(request.headers.get("authorization"));
  const identity = token === undefined ? undefined : await rooms.identities.of(token);
  const matched = format && route("GET", basePath + path.slice(format.length + 1));
  if (format === undefined || matched === undefined || "status" in matched || identity?.digest !== owner) {
    return new Response(null, { status: 400, headers: { "cache-control": "no-store" } });
  }
  const headers = new Headers(request.headers);
  for (const name of [orStaleField, clientField]) headers.delete(name);
  const orStale = request.headers.has(orStaleField);
  const client = request.headers.get(clientField) ?? "";
  const about = { route: matched, format, headers, control: plainControl, identity, client };
  const question = { ...about, stored: undefined, orStale };
  try {
    const { entry } = await exchange(question, rooms.ask, rooms.config);
    const sealed = await seal(cacheKey(identity, matched, format), entry, identity);
    const fields = { "cache-control": layerControl(entry, rooms.now()), "content-type": "application/octet-stream" };
    return new Response(sealed, { headers: fields });
  } catch (error) {
    if (!(error instanceof UpstreamFailure)) throw error;
    const { problem, attempts, retryAfterMs } = error;
    const failure: SealedFailure = { problem, attempts, ...(retryAfterMs === undefined ? {} : { retryAfterMs }) };
    return Response.json(failure, { status: 503, headers: { "cache-control": "no-store" } });
  }
};

const formats: ReadonlyArray<Format> = ["json", "protobuf"];

/**
 * Cache-Control for Workers Cache alone; it reaches no client. `public`, because the request carries Authorization, and
 * harmless, because the bytes are sealed. Never stale: what may be served stale is decided by the caller, who knows the
 * rules. Without an explicit time Workers Cache would take two hours, and without `stale-if-error` for ever.
 */
const layerControl = (entry: Entry, nowMs: number): string => {
  const seconds = Math.floor(timeToLive(entry.freshness, nowMs) / 1000);
  return entry.storable && !entry.freshness.alwaysValidate && seconds > 0
    ? `public, max-age=${seconds}, stale-while-revalidate=0, stale-if-error=0`
    : "no-store";
};
