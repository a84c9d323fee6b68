// Errors in protobuf.
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import type { Status } from "@bytenite-engines/proto";
import { StatusSchema } from "./gen/descriptors.ts";
import { readMessage } from "./MessageReader.ts";
import type { ReadLimits } from "./ReadLimits.ts";

/**
 * `retry_delay` of a google.rpc.RetryInfo: field 1, a google.protobuf.Duration of seconds (1) and nanos (2). Read by hand,
 * since the descriptors of all error details would weigh 3 kB in every bundle.
 */
const delayMs = (binary: Uint8Array): number | undefined => {
  try {
    const delay = fieldsOf(binary).get(1);
    if (!(delay instanceof Uint8Array)) return undefined;
    const fields = fieldsOf(delay);
    const seconds = fields.get(1) ?? 0n;
    const nanos = fields.get(2) ?? 0n;
    if (typeof seconds !== "bigint" || typeof nanos !== "bigint") return undefined;
    return Math.max(0, Number(seconds) * 1000 + Math.ceil(Number(nanos) / 1e6));
  } catch {
    // A detail that cannot be read is not a hint.
    return undefined;
  }
};

/** The varints and the delimited fields of a message, by number. */
const fieldsOf = (bytes: Uint8Array): Map<number, bigint | Uint8Array> => {
  const reader = new BinaryReader(bytes);
  const fields = new Map<number, bigint | Uint8Array>();
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (wireType === WireType.Varint) fields.set(number, BigInt(reader.int64()));
    else if (wireType === WireType.LengthDelimited) fields.set(number, reader.bytes());
    else reader.skip(wireType, number);
  }
  return fields;
};

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
