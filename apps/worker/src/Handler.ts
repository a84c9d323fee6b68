// Takes each request: operators and preflights aside, the rest through the flow; logs, counts and marks the answer.
import { adminPrefix, answerAdmin } from "./Admin.ts";
import { allowOrigin, answerOptions } from "./Cors.ts";
import { logLine, requestIdOf } from "./Log.ts";
import type { Observed } from "./Observed.ts";
import { answerTo } from "./Proxy.ts";
import type { Rooms } from "./Rooms.ts";
import type { RequestContext } from "./Runtime.ts";

export const handle = async (request: Request, rooms: Rooms, context: RequestContext): Promise<Response> => {
  const { url, headers } = request;
  const { config, metrics, analytics } = rooms;
  const path = url.slice(url.indexOf("/", url.indexOf("//") + 2));
  if (path.startsWith(adminPrefix)) return answerAdmin(request, path, rooms);

  const startedAtMs = rooms.now();
  const requestId = requestIdOf(headers.get("x-request-id"));
  const observed: Observed = { result: "refused", endpoint: undefined, fetched: undefined };
  const response =
    request.method === "OPTIONS"
      ? answerOptions(request, config.allowedOrigins)
      : await answerTo(request, rooms, context, observed, requestId);
  response.headers.set("x-request-id", requestId);
  if (observed.fetched !== undefined && "entry" in observed.fetched) {
    response.headers.append("server-timing", `upstream;dur=${observed.fetched.durationMs}`);
  }
  if (config.allowedOrigins.length > 0 && request.method !== "OPTIONS") {
    allowOrigin(response.headers, headers.get("origin"), config.allowedOrigins);
  }

  metrics.observe(observed, response);
  const line = logLine(config.logLevel, {
    request,
    response,
    requestId,
    observed,
    startedAtMs,
    endedAtMs: rooms.now(),
  });
  if (line !== undefined) console.log(line);
  analytics?.writeDataPoint({
    indexes: [observed.endpoint ?? "none"],
    blobs: [observed.result, `${response.status}`, response.headers.get("content-type") ?? ""],
    doubles: [rooms.now() - startedAtMs, Number(response.headers.get("content-length") ?? 0)],
  });
  return response;
};
