// Decides: what wire trust is to a client: whose protobuf bytes are believed, and what a JSON witness teaches.
import type { DescMessage, MessageShape } from "@bufbuild/protobuf";
import { schemaDigests } from "./gen/schemaDigests.ts";

/** Whether the protobuf of an answer may be handed out. */
export type Verdict = { readonly kind: "believed" } | { readonly kind: "witness" };

/** Trust in the field numbers of origins. */
export interface Trust {
  readonly decide: (
    origin: string,
    schema: DescMessage,
    answer: { readonly digest: string | null; readonly bytes: Uint8Array },
  ) => Verdict;
  readonly witness: <D extends DescMessage>(
    origin: string,
    schema: D,
    bytes: Uint8Array,
    json: MessageShape<D>,
  ) => void;
}

/** Believes an origin that names our schema digest, and no other. */
export const digestTrust: Trust = {
  decide: (_origin, schema, { digest }) => ({
    kind: digest !== null && digest === schemaDigests[schema.typeName] ? "believed" : "witness",
  }),
  witness: () => {},
};
