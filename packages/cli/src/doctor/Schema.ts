// Decides: how far the server's protobuf agrees with the contract, message by message and field by field.
import type { DescMessage } from "@bufbuild/protobuf";
import type { Profile, ProfileField } from "@bytenite-engines/core/trust";
import { endpoints, readNames, schemaDigests, type ReadName } from "@bytenite-engines/core/wire";
import { found, type Check } from "./Check.ts";

/** What the server's protobuf answers showed. */
export interface SchemaEvidence {
  readonly profile: Profile;
  /** The schema digest that each kind of answer carried; absent where none was had. */
  readonly digests: Readonly<Partial<Record<ReadName, string | null>>>;
  /** Whether any answer came as protobuf. */
  readonly protobuf: boolean;
  /** What did not fit, in words. */
  readonly drifts: ReadonlyArray<string>;
}

/** All findings about the schema. */
export const checkSchema = ({ profile, digests, protobuf, drifts }: SchemaEvidence): ReadonlyArray<Check> => {
  if (!protobuf) return [found("schema", "ok", "the server answers JSON only, which needs no numbers")];
  const claimed = new Set(
    readNames
      .filter((name) => digests[name] === schemaDigests[endpoints[name].response.typeName])
      .flatMap((name) => messagesIn(endpoints[name].response))
      .map(({ typeName }) => typeName),
  );
  const messages = [...new Set(readNames.flatMap((name) => messagesIn(endpoints[name].response)))];
  return [
    ...readNames.map((name) => digestCheck(name, digests[name])),
    ...drifts.map((detail) => found("schema", "failed", detail)),
    ...messages.flatMap((message) => fieldChecks(message, profile, claimed.has(message.typeName))),
  ];
};

const digestCheck = (name: ReadName, digest: string | null | undefined): Check => {
  const { typeName } = endpoints[name].response;
  if (digest === undefined) return found("schema digest", "unknown", "no answer to look at", typeName);
  if (digest === null) return found("schema digest", "unknown", "not sent; the JSON is the witness", typeName);
  return digest === schemaDigests[typeName]
    ? found("schema digest", "ok", "ours", typeName)
    : found("schema digest", "different", "another one than ours", typeName);
};

const fieldChecks = (message: DescMessage, profile: Profile, claimed: boolean): ReadonlyArray<Check> => {
  const known = profile.messages[message.typeName];
  const checks = message.fields.map((field): Check => {
    const subject = `${message.name}.${field.jsonName}`;
    const theirs = known?.fields[field.name];
    if (theirs?.number === field.number) return found("field", "ok", `confirmed: ${field.number}`, subject);
    if (theirs?.number !== undefined) {
      return found(
        "field",
        claimed ? "failed" : "different",
        `${field.number} -> ${theirs.number}${claimed ? ", although the server sends our digest" : ""}`,
        subject,
      );
    }
    return claimed
      ? found("field", "ok", `by the digest: ${field.number}`, subject)
      : found("field", "unknown", openDetail(theirs), subject);
  });
  const strangers = known?.unknown ?? [];
  return strangers.length === 0
    ? checks
    : [
        ...checks,
        found("field", "different", `numbers that the contract does not have: ${strangers.join(", ")}`, message.name),
      ];
};

const openDetail = (field: ProfileField | undefined): string => {
  const candidates = [...new Set((field?.candidates ?? []).map(({ number }) => number))];
  if ((field?.seen ?? 0) === 0) return "never seen with a value";
  return `one of ${candidates.join(", ")}`;
};

/** A message type and those inside it, but for what Google publishes. */
const messagesIn = (root: DescMessage): ReadonlyArray<DescMessage> => [
  root,
  ...root.fields.flatMap(({ message }) =>
    message === undefined || message.typeName.startsWith("google.") ? [] : messagesIn(message),
  ),
];
