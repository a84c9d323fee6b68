// Requests of clients: parsing, routes, refusals.
import { create } from "@bufbuild/protobuf";
import { basePath, encode, endpoints, matchPath, pathOf, readNames, rpcCodes } from "@bytenite-engines/core/wire";
import { decodeQuery, encodeQuery, QueryParameterError } from "@bytenite-engines/core/wire";
import { mediaTypeOf, negotiate, offered } from "@bytenite-engines/core/wire";
import type { ReadName, Representation, RpcCode } from "@bytenite-engines/core/wire";
import { requestDirectives, splitList } from "@bytenite-engines/http-cache";
import { StatusSchema } from "@bytenite-engines/proto";
import type { Config } from "./Config.ts";
import { tokenOf } from "./Identity.ts";
import { recentOf } from "./Recent.ts";

/** Lives as long as a request and the work that it leaves. */
export interface RequestContext {
  waitUntil(work: Promise<unknown>): void;
  isGone(): boolean; // whether the client has left, as far as the runtime knows
}

/** A normalised request: equivalent requests have equal routes. */
export interface Route {
  readonly endpoint: ReadName | "other"; // `other`: a path below a configured prefix
  readonly tag?: string; // the tag, percent-decoded; absent for lists and other paths
  /** Normalised path and query: below the base URL for an endpoint, from the root for other paths. */
  readonly target: string;
  /** The path as upstreams read it: decoded, without empty segments. Undefined: a malformed escape, or an endpoint. */
  readonly path?: string | undefined;
}

export type ParsedRequest = Exclude<ReturnType<typeof parseRequest>, ErrorResponse>;
export type ErrorResponse = ReturnType<typeof refusal>;

/** A response that is not the upstream's. */
export const refusal = (status: number, code: RpcCode, message: string, headers: Record<string, string> = {}) => ({
  status,
  code,
  message,
  headers,
});

export const proxyName = "bytenite-edge"; // the name of this proxy in Cache-Status and Proxy-Status

/** Proxy-Status with an error type (RFC 9209, 2.3). */
export const proxyStatus = (error: string) => ({ "proxy-status": `${proxyName}; error=${error}` });
export const allowedMethods = "GET, HEAD, OPTIONS";
/** Further methods of forwarded paths. With others no token goes upstream; TRACE would show a client what the proxy adds. */
export const writeMethods = "POST, PUT, PATCH, DELETE";
const forwardedMethods = /^(?:GET|HEAD|POST|PUT|PATCH|DELETE)$/;

/** Longest path and query that are read, and longest value of a header field that is read here, in characters. */
export const maxUrlLength = 4_096;
const maxHeaderLength = 8_192;
/** Parsed values that are remembered of each kind, and the longest text of one, in characters. */
const maxRemembered = 2_000;
const maxRememberedLength = 512;
const maxAddressLength = 45;

const memoized = <A>(make: (text: string) => A) => {
  const known = recentOf<A>(maxRemembered);
  return (text: string): A => {
    const before = known.get(text);
    if (before !== undefined) return before;
    const made = make(text);
    if (made !== undefined && text.length <= maxRememberedLength) known.set(text, made);
    return made;
  };
};

const representationIn = memoized(negotiate);
const tokenIn = memoized(tokenOf);
/** The route of a target at an endpoint, or what is wrong with it; undefined at another path. */
const endpointIn = memoized((target) => {
  const [path = "", ...rest] = target.split("?");
  const below = path.startsWith(`${basePath}/`) ? path.slice(basePath.length) : "";
  const match = matchPath(below);
  if (match !== undefined) return endpointRoute(match.name, match.tag, rest.join("?"));
  return enginePath.test(below) ? badTag : undefined;
});

/** The response to a refused request, as google.rpc.Status in the negotiated form; JSON where none is acceptable. */
export const refuse = (refused: ErrorResponse, accept: string | null, withBody = true): Response => {
  const { status, code, message, headers } = refused;
  const { format, mediaType } = negotiate(accept) ?? asItComes;
  const bytes = encode(StatusSchema, create(StatusSchema, { code: rpcCodes[code], message }), format);
  return new Response(withBody ? bytes : null, {
    status,
    headers: {
      "content-type": mediaType,
      "content-length": `${bytes.byteLength}`,
      "cache-control": "private, no-store",
      vary: "Accept, Authorization",
      ...headers,
    },
  });
};

/** Path and query of a URL as it was sent: nothing is decoded, no dot segment resolved. */
export const targetOf = (url: string): string => url.slice(url.indexOf("/", "http://h".length));

/** Reads a request for a target (path and query, as sent), or says why it is refused. */
export const parseRequest = (
  method: string,
  headers: Headers,
  target: string,
  { deployment, forwardedPaths }: Pick<Config, "deployment" | "forwardedPaths">,
) => {
  const route = routeOf(method, target, forwardedPaths);
  if ("status" in route) return route;
  const accept = headers.get("accept");
  const authorization = headers.get("authorization");
  const ifNoneMatch = headers.get("if-none-match");
  const ifModifiedSince = headers.get("if-modified-since");
  const sent = headers.get("cache-control");
  const via = headers.get("via");
  const cdnLoop = headers.get("cdn-loop");
  if (tooLong(accept) || tooLong(authorization) || tooLong(ifNoneMatch)) return tooLongHeader;
  if (tooLong(ifModifiedSince) || tooLong(sent) || tooLong(via) || tooLong(cdnLoop)) return tooLongHeader;
  // Before anything is looked up: a proxy that reaches itself would wait for itself, or store its own stale response as a fresh one.
  if ((via ?? cdnLoop) !== null && isLoop(via, cdnLoop, deployment)) return loop;
  const token = authorization === null ? undefined : tokenIn(authorization);
  if (authorization !== null && token === undefined) return notCredential;
  if (headers.has("x-http-method-override")) return overridden;
  const isOther = route.endpoint === "other";
  if (isOther && !forwardedMethods.test(method) && (token !== undefined || method === "TRACE")) {
    return wrongMethod(method, `${allowedMethods}, ${writeMethods}`);
  }
  // A registry on D1 is asked for a state no older than the bookmark: what is stored may be older.
  const cacheControl = headers.has("x-d1-bookmark") ? `no-cache, ${sent ?? ""}` : sent;
  const representation = isOther ? asItComes : representationIn(accept ?? "");
  if (representation === undefined) return notAcceptable;
  return {
    method,
    isRead: isReading(method),
    headers,
    route,
    representation,
    // Pragma is not read: it is deprecated (RFC 9111, 5.4), and each look costs a hundredth of a hit.
    control: cacheControl === null ? noDirectives : requestDirectives(cacheControl, null),
    cacheControl,
    condition: { ifNoneMatch, ifModifiedSince },
    token,
  };
};

const isReading = (method: string): boolean => method === "GET" || method === "HEAD";
const noDirectives = requestDirectives(null, null);
const asItComes: Representation = { format: "json", mediaType: mediaTypeOf("json") };
export const tooLong = (value: string | null): boolean => value !== null && value.length > maxHeaderLength;

export const badRequest = (message: string, status = 400): ErrorResponse =>
  refusal(status, "INVALID_ARGUMENT", message);
export const tooLongHeader = badRequest(`a header is longer than ${maxHeaderLength} characters`, 431);
const overridden = badRequest("the method cannot be overridden");
const badEscape = badRequest("the query holds a malformed escape");
const badTag = badRequest("the tag holds a malformed escape, a slash or a dot segment");
const notAcceptable = badRequest(
  `none of the accepted media types is offered; offered are ${offered.map(({ mediaType }) => mediaType).join(", ")}`,
  406,
);
const loop = refusal(
  508,
  "FAILED_PRECONDITION",
  "the proxy has reached itself: its UPSTREAM_URL leads back to it (Via, CDN-Loop)",
  proxyStatus("proxy_loop_detected"),
);
export const unauthenticated = (message: string): ErrorResponse =>
  refusal(401, "UNAUTHENTICATED", message, { "www-authenticate": "Bearer" });
const notCredential = unauthenticated(
  "the Authorization field must hold one token of visible ASCII characters (0x21 to 0x7E), after a scheme such as Bearer and one space if it has one",
);
export const unknownPath = refusal(404, "NOT_FOUND", "no such path");
export const wrongMethod = (method: string, allow: string): ErrorResponse =>
  refusal(405, "UNIMPLEMENTED", `method ${method.slice(0, 20)} is not offered here; ${allow} are`, { allow });

export const routeOf = (method: string, target: string, forwardedPaths: ReadonlyArray<string>) => {
  if (target.length > maxUrlLength) return badRequest(`the URL is longer than ${maxUrlLength} characters`, 414);
  const known = endpointIn(target);
  if (known !== undefined && (isReading(method) || known === badTag)) return known;
  const path = pathIn(target);
  const isForwarded = forwardedPaths.some((prefix) => path === prefix || path.startsWith(`${prefix}/`));
  if (isForwarded && !unsafePath.test(path)) return otherRoute(target);
  return known === undefined ? unknownPath : wrongMethod(method, allowedMethods);
};

const pathIn = (target: string): string => target.replace(/\?.*$/s, "");

export const otherRoute = (target: string): Route => {
  try {
    const path = decodeURIComponent(pathIn(target)).replaceAll(/\/{2,}/g, "/");
    return { endpoint: "other", target, path };
  } catch {
    return { endpoint: "other", target };
  }
};

/** A path of a call with any tag, also one that cannot be decoded. */
const enginePath = new RegExp(
  `^(?:${readNames.map((name) => endpoints[name].path.replace("{engine_tag}", "[^/]+")).join("|")})$`,
);
/** Part of a path that may be resolved to another one, here or upstream. */
export const unsafePath = /\\|%2f|%5c|%00|(?:^|\/)(?:\.|%2e){1,2}(?:\/|$)/i;

const endpointRoute = (endpoint: ReadName, tag: string | undefined, query: string): Route | ErrorResponse => {
  const { request } = endpoints[endpoint];
  try {
    decodeURIComponent(query.replaceAll("+", " "));
    // The tag is in the path; a parameter of that name has no effect.
    const message = decodeQuery(request, new URLSearchParams(query), ["engine_tag"]);
    const normal = encodeQuery(request, message, ["engine_tag"]);
    const target = `${pathOf(endpoint, tag)}${normal === "" ? "" : `?${normal}`}`;
    return { endpoint, ...(tag !== undefined && { tag }), target };
  } catch (error) {
    if (error instanceof QueryParameterError) return badRequest(error.message);
    if (error instanceof URIError) return badEscape;
    throw error;
  }
};

export const upstreamUrlOf = ({ endpoint, target }: Route, upstreamUrl: string): string => {
  if (endpoint !== "other") return upstreamUrl + target;
  const isBelow = target.startsWith(`${basePath}/`);
  return isBelow ? upstreamUrl + target.slice(basePath.length) : new URL(upstreamUrl).origin + target;
};

const hopOf = (deployment: string): string => `${proxyName}-${deployment}`;
/** Whether a request has been through this deployment before, by Via (RFC 9110, 7.6.3) and CDN-Loop (RFC 8586). */
const isLoop = (via: string | null, cdnLoop: string | null, deployment: string): boolean => {
  const hop = hopOf(deployment);
  return (
    members(via).some((member) => member.trim().split(/\s+/)[1] === hop) ||
    members(cdnLoop).some((member) => member.replace(/;.*$/s, "").trim() === hop)
  );
};

/** The members of one field: a quote that one leaves open must not hide the other's. */
const members = (field: string | null): ReadonlyArray<string> => splitList(field?.toLowerCase() ?? "");

export const withHop = (headers: Headers, deployment: string): ReadonlyArray<readonly [string, string]> => {
  const hop = hopOf(deployment);
  return Object.entries({ via: `1.1 ${hop}`, "cdn-loop": hop }).map(([field, last]) => {
    const before = headers.get(field);
    return [field, before === null || before === "" ? last : `${before}, ${last}`];
  });
};

/** The address that Cloudflare gives, or empty; of IPv6 the network (/64), since one client has all of that. */
export const clientOf = (headers: Headers): string => {
  const address = (headers.get("cf-connecting-ip") ?? "").slice(0, maxAddressLength);
  return address.includes(":") ? address.replace(/::.*$/, "").split(":").slice(0, 4).join(":") : address;
};
