// Decides: which metrics a client's events make (OpenTelemetry's names for HTTP clients where there are any).
import * as Context from "effect/Context";
import * as Metric from "effect/Metric";
import type { EngineEvent } from "./EngineEvent.ts";

/** Requests sent, by endpoint, status and media type. */
export const requests = Metric.counter("bytenite.client.requests", {
  description: "Requests answered",
  incremental: true,
});

/** Requests sent again, by endpoint and reason. */
export const retries = Metric.counter("bytenite.client.retries", {
  description: "Requests sent again",
  incremental: true,
});

/** Tokens left in the retry budget after it last paid. */
export const budget = Metric.gauge("bytenite.client.retry_budget", { description: "Tokens left in the retry budget" });

/** Seconds from sending a request to the last byte of its answer. The boundaries are those that OpenTelemetry advises. */
export const duration = Metric.histogram("http.client.request.duration", {
  description: "Duration of requests in seconds",
  boundaries: [0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
});

/** Bytes of answers after decompression, by media type. */
export const received = Metric.counter("bytenite.client.received", {
  description: "Bytes received",
  incremental: true,
});

/**
 * A listener for the option `onEvent` that keeps the metrics of this module. `next` is told every event too. Metrics go to the
 * registry of `context`, by default to the one that all programs in Effect share.
 */
export const metricsListener =
  (
    next?: (event: EngineEvent) => void,
    context: Context.Context<never> = Context.empty(),
  ): ((event: EngineEvent) => void) =>
  (event) => {
    if (event.type === "exchange") {
      const { endpoint, status } = event;
      const mediaType = event.mediaType?.split(";", 1)[0] ?? "none";
      const attributes = { endpoint, status: String(status), media_type: mediaType };
      Metric.withAttributes(requests, attributes).updateUnsafe(1, context);
      Metric.withAttributes(duration, attributes).updateUnsafe(event.durationMs / 1000, context);
      Metric.withAttributes(received, { media_type: mediaType }).updateUnsafe(event.bytes, context);
    } else if (event.type === "retry") {
      Metric.withAttributes(retries, { endpoint: event.endpoint, reason: event.reason }).updateUnsafe(1, context);
      budget.updateUnsafe(event.budgetTokens, context);
    }
    next?.(event);
  };
