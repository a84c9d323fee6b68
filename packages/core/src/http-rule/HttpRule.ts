// HTTP bindings of an rpc, and messages as requests by them (google.api.http).
import { isMessage, type DescField, type DescMessage, type Message, type MessageInitShape } from "@bufbuild/protobuf";
import { encodeQuery } from "../QueryParameters.ts";
import { enumText, isSet, isTextual, localValue, scalarText, type WellKnownText } from "./FieldText.ts";
import { expandTemplate, parseTemplate, PathTemplateError, type PathTemplate } from "./PathTemplate.ts";

/** One binding as it is annotated. */
export interface HttpRuleRow {
  /** Method of the request, in capitals. */
  readonly method: string;
  /** Path template below the base URL. */
  readonly path: string;
  /** `*`, the name of a field, or empty. */
  readonly body?: string;
  /** Field that the response body holds; empty for the whole message. */
  readonly responseBody?: string;
}

/** A path field. */
export interface PathField {
  /** Proto names from the outermost message, dotted. */
  readonly name: string;
  /** The same as descriptors; all but the last are messages. */
  readonly fields: ReadonlyArray<DescField>;
}

/** One binding, resolved. */
export interface HttpBinding {
  readonly method: string;
  readonly template: PathTemplate;
  readonly pathFields: ReadonlyArray<PathField>;
  readonly body: "*" | DescField | undefined;
  readonly responseBody: DescField | undefined;
  /** Fields in path or body, not in the query. */
  readonly outsideQuery: ReadonlyArray<string>;
}

/** Resolves a binding. Throws TypeError when it does not fit the messages, PathTemplateError for its path. */
export const resolveBinding = (row: HttpRuleRow, input: DescMessage, output: DescMessage): HttpBinding => {
  const template = parseTemplate(row.path);
  const pathFields = template.variables.map(({ field }) => pathField(field, input));
  const body = row.body === "*" ? "*" : row.body ? topField(row.body, input) : undefined;
  if (body !== undefined && row.method === "GET") throw new TypeError("a GET has no body");
  const isInPath = ({ fields: [field, ...inner] }: PathField): boolean => field === body && inner.length === 0;
  const inPath = pathFields.find(isInPath);
  if (inPath !== undefined) throw new TypeError(`the field ${inPath.name} is both in the path and the body`);
  return {
    method: row.method,
    template,
    pathFields,
    body,
    responseBody: row.responseBody ? topField(row.responseBody, output) : undefined,
    outsideQuery: [...pathFields.map(({ name }) => name), ...(typeof body === "object" ? [body.name] : [])],
  };
};

const topField = (name: string, schema: DescMessage): DescField => {
  const field = schema.fields.find((candidate) => candidate.name === name);
  if (field === undefined) throw new TypeError(`${schema.typeName} has no field ${name}`);
  return field;
};

const pathField = (names: ReadonlyArray<string>, input: DescMessage): PathField => {
  const fields: Array<DescField> = [];
  let schema: DescMessage | undefined = input;
  for (const name of names) {
    if (schema === undefined) throw new TypeError(`the path field ${names.join(".")} is not in a message`);
    const field: DescField = topField(name, schema);
    fields.push(field);
    schema = field.fieldKind === "message" ? field.message : undefined;
  }
  const last = fields.at(-1);
  const isText =
    last?.fieldKind === "scalar" || last?.fieldKind === "enum" || (schema !== undefined && isTextual(schema));
  if (!isText) throw new TypeError(`the path field ${names.join(".")} is neither a scalar nor an enum`);
  return { name: names.join("."), fields };
};

/** What of a message is the body of a request. */
export interface BodyPart {
  /** Undefined: the whole message. */
  readonly field: DescField | undefined;
  /** The fields in the path, which the body does not repeat. */
  readonly pathFields: ReadonlyArray<PathField>;
}

/** The parts of a request. */
export interface TranscodedRequest {
  readonly binding: HttpBinding;
  /** Below the base URL, percent-encoded. */
  readonly path: string;
  /** Without `?`; empty for none. */
  readonly query: string;
  /** What the body is made of; undefined: no body. */
  readonly body: BodyPart | undefined;
}

/**
 * The request of a message by the first binding whose path fields are all set and fit. `given` is what the message was made
 * from: there a number or boolean in the path may also be 0 or false. `wellKnown` writes well-known types. Throws
 * PathTemplateError, with every binding's problem, where none fits.
 */
export const transcode = (
  bindings: ReadonlyArray<HttpBinding>,
  schema: DescMessage,
  message: Message,
  given: MessageInitShape<DescMessage> | undefined,
  wellKnown?: WellKnownText,
): TranscodedRequest => {
  const problems: Array<string> = [];
  for (const binding of bindings) {
    try {
      const path = expandTemplate(binding.template, (_names, index) =>
        pathText(binding.pathFields[index]?.fields ?? [], message, given, wellKnown),
      );
      const { body, outsideQuery, pathFields } = binding;
      if (body === "*") return { binding, path, query: "", body: { field: undefined, pathFields } };
      const query = encodeQuery(schema, message, outsideQuery, wellKnown);
      const hasBody = body !== undefined && isSet(message, body);
      return { binding, path, query, body: hasBody ? { field: body, pathFields } : undefined };
    } catch (cause) {
      if (!(cause instanceof PathTemplateError)) throw cause;
      problems.push(bindings.length === 1 ? cause.message : `${binding.template.source}: ${cause.message}`);
    }
  }
  throw new PathTemplateError(problems.join("; "));
};

/** The text of a path field; undefined where it is not set. */
const pathText = (
  fields: ReadonlyArray<DescField>,
  message: Message,
  given: unknown,
  wellKnown: WellKnownText | undefined,
): string | undefined => {
  let holder = message;
  let source: unknown = given;
  const last = fields.at(-1);
  for (const field of fields) {
    if (!isSet(holder, field) && !(field === last && isZeroGiven(field, source))) return undefined;
    const value = localValue(holder, field);
    if (field === last) {
      if (field.enum !== undefined) return enumText(field.enum, value as number);
      return field.message === undefined ? scalarText(field.scalar, value) : wellKnown?.(field.message, value);
    }
    source = localValue(source, field);
    holder = value as Message;
  }
  return undefined;
};

/** Whether a plain object sets a field to its default value; messages do not keep that. */
const isZeroGiven = (field: DescField, source: unknown): boolean =>
  source !== undefined && !isMessage(source) && localValue(source, field) !== undefined;
