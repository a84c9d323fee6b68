// Decides: how a request becomes an answer: the whole flow of the API on one screen.
import {
  endpoints,
  negotiate,
  offered,
  schemaDigestHeader,
  type EndpointName,
  type Representation,
} from "@bytenite-engines/core/wire";
import { credentialOfToken, type AccessTokens } from "./AccessTokens.ts";
import { makeAuthenticator, tokenOf, unauthenticated, type CredentialKind } from "./Authentication.ts";
import { located, readCall, type CallOptions } from "./Call.ts";
import type { Body } from "./EngineBody.ts";
import type { User } from "./EngineStore.ts";
import type { RateLimit } from "./RateLimit.ts";
import { Refusal, statusBody } from "./Refusal.ts";
import { DatabaseUnavailable, type SqlPort } from "./SqlPort.ts";
import type { Wire } from "./Wire.ts";

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

/** Where the engines of one request are read, and what its answer says of that. */
export interface ReadSession {
  readonly sql: SqlPort;
  /** Asked for once all is read. */
  readonly headers: () => Readonly<Record<string, string>>;
}

/** Everything the routes stand on. */
export interface RoutesOptions extends CallOptions {
  /** Engines are read there, where it is given: a replica may be behind. Credentials are always read from `sql`. */
  readonly session?: (head: RequestHead) => ReadSession;
  readonly wire: Wire;
  readonly accessTokens: AccessTokens | undefined;
  /** Kinds of credentials that open the API here. */
  readonly accepts: ReadonlyArray<CredentialKind>;
  /** The configured tokens that open the API here, by user. Other processes may have others in the same database. */
  readonly configured?: Readonly<Record<string, ReadonlyArray<string>>>;
  /** The network that a request comes from, where it is known for certain: credentials are limited by it. Default: unknown. */
  readonly addressOf?: (head: RequestHead) => string | undefined;
  /** The limit that `addressOf` is held to. */
  readonly attempts?: RateLimit;
  /** Takes one call of a user; refuses it when there were too many. */
  readonly admit?: (user: User) => void;
  /** Hears of faults of our own, which the caller is only told of as `internal error`. */
  readonly onFault?: (error: unknown, requestId: string) => void;
  readonly now?: () => number;
}

/** Seconds after which a request that the database did not answer may be sent again. */
export const databaseRetrySeconds = 5;

/** The API: a request in, an answer out, never a rejection. `wire` may be another one for a single call. */
export type Routes = (head: RequestHead, wire?: Wire) => Promise<Answer>;

/** Builds the API. */
export const makeRoutes = (options: RoutesOptions): Routes => {
  const now = options.now ?? Date.now;
  const { configured = {} } = options;
  const isConfigured = (user: string, token: string): boolean =>
    Object.hasOwn(configured, user) && configured[user]?.includes(token) === true;
  const authenticate = makeAuthenticator(
    (token, nowMs) =>
      credentialOfToken(
        options.sql,
        options.accessTokens,
        token,
        nowMs,
        ({ kind, user }) => options.accepts.includes(kind) && (kind !== "configured" || isConfigured(user.name, token)),
      ),
    options.attempts,
  );
  return async (head, wire = options.wire) => {
    const requestId = requestIdOf(head.header("x-request-id"));
    const about: { endpoint: EndpointName | undefined; user: string | undefined } = {
      endpoint: undefined,
      user: undefined,
    };
    let representation: Representation = offered[0] as Representation;
    let session: ReadSession | undefined;
    try {
      representation = negotiated(wire, head.header("accept"));
      const { match, query } = located(head);
      about.endpoint = match.name;
      const call = readCall(match, query);
      const token = tokenOf(head.header("authorization"));
      const credential = await authenticate(token, now(), options.addressOf?.(head));
      if (credential === undefined) throw unauthenticated("access token is not valid");
      about.user = credential.user.name;
      options.admit?.(credential.user);
      session = options.session?.(head);
      const { sql } = session ?? options;
      const body = await call({ sql, box: options.box }, wire, credential.user, representation.format);
      const headers = Object.assign(headersOf(wire, representation.mediaType, requestId), session?.headers());
      const digest = await wire.digestOf(endpoints[match.name].response);
      if (digest !== undefined) headers[schemaDigestHeader] = digest;
      return { status: 200, headers, body, about };
    } catch (error) {
      if (!(error instanceof Refusal)) options.onFault?.(error, requestId);
      const refusal = refusalOf(error);
      const { retryDelayMs, headers } = refusal.options;
      return {
        status: refusal.status,
        headers: { ...headersOf(wire, representation.mediaType, requestId), ...session?.headers(), ...headers },
        body: statusBody(refusal.code, refusal.message, representation.format, retryDelayMs),
        about,
      };
    }
  };
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
  if (error instanceof DatabaseUnavailable) {
    return new Refusal("UNAVAILABLE", error.message, {
      headers: { "Retry-After": String(databaseRetrySeconds) },
      retryDelayMs: databaseRetrySeconds * 1_000,
    });
  }
  return new Refusal("INTERNAL", "internal error");
};
