// Request messages as query strings, both ways, as grpc-gateway reads them.
import {
  create,
  type DescField,
  type DescMessage,
  type DescOneof,
  type Message,
  type MessageShape,
} from "@bufbuild/protobuf";
import { namesOf } from "./Descriptor.ts";
import {
  enumText,
  FieldTextError,
  isSet,
  isTextual,
  localValue,
  parseEnum,
  parseScalar,
  scalarText,
  type WellKnownText,
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

/**
 * The query string (without `?`) of a request: every field that is set, in declaration order, by JSON names; nested ones by
 * dotted names, lists as repeated parameters, maps as `name[key]`, well-known types in their JSON form by `wellKnown`. `except`
 * names the fields that travel elsewhere by their (dotted) proto names. The same message always gives the same string. Throws
 * TypeError for a list or map of messages: no query can carry it.
 */
export const encodeQuery = <D extends DescMessage>(
  schema: D,
  message: MessageShape<D>,
  except: ReadonlyArray<string> = [],
  wellKnown?: WellKnownText,
): string => {
  const pairs: Array<[string, string]> = [];
  collect(schema, message, "", except, pairs, wellKnown);
  return pairs.length === 0 ? "" : new URLSearchParams(pairs).toString();
};

// Without reflection, which is as large as all the rest of a small client.
const collect = (
  schema: DescMessage,
  message: Message,
  prefix: string,
  except: ReadonlyArray<string>,
  into: Array<[string, string]>,
  textOf: WellKnownText | undefined,
): void => {
  for (const field of schema.fields) {
    if (!isSet(message, field) || except.includes(field.name)) continue;
    const name = prefix + field.jsonName;
    const value = localValue(message, field);
    switch (field.fieldKind) {
      case "list":
        for (const item of value as ReadonlyArray<unknown>) into.push([name, singleText(field, name, item, textOf)]);
        break;
      case "map":
        for (const [key, item] of Object.entries(value as Record<string, unknown>)) {
          if (key.includes("[")) throw new TypeError(`a key of ${name} has a "[": no query can carry it`);
          into.push([`${name}[${key}]`, singleText(field, name, item, textOf)]);
        }
        break;
      case "message":
        if (textOf !== undefined && isTextual(field.message)) {
          const text = textOf(field.message, value);
          // A mask without paths would be read as one with an empty path.
          if (text !== "" || field.message.typeName !== "google.protobuf.FieldMask") into.push([name, text]);
        } else collect(field.message, value as Message, `${name}.`, below(except, field), into, textOf);
        break;
      default:
        into.push([name, singleText(field, name, value, textOf)]);
    }
  }
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
 * travel elsewhere by their (dotted) proto names, `parse` reads well-known types.
 */
export const decodeQuery = <D extends DescMessage>(
  schema: D,
  parameters: URLSearchParams,
  except: ReadonlyArray<string> = [],
  parse?: WellKnownParser,
): MessageShape<D> => {
  const message = create(schema);
  const seen = new Set<string>();
  for (const [name, text] of parameters) {
    const target = locate(schema, name, parse !== undefined);
    if (target === undefined || except.some((path) => target.path === path || target.path.startsWith(`${path}.`)))
      continue;
    try {
      put(message, target, valueIn(target.field, text, parse), seen);
    } catch (cause) {
      if (cause instanceof FieldTextError) throw new QueryParameterError(name, cause.message);
      throw cause;
    }
  }
  return message;
};

type WellKnownParser = (field: DescField, text: string) => unknown;

type Values = Record<string, unknown>;

type Holder = DescField & { readonly fieldKind: "message" };

/** The field that a parameter means, below the messages that hold it. */
interface Target {
  readonly holders: ReadonlyArray<Holder>;
  readonly field: DescField;
  /** By proto names, dotted. */
  readonly path: string;
  /** The key of a map entry. */
  readonly key: string | undefined;
}

const locate = (root: DescMessage, name: string, knowsTexts: boolean): Target | undefined => {
  const [, dotted = name, key] = /^(.*)\[(.*)\]$/s.exec(name) ?? [];
  const isText = (message: DescMessage): boolean => knowsTexts && isTextual(message);
  const holders: Array<Holder> = [];
  const names = dotted.split(".");
  const last = names.pop() ?? "";
  let schema = root;
  for (const name of names) {
    const field = namesOf(schema).get(name);
    if (field?.fieldKind !== "message" || isText(field.message)) return undefined;
    holders.push(field);
    schema = field.message;
  }
  const field = namesOf(schema).get(last);
  if (field === undefined || (field.message !== undefined && !isText(field.message))) return undefined;
  if ((field.fieldKind === "map") !== (key !== undefined)) return undefined;
  return { holders, field, path: [...holders, field].map(({ name }) => name).join("."), key };
};

const put = (root: Values, { holders, field, path, key }: Target, value: unknown, seen: Set<string>): void => {
  let values = root;
  for (const holder of holders) values = held(values, holder);
  const { oneof, localName } = field;
  if (field.fieldKind === "list") {
    (values[localName] as Array<unknown>).push(value);
    return;
  }
  const id = key === undefined ? path : `${path}[${key}]`;
  if (seen.has(id)) throw new FieldTextError("is given more than once");
  seen.add(id);
  if (field.fieldKind === "map") {
    const entry = String(parseScalar(field.mapKey, key ?? ""));
    // A key may be `__proto__`.
    Object.defineProperty(values[localName], entry, { value, enumerable: true, writable: true, configurable: true });
  } else if (oneof === undefined) values[localName] = value;
  else choose(values, oneof, localName, value);
};

/** The message in a field, made when needed. */
const held = (values: Values, field: Holder): Values => {
  const { oneof, localName, message } = field;
  if (oneof === undefined) return (values[localName] ??= create(message)) as Values;
  const choice = values[oneof.localName] as { readonly case?: string; readonly value?: unknown };
  if (choice.case === localName) return choice.value as Values;
  const value = create(message) as unknown as Values;
  choose(values, oneof, localName, value);
  return value;
};

/** Sets a field of a oneof. Throws FieldTextError where another of its fields is there. */
const choose = (values: Values, oneof: DescOneof, localName: string, value: unknown): void => {
  const other = (values[oneof.localName] as { readonly case?: string }).case;
  if (other !== undefined) throw new FieldTextError(`excludes ${other}: both are in the oneof ${oneof.name}`);
  values[oneof.localName] = { case: localName, value };
};

const valueIn = (field: DescField, text: string, parse: WellKnownParser | undefined): unknown => {
  if (field.enum !== undefined) return parseEnum(field.enum, text);
  if (field.message !== undefined) return parse?.(field, text);
  const value = parseScalar(field.scalar, text);
  return "longAsString" in field && field.longAsString ? String(value) : value;
};
