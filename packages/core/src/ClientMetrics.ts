// Metrics from a client's events (OpenTelemetry names).
import * as Context from "effect/Context";
import * as Metric from "effect/Metric";
import type { EngineEvent, EventSubject } from "./EngineEvent.ts";
import { requestAttributes } from "./Spans.ts";

/** Requests sent, by endpoint, and by status and media type of the answer or what kept it from coming. */
export const requests = Metric.counter("bytenite.client.requests", { description: "Requests sent", incremental: true });

/** Requests sent again, by endpoint and reason. */
export const retries = Metric.counter("bytenite.client.retries", {
  description: "Requests sent again",
  incremental: true,
});

/** Tokens left in the retry budget after it last paid. */
export const budget = Metric.gauge("bytenite.client.retry_budget", { description: "Tokens left in the retry budget" });

/** Seconds from sending a request to its end, with the attributes and boundaries of OpenTelemetry's conventions. */
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
 * A listener for the option `onEvent` that keeps the metrics of this module. `next` gets every event, too. Metrics go to the
 * registry of `context`, by default to the one that all programs in Effect share.
 */
export const metricsListener =
  (
    next?: (event: EngineEvent) => void,
    context: Context.Context<never> = Context.empty(),
  ): ((event: EngineEvent) => void) =>
  (event) => {
    const { endpoint } = event;
    if (event.type === "response") {
      const mediaType = event.mediaType?.split(";")[0] ?? "none";
      count(requests, { endpoint, status: String(event.status), media_type: mediaType }, 1, context);
      count(duration, durationAttributes(event, event.status), event.durationMs / 1000, context);
      count(received, { media_type: mediaType }, event.bytes, context);
    } else if (event.type === "request-error") {
      count(requests, { endpoint, error: event.reason }, 1, context);
      count(duration, durationAttributes(event, event.reason), event.durationMs / 1000, context);
    } else if (event.type === "retry") {
      count(retries, { endpoint, reason: event.reason }, 1, context);
      budget.updateUnsafe(event.budgetTokens, context);
    }
    next?.(event);
  };

type Attributes = Readonly<Record<string, string>>;

const count = (
  metric: Metric.Metric<number, unknown>,
  attributes: Attributes,
  by: number,
  context: Context.Context<never>,
): void => Metric.withAttributes(metric, attributes).updateUnsafe(by, context);

/** Of one request, with its end: the status of an answer, or what kept it from coming. */
const durationAttributes = (subject: EventSubject, end: number | string): Attributes => ({
  ...requestAttributes(subject),
  ...(typeof end === "number" ? { "http.response.status_code": String(end) } : {}),
  ...(typeof end === "number" && end < 400 ? {} : { "error.type": String(end) }),
});
