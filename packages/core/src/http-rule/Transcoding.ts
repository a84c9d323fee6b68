// Request messages as the parts of an HTTP request (google.api.http).
import {
  clearField,
  isFieldSet,
  isMessage,
  type DescField,
  type DescMessage,
  type Message,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import type { encodePlainQuery } from "../QueryParameters.ts";
import { enumText, scalarText, wellKnownText } from "./FieldText.ts";
import type { HttpBinding, PathField } from "./HttpRule.ts";
import { expandTemplate, PathTemplateError } from "./PathTemplate.ts";

/** The parts of a request. */
export interface TranscodedRequest {
  readonly binding: HttpBinding;
  /** Below the base URL, percent-encoded. */
  readonly path: string;
  /** Without `?`; empty for none. */
  readonly query: string;
  /** The message without its path fields, and the field that is the body, or the whole. Undefined: no body. */
  readonly body: { readonly message: Message; readonly field: DescField | undefined } | undefined;
}

/** Encodes the remaining fields as a query: `encodeQuery`, or `encodePlainQuery` without well-known types. */
export type QueryEncoder = typeof encodePlainQuery;

/**
 * The request of a message by the first binding whose path fields are all set and fit. `given` is what the message was made
 * from: there a number or boolean in the path may also be 0 or false. Throws PathTemplateError, with every binding's problem,
 * where none fits.
 */
export const transcode = <D extends DescMessage>(
  bindings: ReadonlyArray<HttpBinding>,
  schema: D,
  message: Message,
  given: MessageInitShape<D> | undefined,
  encode: QueryEncoder,
): TranscodedRequest => {
  const problems: Array<string> = [];
  for (const binding of bindings) {
    try {
      const path = expandTemplate(binding.template, (names) => {
        const name = names.join(".");
        const field = binding.pathFields.find((candidate) => candidate.name === name);
        return field === undefined ? undefined : pathText(field, message, given);
      });
      return { binding, path, ...rest(binding, schema, message, encode) };
    } catch (cause) {
      if (!(cause instanceof PathTemplateError)) throw cause;
      problems.push(bindings.length === 1 ? cause.message : `${binding.template.source}: ${cause.message}`);
    }
  }
  throw new PathTemplateError(problems.join("; "));
};

const rest = (
  binding: HttpBinding,
  schema: DescMessage,
  message: Message,
  encode: QueryEncoder,
): Pick<TranscodedRequest, "query" | "body"> => {
  const { body, outsideQuery } = binding;
  if (body === "*") return { query: "", body: { message: withoutPath(message, binding.pathFields), field: undefined } };
  const query = encode(schema, message, outsideQuery);
  if (body === undefined || !isFieldSet(message, body)) return { query, body: undefined };
  return { query, body: { message: withoutPath(message, binding.pathFields), field: body } };
};

/** The text of a path field; undefined where it is not set. */
const pathText = ({ fields }: PathField, message: Message, given: unknown): string | undefined => {
  let holder = message;
  let source: unknown = given;
  for (const [index, field] of fields.entries()) {
    const isLast = index === fields.length - 1;
    if (!isFieldSet(holder, field) && !(isLast && isZeroGiven(field, source))) return undefined;
    const value = localValue(holder, field);
    if (isLast) return textOf(field, value);
    source = localValue(source, field);
    holder = value as Message;
  }
  return undefined;
};

const textOf = (field: DescField, value: unknown): string => {
  if (field.enum !== undefined) return enumText(field.enum, value as number);
  return field.message === undefined ? scalarText(field.scalar, value) : wellKnownText(field.message, value);
};

/** Whether a plain object sets a field to its default value; messages do not keep that. */
const isZeroGiven = (field: DescField, source: unknown): boolean =>
  source !== undefined && !isMessage(source) && localValue(source, field) !== undefined;

const localValue = (source: unknown, { oneof, localName }: DescField): unknown => {
  const values = source as Readonly<Record<string, unknown>> | undefined;
  if (oneof === undefined) return values?.[localName];
  const choice = values?.[oneof.localName] as { readonly case?: string; readonly value?: unknown } | undefined;
  return choice?.case === localName ? choice.value : undefined;
};

/** The message without its path fields; the one given stays as it is. */
const withoutPath = (message: Message, pathFields: ReadonlyArray<PathField>): Message => {
  let result = message;
  for (const { fields } of pathFields) result = without(result, fields);
  return result;
};

const without = (message: Message, [field, ...inner]: ReadonlyArray<DescField>): Message => {
  if (field === undefined || !isFieldSet(message, field)) return message;
  const copy = Object.create(
    Object.getPrototypeOf(message) as object,
    Object.getOwnPropertyDescriptors(message),
  ) as Message;
  if (inner.length === 0) {
    clearField(copy, field);
    return copy;
  }
  const value = without(localValue(message, field) as Message, inner);
  const values = copy as unknown as Record<string, unknown>;
  if (field.oneof === undefined) values[field.localName] = value;
  else values[field.oneof.localName] = { case: field.localName, value };
  return copy;
};
