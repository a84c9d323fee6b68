// Schema digest of protobuf messages.
import { ScalarType, type DescField, type DescMessage } from "@bufbuild/protobuf";
import { base64Encode } from "@bufbuild/protobuf/wire";

/** The response header in which our servers name the schema of the message in the body. */
export const schemaDigestHeader = "Bytenite-Schema-Digest";

/**
 * Everything that decides what bytes of a message mean, as text: of the message and of all that it can contain, each
 * field's number, name, type and cardinality, in the order of names and numbers. Comments, options and the order of
 * declaration do not count.
 */
export const canonicalForm = (root: DescMessage): string => {
  const messages = new Map<string, string>();
  const visit = (message: DescMessage): void => {
    if (messages.has(message.typeName)) return;
    messages.set(message.typeName, canonicalMessage(message));
    for (const field of message.fields) if (field.message !== undefined) visit(field.message);
  };
  visit(root);
  const rest = [...messages.keys()].filter((name) => name !== root.typeName);
  return [root.typeName, ...rest.toSorted()].map((name) => messages.get(name)).join("");
};

const canonicalMessage = (message: DescMessage): string =>
  [
    `message ${message.typeName}\n`,
    ...message.fields
      .toSorted((a, b) => a.number - b.number)
      .map((field) => `${field.number} ${canonicalField(field)}\n`),
  ].join("");

const canonicalField = (field: DescField): string => {
  const type = field.message?.typeName ?? field.enum?.typeName ?? ScalarType[field.scalar as ScalarType].toLowerCase();
  const many =
    field.fieldKind === "list"
      ? "repeated "
      : field.fieldKind === "map"
        ? `map from ${ScalarType[field.mapKey].toLowerCase()} to `
        : "";
  return `${many}${type} ${field.name}`;
};

/** The header's value for a message: SHA-256 of its canonical form, written as a digest of RFC 9530 (`sha-256=:...:`). */
export const schemaDigest = async (message: DescMessage): Promise<string> => {
  const hash = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(canonicalForm(message)));
  return `sha-256=:${base64Encode(new Uint8Array(hash))}:`;
};
