// The flow of the API: from a request to an answer.
import { errorAnswer, headersOf, type Answer, type RequestHead } from "./Answer.ts";
import {
  endpoints,
  negotiate,
  offered,
  schemaDigestHeader,
  type Representation,
  requestIdFrom,
} from "@bytenite-engines/core/wire";
import { credentialOfToken, type AccessTokens } from "./AccessTokens.ts";
import {
  makeAuthenticator,
  notValid,
  tokenOf,
  writingAs,
  type Credential,
  type CredentialKind,
} from "./Authentication.ts";
import { makeLifecycle, type ArchiveOptions } from "../archive/Lifecycle.ts";
import { isRead, located, readCall, type CallOptions } from "./Call.ts";
import type { User } from "./EngineStore.ts";
import type { RateLimit } from "./RateLimit.ts";
import { ApiError } from "./ApiError.ts";
import type { SqlDriver } from "./SqlDriver.ts";
import { methodNotAllowed, otherMethod, remembering } from "./Web.ts";
import type { Serializer } from "./Serializer.ts";

/** Database session of one request, and its response headers. */
export interface ReadSession {
  readonly sql: SqlDriver;
  /** Response headers, called after the last read. */
  readonly headers: () => Readonly<Record<string, string>>;
}

/** Options of the routes. */
export interface RoutesOptions extends CallOptions {
  /**
   * Session for reads of engines, on a replica that may be behind. With `primary` it sees all writes and may write.
   */
  readonly session?: (head: RequestHead, from?: "primary") => ReadSession;
  /** Replica for the credentials of requests that only read engines; it may be behind. Default `sql`, as for all others. */
  readonly credentials?: SqlDriver;
  readonly serializer: Serializer;
  readonly accessTokens: AccessTokens | undefined;
  /** Accepted kinds of credentials. */
  readonly accepts: ReadonlyArray<CredentialKind>;
  /** Configured tokens of this process, by user. Other processes may have others in the same database. */
  readonly configured?: Readonly<Record<string, ReadonlyArray<string>>>;
  /** Client network of a request, for the limit of wrong credentials. Default: unknown. */
  readonly addressOf?: (head: RequestHead) => string | undefined;
  /** Limit of wrong credentials per network. */
  readonly attempts?: RateLimit;
  /** Rate limit per address, before authentication; throws when exceeded. */
  readonly checkAddressRate?: (address: string) => void | Promise<void>;
  /** Rate limit per user; throws when exceeded. */
  readonly checkRate?: (user: User) => void | Promise<void>;
  /** Called with each accepted credential. */
  readonly used?: (credential: string, nowMs: number) => void;
  /** Called with errors that the client sees as `internal error`. */
  readonly onFault?: (error: unknown, requestId: string) => void;
  readonly now?: () => number;
  /** Storage of archives. Default: none, so no uploads and downloads. */
  readonly archives?: ArchiveOptions;
}

/** Responds to a request; never rejects. `serializer` may be another one for a single call. */
export type Routes = (head: RequestHead, serializer?: Serializer) => Promise<Answer>;

/**
 * Authenticates a request and checks the user's rate limit. `known` is called with the user's name before that. With `engines` the credential
 * may come from the cache or a replica, else it is looked up in the database.
 */
export type Authorize = (
  head: RequestHead,
  nowMs: number,
  known: (user: string) => void,
  reads?: "engines",
) => Promise<Credential>;

/** Builds the authorization of requests. */
export const makeAuthorize = (options: RoutesOptions): Authorize => {
  const { configured = {} } = options;
  const isConfigured = (user: string, token: string): boolean =>
    Object.hasOwn(configured, user) && configured[user]?.includes(token) === true;
  const authenticatorOn = (sql: SqlDriver) =>
    makeAuthenticator(
      (token, nowMs) =>
        credentialOfToken(
          sql,
          options.accessTokens,
          token,
          nowMs,
          ({ kind, user }) =>
            options.accepts.includes(kind) && (kind !== "configured" || isConfigured(user.name, token)),
        ),
      options.attempts,
    );
  const onPrimary = authenticatorOn(options.sql);
  const onReplica = options.credentials === undefined ? onPrimary : authenticatorOn(options.credentials);
  return async (head, nowMs, known, reads) => {
    const token = tokenOf(head.header("authorization"));
    const address = options.addressOf?.(head);
    const credential = await (reads === "engines"
      ? onReplica(token, nowMs, address)
      : onPrimary(token, nowMs, address, "fresh"));
    if (credential === undefined) throw notValid();
    known(credential.user.name);
    await options.checkRate?.(credential.user);
    options.used?.(credential.id, nowMs);
    return credential;
  };
};

/** Builds the API. */
export const makeRoutes = (options: RoutesOptions, authorize: Authorize): Routes => {
  const now = options.now ?? Date.now;
  const lifecycle = makeLifecycle({ box: options.box, archives: options.archives, now });
  return async (head, serializer = options.serializer) => {
    const requestId = requestIdFrom(head.header("x-request-id"));
    const logFields: { endpoint: Answer["logFields"]["endpoint"]; user: string | undefined } = {
      endpoint: undefined,
      user: undefined,
    };
    let representation: Representation = offered[0] as Representation;
    let session: ReadSession | undefined;
    try {
      representation = negotiated(serializer, head.header("accept"));
      const { name, tag, query, methods } = located(head);
      logFields.endpoint = name;
      const other = otherMethod(head.method, methods);
      if (other?.status === 204)
        return { ...other, headers: { ...other.headers, "X-Request-Id": requestId }, logFields };
      if (other !== undefined || name === undefined) {
        throw methodNotAllowed(methods);
      }
      const schema = name === "delete" || name === "upload-link" ? endpoints.status.response : endpoints[name].response;
      const call = isRead(name) ? readCall({ name, ...(tag === undefined ? {} : { tag }) }, query) : name;
      const changes = typeof call === "string";
      const credential = await authorize(
        head,
        now(),
        (user) => (logFields.user = user),
        changes ? undefined : "engines",
      );
      session = options.session?.(head, changes ? "primary" : undefined);
      const { sql } = session ?? options;
      const body =
        typeof call === "string"
          ? await lifecycle(call, {
              tag,
              head,
              by: credential,
              sql: writingAs(sql, credential, now),
              serializer,
              format: representation.format,
            })
          : await call({ sql, box: options.box }, serializer, credential.user, representation.format);
      const headers = Object.assign(headersOf(serializer, representation.mediaType, requestId), session?.headers());
      // A link is short-lived and for one user.
      if (name === "download" || name === "upload-link") headers["Cache-Control"] = "no-store";
      const digest = await serializer.digestOf(schema);
      if (digest !== undefined) headers[schemaDigestHeader] = digest;
      return { status: 200, headers, body, logFields };
    } catch (error) {
      const headers = { ...headersOf(serializer, representation.mediaType, requestId), ...session?.headers() };
      return errorAnswer(error, headers, { logFields, format: representation.format, onFault: options.onFault });
    }
  };
};

const representationFor = remembering(negotiate);

const negotiated = (serializer: Serializer, accept: string | null): Representation => {
  if (serializer.jsonOnly) return offered[0] as Representation;
  const representation = representationFor(accept);
  if (representation !== undefined) return representation;
  const names = offered.map(({ mediaType }) => mediaType).join(", ");
  throw new ApiError("FAILED_PRECONDITION", `nothing that Accept allows is offered; offered are ${names}`, {
    status: 406,
  });
};
