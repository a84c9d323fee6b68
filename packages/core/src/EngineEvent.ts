// Events of a client, without tokens.
import type { EndpointName } from "./Endpoint.ts";
import type { EngineErrorTag, RetryStopped } from "./EngineError.ts";
import type { Format } from "./MediaType.ts";

/** Call and URL of an event, without user info. */
export interface EventSubject {
  /** The call by its name in the engines API; of any other service the rpc, e.g. `google.example.library.v1.LibraryService.GetBook`. */
  readonly endpoint: EndpointName | "credentials" | (string & {});
  readonly url: string;
  /** Method of the request, where it is not GET. */
  readonly method?: string;
  /** Path template of the call, where it is none of the engines API. */
  readonly template?: string;
}

/** A response. */
export interface ResponseEvent extends EventSubject {
  readonly type: "response";
  readonly method: string;
  /** Number of the attempt, from 1. */
  readonly attempt: number;
  /** Number of the request within the call, from 1: hedging, token renewal and comparison add requests to an attempt. */
  readonly request: number;
  readonly status: number;
  /** Content-Type of the response, as sent. */
  readonly mediaType: string | undefined;
  /** Length of the (decompressed) body in bytes. */
  readonly bytes: number;
  /** From sending to the last byte of the body, in milliseconds. */
  readonly durationMs: number;
  /** Cache-Status of the response (RFC 9211), as sent. */
  readonly cacheStatus: string | undefined;
}

/** A request without a complete response: no connection, timeout, truncated or too large body. Aborted requests have no event. */
export interface RequestErrorEvent extends EventSubject {
  readonly type: "request-error";
  /** Number of the attempt, from 1. */
  readonly attempt: number;
  /** Number of the request within the call, from 1. */
  readonly request: number;
  readonly reason: EngineErrorTag;
  /** From sending to the failure, in milliseconds. */
  readonly durationMs: number;
}

/** A request failed and will be sent again. */
export interface RetryEvent extends EventSubject {
  readonly type: "retry";
  /** Number of the failed attempt, from 1. */
  readonly attempt: number;
  /** Delay until the next attempt, in milliseconds. */
  readonly delayMs: number;
  readonly reason: EngineErrorTag;
  readonly status: number | undefined;
  /** Whether the server requested this delay. */
  readonly hinted: boolean;
  /** Tokens left in the retry budget, after this retry was paid. */
  readonly budgetTokens: number;
}

/** A call failed. */
export interface FailureEvent extends EventSubject {
  readonly type: "failure";
  readonly reason: EngineErrorTag;
  readonly status: number | undefined;
  readonly attempts: number;
  readonly requests: number;
  /** Why it was not retried. */
  readonly retryStopped: RetryStopped;
}

/** The origin responded in the other format, which is requested for the next minutes. */
export interface FallbackEvent extends EventSubject {
  readonly type: "fallback";
  readonly asked: Format;
  readonly answered: Format;
}

/** The token was renewed. */
export interface TokenRefreshEvent extends EventSubject {
  readonly type: "token-refresh";
  /** It was about to expire, rejected by the server, or the first one. */
  readonly because: "expiry" | "rejected" | "first";
}

/** The circuit breaker changed its state. */
export interface BreakerEvent extends EventSubject {
  readonly type: "breaker";
  readonly state: "open" | "half-open" | "closed";
}

/** The response had JSON keys or field numbers outside the contract; they are not in the data. */
export interface UnknownFieldsEvent extends EventSubject {
  readonly type: "unknown-fields";
  readonly message: string;
  /** Paths of JSON keys, or of field numbers as `#12` (`engines[0].#12`). At most 100. */
  readonly fields: ReadonlyArray<string>;
  /** Number of them. */
  readonly count: number;
}

/**
 * `verified`: JSON showed that fields of an origin have our numbers. `drift`: its protobuf is not what it was taken for; JSON is read
 * instead.
 */
export interface VerificationEvent extends EventSubject {
  readonly type: "verified" | "drift";
  /** Full name of the message. */
  readonly message: string;
  readonly detail: string;
  /** Field by proto name -> number. */
  readonly numbers: Readonly<Record<string, number>>;
}

/** Progress of an archive: of a download per chunk, of an upload at its begin and end. */
export interface ProgressEvent extends EventSubject {
  readonly type: "progress";
  readonly direction: "upload" | "download";
  /** Bytes of the archive so far; of an upload that is sent again from 0 on. */
  readonly bytes: number;
  /** Length of the archive, where it is known. */
  readonly totalBytes: number | undefined;
}

/** All events, distinguished by `type`. */
export type EngineEvent =
  | ResponseEvent
  | RequestErrorEvent
  | RetryEvent
  | FailureEvent
  | FallbackEvent
  | TokenRefreshEvent
  | BreakerEvent
  | UnknownFieldsEvent
  | ProgressEvent
  | VerificationEvent;

/** Wraps a listener so that its exceptions and rejections are ignored. */
export const safeListener =
  (listener: (event: EngineEvent) => void): ((event: EngineEvent) => void) =>
  (event) => {
    try {
      // `async` functions are listeners to TypeScript, too.
      const result: unknown = listener(event);
      if (result instanceof Promise) result.catch(() => {});
    } catch {
      // Errors of a listener do not fail the call.
    }
  };
