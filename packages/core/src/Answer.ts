// Answers of calls, and the messages they are made of.
import type { JsonValue, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type {
  Engine as AnyEngine,
  EngineListResponse as AnyEngineListResponse,
  EngineMessage as AnyEngineMessage,
} from "@bytenite-engines/proto";
import type { endpoints, EndpointName } from "./Endpoint.ts";
import type { Format } from "./MediaType.ts";
import type { ResponseHeaders } from "./Fetch.ts";

/** Statuses that are known; servers may have others. */
export type EngineStatus = "active" | "inactive" | (string & {});

/** An engine: the message of `@bytenite-engines/proto`, whose `status` suggests those that are known. */
export type Engine = Omit<AnyEngine, "status"> & { status: EngineStatus };
/** A page of engines. */
export type EngineListResponse = Omit<AnyEngineListResponse, "engines"> & { engines: Array<Engine> };
/** The status of an engine, or the link to its archive. */
export type EngineMessage = Omit<AnyEngineMessage, "engineStatus"> & { engineStatus: EngineStatus };

/** The response message of an endpoint. */
export type ResponseOf<N extends EndpointName> = MessageShape<(typeof endpoints)[N]["response"]>;
/** What a request message of an endpoint is made from. */
export type RequestOf<N extends EndpointName> = MessageInitShape<(typeof endpoints)[N]["request"]>;

/** An answer with all that came with it. */
export interface Answer<T> {
  readonly data: T;
  /** What a JSON answer carried beyond the contract, by path (`engines[0].newField`). Of protobuf it is in `$unknown` of the data. */
  readonly unknownFields: ReadonlyMap<string, JsonValue>;
  readonly status: number;
  readonly headers: ResponseHeaders;
  /** The body as it came, decompressed. */
  readonly body: Uint8Array<ArrayBuffer>;
  /** The form in which the data travelled. */
  readonly format: Format;
  /** The answer's Content-Type, as sent. */
  readonly mediaType: string | undefined;
  /** URL that answered. */
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
 * The archive of an engine. Its bytes are had once, by iterating over it. Iteration rejects with EngineError when the stream
 * breaks, brings nothing for longer than the attempt timeout, is longer than `limits.maxArchiveBytes`, or, at its end, when its SHA-256
 * is not the engine's hash: bytes that were had before are not to be used then. Leaving the loop ends the download.
 */
export interface EngineArchive extends AsyncIterable<Uint8Array> {
  /** The engine that the archive is of. */
  readonly engine: Engine;
  /** As the server sent it. */
  readonly mediaType: string | undefined;
  /** In bytes, where the server announces it. */
  readonly length: number | undefined;
  /** The whole archive, checked. */
  readonly bytes: () => Promise<Uint8Array<ArrayBuffer>>;
}
