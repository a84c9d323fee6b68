// Decides: how a request becomes an answer: the whole flow of the API on one screen.
import {
  decodeQuery,
  endpoints,
  matchPath,
  negotiate,
  offered,
  parseTag,
  QueryParameterError,
  schemaDigestHeader,
  type EndpointMatch,
  type EndpointName,
  type Representation,
} from "@bytenite-engines/core/wire";
import { credentialOfToken, type AccessTokens } from "./AccessTokens.ts";
import { makeAuthenticator, tokenOf, unauthenticated, type CredentialKind } from "./Authentication.ts";
import { engineBody, listBody, statusBody as engineStatusBody, storedFormFor, type Body } from "./EngineBody.ts";
import { listStatements, readEngine, readList, readStatus, type User } from "./EngineStore.ts";
import { parseOrder } from "./OrderBy.ts";
import { pageOf, paginationOf } from "./Page.ts";
import { Refusal, statusBody } from "./Refusal.ts";
import type { SecretBox } from "./SecretBox.ts";
import type { SqlPort } from "./SqlPort.ts";
import type { Wire } from "./Wire.ts";

/** The path below which the API is served, as upstream serves it. */
export const basePath = "/v1/dev";

/** Longest path and query that is looked at, in characters. */
export const maxTargetCharacters = 8_192;

/** What the routes need to know of a request. `target` is the path and query as they came. */
export interface RequestHead {
  readonly method: string;
  readonly target: string;
  readonly header: (name: string) => string | null;
  /** The body, whole; rejects with a Refusal when it is longer than that. */
  readonly body: (maxBytes: number) => Promise<Uint8Array>;
}

/** An answer before it is written to a socket or made a Response. */
export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Body;
  /** What the request turned out to be, for logs and metrics; never its secrets. */
  readonly about: { readonly endpoint: EndpointName | "auth" | undefined; readonly user: string | undefined };
}

/** Everything the routes stand on. */
export interface RoutesOptions {
  readonly sql: SqlPort;
  readonly wire: Wire;
  readonly box: SecretBox | undefined;
  readonly accessTokens: AccessTokens | undefined;
  /** Kinds of credentials that open the API here. */
  readonly accepts: ReadonlyArray<CredentialKind>;
  /** Takes one call of a user; refuses it when there were too many. */
  readonly admit?: (user: User) => void;
  /** Hears of faults of our own, which the caller is only told of as `internal error`. */
  readonly onFault?: (error: unknown, requestId: string) => void;
  readonly now?: () => number;
}

/** The API: a request in, an answer out, never a rejection. `wire` may be another one for a single call. */
export type Routes = (head: RequestHead, wire?: Wire) => Promise<Answer>;

/** Builds the API. */
export const makeRoutes = (options: RoutesOptions): Routes => {
  const now = options.now ?? Date.now;
  const authenticate = makeAuthenticator((token, nowMs) =>
    credentialOfToken(options.sql, options.accessTokens, token, nowMs),
  );
  return async (head, wire = options.wire) => {
    const requestId = requestIdOf(head.header("x-request-id"));
    const about: { endpoint: EndpointName | undefined; user: string | undefined } = {
      endpoint: undefined,
      user: undefined,
    };
    let representation: Representation = offered[0] as Representation;
    try {
      representation = negotiated(wire, head.header("accept"));
      const { match, query } = located(head);
      about.endpoint = match.name;
      const call = readCall(match, query);
      const token = tokenOf(head.header("authorization"));
      const credential = await authenticate(token, now());
      if (credential === undefined || !options.accepts.includes(credential.kind)) {
        throw unauthenticated("access token is not valid");
      }
      about.user = credential.user.name;
      options.admit?.(credential.user);
      const body = await call(options, wire, credential.user, representation);
      const headers = headersOf(wire, representation.mediaType, requestId);
      const digest = await wire.digestOf(endpoints[match.name].response);
      if (digest !== undefined) headers[schemaDigestHeader] = digest;
      return { status: 200, headers, body, about };
    } catch (error) {
      if (!(error instanceof Refusal)) options.onFault?.(error, requestId);
      const refusal = refusalOf(error);
      const { retryDelayMs, headers } = refusal.options;
      return {
        status: refusal.status,
        headers: { ...headersOf(wire, representation.mediaType, requestId), ...headers },
        body: statusBody(refusal.code, refusal.message, representation.format, retryDelayMs),
        about,
      };
    }
  };
};

type Call = (options: RoutesOptions, wire: Wire, user: User, representation: Representation) => Promise<Body>;

/** The call that a request makes, its parameters read. Refuses what cannot be read, before anybody is asked who they are. */
const readCall = (match: EndpointMatch, query: URLSearchParams): Call => {
  if (match.name === "list") {
    const request = read(() => decodeQuery(endpoints.list.request, query));
    const order = parseOrder(request.orderBy);
    const page = pageOf(request.pagination);
    return async ({ sql, box }, wire, user, { format }) => {
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
  return async ({ sql, box }, wire, user, { format }) => {
    if (match.name === "status") return engineStatusBody(wire, await readStatus(sql, user, tag), format);
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

/** The row of the API that a target names, and its query. A method that the row does not have is UNIMPLEMENTED. */
const located = (head: RequestHead): { readonly match: EndpointMatch; readonly query: URLSearchParams } => {
  if (head.target.length > maxTargetCharacters) {
    throw new Refusal("INVALID_ARGUMENT", `request target is longer than ${maxTargetCharacters} characters`, {
      status: 414,
    });
  }
  const mark = head.target.indexOf("?");
  const path = mark === -1 ? head.target : head.target.slice(0, mark);
  const match = path.startsWith(`${basePath}/`) ? matchPath(path.slice(basePath.length)) : undefined;
  if (match === undefined) throw new Refusal("NOT_FOUND", "not found");
  if (head.method !== endpoints[match.name].method) throw new Refusal("UNIMPLEMENTED", "method not allowed");
  return { match, query: mark === -1 ? noQuery : queryOf(head.target.slice(mark + 1)) };
};

/** Go refuses malformed escapes where URLSearchParams lets them pass as they are. */
const queryOf = (text: string): URLSearchParams => {
  if (/%(?![0-9a-fA-F]{2})/.test(text)) {
    throw new Refusal("INVALID_ARGUMENT", "query string has a malformed percent-encoding");
  }
  return new URLSearchParams(text);
};

/** Accept headers whose meaning is remembered; clients send the same few. */
const maxAccepts = 100;

const accepts = new Map<string | null, Representation | undefined>();

const remembered = (accept: string | null): Representation | undefined => {
  if (accepts.has(accept)) return accepts.get(accept);
  if (accepts.size >= maxAccepts) accepts.clear();
  const representation = negotiate(accept);
  accepts.set(accept, representation);
  return representation;
};

const negotiated = (wire: Wire, accept: string | null): Representation => {
  if (wire.jsonOnly) return offered[0] as Representation;
  const representation = remembered(accept);
  if (representation !== undefined) return representation;
  const names = offered.map(({ mediaType }) => mediaType).join(", ");
  throw new Refusal("FAILED_PRECONDITION", `nothing that Accept allows is offered; offered are ${names}`, {
    status: 406,
  });
};

/** What every answer carries. */
export const headersOf = (
  wire: { readonly jsonOnly: boolean },
  mediaType: string,
  requestId: string,
): Record<string, string> => ({
  "Content-Type": mediaType,
  ...(wire.jsonOnly ? {} : { Vary: "Accept" }),
  "X-Request-Id": requestId,
});

/** A request id given by the caller is kept if it is short and plain, else there is a new one. */
export const requestIdOf = (given: string | null): string =>
  given !== null && /^[A-Za-z0-9._~-]{1,128}$/.test(given) ? given : crypto.randomUUID();

export const refusalOf = (error: unknown): Refusal => {
  if (error instanceof Refusal) return error;
  return new Refusal("INTERNAL", "internal error");
};
