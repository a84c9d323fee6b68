// Errors of calls, by what the caller can do.
import type { JsonObject } from "@bufbuild/protobuf";
import * as Data from "effect/Data";
import { defined } from "./OptionNames.ts";
import type { RpcCode } from "./RpcCode.ts";

/** Why a call failed. Each tag is something that a caller can do differently. */
export type EngineErrorReason =
  /** No such engine, version or path (404). */
  | { readonly _tag: "NotFound" }
  /** The token is missing (`noneSent`), malformed or expired (401). */
  | { readonly _tag: "Unauthenticated"; readonly noneSent?: true }
  /** The token is good, but not for this (403). */
  | { readonly _tag: "PermissionDenied" }
  /** The request is wrong and will stay so: the server's word (400, OUT_OF_RANGE, FAILED_PRECONDITION), or ours before anything was sent. */
  | { readonly _tag: "InvalidArgument" }
  /** The request conflicts with another change (409), or its condition is not met (412). */
  | { readonly _tag: "Conflict" }
  /** Too many requests (429, RESOURCE_EXHAUSTED), after all attempts, or with a hint that is longer than may be waited. */
  | { readonly _tag: "RateLimited"; readonly retryAfterMs?: number }
  /** The server or a proxy before it cannot answer now (408, 500, 502, 503, 504), after all attempts. */
  | { readonly _tag: "Unavailable"; readonly retryAfterMs?: number }
  /** The server does not offer this call (501, 405). */
  | { readonly _tag: "Unimplemented" }
  /** The server lost data (DATA_LOSS); a retry would not help. */
  | { readonly _tag: "DataLoss" }
  /**
   * No response: the name does not resolve, the connection was refused or broke, TLS failed. `pageOrigin`: in a browser, the
   * origin of the page where that is another one than the server's; then the likely cause is CORS.
   */
  | {
      readonly _tag: "Unreachable";
      readonly problem: UnreachableProblem;
      readonly systemCode?: string;
      readonly pageOrigin?: string;
    }
  /** One attempt, or the whole call with its retries, took longer than allowed. */
  | { readonly _tag: "TimedOut"; readonly scope: "attempt" | "deadline"; readonly limitMs: number }
  /** The body is truncated, of another type, or not decodable. */
  | { readonly _tag: "Undecodable"; readonly problem: string }
  /** A response exceeds a limit of the client. */
  | { readonly _tag: "TooLarge"; readonly limit: string; readonly value: number }
  /** The server redirects to another origin, in a loop, or too often; the token is not sent there. */
  | { readonly _tag: "RedirectRefused"; readonly problem: string }
  /** The circuit breaker is open: nothing was sent. */
  | { readonly _tag: "CircuitOpen"; readonly retryAfterMs: number }
  /** The token function or the exchange of the API key failed. */
  | { readonly _tag: "CredentialsFailed"; readonly problem: string }
  /** Any other error response. */
  | { readonly _tag: "Rejected" };

/** The kinds of reason. */
export type EngineErrorTag = EngineErrorReason["_tag"];

/**
 * Why a failed call was not retried. `final`: the same request would fail again. `attempts`: `retry.maxAttempts`.
 * `corrupt-twice`: a second body that was cut or cannot be decoded. `hint-too-long`: the server asks to wait longer than
 * `retry.maxRetryAfterMs`. `deadline`: the next attempt would begin after it. `budget`: the retry budget of the origin is used up.
 * `not-repeatable`: the request may have been carried out. `schedule`: that of `retry.schedule` has ended.
 */
export type RetryStopped =
  | "final"
  | "attempts"
  | "corrupt-twice"
  | "hint-too-long"
  | "deadline"
  | "budget"
  | "not-repeatable"
  | "schedule";

/** Why there was no response. */
export type UnreachableProblem = "dns" | "refused" | "reset" | "tls" | "network";

/** One detail of a google.rpc.Status, in the format of the response. */
export interface ErrorDetail {
  /** Full name of its message, e.g. `google.rpc.ErrorInfo`. */
  readonly type: string;
  readonly binary?: Uint8Array;
  readonly json?: JsonObject;
}

/** Details of a failed call besides its reason. No field ever holds a token. */
export interface EngineErrorFields {
  readonly reason: EngineErrorReason;
  /** Method of the request. Default GET. */
  readonly method?: string;
  /** URL of the request, without user info. */
  readonly url: string;
  /** Attempts that sent a request. 0: nothing was sent. */
  readonly attempts: number;
  /** Requests that were sent: more where one was hedged, a token was renewed, or both formats were read. Default: as many. */
  readonly requests?: number;
  /** Why it was not retried. */
  readonly retryStopped?: RetryStopped;
  /** HTTP status of the last answer. */
  readonly status?: number;
  /** gRPC code: of the body, else of the HTTP status. */
  readonly code?: RpcCode;
  /** The server's own message, at most 1,000 characters. */
  readonly serverMessage?: string;
  /** The server's request id, for its operators. */
  readonly requestId?: string;
  /** Details of the server's google.rpc.Status, as they came; `findDetails` of `@bytenite-engines/core/details` types them. */
  readonly details?: ReadonlyArray<ErrorDetail>;
  /** E.g. the error of `fetch`. */
  readonly cause?: unknown;
}

/** An Error that can be yielded in `Effect.gen`; its type here needs no Effect. */
const YieldableError = Data.Error as unknown as new (fields: { message: string; cause?: unknown }) => Error;

/** The one error of the client. `reason` has the kind. */
export class EngineError extends YieldableError implements EngineErrorFields {
  static {
    // Node prints it as any other error, with its stack.
    Object.defineProperty(this.prototype, Symbol.for("nodejs.util.inspect.custom"), { value: undefined });
  }

  readonly _tag = "EngineError";
  readonly reason: EngineErrorReason;
  readonly method: string;
  readonly url: string;
  readonly attempts: number;
  readonly requests: number;
  readonly retryStopped?: RetryStopped;
  readonly status?: number;
  readonly code?: RpcCode;
  readonly serverMessage?: string;
  readonly requestId?: string;
  readonly details: ReadonlyArray<ErrorDetail>;

  constructor(fields: EngineErrorFields) {
    super({ message: messageOf(fields), ...(fields.cause === undefined ? {} : { cause: fields.cause }) });
    this.name = "EngineError";
    this.reason = fields.reason;
    this.method = fields.method ?? "GET";
    this.url = fields.url;
    this.attempts = fields.attempts;
    this.requests = fields.requests ?? fields.attempts;
    this.details = fields.details ?? [];
    Object.assign(this, optionalIn(fields));
  }

  /** The same error with other fields. */
  with(fields: Partial<EngineErrorFields>): EngineError {
    return new EngineError({ ...(this as EngineErrorFields), cause: this.cause, ...fields });
  }

  /** The error as plain data, for logs and machines. */
  toJSON(): Record<string, unknown> {
    const { reason, message, method, url, attempts, requests } = this;
    return { reason, message, method, url, attempts, requests, ...optionalIn(this) };
  }
}

const optionalIn = ({ retryStopped, status, code, serverMessage, requestId }: EngineErrorFields): object =>
  defined({ retryStopped, status, code, serverMessage, requestId });

/** The error of a call that cannot be made: nothing was sent. */
export const invalidArgument = (url: string, problem: string, method = "GET", cause?: unknown): EngineError =>
  new EngineError({ reason: { _tag: "InvalidArgument" }, method, url, attempts: 0, serverMessage: problem, cause });

const messageOf = (fields: EngineErrorFields): string => {
  const status =
    fields.status === undefined ? "" : ` (${fields.status}${fields.code === undefined ? "" : ` ${fields.code}`})`;
  const said = fields.serverMessage ? `: ${fields.serverMessage}` : "";
  const attempts = fields.attempts > 1 ? ` after ${fields.attempts} attempts` : "";
  return `${sentenceOf(fields)}${status}${attempts}${said} [${fields.method ?? "GET"} ${fields.url}]`;
};

const sentences = {
  NotFound: "Not found",
  PermissionDenied: "The token does not allow this",
  InvalidArgument: "The request is not valid",
  Conflict: "The request conflicts with another change",
  Unimplemented: "The server does not offer this call",
  DataLoss: "The server reports lost data",
  Rejected: "The server refuses the request",
} as const;

const sentenceOf = ({ reason, attempts }: EngineErrorFields): string => {
  switch (reason._tag) {
    case "Unauthenticated":
      return reason.noneSent
        ? "The server asks for a token, and none was sent"
        : "The server does not accept the token";
    case "RateLimited":
      return `Too many requests${hintOf(reason.retryAfterMs)}`;
    case "Unavailable":
      return `The server cannot answer now${hintOf(reason.retryAfterMs)}`;
    case "Unreachable":
      return reason.pageOrigin === undefined
        ? `${unreachable[reason.problem]}${reason.systemCode === undefined ? "" : ` (${reason.systemCode})`}`
        : `The browser got no answer that this page may read; the likely cause is CORS: the server must allow the origin ${reason.pageOrigin}`;
    case "TimedOut":
      return `No answer within the ${reason.scope === "attempt" ? "attempt timeout" : "deadline"} of ${reason.limitMs} ms`;
    case "Undecodable":
      return `The answer cannot be decoded: ${reason.problem}`;
    case "TooLarge":
      return `The ${reason.limit === "maxArchiveBytes" ? "archive" : "answer"} exceeds ${reason.limit} = ${reason.value}`;
    case "RedirectRefused":
      return `A redirect was not followed: ${reason.problem}`;
    case "CircuitOpen":
      return `Nothing ${attempts === 0 ? "" : "more "}was sent: the circuit breaker is open${hintOf(reason.retryAfterMs)}`;
    case "CredentialsFailed":
      return `Could not get a token: ${reason.problem}`;
    default:
      return sentences[reason._tag];
  }
};

const unreachable: Record<UnreachableProblem, string> = {
  dns: "The server's name does not resolve; set another base URL if it has moved",
  refused: "Nothing listens at the server's address",
  reset: "The connection broke",
  tls: "The server's TLS certificate or handshake is not acceptable",
  network: "The server cannot be reached",
};

const hintOf = (retryAfterMs: number | undefined): string =>
  retryAfterMs === undefined ? "" : `, it asks to wait ${Math.ceil(retryAfterMs / 1000)} s`;
