// Checks of messages that are given as requests.
import { create, isMessage, toJson, type DescField, type DescMessage } from "@bufbuild/protobuf";
import {
  assertScalar,
  assertEnum,
  FieldTextError,
  localValue,
  parseScalar,
  wrappedScalar,
} from "../http-rule/FieldText.ts";
import { kindOf } from "../OptionNames.ts";

/** Levels of messages and JSON in a request; readers of protobuf and JSON accept no more by default. */
const maxRequestDepth = 100;

/**
 * Throws TypeError, with the field, for a value that is not a message of the type: another kind of value, a number out of range, text that
 * is not well-formed, a Timestamp or Duration out of range, and too many levels. Paths, queries and bodies are made after it.
 */
export const assertMessage = (schema: DescMessage, init: unknown, path = "", depth = 0): void => {
  if (init === undefined || init === null) return;
  assertPlain(init, path, depth);
  const { typeName } = schema;
  for (const { localName, fields } of schema.oneofs) {
    const choice: unknown = init[localName];
    if (choice === undefined || choice === null) continue;
    const at = joined(path, localName);
    assertPlain(choice, at, depth);
    const names = fields.map((field) => field.localName);
    const { case: name } = choice;
    if (name !== undefined && !names.includes(name as string))
      throw new TypeError(`${at}.case must be one of ${names.join(", ")}`);
  }
  for (const field of schema.fields) {
    const value = localValue(init, field);
    if (value !== undefined && value !== null) assertField(field, value, joined(path, field.localName), depth + 1);
  }
  if (typeName !== "google.protobuf.Timestamp" && typeName !== "google.protobuf.Duration") return;
  try {
    toJson(schema, create(schema, init));
  } catch (cause) {
    throw new TypeError(`${path} must be within the range of ${typeName}`, { cause });
  }
};

const joined = (path: string, name: string): string => (path === "" ? name : `${path}.${name}`);

const assertField = (field: DescField, value: unknown, path: string, depth: number): void => {
  if (field.fieldKind === "list") {
    if (!Array.isArray(value)) throw new TypeError(`${path} must be an array, not ${kindOf(value)}`);
    for (const [index, item] of value.entries()) assertValue(field, item, `${path}[${index}]`, depth);
  } else if (field.fieldKind === "map") {
    assertPlain(value, path, depth);
    for (const [key, item] of Object.entries(value)) {
      checked(`the key ${key.slice(0, 100)} of ${path}`, () => parseScalar(field.mapKey, key));
      assertValue(field, item, `${path}.${key}`, depth);
    }
  } else assertValue(field, value, path, depth);
};

/** One value of a field, as protobuf-es keeps it there: wrappers and Structs are often not messages. */
const assertValue = (field: DescField, value: unknown, path: string, depth: number): void => {
  if (field.enum !== undefined) return checked(path, () => assertEnum(field.enum, value));
  if (field.scalar !== undefined) return checked(path, () => assertScalar(field.scalar, value));
  const { message, parent } = field;
  const isSingular = field.fieldKind === "message" && field.oneof === undefined;
  const wrapped = isSingular && !isMessage(value) ? wrappedScalar(message) : undefined;
  if (wrapped !== undefined) return checked(path, () => assertScalar(wrapped, value));
  if (message.typeName !== "google.protobuf.Struct" || parent.typeName === "google.protobuf.Value") {
    // An item of a list or map is there.
    assertPlain(value, path, depth);
    return assertMessage(message, value, path, depth);
  }
  assertPlain(value, path, depth);
  assertJson(value, path, depth);
};

const checked = (path: string, check: () => unknown): void => {
  try {
    check();
  } catch (cause) {
    if (cause instanceof FieldTextError) throw new TypeError(`${path} ${cause.message}`, { cause });
    throw cause;
  }
};

const assertJson = (value: unknown, path: string, depth: number): void => {
  if (value === null || value === undefined || typeof value === "boolean" || Number.isFinite(value)) return;
  if (typeof value === "string" && value.isWellFormed()) return;
  if (!Array.isArray(value) && !isPlain(value)) throw new TypeError(`${path} must be JSON`);
  assertDepth(path, depth);
  for (const [name, item] of Object.entries(value)) assertJson(item, `${path}.${name}`, depth + 1);
};

function assertPlain(value: unknown, path: string, depth: number): asserts value is Readonly<Record<string, unknown>> {
  if (!isPlain(value)) throw new TypeError(`${path === "" ? "the request" : path} must be an object of its fields`);
  assertDepth(path, depth);
}

/** Whether it is an object with members, and not a Date, an array or bytes. */
const isPlain = (value: unknown): value is Readonly<Record<string, unknown>> =>
  Object.prototype.toString.call(value) === "[object Object]";

const assertDepth = (path: string, depth: number): void => {
  if (depth > maxRequestDepth)
    throw new TypeError(`${path.slice(0, 100)} is nested deeper than ${maxRequestDepth} levels, or contains itself`);
};
