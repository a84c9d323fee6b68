// Responses of calls and their messages.
import type { JsonValue, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type {
  Engine as AnyEngine,
  EngineListResponse as AnyEngineListResponse,
  EngineMessage as AnyEngineMessage,
} from "@bytenite-engines/proto";
import type { endpoints, EndpointName } from "./Endpoint.ts";
import type { Format } from "./MediaType.ts";
import type { ResponseHeaders } from "./Fetch.ts";

/** Known statuses; servers may have others. */
export type EngineStatus = "active" | "inactive" | (string & {});

/** An engine: the message of `@bytenite-engines/proto`, whose `status` suggests those that are known. */
export type Engine = Omit<AnyEngine, "status"> & { status: EngineStatus };
/** A page of engines. */
export type EngineListResponse = Omit<AnyEngineListResponse, "engines"> & { engines: Array<Engine> };
/** The status of an engine, or the link to its archive. */
export type EngineMessage = Omit<AnyEngineMessage, "engineStatus"> & { engineStatus: EngineStatus };

/** The response message of an endpoint. */
export type ResponseOf<N extends EndpointName> = MessageShape<(typeof endpoints)[N]["response"]>;
/** Initial values of an endpoint's request message. */
export type RequestOf<N extends EndpointName> = MessageInitShape<(typeof endpoints)[N]["request"]>;

/** A response: data, head, body and times. */
export interface ApiResponse<T> {
  readonly data: T;
  /** JSON members outside the contract, by path (`engines[0].newField`). Of protobuf they are in `$unknown` of the data. */
  readonly unknownFields: ReadonlyMap<string, JsonValue>;
  readonly status: number;
  readonly headers: ResponseHeaders;
  /** The body, decompressed. */
  readonly body: Uint8Array<ArrayBuffer>;
  /** The format of the body. */
  readonly format: Format;
  /** Content-Type of the response, as sent. */
  readonly mediaType: string | undefined;
  /** URL of the response, after redirects. */
  readonly url: string;
  /** Attempts that sent a request. */
  readonly attempts: number;
  /** Requests that were sent or waited for: more where one was hedged, a token was renewed, or both formats were read. */
  readonly requests: number;
  /** From sending the last request to the last byte of its body, in milliseconds. */
  readonly lastAttemptMs: number;
  /** From the beginning of the call to its end, with all its requests and waits, in milliseconds. */
  readonly totalMs: number;
}

/**
 * The archive of an engine, to iterate over once. Iteration rejects with EngineError when the stream breaks, stalls for longer than
 * the attempt timeout, exceeds `limits.maxArchiveBytes`, or when the SHA-256 at its end is not the engine's hash; then discard
 * the bytes. Leaving the loop ends the download.
 */
export interface EngineArchive extends AsyncIterable<Uint8Array> {
  /** The engine of the archive. */
  readonly engine: Engine;
  /** Content-Type, as sent. */
  readonly mediaType: string | undefined;
  /** Length in bytes, if the server states it. */
  readonly length: number | undefined;
  /** The whole archive, checked. */
  readonly bytes: () => Promise<Uint8Array<ArrayBuffer>>;
}
