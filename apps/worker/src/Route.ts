// Decides: which of the three endpoints a request means, and its one normal form; refuses the rest.
import {
  decodeQuery,
  encodeQuery,
  endpoints,
  matchPath,
  pathOf,
  QueryParameterError,
  type ReadName,
} from "@bytenite-engines/core/wire";
import { basePath } from "./Config.ts";
import { allowedMethods, type Refusal } from "./Refusal.ts";

/** A request in its normal form: equivalent requests have equal routes. */
export interface Route {
  readonly endpoint: ReadName;
  /** The tag as asked, percent-decoded; absent for the list. */
  readonly tag?: string;
  /** Path and query below the base URL, normalised: what the upstream is asked, and what the key is made of. */
  readonly target: string;
}

/** Longest path and query that are read, in characters. */
export const maxUrlLength = 4_096;
/** Longest value of a header that the proxy reads, in characters (a token, an Accept, a list of entity tags). */
export const maxHeaderLength = 8_192;
/** Number of URLs whose routes are remembered, and the longest one of them, in characters. */
const maxRemembered = 2_000;
const maxRememberedLength = 512;

const remembered = new Map<string, Route>();

/** Path and query of a URL as it was sent: nothing is decoded, no dot segment resolved. */
export const targetOf = (url: string): string => url.slice(url.indexOf("/", url.indexOf("//") + 2));

/** The route of a method and a target, or why it is refused. */
export const route = (method: string, target: string): Route | Refusal => {
  if (target.length > maxUrlLength) {
    return { status: 414, code: "INVALID_ARGUMENT", message: `the URL is longer than ${maxUrlLength} characters` };
  }
  const known = remembered.get(target);
  const found = known ?? parse(target);
  if ("status" in found) return found;
  if (method !== "GET" && method !== "HEAD") return wrongMethod(method);
  if (known === undefined && target.length <= maxRememberedLength) {
    if (remembered.size >= maxRemembered) remembered.clear();
    remembered.set(target, found);
  }
  return found;
};

const wrongMethod = (method: string): Refusal => ({
  status: 405,
  code: "UNIMPLEMENTED",
  message: `method ${method.slice(0, 20)} is not offered here`,
  headers: { allow: allowedMethods },
});

const parse = (target: string): Route | Refusal => {
  const queryAt = target.indexOf("?");
  const path = queryAt < 0 ? target : target.slice(0, queryAt);
  const query = queryAt < 0 ? "" : target.slice(queryAt + 1);
  if (!path.startsWith(`${basePath}/`)) return unknownPath;
  const match = matchPath(path.slice(basePath.length));
  if (match === undefined)
    return /^\/engines\/[^/]+(?:\/status)?$/.test(path.slice(basePath.length)) ? badTag : unknownPath;
  const { request } = endpoints[match.name];
  try {
    decodeURIComponent(query.replaceAll("+", " "));
    // The tag travels in the path; a parameter of that name means nothing.
    const message = decodeQuery(request, new URLSearchParams(query), ["engine_tag"]);
    const normal = encodeQuery(request, message, ["engine_tag"]);
    return {
      endpoint: match.name,
      ...(match.tag === undefined ? {} : { tag: match.tag }),
      target: pathOf(match.name, match.tag) + (normal === "" ? "" : `?${normal}`),
    };
  } catch (error) {
    if (error instanceof QueryParameterError) return { status: 400, code: "INVALID_ARGUMENT", message: error.message };
    if (error instanceof URIError) return badEscape;
    throw error;
  }
};

const unknownPath: Refusal = { status: 404, code: "NOT_FOUND", message: "no such path" };
const badEscape: Refusal = {
  status: 400,
  code: "INVALID_ARGUMENT",
  message: "the query holds a malformed escape",
};
const badTag: Refusal = {
  status: 400,
  code: "INVALID_ARGUMENT",
  message: "the tag holds a malformed escape, a slash or a dot segment",
};
