// Common HTTP semantics: validators, content codings, CORS, methods (RFC 9110).
import QuickLRU from "quick-lru";
import type { Body } from "./EngineBody.ts";
import { ApiError } from "./ApiError.ts";
import { errorAnswer, type Answer, type RequestHead } from "./Answer.ts";

/** Smallest body that is compressed, in bytes. */
const minCompressedBytes = 1_024;

/** Seconds for which a browser may remember what an origin is allowed. */
const preflightSeconds = 600;

/** Content codings that can be offered, the preferred one first. */
const codings = ["br", "gzip"] as const;

/** A content coding. */
export type Coding = (typeof codings)[number];

/** Options of the runtime. */
export interface WebOptions {
  /** A digest of a body, for its ETag: at least 128 bits, of characters that an ETag may have. */
  readonly digest: (body: Body) => string | Promise<string>;
  /** Longest body that is sent, in bytes: what is longer is left as it is, to be refused. Default: any. */
  readonly maxBytes?: number | undefined;
  /** Compresses a body. Default: not here; Cloudflare compresses what a Worker answers. */
  readonly compress?: ((body: Body, coding: Coding) => Promise<Uint8Array>) | undefined;
  /** Origins whose pages may read answers, or `*`. Default: none. */
  readonly corsOrigins?: ReadonlyArray<string> | undefined;
}

/** Paths without CORS, regardless of the settings. */
const neverShared = /^\/(?:manage|metrics|faults)(?:[/?]|$)/;

/** Header fields of answers that a page of another origin may read. */
const exposedFields = "Bytenite-Schema-Digest, ETag, Retry-After, X-D1-Bookmark, X-Request-Id";

const isCompressible = (type = ""): boolean =>
  /^(?:text\/|application\/(?:[\w.+-]*json|.*protobuf|javascript))/.test(type);

/** The answer to a method that a resource does not have: 405, or 204 for OPTIONS, with `Allow` (RFC 9110, 9.3.7 and 15.5.6). */
export const otherMethod = (method: string, allowed: ReadonlyArray<string>): Answer | undefined => {
  if (allowed.includes(method) || (method === "HEAD" && allowed.includes("GET"))) return undefined;
  if (method !== "OPTIONS") return errorAnswer(methodNotAllowed(allowed));
  const logFields = { endpoint: undefined, user: undefined };
  return { status: 204, headers: { Allow: allowOf(allowed) }, body: "", logFields };
};

/** A 405 with the methods that there are. */
export const methodNotAllowed = (allowed: ReadonlyArray<string>): ApiError =>
  new ApiError("UNIMPLEMENTED", "method not allowed", { status: 405, headers: { Allow: allowOf(allowed) } });

/** The value of `Allow` for a resource with these methods: HEAD and OPTIONS come with them. */
export const allowOf = (methods: ReadonlyArray<string>): string =>
  [...methods.flatMap((method) => (method === "GET" ? ["GET", "HEAD"] : [method])), "OPTIONS"].join(", ");

/** Adds common headers to responses. */
export interface Web {
  /** An answer to a CORS preflight of an allowed origin. */
  readonly preflight: (head: RequestHead) => Answer | undefined;
  readonly finish: (head: RequestHead, answer: Answer) => Promise<Answer>;
}

/** Builds it. Throws TypeError for an invalid origin. */
export const makeWeb = ({ digest, maxBytes = Infinity, compress, corsOrigins = [] }: WebOptions): Web => {
  const origins = new Set(corsOrigins.map(originOf));
  const share = (head: RequestHead, answer: Answer): void => {
    if (origins.size === 0 || neverShared.test(head.target)) return;
    const origin = head.header("origin");
    vary(answer.headers, "Origin");
    if (origin === null || !(origins.has("*") || origins.has(origin))) return;
    answer.headers["Access-Control-Allow-Origin"] = origins.has("*") ? "*" : origin;
    answer.headers["Access-Control-Expose-Headers"] = exposedFields;
  };
  return {
    preflight: (head) => {
      const method = head.header("access-control-request-method");
      const origin = head.header("origin");
      if (head.method !== "OPTIONS" || method === null || origin === null || neverShared.test(head.target)) {
        return undefined;
      }
      if (!(origins.has("*") || origins.has(origin))) return undefined;
      const asked = head.header("access-control-request-headers") ?? "";
      return {
        status: 204,
        headers: {
          "Access-Control-Allow-Methods": "GET, HEAD, POST, DELETE",
          // Allows all requested headers: none of them grants access.
          ...(/^[\w\- ,]{0,1000}$/.test(asked) && asked !== "" ? { "Access-Control-Allow-Headers": asked } : {}),
          "Access-Control-Max-Age": String(preflightSeconds),
          Vary: "Access-Control-Request-Method, Access-Control-Request-Headers",
        },
        body: "",
        logFields: { endpoint: undefined, user: undefined },
      };
    },
    finish: async (head, answer) => {
      share(head, answer);
      if (answer.status !== 200 || answer.body.length > maxBytes || (head.method !== "GET" && head.method !== "HEAD"))
        return answer;
      const { headers } = answer;
      const isStored = headers["Cache-Control"] === "no-store";
      const tag = isStored || headers["ETag"] !== undefined ? undefined : await digest(answer.body);
      let coding: Coding | undefined;
      if (
        compress !== undefined &&
        answer.body.length >= minCompressedBytes &&
        isCompressible(headers["Content-Type"])
      ) {
        vary(headers, "Accept-Encoding");
        coding = codingFor(head.header("accept-encoding"));
      }
      if (tag !== undefined) headers["ETag"] = `"${coding === undefined ? tag : `${tag}-${coding}`}"`;
      if (headers["ETag"] !== undefined && isKnown(head.header("if-none-match"), headers["ETag"])) {
        delete headers["Content-Type"];
        const { stream, ...known } = answer;
        await stream?.bytes?.cancel();
        return { ...known, status: 304, body: "" };
      }
      if (coding === undefined || compress === undefined) return answer;
      headers["Content-Encoding"] = coding;
      return { ...answer, body: await compress(answer.body, coding) };
    },
  };
};

const originOf = (text: string): string => {
  if (text === "*") return text;
  if (URL.parse(text)?.origin === text) return text;
  throw new TypeError(`${JSON.stringify(text)} is not an origin as https://app.example, nor *`);
};

const vary = (headers: Record<string, string>, name: string): void => {
  headers["Vary"] = headers["Vary"] === undefined ? name : `${headers["Vary"]}, ${name}`;
};

/** Whether `If-None-Match` names an entity tag, by weak comparison (RFC 9110, 13.1.2). */
const isKnown = (field: string | null, tag: string): boolean =>
  field !== null &&
  (field.trim() === "*" || (field.match(/(?:W\/)?"[^"]*"/g) ?? []).some((known) => known.replace(/^W\//, "") === tag));

/** Values of a field that are remembered; clients send the same few. */
const maxRemembered = 100;

/** The same function of a field, which remembers what it gave. */
export const remembering = <A>(read: (field: string | null) => A): ((field: string | null) => A) => {
  const known = new QuickLRU<string | null, { readonly value: A }>({ maxSize: maxRemembered });
  return (field) => {
    const found = known.get(field) ?? { value: read(field) };
    known.set(field, found);
    return found.value;
  };
};

/** The coding that `Accept-Encoding` likes best of those offered; undefined for none. */
const codingFor = remembering((field): Coding | undefined => {
  if (field === null) return undefined;
  const weights = new Map<string, number>();
  for (const item of field.split(",")) {
    const [name = "", ...parameters] = item.split(";").map((part) => part.trim().toLowerCase());
    const weight = parameters.find((parameter) => parameter.startsWith("q="))?.slice(2);
    weights.set(name, weight === undefined ? 1 : Number(weight) || 0);
  }
  const weightOf = (coding: string): number => weights.get(coding) ?? weights.get("*") ?? 0;
  // A coding is used where nothing is said for `identity`, or less.
  const identity = weights.get("identity") ?? 0;
  const [best] = codings.filter((coding) => weightOf(coding) > 0).toSorted((a, b) => weightOf(b) - weightOf(a));
  return best !== undefined && weightOf(best) >= identity ? best : undefined;
});
