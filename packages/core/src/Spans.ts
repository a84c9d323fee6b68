// Spans of calls and attempts (OpenTelemetry conventions).
import * as Context from "effect/Context";
import * as Effect from "effect/Effect";
import * as Exit from "effect/Exit";
import type * as Fiber from "effect/Fiber";
import * as Option from "effect/Option";
import * as Tracer from "effect/Tracer";
import type { AttemptPlan, CallState, Tracing } from "./AttemptPlan.ts";
import { endpoints, type EndpointName } from "./Endpoint.ts";
import type { EventSubject } from "./EngineEvent.ts";
import type { AttemptFailure } from "./Failure.ts";

const nativeTracer = /* @__PURE__ */ Context.get(Context.empty(), Tracer.Tracer);

/**
 * Whether spans are made: only with a tracer other than Effect's default, or inside a span of the caller. Two spans cost as much as
 * the rest of a call.
 */
const isObserved = (fiber: Fiber.Fiber<unknown, unknown>): boolean =>
  fiber.getRef(Tracer.Tracer) !== nativeTracer || Option.isSome(Context.getOption(fiber.context, Tracer.ParentSpan));

/** The call in its span; rpcs of other services have their full name. */
const inCallSpan: Tracing["call"] = (effect, name, template) =>
  Effect.withFiber((fiber) =>
    isObserved(fiber)
      ? Effect.withSpan(effect, name.includes(".") ? name : `EngineClient.${name}`, {
          attributes: { "url.template": template },
          captureStackTrace: false,
        })
      : effect,
  );

/** One attempt, in a span if there is a tracer. */
const inAttemptSpan: Tracing["attempt"] = (plan, fiber, attempt) =>
  isObserved(fiber)
    ? Effect.useSpan(spanName(plan), spanOptions(plan), (span) => {
        // Removes the status of the previous attempt.
        plan.state.status = undefined;
        return Effect.onExit(attempt(span), (exit) => Effect.sync(() => describeEnd(span, plan.state, exit)));
      })
    : attempt(undefined);

/** The method and, as the target, the template. */
const spanName = ({ subject }: AttemptPlan<unknown>): string =>
  `${methodOf(subject)} ${templateOf(subject) ?? ""}`.trim();

/** The path template of a call; undefined for the exchange of an API key. */
const templateOf = ({ endpoint, template }: EventSubject): string | undefined =>
  template ?? (Object.hasOwn(endpoints, endpoint) ? endpoints[endpoint as EndpointName].path : undefined);

/** Attributes of each request. */
export const requestAttributes = (subject: EventSubject): Readonly<Record<string, string>> => {
  const { hostname, port, protocol } = new URL(subject.url);
  const template = templateOf(subject);
  return {
    "http.request.method": methodOf(subject),
    "server.address": hostname,
    "server.port": port || (protocol === "https:" ? "443" : "80"),
    ...(template === undefined ? {} : { "url.template": template }),
  };
};

const methodOf = ({ endpoint, method = "GET" }: EventSubject): string => (endpoint === "credentials" ? "POST" : method);

const spanOptions = ({ subject, state }: AttemptPlan<unknown>): Tracer.SpanOptionsNoTrace => {
  const known = requestAttributes(subject);
  const attributes: Record<string, unknown> = {
    ...known,
    "url.full": subject.url,
    "server.port": Number(known["server.port"]),
  };
  if (state.requests > 0) attributes["http.request.resend_count"] = state.requests;
  return { kind: "client", attributes };
};

const describeEnd = (span: Tracer.Span, state: CallState, exit: Exit.Exit<unknown, AttemptFailure>): void => {
  if (state.status !== undefined) span.attribute("http.response.status_code", state.status);
  if (Exit.isSuccess(exit)) return;
  const failure = Exit.findErrorOption(exit);
  span.attribute("error.type", failure._tag === "None" ? "cancelled" : failure.value.error.reason._tag);
};

/** `traceparent` (W3C Trace Context) of an attempt's span, where it belongs to a trace of the caller's. */
const traceparent = (span: Tracer.Span | undefined): string | undefined => {
  if (span === undefined || !/^[0-9a-f]{32}$/.test(span.traceId) || !hasCaller(span)) return undefined;
  return `00-${span.traceId}-${span.spanId}-${span.sampled ? "01" : "00"}`;
};

/** The attempt's span is a child of the call's; only what stands above that is the caller's. */
const hasCaller = (span: Tracer.Span): boolean => {
  const call = Option.getOrUndefined(span.parent);
  return call?._tag === "Span" && Option.isSome(call.parent);
};

/** Spans of calls and attempts. */
export const tracing: Tracing = { call: inCallSpan, attempt: inAttemptSpan, traceparent };
