// Decides: which call a request makes, with its parameters read; and how each of the three is answered.
import {
  basePath,
  decodeQuery,
  endpoints,
  matchPath,
  parseTag,
  QueryParameterError,
  type EndpointMatch,
  type Format,
} from "@bytenite-engines/core/wire";
import { engineBody, listBody, statusBody, storedFormFor, type Body } from "./EngineBody.ts";
import { listStatements, readEngine, readList, readStatus, type User } from "./EngineStore.ts";
import { parseOrder } from "./OrderBy.ts";
import { pageOf, paginationOf } from "./Page.ts";
import { Refusal } from "./Refusal.ts";
import type { SecretBox } from "./SecretBox.ts";
import type { SqlPort } from "./SqlPort.ts";
import type { Wire } from "./Wire.ts";

/** Longest path and query that is looked at, in characters. */
const maxTargetCharacters = 8_192;

/** Where calls find their answers. */
export interface CallOptions {
  readonly sql: SqlPort;
  readonly box: SecretBox | undefined;
}

/** A call whose parameters are read; it is made for a user, and answers a body in one form. */
export type Call = (store: CallOptions, wire: Wire, user: User, format: Format) => Promise<Body>;

/** The call that a request makes, its parameters read. Refuses what cannot be read, before anybody is asked who they are. */
export const readCall = (match: EndpointMatch, query: URLSearchParams): Call => {
  if (match.name === "list") {
    const request = read(() => decodeQuery(endpoints.list.request, query));
    const order = parseOrder(request.orderBy);
    const page = pageOf(request.pagination);
    return async ({ sql, box }, wire, user, format) => {
      const statements = listStatements(user, request.isPublic, order, page, storedFormFor(wire, format));
      const { total, engines } = await readList(sql, statements);
      return listBody(wire, engines, paginationOf(page, engines.length, total), format, box);
    };
  }
  read(() => decodeQuery(endpoints[match.name].request, query, ["engine_tag"]));
  const tag = parseTag(match.tag ?? "");
  if (tag === undefined) {
    throw new Refusal("INVALID_ARGUMENT", "engine tag must be name, name@major or name@major.minor");
  }
  return async ({ sql, box }, wire, user, format) => {
    if (match.name === "status") return statusBody(wire, await readStatus(sql, user, tag), format);
    return engineBody(wire, await readEngine(sql, user, tag, storedFormFor(wire, format)), format, box);
  };
};

const read = <A>(parse: () => A): A => {
  try {
    return parse();
  } catch (error) {
    if (error instanceof QueryParameterError) throw new Refusal("INVALID_ARGUMENT", error.message);
    throw error;
  }
};

const noQuery = new URLSearchParams();

/** The row of the API that a target names, and its query. */
export const located = (head: {
  readonly method: string;
  readonly target: string;
}): { readonly match: EndpointMatch; readonly query: URLSearchParams } => {
  if (head.target.length > maxTargetCharacters) {
    throw new Refusal("INVALID_ARGUMENT", `request target is longer than ${maxTargetCharacters} characters`, {
      status: 414,
    });
  }
  const mark = head.target.indexOf("?");
  const path = mark === -1 ? head.target : head.target.slice(0, mark);
  const match = path.startsWith(`${basePath}/`) ? matchPath(path.slice(basePath.length)) : undefined;
  if (match === undefined) throw new Refusal("NOT_FOUND", "not found");
  return { match, query: mark === -1 ? noQuery : queryOf(head.target.slice(mark + 1)) };
};

/** Go refuses malformed escapes where URLSearchParams lets them pass as they are. */
const queryOf = (text: string): URLSearchParams => {
  if (/%(?![0-9a-fA-F]{2})/.test(text)) {
    throw new Refusal("INVALID_ARGUMENT", "query string has a malformed percent-encoding");
  }
  return new URLSearchParams(text);
};
