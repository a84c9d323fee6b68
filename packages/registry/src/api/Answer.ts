// Types of requests and responses of the routes.
import type { EndpointName } from "@bytenite-engines/core/wire";
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
