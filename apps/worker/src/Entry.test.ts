import { create, equals, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { decode, encode, endpoints, schemaDigests } from "@bytenite-engines/core/wire";
import { EngineListResponseSchema, EngineSchema } from "@bytenite-engines/proto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { namesOf, transcode } from "./Entry.ts";

const confirmed = (schema: DescMessage): string => schemaDigests[schema.typeName] ?? "";

const arbitraryEngine: fc.Arbitrary<MessageInitShape<typeof EngineSchema>> = fc.record({
  id: fc.string({ unit: "binary" }),
  name: fc.string({ unit: "binary" }),
  revision: fc.integer({ min: -2147483648, max: 2147483647 }),
  createdAt: fc.option(fc.record({ seconds: fc.bigInt(-62135596800n, 253402300799n), nanos: fc.nat(999_999_999) }), {
    nil: undefined,
  }),
  isPublic: fc.boolean(),
  deviceRequirements: fc.option(fc.record({ minCpu: fc.float(), gpu: fc.array(fc.string()) }), { nil: undefined }),
});

/** JSON has no negative zero, and NaN is not even equal to itself. */
const isKeptByJson = ({ deviceRequirements }: MessageInitShape<typeof EngineSchema>): boolean =>
  deviceRequirements?.minCpu === undefined ||
  !(Object.is(deviceRequirements.minCpu, -0) || Number.isNaN(deviceRequirements.minCpu));

test("both ways, any answer keeps its meaning, or is not transcoded", () => {
  fc.assert(
    fc.property(fc.array(arbitraryEngine, { maxLength: 3 }), (engines) => {
      const message = create(EngineListResponseSchema, { engines, pagination: { total: engines.length } });
      const binary = encode(EngineListResponseSchema, message, "protobuf");
      const json = transcode("list", binary, "protobuf", confirmed(EngineListResponseSchema));
      const back = json && transcode("list", json, "json", confirmed(EngineListResponseSchema));
      const again = back && decode(EngineListResponseSchema, back, "protobuf");
      const isSame = again !== undefined && equals(EngineListResponseSchema, again, message);
      expect(isSame).toBe(engines.every(isKeptByJson));
    }),
  );
});

const engine = encode(EngineSchema, create(EngineSchema, { name: "zipper" }), "protobuf");
const withUnknownField = new Uint8Array([...engine, 0xfa, 0x7f, 0x01, 0x78]);
const nested = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array([0x0a, bytes.length, ...bytes]);
const json = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

test.each<[string, "get" | "list", Uint8Array<ArrayBuffer>, "json" | "protobuf"]>([
  ["a field number that the schema does not know", "get", withUnknownField, "protobuf"],
  ["one inside a list", "list", nested(withUnknownField), "protobuf"],
  ["a key that the schema does not know", "get", json('{"name":"zipper","tomorrow":1}'), "json"],
  ["one inside a message", "get", json('{"platformConfig":{"tomorrow":null}}'), "json"],
  ["bytes that are cut short", "get", engine.subarray(0, 3), "protobuf"],
  ["a body without any bytes", "get", new Uint8Array(), "protobuf"],
  ["invalid JSON", "get", json("<html>"), "json"],
  ["a value of the wrong type", "get", json('{"revision":"many"}'), "json"],
  ["text that is not UTF-8", "get", new Uint8Array([0x22, 0xff, 0x22]), "json"],
])("%s keeps an answer in the form it came in", (_what, endpoint, bytes, from) => {
  expect(transcode(endpoint, bytes, from, confirmed(endpoints[endpoint].response))).toBeUndefined();
});

test("without our schema's digest nothing is transcoded", () => {
  expect(transcode("get", engine, "protobuf", undefined)).toBeUndefined();
  expect(transcode("get", engine, "protobuf", "sha-256=:AAAA:")).toBeUndefined();
  expect(transcode("get", engine, "protobuf", confirmed(EngineListResponseSchema))).toBeUndefined();
  expect(transcode("get", engine, "protobuf", confirmed(EngineSchema))).toBeDefined();
});

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

test.each<[string, ["json" | "protobuf" | undefined, Uint8Array], boolean]>([
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
  ["JSON of another type", ["json", bytesOf("[]")], false],
  ["null", ["json", bytesOf("null")], false],
  ["half a character", ["json", new Uint8Array([0x7b, 0x22, 0xc3, 0x22, 0x3a, 0x31, 0x7d])], false],
  ["JSON, as protobuf", ["protobuf", listed("json")], false],
  ["protobuf, as JSON", ["json", listed("protobuf")], false],
  ["a page", [undefined, bytesOf("<h1>We are back soon</h1>")], false],
  ["a page, as JSON", ["json", bytesOf("<h1>We are back soon</h1>")], false],
  ["a page, as protobuf", ["protobuf", bytesOf("<h1>We are back soon</h1>")], false],
])("%s: %#", (_what, [format, bytes], expected) => {
  expect(namesOf("list", format, bytes, null) !== undefined).toBe(expected);
});

test("the names of the engines in an answer are read, of protobuf with our schema's digest alone", () => {
  const digest = confirmed(EngineListResponseSchema);
  expect(namesOf("list", "json", listed("json"), null)).toEqual(["zipper", "trainer"]);
  expect(namesOf("list", "protobuf", listed("protobuf"), digest)).toEqual(["zipper", "trainer"]);
  expect(namesOf("list", "protobuf", listed("protobuf"), null)).toBeNull();
});
