// Calls of the API: parameters and responses.
import {
  basePath,
  decodeQuery,
  endpoints,
  matchPath,
  matchRequest,
  methodsOf,
  parseTag,
  QueryParameterError,
  readNames,
  type EndpointMatch,
  type EndpointName,
  type Format,
  type ReadName,
} from "@bytenite-engines/core/wire";
import { uploadsPath } from "../archive/Staging.ts";
import { engineBody, listBody, statusBody, storedFormFor, type Body } from "./EngineBody.ts";
import { listStatements, readEngine, readList, readStatus, type User } from "./EngineStore.ts";
import { parseOrder } from "./OrderBy.ts";
import { pageOf, paginationOf } from "./Page.ts";
import { ApiError } from "./ApiError.ts";
import type { SecretBox } from "./SecretBox.ts";
import type { Row, SqlDriver } from "./SqlDriver.ts";
import type { Serializer } from "./Serializer.ts";

/** Longest path and query, in characters. */
const maxTargetCharacters = 8_192;

/** Data sources of calls. */
export interface CallOptions {
  readonly sql: SqlDriver;
  readonly box: SecretBox | undefined;
}

/** A call with parsed parameters; for a user it returns a body in one format. */
export type Call = (store: CallOptions, serializer: Serializer, user: User, format: Format) => Promise<Body>;

/** The call of a request, with its parameters. Throws ApiError for invalid ones, before authentication. */
export const readCall = (match: EndpointMatch<ReadName>, query: URLSearchParams): Call => {
  const { name } = match;
  if (name === "list") {
    const request = read(() => decodeQuery(endpoints.list.request, query));
    const { $typeName: _, $unknown: __, orderBy, isPublic, pagination, ...unread } = request;
    // Does not compile if a parameter is not read above.
    unread satisfies Record<string, never>;
    const order = parseOrder(orderBy);
    const page = pageOf(pagination);
    return async ({ sql, box }, serializer, user, format) => {
      const statements = listStatements(user, { isPublic }, order, page, storedFormFor(serializer, format, sql));
      const list = await readList(sql, statements, user);
      const make = (): Promise<Body> =>
        listBody(serializer, list.engines, paginationOf(page, list.engines.length, list.total), format, box);
      // Another numbering may differ from call to call, and opened secrets are not kept.
      const isOpened = box !== undefined && list.engines.some(({ secret }) => secret !== undefined);
      const isKept = serializer.encodeJsonText === undefined && !isOpened;
      return isKept && list.rows.length > 0 ? keptBody(list.rows, make) : make();
    };
  }
  read(() => decodeQuery(endpoints[name].request, query, ["engine_tag"]));
  const tag = parseTag(match.tag ?? "");
  if (tag === undefined) {
    throw new ApiError("INVALID_ARGUMENT", "engine tag must be name, name@major or name@major.minor");
  }
  return async ({ sql, box }, serializer, user, format) => {
    switch (name) {
      case "status":
        return statusBody(serializer, await readStatus(sql, user, tag), format);
      case "get": {
        const engine = await readEngine(sql, user, tag, storedFormFor(serializer, format, sql));
        return engineBody(serializer, engine, format, box);
      }
    }
  };
};

/** Bodies of lists by the rows that they were made of: they last as long as a driver remembers those. */
const bodies = new WeakMap<ReadonlyArray<Row>, Uint8Array>();

const encoder = new TextEncoder();

const keptBody = async (rows: ReadonlyArray<Row>, make: () => Promise<Body>): Promise<Body> => {
  const known = bodies.get(rows);
  if (known !== undefined) return known;
  const body = await make();
  const bytes = typeof body === "string" ? encoder.encode(body) : body;
  bodies.set(rows, bytes);
  return bytes;
};

const read = <A>(parse: () => A): A => {
  try {
    return parse();
  } catch (error) {
    if (error instanceof QueryParameterError) throw new ApiError("INVALID_ARGUMENT", error.message);
    throw error;
  }
};

const noQuery = new URLSearchParams();

/** A call of the contract, or one of our additional ones. */
export type CallName = EndpointName | "delete" | "upload-link";

/** Whether a call only reads engines. */
export const isRead = (name: CallName): name is ReadName => (readNames as ReadonlyArray<CallName>).includes(name);

/** A parsed request line. Without a name, the path exists but not with this method. */
export interface Located {
  readonly name: CallName | undefined;
  readonly tag?: string | undefined;
  readonly query: URLSearchParams;
  readonly methods: ReadonlyArray<string>;
}

/** The call of a request line. Throws ApiError for an unknown path and for a target that is too long. */
export const located = (head: { readonly method: string; readonly target: string }): Located => {
  if (head.target.length > maxTargetCharacters) {
    throw new ApiError("INVALID_ARGUMENT", `request target is longer than ${maxTargetCharacters} characters`, {
      status: 414,
    });
  }
  const mark = head.target.indexOf("?");
  const path = mark === -1 ? head.target : head.target.slice(0, mark);
  const below = path.startsWith(`${basePath}/`) ? path.slice(basePath.length) : "";
  const match = matchRequest(head.method === "HEAD" ? "GET" : head.method, below);
  if (match !== undefined) {
    const query = mark === -1 ? noQuery : queryOf(head.target.slice(mark + 1));
    if (match.name === "download") read(() => decodeQuery(endpoints.download.request, query, ["engine_tag"]));
    return { ...match, query, methods: [head.method] };
  }
  const reading = matchPath(below);
  if (below === uploadsPath) {
    return { name: head.method === "POST" ? "upload-link" : undefined, query: noQuery, methods: ["POST"] };
  }
  const known = methodsOf(below);
  if (known.length === 0) throw new ApiError("NOT_FOUND", "not found");
  const methods = reading?.name === "get" ? [...known, "DELETE"] : known;
  if (head.method === "DELETE" && reading?.name === "get") {
    return { name: "delete", tag: reading.tag, query: noQuery, methods };
  }
  return { name: reading?.name, query: noQuery, methods };
};

/** Rejects malformed escapes, as Go does; URLSearchParams accepts them. */
const queryOf = (text: string): URLSearchParams => {
  if (/%(?![0-9a-fA-F]{2})/.test(text)) {
    throw new ApiError("INVALID_ARGUMENT", "query string has a malformed percent-encoding");
  }
  return new URLSearchParams(text);
};
