// Types of requests and responses of the routes.
import { mediaTypeOf, negotiate, requestIdFrom, type EndpointName, type Format } from "@bytenite-engines/core/wire";
import { ApiError, apiErrorOf, statusBody } from "./ApiError.ts";
import type { Body } from "./EngineBody.ts";

/** A request. `target` is path and query as received. */
export interface RequestHead {
  readonly method: string;
  readonly target: string;
  readonly header: (name: string) => string | null;
  /** Address of the client, as far as it is known. */
  readonly address?: string | undefined;
  /** The whole body; rejects with an ApiError when it is longer. */
  readonly body: (maxBytes: number) => Promise<Uint8Array>;
  /** The body as a stream; fails with an ApiError when it is longer. */
  readonly chunks: (maxBytes: number) => AsyncIterable<Uint8Array>;
}

/** Routes in addition to the contract's endpoints. */
export type Part =
  | "archive"
  | "delete"
  | "upload-link"
  | "auth"
  | "docs"
  | "health"
  | "metrics"
  | "faults"
  | "management";

/** An answer before it is written to a socket or made a Response. */
export interface Answer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: Body;
  /** Sent in place of the body, where there is one; `bytes` is undefined for HEAD. A body that is not sent must be cancelled. */
  readonly stream?: {
    readonly length: number;
    readonly bytes: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
  };
  /** Fields for logs and metrics, without secrets. */
  readonly logFields: { readonly endpoint: EndpointName | Part | undefined; readonly user: string | undefined };
}

/** Header fields of every response. */
export const headersOf = (
  serializer: { readonly jsonOnly: boolean },
  mediaType: string,
  requestId: string,
): Record<string, string> => ({
  "Content-Type": mediaType,
  ...(serializer.jsonOnly ? {} : { Vary: "Accept" }),
  "X-Request-Id": requestId,
});

/** How an error is answered. */
interface ErrorAnswerOptions {
  readonly logFields?: Answer["logFields"];
  /** Default: JSON. */
  readonly format?: Format;
  /** Called with errors that the client sees as `internal error` or an unavailable server. */
  readonly onFault?: ((error: unknown, requestId: string) => void) | undefined;
}

/** The answer to an error, with its headers over the given ones. */
export const errorAnswer = (
  error: unknown,
  headers: Readonly<Record<string, string>> = { "Content-Type": "application/json" },
  { logFields = { endpoint: undefined, user: undefined }, format = "json", onFault }: ErrorAnswerOptions = {},
): Answer => {
  if (!(error instanceof ApiError)) onFault?.(error, headers["X-Request-Id"] ?? "");
  const { status, code, message, options } = apiErrorOf(error);
  return {
    status,
    headers: { ...headers, ...options.headers },
    body: statusBody(code, message, format, options.retryDelayMs),
    logFields,
  };
};

/** The same before there is a format: in the one that `Accept` prefers, else JSON. */
export const earlyErrorAnswer = (
  error: unknown,
  head: RequestHead,
  serializer: { readonly jsonOnly: boolean },
  onFault?: ErrorAnswerOptions["onFault"],
): Answer => {
  const format = serializer.jsonOnly ? "json" : (negotiate(head.header("accept"))?.format ?? "json");
  const headers = headersOf(serializer, mediaTypeOf(format), requestIdFrom(head.header("x-request-id")));
  return errorAnswer(error, headers, { format, onFault });
};
