// The CachePolicy class of http-cache-semantics, over the rules of this package.
import { fieldName, parseDirectives, type Directives } from "../CacheControl.ts";
import type { CacheOptions } from "../CacheOptions.ts";
import { currentAge, freshnessOf, timeToLive, usableUntil, type Freshness } from "../Freshness.ts";
import { fieldValue, toHeaders, type HeaderFields } from "../HeaderFields.ts";
import { hopByHopNames } from "../HopByHop.ts";
import { parseHttpDate } from "../HttpDate.ts";
import { requestDirectives } from "../RequestDirectives.ts";
import { responseDirectives } from "../ResponseDirectives.ts";
import { errorStatuses, evaluate, mayServeOnError } from "../Reuse.ts";
import { updateFields } from "../StoredFields.ts";
import { storingRefusal } from "../Storing.ts";
import { confirms, validatingFields } from "../Validation.ts";
import { matchesVary, selectingFields, varyNames } from "../Vary.ts";

/** A request as http-cache-semantics takes it. */
export interface PolicyRequest {
  readonly url?: string | undefined;
  readonly method?: string | undefined;
  readonly headers: HeaderFields;
}

/** A response as http-cache-semantics takes it. The status defaults to 200. */
export interface PolicyResponse {
  readonly status?: number | undefined;
  readonly headers: HeaderFields;
}

/** The options of http-cache-semantics. */
export interface PolicyOptions {
  /** Whether several users share the cache. Default: true. */
  readonly shared?: boolean | undefined;
  /** Heuristic freshness: this fraction of the time since Last-Modified. Default: 0.1. */
  readonly cacheHeuristic?: number | undefined;
  /** Least lifetime of `immutable` responses without `max-age`, in milliseconds. Default: a day. */
  readonly immutableMinTimeToLive?: number | undefined;
  /** Whether responses with `pre-check` and `post-check` lose `no-cache`, `no-store` and `must-revalidate`. Default: false. */
  readonly ignoreCargoCult?: boolean | undefined;
}

/** Header fields as a record with lower-case names. */
export type PolicyHeaders = Record<string, string | Array<string>>;

/** What a validation must send. `synchronous`: the stored response must not be used before it has ended. */
export interface Revalidation {
  readonly synchronous: boolean;
  readonly headers: PolicyHeaders;
}

/** The result of `evaluateRequest`. */
export interface RequestEvaluation {
  readonly response: { readonly status: number; readonly headers: PolicyHeaders } | undefined;
  readonly revalidation: Revalidation | undefined;
}

/** The format of `toObject`: that of http-cache-semantics 4. */
export interface PolicyObject {
  readonly v: 1;
  readonly t: number;
  readonly sh: boolean;
  readonly ch: number;
  readonly imm?: number | undefined;
  readonly icc?: boolean | undefined;
  readonly st: number;
  readonly resh: PolicyHeaders;
  readonly rescc: Record<string, string | boolean>;
  readonly m: string;
  readonly u?: string | undefined;
  readonly h?: string | undefined;
  /** Whether the request had no Authorization. */
  readonly a: boolean;
  readonly reqh: PolicyHeaders | null;
  readonly reqcc: Record<string, string | boolean>;
}

const dayMs = 86_400_000;
const noDirectives = requestDirectives(null, null);

/** A stored response's caching policy, with the methods of http-cache-semantics. */
export class CachePolicy {
  #stored: PolicyObject;
  #headers: Headers;
  #freshness: Freshness;
  #storable: boolean;
  #withheld: ReadonlyArray<string>;

  /** Throws Error where the headers of the request or of the response are missing. */
  constructor(request: PolicyRequest, response: PolicyResponse, options: PolicyOptions = {}) {
    const object = restoredObject(options) ?? objectOf(request, response, options, this.now());
    const { freshness, headers, storable, withheld } = rulesFor(object);
    this.#stored = object;
    this.#headers = headers;
    this.#freshness = freshness;
    this.#storable = storable;
    this.#withheld = withheld;
  }

  /** The current time in milliseconds since the epoch. May be overridden. */
  now(): number {
    return Date.now();
  }

  /** Whether the response may be stored. */
  storable(): boolean {
    return this.#storable;
  }

  /** Whether the stored response may be served for this request without validation. */
  satisfiesWithoutRevalidation(request: PolicyRequest): boolean {
    return this.evaluateRequest(request).revalidation === undefined;
  }

  /** Whether the stored response may be served for this request, and what to send if it must be validated. */
  evaluateRequest(request: PolicyRequest): RequestEvaluation {
    assertHeaders(request);
    const { headers } = request;
    const asked = requestDirectives(fieldValue(headers, "cache-control"), fieldValue(headers, "pragma"));
    // A stored response may serve a request with no-store (RFC 9111, 5.2.1.5).
    const directives = { ...asked, noStore: false };
    const isMatch = this.#storable && this.#matches(request, false);
    const { action, ...more } = evaluate(directives, isMatch ? this.#freshness : undefined, this.now());
    if (action !== "fresh" && action !== "stale") {
      return { response: undefined, revalidation: { synchronous: true, headers: this.revalidationHeaders(request) } };
    }
    const revalidates = "revalidate" in more && more.revalidate;
    return {
      response: { status: this.status(), headers: this.responseHeaders() },
      revalidation: revalidates ? { synchronous: false, headers: this.revalidationHeaders(request) } : undefined,
    };
  }

  /** The fields of the stored response for a client, with its age. */
  responseHeaders(): PolicyHeaders {
    const fields = withoutNames(
      this.#stored.resh,
      hopByHopNames(this.#headers),
      new Set([...this.#withheld, "warning"]),
    );
    return { ...fields, age: `${Math.floor(this.age())}` };
  }

  /** The status of the stored response. */
  status(): number {
    return this.#stored.st;
  }

  /** The Date of the response, otherwise its time of receipt, in milliseconds since the epoch. */
  date(): number {
    return parseHttpDate(this.#headers.get("date"), this.#stored.t) ?? this.#stored.t;
  }

  /** The age in seconds. */
  age(): number {
    return currentAge(this.#freshness, this.now()) / 1000;
  }

  /** The freshness lifetime in seconds. */
  maxAge(): number {
    return this.#freshness.lifetimeMs / 1000;
  }

  /** How long the response may be useful, stale windows included, in milliseconds. */
  timeToLive(): number {
    return this.#storable ? Math.round(Math.max(0, usableUntil(this.#freshness) - this.now())) : 0;
  }

  /** Whether the response is stale. */
  stale(): boolean {
    return timeToLive(this.#freshness, this.now()) <= 0;
  }

  /** Whether `stale-while-revalidate` allows to serve the response now. */
  useStaleWhileRevalidate(): boolean {
    const { staleWhileRevalidateMs } = this.#freshness;
    return staleWhileRevalidateMs !== 0 && -timeToLive(this.#freshness, this.now()) < staleWhileRevalidateMs;
  }

  /** The fields of a request that validates the response: those of the client, with the conditions of the response alone. */
  revalidationHeaders(request: PolicyRequest): PolicyHeaders {
    assertHeaders(request);
    const sent = recordOf(request.headers);
    const fields = withoutNames(sent, hopByHopNames(toHeaders(request.headers)), clientConditions);
    const isMixed = "if-match" in fields || "if-unmodified-since" in fields;
    if (this.#storable && !isMixed && this.#matches(request, true)) {
      for (const [name, value] of validatingFields(this.#headers)) fields[name] = value;
    }
    return fields;
  }

  /**
   * The policy after a validation. `modified`: the body of `response` replaces the stored one. `matches`: `response`, or
   * the stored one in place of an error, is about the stored response. Throws Error where a response is needed and missing.
   */
  revalidatedPolicy(
    request: PolicyRequest,
    response: PolicyResponse | null | undefined,
  ): { readonly policy: CachePolicy; readonly modified: boolean; readonly matches: boolean } {
    assertHeaders(request);
    const isError =
      response === undefined ||
      response === null ||
      (response.status !== undefined && errorStatuses.has(response.status));
    if (isError && this.#storable && mayServeOnError(noDirectives, this.#freshness, this.now())) {
      return { policy: this, modified: false, matches: true };
    }
    assertHeaders(response, "Response");
    const received = toHeaders(response.headers);
    const status = response.status ?? 304;
    const matches = status === 304 && confirms(received, this.#headers);
    const headers = matches ? updateFields(this.#headers, received) : response.headers;
    const { sh: shared, ch: cacheHeuristic, imm: immutableMinTimeToLive, icc: ignoreCargoCult } = this.#stored;
    const Policy = this.constructor as typeof CachePolicy;
    const policy = new Policy(
      request,
      { status: matches ? this.status() : response.status, headers },
      { shared, cacheHeuristic, immutableMinTimeToLive, ignoreCargoCult },
    );
    return { policy, modified: !matches && response.status !== 304, matches };
  }

  /** The policy as plain JSON, in the format of http-cache-semantics 4. */
  toObject(): PolicyObject {
    return this.#stored;
  }

  /** The policy from `toObject`, of this class or of http-cache-semantics 4. Throws Error for another object. */
  static fromObject(object: PolicyObject): CachePolicy {
    return new this(undefined as never, undefined as never, { [restored]: object } as PolicyOptions);
  }

  #matches(request: PolicyRequest, allowHead: boolean): boolean {
    const { u: url, h: host, m: method, reqh } = this.#stored;
    return (
      (url === undefined || url === "" || url === request.url) &&
      host === (fieldValue(request.headers, "host") ?? undefined) &&
      (request.method === undefined || request.method === method || (allowHead && request.method === "HEAD")) &&
      matchesVary(selectingFields(this.#headers, reqh ?? {}), request.headers, this.#headers.get("content-language"))
    );
  }
}

/** Name of the option by which `fromObject` passes an object to the constructor of a subclass. */
const restored = Symbol("restored");

const restoredObject = (options: PolicyOptions): PolicyObject | undefined => {
  if (!(restored in options)) return undefined;
  const object = options[restored] as PolicyObject | undefined;
  if (object?.v !== 1) throw new Error("Invalid serialization");
  return object;
};

/** Conditions of a client that never travel with ours, or would get a response that cannot be stored. */
const clientConditions: ReadonlySet<string> = new Set(["if-modified-since", "if-none-match", "if-range"]);

function assertHeaders(
  message: { readonly headers?: HeaderFields } | null | undefined,
  kind = "Request",
): asserts message is { readonly headers: HeaderFields } {
  if (!message?.headers) throw new Error(`${kind} headers missing`);
}

/** The serialized form of a request and its response. */
const objectOf = (
  request: PolicyRequest,
  response: PolicyResponse,
  options: PolicyOptions,
  nowMs: number,
): PolicyObject => {
  assertHeaders(response, "Response");
  assertHeaders(request);
  const host = fieldValue(request.headers, "host") ?? undefined;
  const resh =
    options.ignoreCargoCult === true ? withoutCargoCult(recordOf(response.headers)) : recordOf(response.headers);
  return {
    v: 1,
    t: nowMs,
    sh: options.shared !== false,
    ch: options.cacheHeuristic ?? 0.1,
    imm: options.immutableMinTimeToLive ?? dayMs,
    icc: options.ignoreCargoCult === true,
    st: response.status ?? 200,
    resh,
    rescc: objectFrom(parseDirectives(fieldValue(resh, "cache-control"))),
    m: request.method ?? "GET",
    u: request.url,
    h: host,
    a: fieldValue(request.headers, "authorization") === null,
    reqh: fieldValue(resh, "vary") === null ? null : recordOf(request.headers),
    reqcc: objectFrom(parseDirectives(fieldValue(request.headers, "cache-control"))),
  };
};

/** What the rules say of a serialized policy. */
const rulesFor = (object: PolicyObject) => {
  const headers = toHeaders(object.resh);
  const options: CacheOptions = {
    shared: object.sh,
    heuristic: { fraction: object.ch, maxMs: Number.MAX_VALUE },
    apparentAge: false,
  };
  const directives = responseDirectives(headers, options);
  const request = {
    // A response to HEAD is stored for HEAD.
    method: object.m === "HEAD" ? "GET" : object.m,
    control: { ...noDirectives, noStore: "no-store" in object.reqcc },
    authorized: !object.a,
  };
  const refusal = storingRefusal(request, object.st, headers, directives, options);
  const storable = refusal === undefined || refusal === "vary";
  const freshness = freshnessOf(
    object.st,
    headers,
    directives,
    { requestTimeMs: object.t, responseTimeMs: object.t },
    options,
  );
  const isImmutable = parseDirectives(headers.get("cache-control")).get("immutable") === true;
  // Pragma in responses has no meaning, and Set-Cookie prevents nothing: both make a response stale for caution's sake.
  const isPragma = !headers.has("cache-control") && requestDirectives(null, headers.get("pragma")).noCache;
  const isCookie = object.sh && headers.has("set-cookie") && !directives.public && !isImmutable;
  const alwaysValidate = freshness.alwaysValidate || isPragma;
  const isUseless = !storable || alwaysValidate || isCookie || varyNames(headers).includes("*");
  const isBounded = directives.maxAge !== undefined || (object.sh && directives.sMaxage !== undefined);
  const isExpired = freshness.explicit && freshness.lifetimeMs === 0;
  const leastMs = isImmutable && !isBounded && !isExpired ? (object.imm ?? dayMs) : 0;
  return {
    headers,
    storable,
    withheld: directives.withheldFields,
    freshness: {
      ...freshness,
      alwaysValidate,
      neverStale: freshness.neverStale || isUseless,
      lifetimeMs: isUseless ? 0 : Math.max(freshness.lifetimeMs, leastMs),
      staleWhileRevalidateMs: isUseless ? 0 : freshness.staleWhileRevalidateMs,
      staleIfErrorMs: isUseless ? 0 : freshness.staleIfErrorMs,
    },
  };
};

/** Directives that authors copy together with `pre-check` and `post-check`. */
const cargoCult = ["pre-check", "post-check", "no-cache", "no-store", "must-revalidate"];

const withoutCargoCult = (headers: PolicyHeaders): PolicyHeaders => {
  const directives = new Map(parseDirectives(fieldValue(headers, "cache-control")));
  if (!directives.has("pre-check") || !directives.has("post-check")) return headers;
  for (const name of cargoCult) directives.delete(name);
  const { expires: _expires, pragma: _pragma, ...kept } = headers;
  return { ...kept, "cache-control": [...directives].map(memberOf).join(", ") };
};

const memberOf = ([name, argument]: readonly [string, string | true]): string => {
  if (argument === true) return name;
  return fieldName.test(argument.toLowerCase()) ? `${name}=${argument}` : `${name}=${JSON.stringify(argument)}`;
};

const objectFrom = (directives: Directives): Record<string, string | boolean> => Object.fromEntries(directives);

/** A record with lower-case names; several Set-Cookie lines stay apart. */
const recordOf = (fields: HeaderFields): PolicyHeaders => {
  const record: PolicyHeaders = {};
  const headers = toHeaders(fields);
  for (const [name, value] of headers) record[name] = value;
  const cookies = headers.getSetCookie();
  if (cookies.length > 1) record["set-cookie"] = cookies;
  return record;
};

const withoutNames = (fields: PolicyHeaders, ...excluded: ReadonlyArray<ReadonlySet<string>>): PolicyHeaders =>
  Object.fromEntries(Object.entries(fields).filter(([name]) => !excluded.some((names) => names.has(name))));
