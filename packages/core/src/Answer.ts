// Answers of calls, and the messages they are made of.
import type { JsonValue, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import type { endpoints, EndpointName } from "./Endpoint.ts";
import type { Format } from "./MediaType.ts";
import type { ResponseHeaders } from "./Transport.ts";

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
  /** The form in which the data travelled. */
  readonly format: Format;
  /** The answer's Content-Type, as sent. */
  readonly mediaType: string | undefined;
  /** URL that answered. */
  readonly url: string;
  /** Requests that were sent for this call or waited for, witnesses and renewals included. */
  readonly attempts: number;
  /** From sending the last request to the last byte of its body, in milliseconds. */
  readonly lastAttemptMs: number;
  /** From the beginning of the call to its end, with all its requests and waits, in milliseconds. */
  readonly totalMs: number;
}
