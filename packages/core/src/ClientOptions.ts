// Options of a client and their defaults, without types of Effect.
import { defaultBodyLimits, type BodyLimits } from "./Body.ts";
import type { Breaker } from "./Breaker.ts";
import { tokenText, type TokenOption } from "./Token.ts";
import type { EngineEvent } from "./EngineEvent.ts";
import type { Hedging } from "./Hedging.ts";
import { basePath } from "./HttpRules.ts";
import type { Format } from "./MediaType.ts";
import { defaultRetryPolicy, type RetryPolicy } from "./Retry.ts";
import type { Fetch } from "./Fetch.ts";
import { lowerCased, type HttpResponse, type HttpRequest } from "./Transport.ts";
import type { VerificationOptions } from "./verify/SchemaVerifier.ts";
import { assertOptionNames, hasMethods, kindOf } from "./OptionNames.ts";
import { defaultReadLimits, type ReadLimits } from "./ReadLimits.ts";

/** The documented address of the API. */
export const defaultBaseUrl = `https://api.bytenite.com${basePath}`;

/** Longest time for one request and its whole answer, in milliseconds. */
export const defaultAttemptTimeoutMs = 10_000;
/** Longest time for a call with all its requests and waits, in milliseconds. */
export const defaultDeadlineMs = 30_000;

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
  readonly retry?: Partial<RetryPolicy> | undefined;
  /** Longest time for one request and its whole answer, in milliseconds. Default 10,000. Infinity: no limit. */
  readonly attemptTimeoutMs?: number | undefined;
  /** Longest time for a call with all its requests and waits, in milliseconds. Default 30,000. Infinity: no limit. */
  readonly deadlineMs?: number | undefined;
  readonly limits?: Partial<Limits> | undefined;
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

/** The settings of one call, complete. */
export interface CallSettings {
  readonly format: "auto" | Format;
  readonly headers: Readonly<Record<string, string>>;
  readonly retry: RetryPolicy;
  readonly attemptTimeoutMs: number;
  readonly deadlineMs: number;
  readonly limits: Limits;
  readonly dedupe: boolean;
  readonly hedging: Hedging | undefined;
  readonly middleware: ReadonlyArray<Middleware>;
  readonly propagateTrace: boolean;
}

const defaultSettings: CallSettings = {
  format: "auto",
  headers: {},
  retry: defaultRetryPolicy,
  attemptTimeoutMs: defaultAttemptTimeoutMs,
  deadlineMs: defaultDeadlineMs,
  limits: defaultLimits,
  dedupe: true,
  hedging: undefined,
  middleware: [],
  propagateTrace: true,
};

/** The settings of a client, or of a call on those of its client; invalid options throw RangeError or TypeError with the option's name. */
export const settingsOf = (options: CallOptions, base: CallSettings = defaultSettings): CallSettings => {
  assertOptionTypes(options);
  const settings: CallSettings = {
    format: options.format ?? base.format,
    headers: options.headers === undefined ? base.headers : { ...base.headers, ...lowerCased(options.headers) },
    retry: { ...base.retry, ...defined(options.retry) },
    attemptTimeoutMs: options.attemptTimeoutMs ?? base.attemptTimeoutMs,
    deadlineMs: options.deadlineMs ?? base.deadlineMs,
    limits: { ...base.limits, ...defined(options.limits) },
    dedupe: options.dedupe ?? base.dedupe,
    hedging: given(options.hedging, base.hedging),
    middleware: options.middleware ?? base.middleware,
    propagateTrace: options.propagateTrace ?? base.propagateTrace,
  };
  assertSettings(settings);
  return settings;
};

/** What a call says, what its client says, or nothing where the call says null. */
export const given = <T>(option: T | null | undefined, base: T | undefined): T | undefined =>
  option === null ? undefined : (option ?? base);

/** The values that are not undefined. */
export const defined = <T extends object>(values: T | undefined): T =>
  Object.fromEntries(Object.entries(values ?? {}).filter(([, value]) => value !== undefined)) as T;

const retryNames = [...Object.keys(defaultRetryPolicy), "backoff"];

const assertOptionTypes = ({ retry, limits, headers, token, fetch, onEvent, hedging, breaker }: CallOptions): void => {
  assertOptionNames(retry, retryNames, "retry");
  assertOptionNames(limits, Object.keys(defaultLimits), "limits");
  if (headers !== undefined && (typeof headers !== "object" || headers === null || Symbol.iterator in headers))
    throw new TypeError("headers must be an object of names and values");
  if (token !== undefined && token !== null && typeof token !== "string" && typeof token !== "function")
    throw new TypeError(`token must be text or a function, not ${kindOf(token)}`);
  if (typeof token === "string") tokenText(token);
  for (const [name, value] of Object.entries({ fetch, onEvent }))
    if (value !== undefined && value !== null && typeof value !== "function")
      throw new TypeError(`${name} must be a function, not ${kindOf(value)}`);
  if (fetch === null) throw new TypeError("fetch must be a function, not null");
  if (hedging !== undefined && hedging !== null && !hasMethods(hedging, "around"))
    throw new TypeError("hedging must be an object that hedging(...) gives");
  if (breaker !== undefined && breaker !== null && !hasMethods(breaker, "admit", "record"))
    throw new TypeError("breaker must be an object that breaker(...) gives");
};

/** The signal of a call that is a promise. */
export const assertSignal = (options: object): void => {
  const signal: unknown = "signal" in options ? options.signal : undefined;
  if (signal !== undefined && signal !== null && !isSignal(signal))
    throw new TypeError("signal must be an AbortSignal");
};

/** Whether an option is a signal that a call can listen to. */
export const isSignal = (option: unknown): option is AbortSignal =>
  hasMethods(option, "throwIfAborted", "addEventListener");

const assertSettings = (settings: CallSettings): void => {
  const { attemptTimeoutMs, deadlineMs, retry, limits, dedupe, propagateTrace, middleware } = settings;
  if (!["auto", "protobuf", "json"].includes(settings.format)) {
    throw new TypeError(`format must be "auto", "protobuf" or "json", not ${JSON.stringify(settings.format)}`);
  }
  for (const [name, value] of Object.entries({ dedupe, propagateTrace })) {
    if (typeof value !== "boolean") throw new TypeError(`${name} must be true or false, not ${JSON.stringify(value)}`);
  }
  if (!Array.isArray(middleware) || middleware.some((wrap) => typeof wrap !== "function"))
    throw new TypeError("middleware must be an array of functions");
  for (const [name, value] of Object.entries({ attemptTimeoutMs, deadlineMs, ...limits })) assertAbove(name, value, 0);
  for (const [name, value] of Object.entries(retry))
    if (name !== "backoff") assertAbove(name, value, name === "maxAttempts" || name === "factor" ? 1 : 0);
  if (!Number.isInteger(retry.maxAttempts) && retry.maxAttempts !== Infinity)
    throw new RangeError(`maxAttempts must be a whole number, not ${retry.maxAttempts}`);
  for (const [name, value] of Object.entries(settings.headers)) assertHeader(name, value);
};

/** The value is not shown: it may be a secret. */
const assertHeader = (name: string, value: string): void => {
  if (!/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name))
    throw new TypeError(`headers: ${JSON.stringify(name)} is not a header name`);
  if (typeof value !== "string" || !/^[\t\x20-\x7e\x80-\xff]*$/.test(value)) {
    throw new TypeError(`headers: invalid value for header ${name}`);
  }
};

const assertAbove = (name: string, value: number, least: number): void => {
  if (typeof value !== "number" || !(value >= least))
    throw new RangeError(
      `${name} must be a number from ${least}, not ${typeof value === "number" ? value : kindOf(value)}`,
    );
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
