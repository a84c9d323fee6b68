// Upload body in JSON or protobuf, with the archive as stream.
import { BinaryReader, BinaryWriter } from "@bufbuild/protobuf/wire";
import { decode, formatOf, type Format } from "@bytenite-engines/core/wire";
import { EngineMessageSchema, type EngineMessage } from "@bytenite-engines/proto";
import type { RequestHead } from "../api/Answer.ts";
import { ApiError } from "../api/ApiError.ts";
import { makeByteReader } from "./ArchiveReader.ts";

/** Most bytes of an upload without its archive. */
export const maxFieldBytes = 64 * 1_024;

/** An upload while it arrives. */
export interface UploadBody {
  /** The bytes of `engineData`. Refuses what is not an EngineMessage. */
  readonly archive: AsyncIterable<Uint8Array>;
  /** The message without its archive, once that was read to its end. */
  readonly message: () => EngineMessage;
}

/** The form of a request's body. Refuses other types, and every coding. */
export const bodyFormat = (head: RequestHead): Format => {
  const format = formatOf(head.header("content-type"));
  const coding = head.header("content-encoding")?.trim().toLowerCase() ?? "identity";
  if (coding !== "identity" && coding !== "") {
    throw new ApiError("INVALID_ARGUMENT", "a body is sent without Content-Encoding; the archive in it may be gzip", {
      status: 415,
      headers: { "Accept-Encoding": "identity" },
    });
  }
  if (format !== undefined) return format;
  throw new ApiError("INVALID_ARGUMENT", "the body is sent as application/json or application/x-protobuf", {
    status: 415,
  });
};

const invalid = (problem: string): ApiError => new ApiError("INVALID_ARGUMENT", problem);

/** Reads a body. Holds one chunk of it in memory, and at most `maxFieldBytes` of fields. */
export const readUpload = (chunks: AsyncIterable<Uint8Array>, format: Format): UploadBody => {
  const fields = new FieldBytes();
  return {
    archive: format === "json" ? archiveInJson(chunks, fields) : archiveInProtobuf(chunks, fields),
    message: () => {
      try {
        return decode(EngineMessageSchema, fields.bytes(), format);
      } catch (error) {
        throw invalid(`the body is not an EngineMessage: ${(error as Error).message}`);
      }
    },
  };
};

/** The fields without the archive. */
class FieldBytes {
  readonly #held = new Uint8Array(maxFieldBytes);
  #length = 0;
  add(bytes: Uint8Array): void {
    if (this.#length + bytes.length > maxFieldBytes) {
      throw invalid(`the body has more than ${maxFieldBytes} bytes besides engineData`);
    }
    this.#held.set(bytes, this.#length);
    this.#length += bytes.length;
  }
  addByte(byte: number): void {
    this.add(Uint8Array.of(byte));
  }
  bytes(): Uint8Array {
    return this.#held.slice(0, this.#length);
  }
}

const dataField = EngineMessageSchema.field.engineData.number;

/** https://protobuf.dev/programming-guides/encoding/#structure */
const wireTypes = { varint: 0, bit64: 1, delimited: 2, bit32: 5 } as const;

/** Largest tag of a field: its number, of 29 bits, and its wire type. */
const maxTag = 0xffff_ffff;

/** Longest varint, in bytes. */
const maxVarintBytes = 10;

const archiveInProtobuf = async function* (
  chunks: AsyncIterable<Uint8Array>,
  fields: FieldBytes,
): AsyncGenerator<Uint8Array> {
  const reader = makeByteReader(chunks, Infinity);
  const exactly = (count: number): Promise<Uint8Array> =>
    reader.exactly(count).catch((error: unknown) => {
      throw error instanceof ApiError ? error : invalid("the body is cut short");
    });
  const byte = async (): Promise<number> => (await exactly(1))[0] as number;
  const varint = async (first: number): Promise<bigint> => {
    const bytes = [first];
    while ((bytes.at(-1) as number) > 0x7f) {
      if (bytes.length === maxVarintBytes) throw invalid("the body is not protobuf");
      bytes.push(await byte());
    }
    return BigInt(new BinaryReader(Uint8Array.from(bytes)).uint64());
  };
  const left = async (count: number): Promise<void> => {
    if (count > maxFieldBytes) throw invalid(`the body has more than ${maxFieldBytes} bytes besides engineData`);
    fields.add(await exactly(count));
  };
  let isThere = false;
  try {
    for (let first = await reader.some(1); first !== undefined; first = await reader.some(1)) {
      const tag = Number(await varint(first[0] as number));
      if (tag > maxTag) throw invalid("the body is not protobuf");
      const [field, type] = [tag >>> 3, tag & 7];
      const value = type === wireTypes.delimited || type === wireTypes.varint ? await varint(await byte()) : 0n;
      const length = Number(value);
      if (field === dataField && type === wireTypes.delimited) {
        if (isThere) throw invalid("engineData is there twice");
        isThere = true;
        for (let rest = length; rest > 0;) {
          const chunk = await reader.some(rest);
          if (chunk === undefined) throw invalid("the body is cut short");
          rest -= chunk.length;
          yield chunk;
        }
        continue;
      }
      const writer = new BinaryWriter().uint32(tag);
      if (type === wireTypes.varint) fields.add(writer.uint64(value).finish());
      else if (type === wireTypes.delimited) {
        fields.add(writer.uint32(Math.min(length, 0xffff_ffff)).finish());
        await left(length);
      } else if (type === wireTypes.bit64 || type === wireTypes.bit32) {
        fields.add(writer.finish());
        await left(type === wireTypes.bit64 ? 8 : 4);
      } else throw invalid("the body is not protobuf");
    }
  } finally {
    reader.close();
  }
};

const quote = 0x22;
const backslash = 0x5c;

/** The names that a JSON reader of protobuf takes for the field. */
const dataNames: ReadonlySet<string> = new Set([
  EngineMessageSchema.field.engineData.jsonName,
  EngineMessageSchema.field.engineData.name,
]);

/** What is not a string of `engineData` is copied as it is, to be read as JSON in the end. */
const archiveInJson = async function* (
  chunks: AsyncIterable<Uint8Array>,
  fields: FieldBytes,
): AsyncGenerator<Uint8Array> {
  let depth = 0;
  let inString = false;
  let isEscaped = false;
  let isValue = false;
  let name = "";
  let data: Base64 | undefined;
  let isThere = false;
  for await (const chunk of chunks) {
    for (let at = 0; at < chunk.length;) {
      if (data !== undefined) {
        const end = chunk.indexOf(quote, at);
        const bytes = data.decode(chunk.subarray(at, end === -1 ? chunk.length : end));
        if (bytes.length !== 0) yield bytes;
        if (end === -1) break;
        const last = data.end();
        if (last.length > 0) yield last;
        data = undefined;
        fields.addByte(quote);
        at = end + 1;
        continue;
      }
      const byte = chunk[at] as number;
      at += 1;
      fields.addByte(byte);
      if (inString) {
        if (isEscaped) isEscaped = false;
        else if (byte === backslash) isEscaped = true;
        else if (byte === quote) inString = false;
        if (inString && !isValue) name += String.fromCharCode(byte);
        continue;
      }
      const character = String.fromCharCode(byte);
      if (byte === quote) {
        if (depth === 1 && isValue && dataNames.has(name)) {
          if (isThere) throw invalid("engineData is there twice");
          isThere = true;
          data = new Base64();
          continue;
        }
        inString = true;
        if (!isValue) name = "";
      } else if (character === "{" || character === "[") depth += 1;
      else if (character === "}" || character === "]") depth -= 1;
      else if (character === ":") isValue = true;
      else if (character === ",") isValue = false;
    }
  }
  if (data !== undefined) throw invalid("the body is cut short");
};

/** The value of each character of base64, of both alphabets (RFC 4648, 4 and 5); protobuf's JSON takes both. */
const values = new Uint8Array(256).fill(255);
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
for (const [value, character] of alphabet.split("").entries()) values[character.charCodeAt(0)] = value;
values["-".charCodeAt(0)] = 62;
values["_".charCodeAt(0)] = 63;

const notBase64 = (): ApiError => invalid("engineData is not base64");

/** Decodes the base64 in a JSON string that comes in pieces, with `\/` and `\u002b` as some writers have them. */
class Base64 {
  #bits = 0;
  #count = 0;
  #padding = 0;
  /** The escape that has begun, after its backslash. */
  #escape: string | undefined;
  decode(text: Uint8Array): Uint8Array {
    const bytes = new Uint8Array(text.length + 3);
    let length = 0;
    for (const byte of text) {
      let character = byte;
      if (this.#escape !== undefined || byte === backslash) {
        const unescaped = this.#unescaped(byte);
        if (unescaped === undefined) continue;
        character = unescaped;
      }
      const value = values[character] ?? 255;
      if (value === 255 || this.#padding > 0) {
        if (character !== 0x3d || this.#count < 2) throw notBase64();
        this.#padding += 1;
        continue;
      }
      this.#bits = (this.#bits << 6) | value;
      this.#count += 1;
      if (this.#count === 4) {
        bytes[length] = this.#bits >>> 16;
        bytes[length + 1] = this.#bits >>> 8;
        bytes[length + 2] = this.#bits;
        length += 3;
        this.#count = 0;
      }
    }
    return bytes.subarray(0, length);
  }
  end(): Uint8Array {
    const isPadded = this.#padding === 0 || this.#padding === 4 - this.#count;
    const unused = this.#count === 2 ? this.#bits & 0xf : this.#count === 3 ? this.#bits & 0x3 : 0;
    if (this.#escape !== undefined || this.#count === 1 || !isPadded || unused !== 0) throw notBase64();
    if (this.#count === 0) return new Uint8Array();
    const bits = this.#bits << (6 * (4 - this.#count));
    return Uint8Array.of(bits >>> 16, bits >>> 8).subarray(0, this.#count - 1);
  }
  #unescaped(byte: number): number | undefined {
    if (this.#escape === undefined) {
      this.#escape = "";
      return undefined;
    }
    this.#escape += String.fromCharCode(byte);
    const [, hex] = /^u([0-9A-Fa-f]{4})$/.exec(this.#escape) ?? [];
    if (hex === undefined && this.#escape !== "/") {
      if (!/^u[0-9A-Fa-f]{0,3}$/.test(this.#escape)) throw notBase64();
      return undefined;
    }
    this.#escape = undefined;
    return hex === undefined ? 0x2f : Number.parseInt(hex, 16);
  }
}
