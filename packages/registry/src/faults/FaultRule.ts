// Types of faults and of the requests they apply to.
import type { EndpointName, RpcCode } from "@bytenite-engines/core/wire";
import type { FieldNumbers } from "../api/FieldNumbers.ts";

/** A time to wait: always the same, or drawn anew for each request. All in milliseconds. */
export type Latency =
  | number
  | { readonly uniform: readonly [from: number, to: number] }
  | { readonly normal: readonly [mean: number, deviation: number] }
  | { readonly exponential: number };

/** A retry hint. Dates are by the server's clock, with its skew. */
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

/** A replacement body. `bytes` is that many of the letter x, made while they are sent. */
export type FaultyBody =
  | "empty"
  | "html"
  | "garbage"
  | { readonly text: string }
  | { readonly base64: string }
  | { readonly bytes: number };

/** Faults of one answer; absent ones do not occur. */
export interface Fault {
  /** Waits before the request is handled. */
  readonly latencyMs?: Latency;
  /** Never answers. */
  readonly silent?: boolean;
  /** Resets the TCP connection. */
  readonly reset?: "before-headers" | "in-headers" | "after-headers" | "in-body";
  /** Answers this HTTP status with a Status, without handling the request. */
  readonly status?: number;
  /** gRPC code of that Status. Default: the one of the HTTP status. */
  readonly code?: RpcCode;
  readonly message?: string;
  readonly hint?: Hint | ReadonlyArray<Hint>;
  readonly body?: FaultyBody;
  /** Sends the first bytes of the body only, under the full Content-Length, and closes. */
  readonly cutBodyAfterBytes?: number;
  /** Sends this Content-Length. */
  readonly contentLength?: number;
  /** Time over which the headers, and the body, arrive in small pieces. */
  readonly slow?: { readonly headersMs?: number; readonly bodyMs?: number };
  /** Sends this Content-Type. */
  readonly contentType?: string;
  /** Sets headers; null removes one. */
  readonly headers?: Readonly<Record<string, string | null>>;
  /** Always answers JSON, as a server without protobuf. */
  readonly jsonOnly?: boolean;
  /** False: no schema digest. A text: that digest. */
  readonly schemaDigest?: boolean | string;
  /** Other field numbers of protobuf answers. */
  readonly fieldNumbers?: FieldNumbers;
  /** Offset of the server's clock in `Date`. */
  readonly clockSkewMs?: number;
}

/** Endpoints of rules besides those of the contract: `archive` is a download by its link, `auth` the exchange of API keys. */
export const otherFaultEndpoints = ["archive", "delete", "upload-link", "auth", "management"] as const;

/** Endpoints of rules. `management` is all of `/manage/v1`. */
export type FaultEndpoint = EndpointName | (typeof otherFaultEndpoints)[number];

/** Requests that a rule applies to; all when empty. */
export interface FaultScope {
  readonly endpoint?: FaultEndpoint;
  /** Name of the user who asks. */
  readonly user?: string;
  /** The token, without scheme. */
  readonly token?: string;
}

/** A fault and the requests it applies to. If several rules apply, later ones take precedence. */
export interface FaultRule {
  readonly on?: FaultScope;
  /** Probability per request in scope, from 0 to 1. Default 1. */
  readonly probability?: number;
  /** Requests in scope before the first fault. Default 0. */
  readonly skip?: number;
  /** Most requests with the fault. Default: no limit, or the length of the script. */
  readonly times?: number;
  /** The fault; a list is a script, one entry per request, an empty one for none. */
  readonly fault: Fault | ReadonlyArray<Fault>;
}
