// Decides: how a request message travels in a query string, both ways, as grpc-gateway reads it.
import { create, ScalarType, type DescField, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { base64Decode, base64Encode } from "@bufbuild/protobuf/wire";

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
 * The query string (without `?`) of a request: every field with a non-default value, in declaration order, by JSON
 * names. `except` names the fields that travel in the path. The same message always gives the same string.
 */
export const encodeQuery = <D extends DescMessage>(
  schema: D,
  message: MessageShape<D>,
  except: ReadonlyArray<string> = [],
): string => {
  const parameters = new URLSearchParams();
  collect(schema, message, "", except, parameters);
  return parameters.toString();
};

const collect = (
  schema: DescMessage,
  values: Record<string, unknown>,
  prefix: string,
  except: ReadonlyArray<string>,
  into: URLSearchParams,
): void => {
  for (const field of schema.fields) {
    const value = values[field.localName];
    if (value === undefined || except.includes(field.name)) continue;
    const name = prefix + field.jsonName;
    if (field.fieldKind === "message") collect(field.message, value as Record<string, unknown>, `${name}.`, [], into);
    else if (value instanceof Uint8Array) {
      if (value.length > 0) into.append(name, base64Encode(value));
    } else if (value !== "" && value !== 0 && value !== false)
      into.append(name, `${value as string | number | boolean}`);
  }
};

/**
 * The request in a query string. Names are JSON or proto names; unknown ones are ignored. Throws QueryParameterError for
 * a singular parameter given twice and for a value that does not parse. `except` names the fields that travel in the path.
 */
export const decodeQuery = <D extends DescMessage>(
  schema: D,
  parameters: URLSearchParams,
  except: ReadonlyArray<string> = [],
): MessageShape<D> => {
  const message = create(schema);
  const seen = new Set<string>();
  for (const [name, text] of parameters) {
    const target = locate(schema, message, name.split("."));
    if (target === undefined || except.includes(target.field.name)) continue;
    if (seen.has(target.path)) throw new QueryParameterError(name, "is given more than once");
    seen.add(target.path);
    target.values[target.field.localName] = parseScalar(target.field.scalar, name, text);
  }
  return message;
};

type ScalarField = DescField & { readonly fieldKind: "scalar" };

/** The scalar field that a dotted name stands for, in the (made when needed) message that holds it. */
const locate = (
  schema: DescMessage,
  values: Record<string, unknown>,
  names: ReadonlyArray<string>,
  path = "",
): { field: ScalarField; values: Record<string, unknown>; path: string } | undefined => {
  const [name, ...rest] = names;
  const field = schema.fields.find((candidate) => candidate.jsonName === name || candidate.name === name);
  if (field === undefined) return undefined;
  const at = `${path}.${field.name}`;
  if (field.fieldKind === "scalar") return rest.length === 0 ? { field, values, path: at } : undefined;
  if (field.fieldKind !== "message" || rest.length === 0) return undefined;
  values[field.localName] ??= create(field.message);
  return locate(field.message, values[field.localName] as Record<string, unknown>, rest, at);
};

const booleans = new Map<string, boolean>([
  ...["1", "t", "T", "TRUE", "true", "True"].map((text) => [text, true] as const),
  ...["0", "f", "F", "FALSE", "false", "False"].map((text) => [text, false] as const),
]);

const maxUint32 = 4_294_967_295;

const parseScalar = (scalar: ScalarType, name: string, text: string): unknown => {
  switch (scalar) {
    case ScalarType.STRING:
      return text;
    case ScalarType.UINT32: {
      const value = Number(text);
      if (!/^[0-9]+$/.test(text) || value > maxUint32) {
        throw new QueryParameterError(name, `must be a whole number from 0 to ${maxUint32}`);
      }
      return value;
    }
    case ScalarType.BOOL: {
      const value = booleans.get(text);
      if (value === undefined) throw new QueryParameterError(name, "must be true or false");
      return value;
    }
    case ScalarType.BYTES:
      try {
        // In a query a `+` has become a space; both alphabets are read, padded or not.
        return base64Decode(text.replaceAll(" ", "+"));
      } catch {
        throw new QueryParameterError(name, "must be base64");
      }
    default:
      throw new QueryParameterError(name, "has a type that no query parameter of this API has");
  }
};
