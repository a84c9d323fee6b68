// Decides: what trust asks of whoever keeps account of an origin's field numbers.
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { ReadLimits } from "../ReadLimits.ts";
import type { TrustNews } from "./Verdict.ts";

/**
 * What the protobuf beside a JSON answer is good for. `complete`: nothing, every field that the JSON carries is certain.
 * `teaches`: it would show a field for the first time, or tell apart two that could not be told apart. `open`: not known.
 */
export type Prospect = "complete" | "teaches" | "open";

/** The account of one origin. */
export interface Numbers {
  /** Resolves when what was known earlier is loaded; undefined: it is. Never rejects. */
  readonly ready?: () => Promise<void> | undefined;
  /** The message, if every number that the bytes carry is certain; else undefined. Throws LimitExceeded. */
  readonly read: <D extends DescMessage>(
    schema: D,
    bytes: Uint8Array,
    limits?: ReadLimits,
  ) => MessageShape<D> | undefined;
  /** Takes in the protobuf and the JSON of the same resource. Undefined: they do not fit each other, or what is known. */
  readonly learn: <D extends DescMessage>(
    schema: D,
    bytes: Uint8Array,
    json: MessageShape<D>,
  ) => ReadonlyArray<TrustNews> | undefined;
  /** Forgets all that answers of this kind consist of. Whether anything of it was certain. */
  readonly forget: (schema: DescMessage) => boolean;
  /** Whether something that is certain of such answers has another number than ours, or is written in another way. */
  readonly contradicts: (schema: DescMessage) => boolean;
  /** Whether what is known of such answers was held against JSON so long ago that the first one should be a sample. */
  readonly isOld: (schema: DescMessage) => boolean;
  /** Whether the origin's digest header was caught lying, on any kind of answer: it is not read any more. */
  readonly distrustsDigest: boolean;
  /** From now on. */
  readonly distrustDigest: () => void;
  readonly prospect: <D extends DescMessage>(schema: D, json: MessageShape<D>) => Prospect;
}
