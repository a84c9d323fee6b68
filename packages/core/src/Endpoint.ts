// Decides: the three rows of the API: method and path <-> request and response message.
import type { DescMessage } from "@bufbuild/protobuf";
import {
  EngineListRequestSchema,
  EngineListResponseSchema,
  EngineMessageSchema,
  EngineSchema,
} from "@bytenite-engines/proto";

/** One call of the API. `path` is relative to the base URL; `{engine_tag}` stands for one path segment. */
export interface Endpoint<I extends DescMessage = DescMessage, O extends DescMessage = DescMessage> {
  readonly rpc: string;
  readonly method: "GET";
  readonly path: string;
  readonly request: I;
  readonly response: O;
}

/** The name by which each row is called here. */
export type EndpointName = "list" | "get" | "status";

/** The whole API. A contract test holds it against proto and the published documents. */
export const endpoints = {
  list: {
    rpc: "GetEngines",
    method: "GET",
    path: "/engines",
    request: EngineListRequestSchema,
    response: EngineListResponseSchema,
  },
  get: {
    rpc: "GetEngineByTag",
    method: "GET",
    path: "/engines/{engine_tag}",
    request: EngineMessageSchema,
    response: EngineSchema,
  },
  status: {
    rpc: "GetEngineStatus",
    method: "GET",
    path: "/engines/{engine_tag}/status",
    request: EngineMessageSchema,
    response: EngineMessageSchema,
  },
} as const satisfies Record<EndpointName, Endpoint>;

/** A path below the base URL, taken apart. */
export interface EndpointMatch {
  readonly name: EndpointName;
  /** The tag, percent-decoded; absent for the list. */
  readonly tag?: string;
}

/**
 * The row that a path (below the base URL, still percent-encoded, without query) belongs to. Undefined: no such path,
 * or a tag that is empty, has a malformed escape, or hides a slash or a dot segment behind one.
 */
export const matchPath = (path: string): EndpointMatch | undefined => {
  const [root, collection, segment, tail, ...rest] = path.split("/");
  if (root !== "" || collection !== "engines" || rest.length > 0) return undefined;
  if (segment === undefined) return { name: "list" };
  const tag = decodedSegment(segment);
  if (tag === undefined) return undefined;
  if (tail === undefined) return { name: "get", tag };
  return tail === "status" ? { name: "status", tag } : undefined;
};

/**
 * The path of a row for a tag, percent-encoded; `@` is kept as it is (RFC 3986, 3.3 allows it in a segment). Undefined for a
 * tag that no path can carry: an empty one, a dot segment, one with a slash or NUL.
 */
export const pathOf = (name: EndpointName, tag = ""): string | undefined => {
  if (name === "list") return endpoints.list.path;
  const segment = plainTag.test(tag) ? tag : encodedSegment(tag);
  return segment === undefined ? undefined : name === "get" ? `/engines/${segment}` : `/engines/${segment}/status`;
};

/** What nearly every tag looks like: nothing in it needs an escape, and it is no dot segment. */
const plainTag = /^[A-Za-z0-9_-]+(?:@[0-9.]+)?$/;

const encodedSegment = (tag: string): string | undefined => {
  const segment = encodeURIComponent(tag.toWellFormed()).replaceAll("%40", "@");
  return decodedSegment(segment) === undefined ? undefined : segment;
};

const decodedSegment = (segment: string): string | undefined => {
  let decoded: string;
  try {
    decoded = decodeURIComponent(segment);
  } catch {
    return undefined;
  }
  return decoded === "" ||
    decoded === "." ||
    decoded === ".." ||
    ["/", "\\", "\0"].some((char) => decoded.includes(char))
    ? undefined
    : decoded;
};
