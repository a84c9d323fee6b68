// Options of a client and their defaults, without types of Effect.
import { defaultBodyLimits, type BodyLimits } from "./Body.ts";
import type { Breaker } from "./FailureRateBreaker.ts";
import type { TokenOption } from "./Token.ts";
import type { EngineEvent } from "./EngineEvent.ts";
import type { Hedging } from "./LatencyHedging.ts";
import { defaultBaseUrl } from "./HttpRules.ts";
import type { Format } from "./MediaType.ts";
import { defaultRetryPolicy, type RetryPolicy } from "./Retry.ts";
import { framingField, type Fetch } from "./Fetch.ts";
import { lowerCased, type HttpResponse, type HttpRequest } from "./Transport.ts";
import type { VerificationOptions } from "./verify/SchemaVerifier.ts";
import {
  assertNumber,
  assertOptionNames,
  assertOptionTypes,
  booleanRule,
  defined,
  hasMethods,
  type Given,
  type OptionRule,
} from "./OptionNames.ts";
import { defaultReadLimits, type ReadLimits } from "./ReadLimits.ts";

/** Limits of what a server can make the client hold. */
export interface Limits extends BodyLimits, ReadLimits {
  /** Pages that one `listAll` reads. Default 100,000. */
  readonly maxPages: number;
  /** Length of an archive that is uploaded or downloaded, in bytes. Default 64 MiB. */
  readonly maxArchiveBytes: number;
}

export const defaultLimits: Limits = {
  ...defaultBodyLimits,
  ...defaultReadLimits,
  maxPages: 100_000,
  maxArchiveBytes: 64 * 1024 * 1024,
};

/** Wraps one request: may change it, inspect the response, or respond itself. Runs within the attempt timeout. */
export type Middleware = (
  request: HttpRequest,
  next: (request: HttpRequest) => Promise<HttpResponse>,
) => Promise<HttpResponse>;

/** Options of a client or of one call, where `null` removes the client's value. */
export interface CallOptions {
  /**
   * Base URL with its path. Default `https://api.bytenite.com/v1/dev`. A call to another origin does not carry the client's
   * token.
   */
  readonly baseUrl?: string | URL | undefined;
  /**
   * `auto`: protobuf where the server names our schema or its field numbers are verified, else JSON. `protobuf`: the same, and a failure
   * instead of JSON. `json`: JSON. Default `auto`.
   */
  readonly format?: "auto" | Format | undefined;
  /** Headers of every request, besides those that the client sends. `accept` is always the client's own, `authorization` where it has a token. */
  readonly headers?: Readonly<Record<string, string>> | undefined;
  readonly retry?: Given<RetryPolicy> | undefined;
  /** Longest time for one request and its whole answer, in milliseconds. Default 10,000. Infinity: no limit. */
  readonly attemptTimeoutMs?: number | undefined;
  /** Longest time for a call with all its requests and waits, in milliseconds. Default 30,000. Infinity: no limit. */
  readonly deadlineMs?: number | undefined;
  readonly limits?: Given<Limits> | undefined;
  /** Whether identical concurrent requests are sent once. Default true. */
  readonly dedupe?: boolean | undefined;
  /** Sends a second request when the first is slow: `hedging(...)` of `@bytenite-engines/core/hedging`. Default none. */
  readonly hedging?: Hedging | null | undefined;
  /** Functions around every request, the first outermost. */
  readonly middleware?: ReadonlyArray<Middleware> | undefined;
  /** Whether the trace context of the surrounding span is sent as `traceparent` (W3C). Default true. */
  readonly propagateTrace?: boolean | undefined;
  /** The value of `Authorization`: text, or a function that returns it. */
  readonly token?: TokenOption | null | undefined;
  /** Instead of the global `fetch`. */
  readonly fetch?: Fetch | undefined;
  /** Called with each event as it happens. What it throws is ignored. */
  readonly onEvent?: ((event: EngineEvent) => void) | null | undefined;
  /** Circuit breaker: `breaker(...)` of `@bytenite-engines/core/breaker`. Default none. */
  readonly breaker?: Breaker | null | undefined;
  /** Tokens of the retry budget per origin; of a call: its own budget. Default 500; Infinity: no budget. */
  readonly retryBudget?: number | undefined;
}

/** Options of a client. */
export interface ClientOptions extends CallOptions {
  /** How protobuf of servers that do not name our schema is verified. */
  readonly protobufVerification?: VerificationOptions | undefined;
}

type Simple = "format" | "headers" | "attemptTimeoutMs" | "deadlineMs" | "dedupe" | "middleware" | "propagateTrace";
type SimpleSettings = { readonly [N in Simple]: NonNullable<CallOptions[N]> };

/** The settings of one call, complete. */
export interface CallSettings extends SimpleSettings {
  readonly retry: RetryPolicy;
  readonly limits: Limits;
  readonly hedging: Hedging | undefined;
}

const defaultSettings: CallSettings = {
  format: "auto",
  headers: {},
  retry: defaultRetryPolicy,
  attemptTimeoutMs: 10_000,
  deadlineMs: 30_000,
  limits: defaultLimits,
  dedupe: true,
  hedging: undefined,
  middleware: [],
  propagateTrace: true,
};

/** The settings of a client, or of a call on those of its client; invalid options throw RangeError or TypeError with the option's name. */
export const settingsOf = (options: CallOptions, base: CallSettings = defaultSettings): CallSettings => {
  assertOptionNames(options.retry, retryNames, "retry");
  assertOptionNames(options.limits, Object.keys(defaultLimits), "limits");
  assertOptionTypes(options, optionRules);
  const { format, headers = {}, attemptTimeoutMs, deadlineMs, dedupe, middleware, propagateTrace } = options;
  const settings: CallSettings = {
    ...base,
    ...defined({ format, attemptTimeoutMs, deadlineMs, dedupe, middleware, propagateTrace }),
    headers: { ...base.headers, ...lowerCased(headers) },
    retry: { ...base.retry, ...defined(options.retry) },
    limits: { ...base.limits, ...defined(options.limits) },
    hedging: given(options.hedging, base.hedging),
  };
  assertSettings(settings);
  return settings;
};

/** What a call says, what its client says, or nothing where the call says null. */
export const given = <T>(option: T | null | undefined, base: T | undefined): T | undefined =>
  option === null ? undefined : (option ?? base);

const retryNames = [...Object.keys(defaultRetryPolicy), "backoff"];

const isFunction = (value: unknown): boolean => typeof value === "function";
const isObject = (value: unknown): value is object => typeof value === "object" && value !== null;

/** What each option must be, besides undefined; those of other modules are checked there. */
const optionRules: Readonly<Record<keyof CallOptions, OptionRule>> = /* @__PURE__ */ (() => {
  const any: OptionRule = ["", () => true];
  return {
    baseUrl: any,
    format: ['"auto", "protobuf" or "json"', (value) => ["auto", "protobuf", "json"].includes(value as string)],
    headers: ["an object of names and values", (value) => isObject(value) && !(Symbol.iterator in value)],
    retry: any,
    attemptTimeoutMs: any,
    deadlineMs: any,
    retryBudget: any,
    limits: any,
    dedupe: booleanRule,
    hedging: ["an object that hedging(...) gives", (value) => value === null || hasMethods(value, "around")],
    middleware: ["an array of functions", (value) => Array.isArray(value) && value.every(isFunction)],
    propagateTrace: booleanRule,
    token: ["text or a function", (value) => value === null || typeof value === "string" || isFunction(value)],
    fetch: ["a function", isFunction],
    onEvent: ["a function", (value) => value === null || isFunction(value)],
    breaker: ["an object that breaker(...) gives", (value) => value === null || hasMethods(value, "admit", "record")],
  };
})();

/** The names of the options of a call. */
export const callOptionNames = /* @__PURE__ */ Object.keys(optionRules) as ReadonlyArray<keyof CallOptions>;

/** The signal of a call that is a promise. */
export const assertSignal = (options: object): void => {
  const { signal } = options as { readonly signal?: unknown };
  if (signal !== undefined && signal !== null && !isSignal(signal))
    throw new TypeError("signal must be an AbortSignal");
};

/** Whether an option is a signal that a call can listen to. */
export const isSignal = (option: unknown): option is AbortSignal =>
  hasMethods(option, "throwIfAborted", "addEventListener");

const assertSettings = ({ attemptTimeoutMs, deadlineMs, retry, limits, headers }: CallSettings): void => {
  for (const [name, value] of Object.entries({ attemptTimeoutMs, deadlineMs, ...limits })) assertNumber(name, value, 0);
  for (const [name, value] of Object.entries(retry))
    if (name !== "backoff") assertNumber(name, value, name === "maxAttempts" || name === "factor" ? 1 : 0);
  if (!Number.isInteger(retry.maxAttempts) && retry.maxAttempts !== Infinity)
    throw new RangeError(`maxAttempts must be a whole number, not ${retry.maxAttempts}`);
  assertHeaders(headers);
};

/** Throws TypeError for header fields that cannot be sent; names in lower case. A value is not shown: it may be a secret. */
export const assertHeaders = (headers: Readonly<Record<string, unknown>>): void => {
  for (const [name, value] of Object.entries(headers)) {
    if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name))
      throw new TypeError(`headers: ${JSON.stringify(name)} is not a header name`);
    if (framingField.test(name))
      throw new TypeError(`headers: ${name} is not yours to set: it follows from the URL and body`);
    if (typeof value !== "string" || !/^[\t\x20-\x7e\x80-\xff]*$/.test(value))
      throw new TypeError(`headers: invalid value for header ${name}`);
  }
};

/** The base URL without its trailing slashes. Throws TypeError when it is none, or carries what a base URL may not. */
export const baseUrlOf = (baseUrl: string | URL = defaultBaseUrl): string => {
  const text = String(baseUrl);
  if (!URL.canParse(text))
    throw new TypeError(`baseUrl is not a URL: ${JSON.stringify(text)}; it looks like ${defaultBaseUrl}`);
  const url = new URL(text);
  if (url.protocol !== "https:" && url.protocol !== "http:")
    throw new TypeError(`baseUrl must be http or https, not ${url.protocol}`);
  if (url.username !== "" || url.password !== "")
    throw new TypeError("baseUrl must not carry a user name or password; use the option token");
  if (url.search !== "" || url.hash !== "") throw new TypeError("baseUrl must not carry a query or fragment");
  return url.href.replace(/\/+$/, "");
};
