// Methods and paths of the engines API.
import type { DescMessage } from "@bufbuild/protobuf";
import { endpoints } from "./gen/endpoints.ts";
import { encodedSegment } from "./http-rule/PathTemplate.ts";
import { attempted } from "./ReadLimits.ts";

export { endpoints };

/** One call of the API, as annotated in the proto files. */
export interface Endpoint<I extends DescMessage = DescMessage, O extends DescMessage = DescMessage> {
  readonly rpc: string;
  readonly method: "GET" | "POST";
  /** Relative to the base URL; `{engine_tag}` stands for one path segment. */
  readonly path: string;
  /** `*`: the request message is the body. */
  readonly body: "*" | "";
  /** `idempotency_level` of the rpc. */
  readonly idempotency: "none" | "safe" | "idempotent";
  readonly request: I;
  readonly response: O;
}

/** The name of each call. */
export type EndpointName = keyof typeof endpoints;

/** Calls that only read engines: their responses may be cached and compared, unlike download links. */
export type ReadName = Exclude<
  { [N in EndpointName]: (typeof endpoints)[N]["method"] extends "GET" ? N : never }[EndpointName],
  "download"
>;

const rows: Readonly<Record<EndpointName, Endpoint>> = endpoints;
/** The names of all calls. */
export const names = Object.keys(rows) as ReadonlyArray<EndpointName>;

/** The names of the calls that only read engines. */
export const readNames: ReadonlyArray<ReadName> = /* @__PURE__ */ names.filter(
  (name): name is ReadName => rows[name].method === "GET" && name !== "download",
);

/** Parts of a request below the base URL. */
export interface EndpointMatch<N extends EndpointName = EndpointName> {
  readonly name: N;
  /** The tag, percent-decoded; absent where the path has none. */
  readonly tag?: string;
}

/**
 * The call that a method and a path (below the base URL, still percent-encoded, without query) belong to. Undefined: there is
 * none, or the tag is empty, has a malformed escape, or hides a slash or a dot segment behind one.
 */
export const matchRequest = (method: string, path: string): EndpointMatch | undefined => {
  const parts = path.split("/");
  for (const name of names) {
    const row = rows[name];
    const match = row.method === method ? matchRow(name, row.path.split("/"), parts) : undefined;
    if (match !== undefined) return match;
  }
  return undefined;
};

// Not by path templates: they would be a kilobyte of a proxy.
const matchRow = (
  name: EndpointName,
  template: ReadonlyArray<string>,
  parts: ReadonlyArray<string>,
): EndpointMatch | undefined => {
  const at = template.indexOf(tagSegment);
  if (template.length !== parts.length || !template.every((text, index) => index === at || text === parts[index]))
    return undefined;
  if (at === -1) return { name };
  const tag = attempted(() => decodeURIComponent(parts[at] ?? ""));
  return tag !== undefined && isPathTag(tag) ? { name, tag } : undefined;
};

/** Where a template has the tag. */
const tagSegment = "{engine_tag}";

/** The methods that a path takes; empty for a path that no call has. */
export const methodsOf = (path: string): ReadonlyArray<Endpoint["method"]> =>
  (["GET", "POST"] as const).filter((method) => matchRequest(method, path) !== undefined);

/** The call that reads engines at a path. */
export const matchPath = (path: string): EndpointMatch<ReadName> | undefined => {
  const match = matchRequest("GET", path);
  return match === undefined || match.name === "download" ? undefined : (match as EndpointMatch<ReadName>);
};

/** Whether a path can carry a tag, as itself: not an empty one, a dot segment, one with a slash or NUL, half a character. */
export const isPathTag = (tag: string): boolean => pathTag.test(tag) && tag.isWellFormed();

const pathTag = /^(?!\.{0,2}$)[^/\\\0]*$/;

/** The path of a call for a tag, percent-encoded; undefined for a tag that no path can carry. */
export const pathOf = (name: EndpointName, tag = ""): string | undefined => {
  const { path } = rows[name];
  if (!path.includes(tagSegment)) return path;
  return isPathTag(tag) ? path.replace(tagSegment, () => encodedSegment(tag)) : undefined;
};
