// One HTTP exchange over `fetch`, with bounded bodies.
import { readBody, type BodyLimits } from "./Body.ts";
import { UnknownCoding, type Fetch, type FetchInit, type FetchResponse, type ResponseHeaders } from "./Fetch.ts";
import { EngineError, type EngineErrorReason, type UnreachableProblem } from "./EngineError.ts";
import { hasMethods, kindOf } from "./OptionNames.ts";
import { LimitExceeded } from "./ReadLimits.ts";
import type { Cancellation } from "./Cancellation.ts";
import { credentialsIn, redact } from "./Secret.ts";

/** One request. */
export interface HttpRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array<ArrayBuffer>;
}

/** One whole answer, whatever its status. */
export interface HttpResponse {
  readonly url: string;
  readonly status: number;
  readonly headers: ResponseHeaders;
  /** The body, decompressed. */
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Redirects followed within one exchange, at most; only to the same origin. */
export const maxRedirects = 5;

const redirectStatuses: ReadonlySet<number> = new Set([301, 302, 303, 307, 308]);

/**
 * Sends one request, whose header names are in lower case, and reads the whole answer. `plainUrl`: the URL before a middleware changed it. Rejects with EngineError, or with
 * the reason of `cancel` once that ends it.
 */
export const exchange = (
  fetch: Fetch,
  request: HttpRequest,
  limits: BodyLimits,
  cancel: Cancellation,
  plainUrl = request.url,
): Promise<HttpResponse> => open(fetch, request, cancel, (response) => readBody(response, limits), plainUrl);

/** Sends one request and follows redirects; `bytes` of the answer are what `read` makes of it. Rejects as `exchange` does. */
export const open = async <B>(
  fetch: Fetch,
  request: HttpRequest,
  cancel: Cancellation,
  read: (response: FetchResponse) => Promise<B>,
  plainUrl = request.url,
): Promise<Omit<HttpResponse, "bytes"> & { readonly bytes: B }> => {
  const init = initOf(fetch, request, cancel);
  let { url } = request;
  let response: FetchResponse | undefined;
  try {
    for (let redirects = 0; ; redirects++) {
      if (cancel.aborted) throw cancel.reason;
      const given = await fetch(url, init);
      assertResponse(given, "fetch", "a standard Response");
      if (given.bytesWithin === undefined) assertBody(given.body);
      response = given;
      const { status, headers } = given;
      if (!isRedirect(status, given)) return { url, status, headers, bytes: await read(given) };
      await response.body?.cancel();
      url = redirectTarget(url, request.method, response, redirects);
      response = undefined;
    }
  } catch (cause) {
    if (cancel.aborted || cause instanceof NoResponse) throw cause;
    throw transportError(url, response?.status, cause, credentialsIn(url, request.headers, plainUrl));
  }
};

const initOf = (fetch: Fetch, { method, headers, body }: HttpRequest, cancel: Cancellation): FetchInit => {
  const init: FetchInit =
    fetch.takesOnAbort === true
      ? { method, headers: { ...headers }, redirect: "manual", onAbort: (listener) => cancel.onAbort(listener) }
      : { method, headers: { ...headers }, redirect: "manual", signal: cancel.signal };
  if (body !== undefined) init.body = body;
  return init;
};

const isRedirect = (status: number, { type, headers }: FetchResponse): boolean =>
  type === "opaqueredirect" || (redirectStatuses.has(status) && headers.has("location"));

const redirectTarget = (from: string, method: string, response: FetchResponse, redirects: number): string => {
  const { status, headers } = response;
  if (method !== "GET" && status < 307) throw new RefusedRedirect(`a ${method} is not sent again after ${status}`);
  const location = headers.get("location");
  // Browsers hide where a redirect leads, so it is unknown whether the token may go there.
  if (location === null) throw new RefusedRedirect("the runtime hides its target");
  if (redirects >= maxRedirects) throw new RefusedRedirect(`more than ${maxRedirects} in a row`);
  if (!URL.canParse(location, from)) throw new RefusedRedirect("its target is not a URL");
  const target = new URL(location, from);
  if (!/^https?:$/.test(target.protocol)) throw new RefusedRedirect(`its target is a ${target.protocol} URL`);
  target.username = "";
  target.password = "";
  if (target.origin !== new URL(from).origin)
    throw new RefusedRedirect(`its target has another origin, ${target.origin}`);
  return target.href;
};

class RefusedRedirect extends Error {}

class NoResponse extends TypeError {}

/** Throws TypeError for what is no response, in what the user gave as the option `name`. */
export const assertResponse = (given: unknown, name: string, must: string): void => {
  const { status, headers } = (given ?? {}) as { readonly status?: unknown; readonly headers?: unknown };
  if (typeof status !== "number" || !hasMethods(headers, "get", "has", "forEach"))
    throw new NoResponse(`${name} must resolve with ${must}, with status and headers, not ${kindOf(given)}`);
};

const assertBody = (body: unknown): void => {
  if (body !== null && !hasMethods(body, "getReader", "cancel"))
    throw new NoResponse(
      `fetch must resolve with a standard Response, whose body is a ReadableStream or null, not ${kindOf(body)}`,
    );
};

/** The error of a broken exchange: before the response headers (no status), or after them. */
export const transportError = (
  url: string,
  status: number | undefined,
  cause: unknown,
  secrets: ReadonlyArray<string> = [],
): EngineError =>
  new EngineError({
    reason: reasonOf(cause, status, url),
    url: redact(publicUrl(url), secrets),
    attempts: 1,
    cause: redactedCause(cause, secrets),
    ...(status === undefined ? {} : { status }),
  });

/** Longest chain of causes that is searched. */
const maxCauses = 4;

/** Replaces a runtime's error for an invalid header, which shows the value. */
const redactedCause = (cause: unknown, secrets: ReadonlyArray<string>): unknown => {
  const messages: Array<string> = [];
  let current = cause;
  for (; current instanceof Error && messages.length < maxCauses; current = current.cause)
    messages.push(current.message);
  const text = messages.join(": ");
  const clean = redact(text, secrets);
  return clean === text ? cause : new Error(clean);
};

const reasonOf = (cause: unknown, status: number | undefined, url: string): EngineErrorReason => {
  if (cause instanceof RefusedRedirect) return { _tag: "RedirectRefused", problem: cause.message };
  if (cause instanceof LimitExceeded) return { _tag: "TooLarge", limit: cause.limit, value: cause.value };
  if (cause instanceof UnknownCoding) return { _tag: "Undecodable", problem: cause.message };
  const systemCode = systemCodeOf(cause);
  // Once the head of the answer was there, what broke is its body: cut short, or not compressed as it says.
  if (status !== undefined) {
    return { _tag: "Undecodable", problem: `the body broke off${systemCode === undefined ? "" : ` (${systemCode})`}` };
  }
  if (systemCode !== undefined && /^HPE_|^UND_ERR_HEADERS_OVERFLOW$/.test(systemCode))
    return { _tag: "Undecodable", problem: `it is no valid HTTP (${systemCode})` };
  if (systemCode !== undefined) return { _tag: "Unreachable", problem: problemOf(systemCode), systemCode };
  const pageOrigin = originOfPage(url);
  return { _tag: "Unreachable", problem: "network", ...(pageOrigin === undefined ? {} : { pageOrigin }) };
};

/** Origin of the page or web worker that runs this, where the URL has another one. */
const originOfPage = (url: string): string | undefined => {
  const { location } = globalThis as { readonly location?: { readonly origin?: unknown } };
  const origin = location?.origin;
  return typeof origin === "string" && URL.canParse(url) && new URL(url).origin !== origin ? origin : undefined;
};

/** The code of the operating system or TLS library, which `fetch` of Node hides one or two causes deep. */
const systemCodeOf = (error: unknown): string | undefined => {
  let current = error;
  for (let depth = 0; depth < maxCauses && current instanceof Error; depth++) {
    if ("code" in current && typeof current.code === "string") return current.code;
    current = current instanceof AggregateError ? current.errors[0] : current.cause;
  }
  return undefined;
};

const problemOf = (code: string): UnreachableProblem => {
  if (code === "ENOTFOUND" || code === "EAI_AGAIN") return "dns";
  if (code === "ECONNREFUSED") return "refused";
  if (code === "ECONNRESET" || code === "EPIPE" || code === "UND_ERR_SOCKET") return "reset";
  return /CERT|TLS|SSL|SIGNATURE|^EPROTO$/.test(code) ? "tls" : "network";
};

/** A URL for messages: without user info and fragment. */
export const publicUrl = (url: string): string => {
  if (!URL.canParse(url)) return url;
  const shown = new URL(url);
  shown.username = "";
  shown.password = "";
  shown.hash = "";
  return shown.href;
};

/** Headers by name in lower case; of two spellings the last one is kept, since both would be sent as one list. */
export const lowerCased = (headers: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
