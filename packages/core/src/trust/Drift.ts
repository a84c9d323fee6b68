// Decides: what is said of an origin that is not, or no longer, what it was taken for.
import type { DescMessage } from "@bufbuild/protobuf";
import type { TrustNews } from "./Verdict.ts";

export const lie =
  "the origin sends our schema digest, but its field numbers are not ours; the header is not believed any more";
export const drifted =
  "the protobuf does not fit the JSON of the same resource any more; the field numbers are worked out anew";
export const nowOurs =
  "the origin sends our schema digest, and its field numbers are ours now; those that were known are forgotten";
export const withoutJson =
  "there was no JSON to hold a believed answer against: whether its numbers still hold is not known";

/** The news that what was believed of such answers does not hold. */
export const drift = ({ typeName }: DescMessage, detail: string): TrustNews => ({
  type: "drift",
  message: typeName,
  detail,
  numbers: {},
});
