// Other numberings of the protobuf fields, and their descriptors.
import { clone, createFileRegistry, type DescMessage, type FileRegistry } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema, FileDescriptorSetSchema, type FileDescriptorProto } from "@bufbuild/protobuf/wkt";
import { create } from "@bufbuild/protobuf";
import { EngineListResponseSchema } from "@bytenite-engines/proto";

/** Full message name (`bytenite.engine.Engine`) -> proto field name -> number. What is not named keeps its number. */
export type FieldNumbers = Readonly<Record<string, Readonly<Record<string, number>>>>;

/** Largest field number that protobuf allows. */
const maxFieldNumber = 536_870_911;

/** Field numbers that protobuf keeps for itself. */
const reservedNumbers = { from: 19_000, to: 19_999 } as const;

/** A numbering that names something unknown, or gives a number twice or a forbidden one. */
export class FieldNumbersError extends Error {
  override readonly name = "FieldNumbersError";
  constructor(problem: string) {
    super(`field numbers: ${problem}`);
  }
}

/** All messages of the API with the given numbers. Throws FieldNumbersError. */
export const renumbered = (numbers: FieldNumbers): FileRegistry => {
  const files = new Map<string, FileDescriptorProto>();
  const messages = new Map<string, DescMessage>();
  collect(EngineListResponseSchema.file, files, messages);
  for (const [typeName, fields] of Object.entries(numbers)) {
    const message = messages.get(typeName);
    if (message === undefined) throw new FieldNumbersError(`there is no message ${typeName}`);
    for (const name of Object.keys(fields)) {
      if (!message.fields.some((field) => field.name === name)) {
        throw new FieldNumbersError(`${typeName} has no field ${name}`);
      }
    }
  }
  for (const file of files.values()) {
    for (const message of file.messageType) {
      const typeName = `${file.package}.${message.name}`;
      const taken = new Set<number>();
      for (const field of message.field) {
        field.number = numbers[typeName]?.[field.name] ?? field.number;
        assertNumber(field.number, `${typeName}.${field.name}`, taken);
      }
    }
  }
  return createFileRegistry(create(FileDescriptorSetSchema, { file: [...files.values()] }));
};

const assertNumber = (number: number, at: string, taken: Set<number>): void => {
  const reserved = number >= reservedNumbers.from && number <= reservedNumbers.to;
  if (!Number.isInteger(number) || number < 1 || number > maxFieldNumber || reserved) {
    throw new FieldNumbersError(`${at} cannot have the number ${number}`);
  }
  if (taken.has(number)) throw new FieldNumbersError(`${at} has the number ${number} of another field`);
  taken.add(number);
};

type File = typeof EngineListResponseSchema.file;

/** Files in the order in which each comes after those it needs. */
const collect = (file: File, files: Map<string, FileDescriptorProto>, messages: Map<string, DescMessage>): void => {
  if (files.has(file.name)) return;
  for (const needed of file.dependencies) collect(needed, files, messages);
  files.set(file.name, clone(FileDescriptorProtoSchema, file.proto));
  if (file.proto.package.startsWith("google.")) return;
  for (const message of file.messages) messages.set(message.typeName, message);
};
