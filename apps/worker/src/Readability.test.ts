import { create } from "@bufbuild/protobuf";
import { encode } from "@bytenite-engines/core/wire";
import { EngineListResponseSchema } from "@bytenite-engines/proto";
import { expect, test } from "vitest";
import { isReadable } from "./Readability.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const listed = (format: "json" | "protobuf"): Uint8Array =>
  encode(
    EngineListResponseSchema,
    create(EngineListResponseSchema, {
      engines: [{ name: "zipper", version: "0.1", deviceRequirements: { minCpu: 2 } }, { name: "trainer" }],
      pagination: { total: 2 },
    }),
    format,
  );
const long = (end: string): Uint8Array => bytesOf(`\uFEFF {"a":"${"x".repeat(300_000)}"${end}`);

test.each<[string, Parameters<typeof isReadable>, boolean]>([
  ["a list in JSON", ["json", listed("json")], true],
  ["a list in protobuf", ["protobuf", listed("protobuf")], true],
  ["JSON with fields that nobody knows", ["json", bytesOf(' {"tomorrow": [1]}\n')], true],
  ["JSON after a byte order mark", ["json", bytesOf("\uFEFF{}")], true],
  ["a field of protobuf that nobody knows", ["protobuf", new Uint8Array([0xfa, 0x7f, 1, 0x78])], true],
  ["JSON that names no type of ours", [undefined, bytesOf("{}")], true],
  ["JSON too long to be parsed", ["json", long("}\n")], true],
  ["nothing, as JSON", ["json", bytesOf("")], false],
  ["nothing, as protobuf", ["protobuf", bytesOf("")], false],
  ["nothing, as nothing of ours", [undefined, bytesOf("")], false],
  ["JSON cut short", ["json", listed("json").subarray(0, -1)], false],
  ["JSON too long to be parsed, cut short", ["json", long("")], false],
  ["protobuf cut short", ["protobuf", listed("protobuf").subarray(0, -1)], false],
  ["JSON that is no message", ["json", bytesOf("[]")], false],
  ["null", ["json", bytesOf("null")], false],
  ["half a character", ["json", new Uint8Array([0x7b, 0x22, 0xc3, 0x22, 0x3a, 0x31, 0x7d])], false],
  ["JSON, as protobuf", ["protobuf", listed("json")], false],
  ["protobuf, as JSON", ["json", listed("protobuf")], false],
  ["a page", [undefined, bytesOf("<h1>We are back soon</h1>")], false],
  ["a page, as JSON", ["json", bytesOf("<h1>We are back soon</h1>")], false],
  ["a page, as protobuf", ["protobuf", bytesOf("<h1>We are back soon</h1>")], false],
])("%s: %#", (_what, [format, bytes], expected) => {
  expect(isReadable(format, bytes)).toBe(expected);
});
