// The part of `fetch` that the client uses.

/** Fields that say how a request is sent, and to whom: they follow from its URL and body, and another value misleads the server. */
export const framingField =
  /^(?:connection|content-length|expect|host|keep-alive|proxy-connection|te|trailer|transfer-encoding|upgrade)$/;

/** A body in a content coding that cannot be decoded. */
export class UnknownCoding extends Error {}

/** Header fields of a response; names in any case. */
export interface ResponseHeaders {
  get(name: string): string | null;
  has(name: string): boolean;
  forEach(callback: (value: string, name: string) => void): void;
}

/** Reads a body part by part. */
export interface BodyReader {
  /** The next part; `done` without a value at the end. */
  read(): Promise<{ readonly done: boolean; readonly value?: Uint8Array | undefined }>;
  cancel(): Promise<void>;
}

/** Request options of the client. */
export interface FetchInit {
  method?: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array<ArrayBuffer>;
  redirect?: "manual";
  signal?: AbortSignal;
  /** Instead of `signal` for a fetch that `takesOnAbort`: calls back with the reason. */
  onAbort?: (listener: (reason: unknown) => void) => () => void;
}

/** A response; its body is decoded (no content coding). */
export interface FetchResponse {
  readonly status: number;
  readonly headers: ResponseHeaders;
  /** `cors` and `opaqueredirect` matter, in browsers. */
  readonly type?: string;
  readonly body: { getReader(): BodyReader; cancel(): Promise<void> } | null;
  /** The whole body, where that is quicker than a reader. Rejects with `tooLong()` once there are more bytes. */
  bytesWithin?(maxBytes: number, tooLong: () => Error): Promise<Uint8Array<ArrayBuffer>>;
}

/** The part of `fetch` that the client uses; every standard `fetch` is one, and so is `nodeFetch` of core's entry `node`. */
export interface Fetch {
  (url: string, init: FetchInit): Promise<FetchResponse>;
  /** Whether it is given `onAbort` instead of an AbortSignal, which takes a tenth of the time of a call. */
  readonly takesOnAbort?: boolean;
}
