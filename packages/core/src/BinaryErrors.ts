// Errors in protobuf.
import type { Status } from "@bytenite-engines/proto";
import { RetryInfoSchema, StatusSchema } from "./gen/descriptors.ts";
import { readMessage } from "./MessageReader.ts";
import { attempted, type ReadLimits } from "./ReadLimits.ts";

/** `retry_delay` of a google.rpc.RetryInfo. What cannot be read is not a hint. */
const delayMs = (binary: Uint8Array): number | undefined =>
  attempted(() => {
    const { retryDelay } = readMessage(RetryInfoSchema, binary);
    if (retryDelay === undefined || retryDelay.$unknown !== undefined) return undefined;
    return Math.max(0, Number(retryDelay.seconds) * 1000 + Math.ceil(retryDelay.nanos / 1e6));
  }, true);

/** How errors in protobuf are read. */
export interface BinaryErrors {
  /** Throws for what is not a google.rpc.Status, LimitExceeded past a limit. */
  readonly read: (bytes: Uint8Array, limits: ReadLimits) => Status;
  /** The delay in a RetryInfo, in milliseconds; undefined: there is none, or it cannot be read. */
  readonly delayMs: (binary: Uint8Array) => number | undefined;
}

export const binaryErrors: BinaryErrors = {
  read: (bytes, limits) => readMessage(StatusSchema, bytes, limits),
  delayMs,
};
