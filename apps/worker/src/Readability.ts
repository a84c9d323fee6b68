// Decides: whether anybody could read the body of a success, as far as that can be told cheaply.
import { BinaryReader } from "@bufbuild/protobuf/wire";
import type { Format } from "@bytenite-engines/core/wire";

/** Longest JSON that is parsed to be sure, in bytes: a millisecond or two. Of longer ones the two ends are looked at. */
const maxParsedBytes = 262_144;

/**
 * Whether the bytes can be what their Content-Type says; where that names neither form, whether they are JSON. No bytes at
 * all never can: of this API that is an answer which got lost, in protobuf too. Which fields there are is not asked.
 */
export const isReadable = (format: Format | undefined, bytes: Uint8Array): boolean => {
  if (bytes.byteLength === 0) return false;
  return format === "protobuf" ? isProtobuf(bytes) : isJsonObject(bytes);
};

const fatalUtf8 = new TextDecoder("utf-8", { fatal: true });

const isJsonObject = (bytes: Uint8Array): boolean => {
  if (bytes.byteLength > maxParsedBytes) return hasEndsOfObject(bytes);
  try {
    const value = JSON.parse(fatalUtf8.decode(bytes)) as unknown;
    return typeof value === "object" && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
};

/** Bytes at either end in which there is more than white space. */
const endBytes = 16;
const utf8 = new TextDecoder();

const hasEndsOfObject = (bytes: Uint8Array): boolean =>
  utf8.decode(bytes.subarray(0, endBytes)).trimStart().startsWith("{") &&
  utf8.decode(bytes.subarray(-endBytes)).trimEnd().endsWith("}");

/** Whether it is field after field to the last byte, whatever their numbers. What is in them is stepped over. */
const isProtobuf = (bytes: Uint8Array): boolean => {
  const reader = new BinaryReader(bytes);
  try {
    while (reader.pos < reader.len) {
      const [number, type] = reader.tag();
      reader.skip(type, number);
    }
    return true;
  } catch {
    return false;
  }
};
