// Facts of the descriptors in the terms of OpenAPI and grpc-gateway.
import {
  getOption,
  ScalarType,
  type DescField,
  type DescFile,
  type DescMessage,
  type DescMethod,
  type DescService,
} from "@bufbuild/protobuf";
import { FeatureSet_FieldPresence } from "@bufbuild/protobuf/wkt";
import { StatusSchema } from "@bytenite-engines/proto";
import { http, type HttpRule } from "@bytenite-engines/proto/service";
import { documentedErrors, documentedMediaTypes, placed, type Contract } from "./Contract.ts";
import { schemaText, type Schema } from "./DocumentContract.ts";

type Say = (name: string, fact: string) => void;

/** What a service and the messages that it uses say. */
export const contractOfService = (service: DescService): Contract => {
  const facts = new Map<string, string>();
  const say: Say = (name, fact) => facts.set(name, facts.has(name) ? `${facts.get(name)}, and again ${fact}` : fact);
  const used = new Set<string>();
  for (const method of service.methods) {
    for (const rule of rulesOf(method)) sayMethod(method, rule, say);
    for (const message of [...reachable(method.input), ...reachable(method.output)]) used.add(message.typeName);
  }
  for (const file of filesOf(service.file)) sayUnused(file, service, used, say);
  return facts;
};

const rulesOf = (method: DescMethod): ReadonlyArray<HttpRule> => {
  const rule = getOption(method, http);
  return [rule, ...rule.additionalBindings];
};

const sayMethod = (method: DescMethod, rule: HttpRule, say: Say): void => {
  const bound: Array<string> = [];
  const template = typeof rule.pattern.value === "string" ? rule.pattern.value : "";
  const path = template.replaceAll(/\{([^}]*)\}/g, (_, name: string) => {
    bound.push(name);
    return `{${method.input.fields.find((field) => field.name === name)?.jsonName ?? `no field ${name}`}}`;
  });
  const at = `${rule.pattern.case?.toUpperCase() ?? "no method"} ${path}`;
  const body = rule.body === "" ? "" : " with a body";
  const kind = method.methodKind === "unary" ? "" : ` as ${method.methodKind}`;
  say(at, `${method.parent.name}_${method.name}${body}${kind}`);
  const parameters = parametersOf(method.input, bound, rule.body);
  for (const [index, [name, fact]] of parameters.entries()) say(`${at} ?${name}`, placed(index, fact));
  if (rule.body !== "") sayBody(at, method.input, bound, rule.body, say);
  for (const mediaType of documentedMediaTypes) {
    say(`${at} 200 ${mediaType}`, schemaText(reference(method.output)));
    say(`${at} default ${mediaType}`, schemaText(reference(StatusSchema)));
    for (const status of documentedErrors) say(`${at} ${status} ${mediaType}`, "{}");
  }
  const inBody = rule.body === "*" && bound.length === 0 ? reachable(method.input) : [];
  for (const message of new Set([...inBody, ...reachable(method.output), ...reachable(StatusSchema)]))
    sayMessage(at, message, say);
};

/** Path parameters first, then, where they are not the body, all other fields, nested ones by dotted names. */
const parametersOf = (
  input: DescMessage,
  bound: ReadonlyArray<string>,
  body: string,
): ReadonlyArray<[name: string, fact: string]> => {
  const flat = flattened(input, "");
  const inPath = flat.filter(({ field }) => field.parent === input && bound.includes(field.name));
  return [
    ...inPath.map(({ name, text }): [string, string] => [name, `in path, required, ${text}`]),
    ...flat
      .filter((parameter) => body !== "*" && !inPath.includes(parameter))
      .map(({ name, text }): [string, string] => [name, `in query, optional, ${text}`]),
  ];
};

/** The whole message, or an object of the fields that are not in the path. */
const sayBody = (at: string, input: DescMessage, bound: ReadonlyArray<string>, body: string, say: Say): void => {
  const schema: Schema = bound.length === 0 ? reference(input) : { type: "object" };
  const rest = bound.length === 0 ? [] : input.fields.filter(({ name }) => !bound.includes(name));
  for (const mediaType of documentedMediaTypes) {
    say(`${at} body ${mediaType}`, body === "*" ? schemaText(schema) : `only ${body}`);
    for (const [index, field] of rest.entries())
      say(`${at} body ${mediaType}.${field.jsonName}`, placed(index, schemaText(fieldSchema(field))));
  }
};

const flattened = (
  message: DescMessage,
  prefix: string,
  remarks = "",
): ReadonlyArray<{ readonly name: string; readonly field: DescField; readonly text: string }> =>
  message.fields.flatMap((field, index) => {
    const name = prefix + field.jsonName;
    return field.fieldKind === "message" && !isWellKnown(field.message)
      ? flattened(field.message, `${name}.`, remarks + remarksOf(field, index))
      : [{ name, field, text: fieldText(field, index) + remarks }];
  });

const sayMessage = (at: string, message: DescMessage, say: Say): void => {
  const name = `${at} ${schemaName(message)}`;
  if (message.typeName === "google.protobuf.Any") {
    // JSON of an Any: the type URL and the fields of its message.
    say(name, schemaText({ type: "object", additionalProperties: {} }));
    say(`${name}.@type`, placed(0, schemaText({ type: "string" })));
    return;
  }
  say(name, schemaText({ type: "object" }));
  for (const [index, field] of message.fields.entries()) {
    say(`${name}.${field.jsonName}`, placed(index, fieldText(field, index)));
  }
};

const fieldText = (field: DescField, index: number): string => schemaText(fieldSchema(field)) + remarksOf(field, index);

/** What the documents could not know of a field: its own number, name or presence. None of ours has any such remark. */
const remarksOf = (field: DescField, index: number): string =>
  [
    // Field numbers are reconstructed by declaration order.
    field.number === index + 1 ? "" : ` numbered ${field.number}`,
    field.jsonName === camelCase(field.name) ? "" : ` named ${field.name}`,
    field.fieldKind === "scalar" && field.presence !== FeatureSet_FieldPresence.IMPLICIT ? " with presence" : "",
    field.oneof === undefined ? "" : ` in ${field.oneof.name}`,
  ].join("");

const fieldSchema = (field: DescField): Schema => {
  const one = field.message === undefined ? scalarSchema(field.scalar) : messageSchema(field.message);
  if (field.fieldKind === "list") return { type: "array", items: one };
  return field.fieldKind === "enum" || field.fieldKind === "map" ? { unpublished: field.fieldKind } : one;
};

const messageSchema = (message: DescMessage): Schema =>
  message.typeName === "google.protobuf.Timestamp" ? { type: "string", format: "date-time" } : reference(message);

const scalarSchemas: Partial<Record<ScalarType, Schema>> = {
  [ScalarType.STRING]: { type: "string" },
  [ScalarType.BYTES]: { type: "string", contentEncoding: "base64" },
  [ScalarType.BOOL]: { type: "boolean" },
  [ScalarType.INT32]: { type: "integer", format: "int32" },
  [ScalarType.UINT32]: { type: "integer", format: "int64" },
  [ScalarType.FLOAT]: { type: "number", format: "float" },
};

const scalarSchema = (scalar: ScalarType | undefined): Schema =>
  (scalar === undefined ? undefined : scalarSchemas[scalar]) ?? { unpublished: scalar };

const reference = (message: DescMessage): Schema => ({ $ref: `#/components/schemas/${schemaName(message)}` });

/** The name that grpc-gateway gives a schema: the last component of the package, then the message. */
const schemaName = (message: DescMessage): string =>
  (message.file.proto.package.split(".").at(-1) ?? "") + message.typeName.slice(message.file.proto.package.length + 1);

const isWellKnown = (message: DescMessage): boolean => message.typeName.startsWith("google.protobuf.");

const camelCase = (name: string): string =>
  name.replaceAll(/_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());

const reachable = (root: DescMessage, seen = new Set<DescMessage>()): ReadonlySet<DescMessage> => {
  if (seen.has(root) || root.typeName === "google.protobuf.Timestamp") return seen;
  seen.add(root);
  if (!isWellKnown(root)) for (const { message } of root.fields) if (message !== undefined) reachable(message, seen);
  return seen;
};

const filesOf = (root: DescFile, seen = new Set<DescFile>()): ReadonlySet<DescFile> => {
  if (seen.has(root) || !root.proto.package.startsWith("bytenite.")) return seen;
  seen.add(root);
  for (const file of root.dependencies) filesOf(file, seen);
  return seen;
};

/** Nothing more than the documents: no message, enum or service that no call uses. */
const sayUnused = (file: DescFile, service: DescService, used: ReadonlySet<string>, say: Say): void => {
  for (const { typeName } of [...file.messages, ...file.enums, ...file.services]) {
    if (!used.has(typeName) && typeName !== service.typeName) say(typeName, "that it exists");
  }
};
