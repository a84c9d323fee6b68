// Small message descriptors, and messages made by them.
//
// The descriptors of protobuf-es are unpacked from file descriptors at run time, by code that is a quarter of a small client. These are
// written out beforehand (gen/descriptors.ts) and have what the client reads: names, numbers, kinds. Functions of protobuf-es that go by
// more than that (`create`, `fromBinary`, `reflect`) need those of `@bytenite-engines/proto`.
import {
  ScalarType,
  type DescField,
  type DescMessage,
  type MessageInitShape,
  type MessageShape,
} from "@bufbuild/protobuf";

/** Proto name, number, and type; a list of its type. */
export type DescribedField = readonly [
  name: string,
  number: number,
  type: ScalarType | DescMessage | readonly [ScalarType | DescMessage],
];

/** Presence of a field, by the numbers of google.protobuf.FeatureSet: its descriptor would bring all those of protobuf-es. */
const explicit = 1;
const implicit = 2;

/** Whether a field has its default where it is not set, and nothing tells that from being set. */
export const hasImplicitPresence = ({ presence }: { readonly presence: number }): boolean => presence === implicit;

/** The descriptor of a proto3 message without oneofs, maps and enums. */
export const describe = (typeName: string, rows: ReadonlyArray<DescribedField>): DescMessage => {
  const schema = {
    kind: "message",
    typeName,
    name: typeName.slice(typeName.lastIndexOf(".") + 1),
    fields: [] as Array<DescField>,
    oneofs: [],
  };
  for (const [name, number, type] of rows) {
    const isList = Array.isArray(type);
    const item = (isList ? type[0] : type) as ScalarType | DescMessage;
    const of = typeof item === "object" ? { message: item } : { scalar: item };
    const kind = typeof item === "object" ? "message" : "scalar";
    const jsonName = name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
    schema.fields.push({
      kind: "field",
      name,
      jsonName,
      localName: jsonName,
      number,
      parent: schema,
      fieldKind: isList ? "list" : kind,
      ...(isList ? { listKind: kind } : {}),
      ...of,
      presence: !isList && kind === "message" ? explicit : implicit,
    } as unknown as DescField);
  }
  return schema as unknown as DescMessage;
};

/** A message with the given values, and the defaults of proto3 for all others. Its fields are scalars, lists and messages. */
export const newMessage = <D extends DescMessage>(schema: D, init?: MessageInitShape<D>): MessageShape<D> => {
  const values = (init ?? {}) as Readonly<Record<string, unknown>>;
  const message: Record<string, unknown> = { $typeName: schema.typeName };
  for (const field of schema.fields) {
    const value = values[field.localName];
    if (field.fieldKind === "list") message[field.localName] = value ?? [];
    else if (field.fieldKind === "scalar") message[field.localName] = value ?? zeroOf(field.scalar);
    else if (field.fieldKind === "message" && value !== undefined)
      message[field.localName] = newMessage(field.message, value as MessageInitShape<DescMessage>);
  }
  return message as MessageShape<D>;
};

const zeroOf = (scalar: ScalarType): unknown => {
  switch (scalar) {
    case ScalarType.STRING:
      return "";
    case ScalarType.BOOL:
      return false;
    case ScalarType.BYTES:
      return new Uint8Array();
    case ScalarType.INT64:
      return 0n;
    default:
      return 0;
  }
};

/** A function that makes something of a descriptor once, and gives the same afterwards. */
export const oncePer = <V>(make: (schema: DescMessage) => V): ((schema: DescMessage) => V) => {
  const made = new WeakMap<DescMessage, V>();
  return (schema) => {
    const known = made.get(schema);
    if (known !== undefined || made.has(schema)) return known as V;
    const value = make(schema);
    made.set(schema, value);
    return value;
  };
};

/** The fields of a message by their names in proto and in JSON. */
export const namesOf: (schema: DescMessage) => ReadonlyMap<string, DescField> = /* @__PURE__ */ oncePer(
  ({ fields }) => new Map(fields.flatMap((field) => [[field.name, field] as const, [field.jsonName, field] as const])),
);
