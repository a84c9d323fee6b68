// Types of faults and of the requests they apply to.
import type { EndpointName, RpcCode } from "@bytenite-engines/core/wire";
import type { FieldNumbers } from "../api/FieldNumbers.ts";

/** A time to wait: always the same, or drawn anew for each request. All in milliseconds. */
export type Latency =
  | number
  | { readonly uniform: readonly [from: number, to: number] }
  | { readonly normal: readonly [mean: number, deviation: number] }
  | { readonly exponential: number };

/** One way of telling a client when to come back. Dates count from the server's clock, skewed or not. */
export type Hint =
  | { readonly kind: "retry-after"; readonly seconds: number }
  | {
      readonly kind: "retry-after-date";
      readonly seconds: number;
      /** The three forms of RFC 9110, 5.6.7: the one of today, and the two that must still be read. */
      readonly form: "imf-fixdate" | "rfc850" | "asctime";
    }
  | { readonly kind: "grpc-metadata-retry-after"; readonly seconds: number }
  | { readonly kind: "retry-after-ms"; readonly ms: number }
  /** A `google.rpc.RetryInfo` detail in the Status, in JSON or protobuf as was negotiated. Needs `status`. */
  | { readonly kind: "retry-info"; readonly ms: number };

/** A body that stands in for the real one. `bytes` is that many of the letter x, made while they are sent. */
export type FaultyBody =
  | "empty"
  | "html"
  | "garbage"
  | { readonly text: string }
  | { readonly base64: string }
  | { readonly bytes: number };

/** Everything that can be wrong with one answer; what is absent is as it should be. */
export interface Fault {
  /** Waits before anything is done. */
  readonly latencyMs?: Latency;
  /** Takes the request and never says anything. */
  readonly silent?: boolean;
  /** Tears the connection with a TCP reset. */
  readonly reset?: "before-headers" | "in-headers" | "after-headers" | "in-body";
  /** Answers this HTTP status with a Status, instead of looking at the request. */
  readonly status?: number;
  /** gRPC code of that Status. Default: the one of the HTTP status. */
  readonly code?: RpcCode;
  readonly message?: string;
  readonly hint?: Hint | ReadonlyArray<Hint>;
  readonly body?: FaultyBody;
  /** Sends the first bytes of the body only, under the full Content-Length, and closes. */
  readonly cutBodyAfterBytes?: number;
  /** Says this Content-Length, whatever the body's length is. */
  readonly contentLength?: number;
  /** Time over which the headers, and the body, arrive in small pieces. */
  readonly slow?: { readonly headersMs?: number; readonly bodyMs?: number };
  /** Labels the body so, whatever it is. */
  readonly contentType?: string;
  /** Sets headers; null leaves one out. */
  readonly headers?: Readonly<Record<string, string | null>>;
  /** Answers JSON whatever is asked for, as a server that has no protobuf does. */
  readonly jsonOnly?: boolean;
  /** False: no schema digest. A text: that one, true or not. */
  readonly schemaDigest?: boolean | string;
  /** Another numbering of protobuf answers. */
  readonly fieldNumbers?: FieldNumbers;
  /** How far the server's clock is ahead, as `Date` shows it. */
  readonly clockSkewMs?: number;
}

/** Endpoints of rules besides those of the contract: `archive` is a download by its link, `auth` the exchange of API keys. */
export const otherFaultEndpoints = ["archive", "delete", "upload-link", "auth", "management"] as const;

/** What a rule can be for. `management` is all of `/manage/v1`. */
export type FaultEndpoint = EndpointName | (typeof otherFaultEndpoints)[number];

/** Which requests a rule is for; all of them when empty. */
export interface FaultScope {
  readonly endpoint?: FaultEndpoint;
  /** Name of the user who asks. */
  readonly user?: string;
  /** The token as it is sent, without scheme. */
  readonly token?: string;
}

/** A fault, and when it strikes. Of several rules that strike at once, later ones win where they disagree. */
export interface FaultRule {
  readonly on?: FaultScope;
  /** Chance for each request in scope, from 0 to 1. Default 1. */
  readonly probability?: number;
  /** Requests in scope that are let through first. Default 0. */
  readonly skip?: number;
  /** Requests that it strikes; then it is spent. Default: no end, or the length of the script. */
  readonly times?: number;
  /** What goes wrong; a list is a script, one entry per strike, an empty one for an answer that is right. */
  readonly fault: Fault | ReadonlyArray<Fault>;
}
