// A server with other field numbers, in both formats.
import {
  clone,
  create,
  createFileRegistry,
  fromBinary,
  toBinary,
  type DescFile,
  type DescMessage,
  type MessageShape,
  type UnknownField,
} from "@bufbuild/protobuf";
import {
  type FieldDescriptorProto_Type as Type,
  FileDescriptorProtoSchema,
  FileDescriptorSetSchema,
  type FileDescriptorProto,
} from "@bufbuild/protobuf/wkt";
import { EngineListResponseSchema, EngineMessageSchema } from "@bytenite-engines/proto";
import { decode, encode } from "../../src/Encoding.ts";

/** Message -> proto field name -> number. */
export type Numbers = Readonly<Record<string, Readonly<Record<string, number>>>>;
/** Message -> proto field name -> another type on the wire. */
export type WireTypes = Readonly<Record<string, Readonly<Record<string, Type>>>>;
/** Message -> fields that only the protobuf carries. */
export type Hidden = Readonly<Record<string, ReadonlyArray<UnknownField>>>;

export const contractMessages: ReadonlyArray<DescMessage> = [
  EngineListResponseSchema,
  ...EngineListResponseSchema.fields.flatMap(({ message }) => message ?? []),
  ...(EngineListResponseSchema.fields[0]?.message?.fields ?? []).flatMap(({ message }) =>
    message === undefined || message.typeName.startsWith("google.") ? [] : [message],
  ),
  EngineMessageSchema,
];

export interface ForeignServer {
  readonly protobuf: <D extends DescMessage>(schema: D, message: MessageShape<D>) => Uint8Array;
  readonly json: <D extends DescMessage>(schema: D, message: MessageShape<D>) => MessageShape<D>;
}

export const foreignServer = (numbers: Numbers, hidden: Hidden = {}, types: WireTypes = {}): ForeignServer => {
  const files = new Map<string, FileDescriptorProto>();
  collect(EngineListResponseSchema.file, files);
  for (const file of files.values()) {
    for (const message of file.messageType) {
      const typeName = `${file.package}.${message.name}`;
      for (const field of message.field) {
        field.number = numbers[typeName]?.[field.name] ?? field.number;
        field.type = types[typeName]?.[field.name] ?? field.type;
      }
    }
  }
  const registry = createFileRegistry(create(FileDescriptorSetSchema, { file: [...files.values()] }));
  return {
    protobuf: (schema, message) => {
      const theirs = registry.getMessage(schema.typeName);
      if (theirs === undefined) throw new Error(schema.typeName);
      const copy = clone(schema, message);
      hide(schema, copy, hidden);
      return toBinary(theirs, copy);
    },
    // Over the binary form, so that a float is what a float can hold.
    json: (schema, message) =>
      decode(schema, encode(schema, fromBinary(schema, toBinary(schema, message)), "json"), "json"),
  };
};

const collect = (file: DescFile, files: Map<string, FileDescriptorProto>): void => {
  if (files.has(file.name)) return;
  for (const needed of file.dependencies) collect(needed, files);
  files.set(file.name, clone(FileDescriptorProtoSchema, file.proto));
};

const hide = (schema: DescMessage, message: object, hidden: Hidden): void => {
  const fields = hidden[schema.typeName];
  if (fields !== undefined) (message as { $unknown?: Array<UnknownField> }).$unknown = [...fields];
  for (const field of schema.fields) {
    const value = (message as Record<string, unknown>)[field.localName];
    if (field.message === undefined || value === undefined || field.message.typeName.startsWith("google.")) continue;
    for (const item of Array.isArray(value) ? (value as Array<object>) : [value as object])
      hide(field.message, item, hidden);
  }
};
