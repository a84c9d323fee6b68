// Events of a client, without tokens.
import type { EndpointName } from "./Endpoint.ts";
import type { EngineErrorTag, RetryStopped } from "./EngineError.ts";
import type { Format } from "./MediaType.ts";

/** Where an event belongs: the call, and the URL asked (without user info). */
export interface EventSubject {
  /** The call by its name in the engines API; of any other service the rpc, e.g. `google.example.library.v1.LibraryService.GetBook`. */
  readonly endpoint: EndpointName | "credentials" | (string & {});
  readonly url: string;
  /** Method of the request, where it is not GET. */
  readonly method?: string;
  /** Path template of the call, where it is none of the engines API. */
  readonly template?: string;
}

/** One answered request. */
export interface ResponseEvent extends EventSubject {
  readonly type: "response";
  readonly method: string;
  /** Which attempt of the call sent it, from 1. */
  readonly attempt: number;
  /** Which request of the call this was, from 1: more than one in an attempt that is hedged, renews a token, or compares formats. */
  readonly request: number;
  readonly status: number;
  /** The answer's Content-Type, as sent. */
  readonly mediaType: string | undefined;
  /** Length of the (decompressed) body in bytes. */
  readonly bytes: number;
  /** From sending to the last byte of the body, in milliseconds. */
  readonly durationMs: number;
  /** The answer's Cache-Status (RFC 9211), as sent. */
  readonly cacheStatus: string | undefined;
}

/** A request got no whole answer: no connection, no time left, a body that broke off or is too large. Not: one that was given up. */
export interface RequestErrorEvent extends EventSubject {
  readonly type: "request-error";
  /** Which attempt of the call sent it, from 1. */
  readonly attempt: number;
  /** Which request of the call this was, from 1. */
  readonly request: number;
  readonly reason: EngineErrorTag;
  /** From sending to the failure, in milliseconds. */
  readonly durationMs: number;
}

/** A request failed and will be sent again. */
export interface RetryEvent extends EventSubject {
  readonly type: "retry";
  /** Which attempt failed, from 1. */
  readonly attempt: number;
  /** How long until the next one, in milliseconds. */
  readonly delayMs: number;
  readonly reason: EngineErrorTag;
  readonly status: number | undefined;
  /** Whether the server asked for this delay. */
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
  /** Why it is not attempted again. */
  readonly retryStopped: RetryStopped;
}

/** Asked for one form, the origin answered in the other; it is asked for that one for a while. */
export interface FallbackEvent extends EventSubject {
  readonly type: "fallback";
  readonly asked: Format;
  readonly answered: Format;
}

/** The token was renewed. */
export interface TokenRefreshEvent extends EventSubject {
  readonly type: "token-refresh";
  /** Why: it was about to expire, or the server had refused it. */
  readonly because: "expiry" | "rejected" | "first";
}

/** The circuit breaker changed its state. */
export interface BreakerEvent extends EventSubject {
  readonly type: "breaker";
  readonly state: "open" | "half-open" | "closed";
}

/** The answer carried keys or field numbers that the contract does not know; they were kept out of the way. */
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

/** Bytes of an archive went through: of a download with each piece, of an upload when it begins and when it was answered. */
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

/** A listener that throws, or rejects later, must not take a call or a process down. */
export const harmless =
  (listener: (event: EngineEvent) => void): ((event: EngineEvent) => void) =>
  (event) => {
    try {
      // `async` functions are listeners to TypeScript, too.
      const result: unknown = listener(event);
      if (result instanceof Promise) result.catch(() => {});
    } catch {
      // Its own affair.
    }
  };
