// Parser for the text format that `protoc` prints.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { resultOf } from "@bytenite-engines/test-kit/process";
import { create, ScalarType, type DescField, type DescMessage, type MessageShape } from "@bufbuild/protobuf";

const protoFolder = fileURLToPath(new URL("../../../../../proto", import.meta.url));

/** The text that `protoc --decode` prints for bytes of a message of our proto files. */
export const protocDecode = async (schema: DescMessage, bytes: Uint8Array): Promise<string> => {
  const args = [`--decode=${schema.typeName}`, `--proto_path=${protoFolder}`, `${schema.file.name}.proto`];
  const { code, stdout, stderr } = await resultOf(spawn("protoc", args), bytes);
  if (code !== 0) throw new Error(`protoc: ${stderr}`);
  return stdout;
};

/** The message in a text as protoc prints it: one field a line. Throws on a field that the schema does not have. */
export const fromText = <D extends DescMessage>(schema: D, text: string): MessageShape<D> => {
  const lines = text.split("\n").map((line) => line.trim());
  return readMessage(schema, lines.filter((line) => line !== "").values()) as MessageShape<D>;
};

const readMessage = (schema: DescMessage, lines: Iterator<string>): Record<string, unknown> => {
  const message = create(schema) as unknown as Record<string, unknown>;
  for (let next = lines.next(); next.done !== true && next.value !== "}"; next = lines.next()) {
    const [, name = "", rest = ""] = /^(\w+)(?::\s*| (?=\{))(.*)$/.exec(next.value) ?? [];
    const field = schema.fields.find((candidate) => candidate.name === name);
    if (field === undefined) throw new Error(`protoc prints ${next.value}, which ${schema.typeName} does not have`);
    const value = field.message === undefined ? scalarOf(field, rest) : readMessage(field.message, lines);
    if (field.fieldKind === "list") (message[field.localName] as Array<unknown>).push(value);
    else message[field.localName] = value;
  }
  return message;
};

const scalarOf = (field: DescField, text: string): unknown => {
  switch (field.scalar) {
    case ScalarType.STRING:
      return new TextDecoder("utf-8", { fatal: true }).decode(bytesOf(text));
    case ScalarType.BYTES:
      return bytesOf(text);
    case ScalarType.BOOL:
      return text === "true";
    case ScalarType.INT64:
      return BigInt(text);
    default:
      return Number(text);
  }
};

const letters: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, "\\": 92, '"': 34, "'": 39 };

/** The bytes of a quoted text: ASCII, escaped letters, and octal escapes for the rest. */
const bytesOf = (quoted: string): Uint8Array => {
  const bytes: Array<number> = [];
  for (const [, octal, letter, plain] of quoted.slice(1, -1).matchAll(/\\([0-7]{1,3})|\\(.)|([^\\])/gs)) {
    if (octal !== undefined) bytes.push(Number.parseInt(octal, 8));
    else bytes.push(letter === undefined ? (plain ?? "").charCodeAt(0) : (letters[letter] ?? letter.charCodeAt(0)));
  }
  return Uint8Array.from(bytes);
};
