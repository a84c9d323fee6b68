// JSON Schemas of messages and fields, as grpc-gateway writes them.
import { ScalarType, type DescField, type DescMessage } from "@bufbuild/protobuf";
import { commentOf } from "./Comment.ts";

type Json = { readonly [key: string]: unknown };

const scalars: Readonly<Partial<Record<ScalarType, Json>>> = {
  [ScalarType.STRING]: { type: "string" },
  [ScalarType.BYTES]: { type: "string", contentEncoding: "base64" },
  [ScalarType.BOOL]: { type: "boolean" },
  [ScalarType.INT32]: { type: "integer", format: "int32" },
  [ScalarType.UINT32]: { type: "integer", format: "int64" },
  [ScalarType.FLOAT]: { type: "number", format: "float" },
};

/** The name of a message's schema: last component of its package, then its own name. */
export const schemaName = (message: DescMessage): string =>
  `${message.file.proto.package.split(".").at(-1) ?? ""}${message.name}`;

/** A reference to a message's schema. */
export const reference = (message: DescMessage): Json => ({ $ref: `#/components/schemas/${schemaName(message)}` });

const isTimestamp = (message: DescMessage): boolean => message.typeName === "google.protobuf.Timestamp";

/** The schema of a field's value. A message that is not set is null on this API. */
const fieldSchema = (field: DescField, nullable: boolean): Json => {
  const one = field.message === undefined ? scalarSchema(field) : undefined;
  if (field.fieldKind === "list") {
    return { type: "array", items: one ?? reference(field.message as DescMessage) };
  }
  if (one !== undefined) return one;
  const message = field.message as DescMessage;
  if (isTimestamp(message)) return { type: nullable ? ["string", "null"] : "string", format: "date-time" };
  return nullable ? { anyOf: [reference(message), { type: "null" }] } : reference(message);
};

const scalarSchema = (field: DescField): Json => {
  const schema = field.scalar === undefined ? undefined : scalars[field.scalar];
  if (schema === undefined)
    throw new Error(`${field.parent.typeName}.${field.name} has a type that is not written here yet`);
  return schema;
};

/** The schema of a message. */
export const schemaOf = (message: DescMessage): Json => ({
  type: "object",
  description: commentOf(message),
  properties: Object.fromEntries(
    message.fields.map((field) => [field.jsonName, { ...fieldSchema(field, true), description: commentOf(field) }]),
  ),
});

/** The parameters of a request: the one in the path, and every other field by its dotted name. */
export const parametersOf = (input: DescMessage, path: string): ReadonlyArray<Json> => {
  const all = flattened(input, "").map(({ name, field }) => {
    const inPath = path.includes(`{${name}}`);
    const schema = fieldSchema(field, false);
    return { name, in: inPath ? "path" : "query", required: inPath, schema, description: commentOf(field) };
  });
  return [...all.filter(({ required }) => required), ...all.filter(({ required }) => !required)];
};

const flattened = (
  message: DescMessage,
  prefix: string,
): ReadonlyArray<{ readonly name: string; readonly field: DescField }> =>
  message.fields.flatMap((field) =>
    field.message === undefined
      ? [{ name: prefix + field.jsonName, field }]
      : flattened(field.message, `${prefix}${field.jsonName}.`),
  );
