// Decides: the words between a client and its trust: what an answer is, what may be done with it, what was learned.
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import type { ReadLimits } from "../ReadLimits.ts";
import type { Format } from "../MediaType.ts";

/** The protobuf of an answer. */
export interface ProtobufAnswer {
  /** Value of the header `Bytenite-Schema-Digest`. */
  readonly digest: string | null;
  readonly bytes: Uint8Array;
  /** Within which the bytes are read. */
  readonly limits?: ReadLimits;
}

/** What may be done with the protobuf of an answer. */
export type Verdict<D extends DescMessage> =
  /** Hand out this message. */
  | { readonly kind: "believed"; readonly message: MessageShape<D> }
  /** Read the JSON of the same resource, hand that out, and show both to `witness`. */
  | {
      readonly kind: "witness";
      readonly reason: "unconfirmed" | "doubted" | "sample";
      /** Only for a sample: what was believed so far, to be handed out if no JSON can be had. */
      readonly message?: MessageShape<D>;
    }
  /** The same, since the origin claims our schema, and several answers in a row were none of it. */
  | { readonly kind: "witness"; readonly reason: "undecodable"; readonly message?: never; readonly cause: unknown }
  /** The origin claims our schema, and these bytes are none of it; others may be. */
  | { readonly kind: "undecodable"; readonly cause: unknown };

/** A witnessed answer. */
export interface Testimony<D extends DescMessage> extends ProtobufAnswer {
  /** The decoded JSON of the same resource. */
  readonly json: MessageShape<D>;
}

/** Something learned about an origin. No value of an answer is in it. */
export interface TrustNews {
  /** `trust`: numbers were confirmed. `drift`: what was believed does not hold (any more). */
  readonly type: "trust" | "drift";
  /** Full name of the message. */
  readonly message: string;
  readonly detail: string;
  /** Field by proto name -> the number found. */
  readonly numbers: Readonly<Record<string, number>>;
}

/** What a pair of answers showed. Either way, the JSON is what to hand out. */
export interface Finding {
  /** Whether both forms fit each other and all that is known. If not, the resource may have changed in between. */
  readonly fits: boolean;
  readonly news: ReadonlyArray<TrustNews>;
}

/** Trust in the field numbers of origins. Holds no clock and no randomness, does no I/O. */
export interface Trust {
  /** To be waited for before the first request to an origin: what was known of it is being loaded. Never rejects. */
  readonly ready: (origin: string) => Promise<void> | undefined;
  /** Throws LimitExceeded for bytes that unfold to more than the limits allow. */
  readonly decide: <D extends DescMessage>(origin: string, schema: D, answer: ProtobufAnswer) => Verdict<D>;
  readonly witness: <D extends DescMessage>(origin: string, schema: D, testimony: Testimony<D>) => Finding;
  /** A pair did not fit although nothing changed: what was believed of such answers is dropped, and worked out anew. */
  readonly blame: <D extends DescMessage>(
    origin: string,
    schema: D,
    testimony: Testimony<D>,
  ) => ReadonlyArray<TrustNews>;
  /** A sample found no JSON; the news is for the first time. */
  readonly alone: (origin: string, schema: DescMessage) => ReadonlyArray<TrustNews>;
  /** The form to ask for: JSON while the last protobuf could not be believed even after it was witnessed. */
  readonly asks: (origin: string, schema: DescMessage) => Format;
  /** After an answer that was asked for in JSON so: whether its protobuf should be read too and shown to `witness`. */
  readonly teaches: <D extends DescMessage>(origin: string, schema: D, json: MessageShape<D>) => boolean;
}
