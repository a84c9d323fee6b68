// Paths and query parameters as a server reads them.
import {
  create,
  fromJson,
  toJson,
  type DescField,
  type DescMessage,
  type JsonValue,
  type Message,
} from "@bufbuild/protobuf";
import { FieldMaskSchema } from "@bufbuild/protobuf/wkt";
import { FieldTextError, parseScalar, wrappedScalar } from "../src/http-rule/FieldText.ts";
import { spans, type PathTemplate } from "../src/http-rule/PathTemplate.ts";

/**
 * The values of the variables in a path (percent-encoded, without query), by field path; undefined where the path does not
 * match, letter by letter in its literal text, or has a malformed escape. In a variable of several segments `%2F` stays as it is (google.api.http).
 */
export const matchTemplate = (template: PathTemplate, path: string): ReadonlyMap<string, string> | undefined => {
  if (!path.startsWith("/")) return undefined;
  let rest = path.slice(1);
  if (template.verb !== undefined) {
    const suffix = `:${template.verb}`;
    if (!rest.endsWith(suffix)) return undefined;
    rest = rest.slice(0, -suffix.length);
  }
  const parts = rest.split("/");
  const starts = spans(template.segments, parts);
  if (starts === undefined) return undefined;
  const values = new Map<string, string>();
  for (const { field, start, end, isMultiple } of template.variables) {
    const texts = parts.slice(starts[start], starts[end]).map((part) => decoded(part, isMultiple));
    if (texts.includes(undefined)) return undefined;
    values.set(field.join("."), texts.join("/"));
  }
  return values;
};

const decoded = (part: string, keepsSlashes: boolean): string | undefined => {
  try {
    // An escaped slash keeps its own escape: it is decoded to itself.
    return decodeURIComponent(keepsSlashes ? part.replaceAll(/%2f/gi, (escape) => `%25${escape.slice(1)}`) : part);
  } catch {
    return undefined;
  }
};

/** Longest text of a Struct, Value or ListValue, in characters. */
const maxJsonTextLength = 100_000;

/** The well-known message in its JSON form, without the quotes of a string. Throws FieldTextError. */
export const parseMessage = (descriptor: DescMessage, text: string): Message => {
  const wrapped = wrappedScalar(descriptor);
  if (wrapped !== undefined) return create(descriptor, { value: parseScalar(wrapped, text) });
  if (descriptor.typeName === FieldMaskSchema.typeName)
    return create(FieldMaskSchema, { paths: text === "" ? [] : text.split(",").map(protoPath) });
  try {
    return fromJson(descriptor, isJsonText(descriptor) ? parseJson(text) : text);
  } catch {
    throw new FieldTextError(`must be the JSON of a ${descriptor.typeName}`);
  }
};

/** The value as protobuf-es stores it in a field: wrappers and Structs are often not messages there. */
export const parseWellKnown = (field: DescField, text: string): unknown => {
  const descriptor = field.message;
  if (descriptor === undefined) return undefined;
  const message = parseMessage(descriptor, text);
  if (wrappedScalar(descriptor) !== undefined)
    return field.fieldKind === "message" && field.oneof === undefined
      ? (message as Message & { readonly value: unknown }).value
      : message;
  return descriptor.typeName === "google.protobuf.Struct" ? toJson(descriptor, message) : message;
};

/** `child.aB` of JSON to `child.a_b`. */
const protoPath = (path: string): string => path.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

const isJsonText = ({ typeName }: DescMessage): boolean =>
  typeName === "google.protobuf.Struct" ||
  typeName === "google.protobuf.Value" ||
  typeName === "google.protobuf.ListValue";

const parseJson = (text: string): JsonValue => {
  if (text.length > maxJsonTextLength) throw new FieldTextError("is too long");
  return JSON.parse(text) as JsonValue;
};
