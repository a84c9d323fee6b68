// Takes each request: operators and preflights aside, the rest through the flow; logs, counts and marks the answer.
import { adminPrefix, answerAdmin } from "./Admin.ts";
import { allowOrigin, answerOptions } from "./Cors.ts";
import { isLogged, logLine, requestIdOf } from "./Log.ts";
import type { Observed } from "./Observed.ts";
import { answerTo } from "./Proxy.ts";
import type { Rooms } from "./Rooms.ts";
import type { RequestContext } from "./Runtime.ts";

export const handle = (request: Request, rooms: Rooms, context: RequestContext): Response | Promise<Response> => {
  const { url } = request;
  const path = url.slice(url.indexOf("/", url.indexOf("//") + 2));
  if (path.startsWith(adminPrefix)) return answerAdmin(request, path, rooms);

  const given = request.headers.get("x-request-id");
  let id: string | undefined;
  const visitor: Visitor = {
    request,
    observed: { result: "refused", endpoint: undefined, bytes: 0, fetched: undefined },
    requestId: () => (id ??= requestIdOf(given)),
    // The client is told the id where somebody wrote it down: the client itself, our log, or the upstream's.
    isIdKnown: () => id !== undefined || given !== null,
    startedAtMs: rooms.now(),
  };
  const answer =
    request.method === "OPTIONS"
      ? answerOptions(request, rooms.config.allowedOrigins)
      : answerTo(request, rooms, context, visitor.observed, visitor.requestId);
  return answer instanceof Promise
    ? answer.then((response) => finish(response, visitor, rooms))
    : finish(answer, visitor, rooms);
};

interface Visitor {
  readonly request: Request;
  readonly observed: Observed;
  readonly requestId: () => string;
  readonly isIdKnown: () => boolean;
  readonly startedAtMs: number;
}

/** Marks the answer with what does not depend on the cache, and writes down that it was given. */
const finish = (response: Response, visitor: Visitor, { config, metrics, analytics, now }: Rooms): Response => {
  const { request, observed, requestId, startedAtMs } = visitor;
  if (observed.fetched !== undefined && "entry" in observed.fetched) {
    response.headers.append("server-timing", `upstream;dur=${observed.fetched.durationMs}`);
  }
  if (config.allowedOrigins.length > 0 && request.method !== "OPTIONS") {
    allowOrigin(response.headers, request.headers.get("origin"), config.allowedOrigins);
  }
  const { status } = response;
  metrics.observe(observed, request.method, status);
  if (isLogged(config.logLevel, observed, status)) {
    console.log(logLine({ request, response, requestId, observed, startedAtMs, endedAtMs: now() }));
  }
  analytics?.writeDataPoint({
    indexes: [observed.endpoint ?? "none"],
    blobs: [observed.result, `${status}`, response.headers.get("content-type") ?? ""],
    doubles: [now() - startedAtMs, observed.bytes],
  });
  if (visitor.isIdKnown()) response.headers.set("x-request-id", requestId());
  return response;
};
