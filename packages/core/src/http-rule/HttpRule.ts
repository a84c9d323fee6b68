// Bindings of an rpc to HTTP, checked against its messages (google.api.http).
import type { DescField, DescMessage } from "@bufbuild/protobuf";
import { isTextual } from "./FieldText.ts";
import { parseTemplate, type PathTemplate } from "./PathTemplate.ts";

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
  const body = row.body === undefined || row.body === "" || row.body === "*" ? row.body : topField(row.body, input);
  if (typeof body === "object") {
    const inPath = pathFields.find(({ fields }) => fields[0] === body && fields.length === 1);
    if (inPath !== undefined) throw new TypeError(`the field ${inPath.name} is both in the path and the body`);
  }
  return {
    method: row.method,
    template,
    pathFields,
    body: body === "" ? undefined : body,
    responseBody:
      row.responseBody === undefined || row.responseBody === "" ? undefined : topField(row.responseBody, output),
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
