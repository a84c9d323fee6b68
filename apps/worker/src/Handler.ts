// Takes each request: operators and preflights aside, the rest through the flow; logs, counts and marks the answer.
import { adminPrefix, answerAdmin } from "./Admin.ts";
import { allowOrigin, answerOptions } from "./Cors.ts";
import { isLogged, logLine, RequestId } from "./Log.ts";
import type { Observed } from "./Observed.ts";
import { answerTo } from "./Proxy.ts";
import { targetOf } from "./Route.ts";
import type { Rooms } from "./Rooms.ts";
import type { Received, RequestContext } from "./Runtime.ts";

/** Answers any request there is. Not a promise where memory has the answer. */
export const handle = (request: Request, rooms: Rooms, context: RequestContext): Response | Promise<Response> => {
  const target = targetOf(request.url);
  if (target.startsWith(adminPrefix)) return answerAdmin(request, target, rooms);

  const { method, headers } = request;
  const received: Received = { method, headers };
  const requestId = new RequestId(headers.get("x-request-id"));
  const startedAtMs = rooms.now();
  const observed: Observed = { result: "refused", route: undefined, bytes: 0, fetched: undefined };
  const visitor = { received, target, observed, requestId, startedAtMs };
  const answer =
    method === "OPTIONS"
      ? answerOptions(received, rooms.config.allowedOrigins)
      : answerTo(received, target, requestId, rooms, context, observed);
  return answer instanceof Promise
    ? answer.then((response) => finish(response, visitor, rooms))
    : finish(answer, visitor, rooms);
};

interface Visitor {
  readonly received: Received;
  readonly target: string;
  readonly observed: Observed;
  readonly requestId: RequestId;
  readonly startedAtMs: number;
}

/** Marks the answer with what does not depend on the cache, and writes down that it was given. */
const finish = (response: Response, visitor: Visitor, { config, metrics, analytics, now }: Rooms): Response => {
  const { received, target, observed, requestId, startedAtMs } = visitor;
  if (observed.fetched !== undefined && "entry" in observed.fetched && observed.fetched.attempts > 0) {
    response.headers.append("server-timing", `upstream;dur=${observed.fetched.durationMs}`);
  }
  if (config.allowedOrigins.length > 0 && received.method !== "OPTIONS") {
    allowOrigin(response.headers, received.headers.get("origin"), config.allowedOrigins);
  }
  const { status } = response;
  metrics.observe(observed, received.method, status);
  if (isLogged(config.logLevel, observed, status)) {
    console.log(logLine({ received, target, response, requestId, observed, startedAtMs, endedAtMs: now() }));
  }
  analytics?.writeDataPoint({
    indexes: [observed.route?.endpoint ?? "none"],
    blobs: [observed.result, `${status}`, response.headers.get("content-type") ?? ""],
    doubles: [now() - startedAtMs, observed.bytes],
  });
  // The client is told the id that somebody wrote down; a hit that nobody logs has none.
  if (requestId.isKnown) response.headers.set("x-request-id", requestId.value);
  return response;
};
