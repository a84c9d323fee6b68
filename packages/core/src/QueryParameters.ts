// Request messages as query strings, both ways, as grpc-gateway reads them.
import {
  create,
  isFieldSet,
  ScalarType,
  type DescField,
  type DescMessage,
  type Message,
  type MessageShape,
} from "@bufbuild/protobuf";
import { reflect, type ReflectMessage } from "@bufbuild/protobuf/reflect";
import {
  enumText,
  FieldTextError,
  isTextual,
  parseEnum,
  parseMessage,
  parseScalar,
  scalarText,
  wellKnownText,
} from "./http-rule/FieldText.ts";

/** A parameter that cannot be read; the server answers it with 400 and INVALID_ARGUMENT. */
export class QueryParameterError extends Error {
  readonly _tag = "QueryParameterError";
  readonly parameter: string;
  constructor(parameter: string, problem: string) {
    super(`query parameter ${JSON.stringify(parameter.slice(0, 100))} ${problem}`);
    this.name = "QueryParameterError";
    this.parameter = parameter;
  }
}

/** How the value of a well-known type is written; apart, since most requests have none and protobuf-es's JSON writer is large. */
type WellKnownText = (descriptor: DescMessage, value: unknown) => string;

/**
 * The query string (without `?`) of a request: every field that is set, in declaration order, by JSON names; nested ones by
 * dotted names, lists as repeated parameters, maps as `name[key]`, well-known types in their JSON form. `except` names the
 * fields that travel elsewhere by their (dotted) proto names. The same message always gives the same string. Throws TypeError
 * for a list or map of messages: no query can carry it.
 */
export const encodeQuery = <D extends DescMessage>(
  schema: D,
  message: MessageShape<D>,
  except: ReadonlyArray<string> = [],
): string => encodeQueryWith(wellKnownText, schema, message, except);

/** The same for messages without well-known types. */
export const encodePlainQuery = <D extends DescMessage>(
  schema: D,
  message: MessageShape<D>,
  except: ReadonlyArray<string> = [],
): string => encodeQueryWith(undefined, schema, message, except);

const encodeQueryWith = (
  textOf: WellKnownText | undefined,
  schema: DescMessage,
  message: Message,
  except: ReadonlyArray<string>,
): string => {
  const parameters = new URLSearchParams();
  collect(schema, message, "", except, parameters, textOf);
  return parameters.toString();
};

// Without reflection, which is as large as all the rest of a small client.
const collect = (
  schema: DescMessage,
  message: Message,
  prefix: string,
  except: ReadonlyArray<string>,
  into: URLSearchParams,
  textOf: WellKnownText | undefined,
): void => {
  for (const field of schema.fields) {
    if (!isFieldSet(message, field) || except.includes(field.name)) continue;
    const name = prefix + field.jsonName;
    const value = localValue(message, field);
    switch (field.fieldKind) {
      case "list":
        for (const item of value as ReadonlyArray<unknown>) into.append(name, singleText(field, name, item, textOf));
        break;
      case "map":
        for (const [key, item] of Object.entries(value as Record<string, unknown>)) {
          if (key.includes("[")) throw new TypeError(`a key of ${name} has a "[": no query can carry it`);
          into.append(`${name}[${key}]`, singleText(field, name, item, textOf));
        }
        break;
      case "message":
        if (textOf !== undefined && isTextual(field.message)) into.append(name, textOf(field.message, value));
        else collect(field.message, value as Message, `${name}.`, below(except, field), into, textOf);
        break;
      default:
        into.append(name, singleText(field, name, value, textOf));
    }
  }
};

const localValue = (message: Message, { oneof, localName }: DescField): unknown => {
  const values = message as unknown as Record<string, unknown>;
  return oneof === undefined ? values[localName] : (values[oneof.localName] as { readonly value: unknown }).value;
};

/** The exceptions inside a field. */
const below = (except: ReadonlyArray<string>, { name }: DescField): ReadonlyArray<string> =>
  except.flatMap((path) => (path.startsWith(`${name}.`) ? [path.slice(name.length + 1)] : []));

const singleText = (field: DescField, name: string, value: unknown, textOf: WellKnownText | undefined): string => {
  if (field.enum !== undefined) return enumText(field.enum, value as number);
  if (field.scalar !== undefined) return scalarText(field.scalar, value);
  if (textOf !== undefined && isTextual(field.message)) return textOf(field.message, value);
  throw new TypeError(`${name} is a ${field.fieldKind} of messages: no query can carry it`);
};

/**
 * The request in a query string. Names are JSON or proto names; unknown ones are ignored. Throws QueryParameterError for
 * a singular parameter given twice, for two of one oneof, and for a value that does not parse. `except` names the fields that
 * travel elsewhere by their (dotted) proto names.
 */
export const decodeQuery = <D extends DescMessage>(
  schema: D,
  parameters: URLSearchParams,
  except: ReadonlyArray<string> = [],
): MessageShape<D> => {
  const message = create(schema);
  const root = reflect(schema, message);
  const seen = new Set<string>();
  for (const [name, text] of parameters) {
    const target = locate(root, name);
    if (target === undefined || except.some((path) => target.path === path || target.path.startsWith(`${path}.`)))
      continue;
    try {
      put(target, text, seen);
    } catch (cause) {
      if (cause instanceof FieldTextError) throw new QueryParameterError(name, cause.message);
      throw cause;
    }
  }
  return message;
};

/** The field that a parameter means, and the (made when needed) message that holds it. */
interface Target {
  readonly field: DescField;
  readonly holder: () => ReflectMessage;
  /** By proto names, dotted. */
  readonly path: string;
  /** The key of a map entry. */
  readonly key: string | undefined;
}

const locate = (root: ReflectMessage, name: string): Target | undefined => {
  const [, dotted = name, key] = /^(.*)\[(.*)\]$/s.exec(name) ?? [];
  const names = dotted.split(".");
  let schema = root.desc;
  const fields: Array<DescField> = [];
  for (const [index, item] of names.entries()) {
    const field = schema.fields.find((candidate) => candidate.jsonName === item || candidate.name === item);
    if (field === undefined) return undefined;
    fields.push(field);
    if (index === names.length - 1) break;
    if (field.fieldKind !== "message" || isTextual(field.message)) return undefined;
    schema = field.message;
  }
  const field = fields.pop();
  if (field === undefined || !isParameter(field) || (field.fieldKind === "map") !== (key !== undefined))
    return undefined;
  const holder = (): ReflectMessage => {
    let at = root;
    for (const outer of fields as ReadonlyArray<DescField & { fieldKind: "message" }>) {
      if (!at.isSet(outer)) at.set(outer, reflect(outer.message));
      at = at.get(outer);
    }
    return at;
  };
  return { field, holder, path: [...fields, field].map(({ name }) => name).join("."), key };
};

const isParameter = ({ message }: DescField): boolean => message === undefined || isTextual(message);

const put = ({ field, holder, path, key }: Target, text: string, seen: Set<string>): void => {
  const value = parsed(field, text);
  const message = holder();
  if (field.fieldKind === "list") {
    message.get(field).add(value);
    return;
  }
  const id = key === undefined ? path : `${path}[${key}]`;
  if (seen.has(id)) throw new FieldTextError("is given more than once");
  seen.add(id);
  if (field.fieldKind === "map") {
    message.get(field).set(parseScalar(field.mapKey, key ?? ""), value);
    return;
  }
  const other = field.oneof === undefined ? undefined : message.oneofCase(field.oneof);
  if (other !== undefined && other !== field)
    throw new FieldTextError(`excludes ${other.jsonName}: both are in the oneof ${field.oneof?.name}`);
  message.set(field, value);
};

const parsed = (field: DescField, text: string): unknown => {
  if (field.enum !== undefined) return parseEnum(field.enum, text);
  return field.message === undefined
    ? parseScalar(field.scalar ?? ScalarType.STRING, text)
    : parseMessage(field.message, text);
};
