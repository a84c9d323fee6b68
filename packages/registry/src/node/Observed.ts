// Counting and logging of each request.
import { requestIdFrom } from "@bytenite-engines/core/wire";
import type { AccessLog } from "./AccessLog.ts";
import { onHandlerError, type Handler } from "./HttpServer.ts";
import type { Metrics } from "./Metrics.ts";

/** A handler that counts and logs what another one does. */
export const observed =
  (handle: Handler, metrics: Metrics, log: AccessLog | undefined): Handler =>
  async (exchange) => {
    const start = performance.now();
    metrics.started();
    const answer = await handle(exchange).catch(onHandlerError);
    if (typeof answer !== "string")
      answer.headers["X-Request-Id"] ??= requestIdFrom(exchange.head.header("x-request-id"));
    const ms = performance.now() - start;
    metrics.ended(answer, ms / 1_000);
    log?.write(exchange.head, answer, ms);
    return answer;
  };
