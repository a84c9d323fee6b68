import { create, equals, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { decode, encode, endpoints, schemaDigestHeader, schemaDigests } from "@bytenite-engines/core/wire";
import { EngineListResponseSchema, EngineSchema } from "@bytenite-engines/proto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { transcode } from "./Transcoding.ts";

const digestField = schemaDigestHeader.toLowerCase();
const confirmed = (schema: DescMessage): Record<string, string> => ({
  [digestField]: schemaDigests[schema.typeName] ?? "",
});

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
  ["text that is no JSON", "get", json("<html>"), "json"],
  ["a value of the wrong type", "get", json('{"revision":"many"}'), "json"],
  ["text that is not UTF-8", "get", new Uint8Array([0x22, 0xff, 0x22]), "json"],
])("%s keeps an answer in the form it came in", (_what, endpoint, bytes, from) => {
  expect(transcode(endpoint, bytes, from, confirmed(endpoints[endpoint].response))).toBeUndefined();
});

test("without our schema's digest nothing is transcoded", () => {
  expect(transcode("get", engine, "protobuf", {})).toBeUndefined();
  expect(transcode("get", engine, "protobuf", { [digestField]: "sha-256=:AAAA:" })).toBeUndefined();
  expect(transcode("get", engine, "protobuf", confirmed(EngineListResponseSchema))).toBeUndefined();
  expect(transcode("get", engine, "protobuf", confirmed(EngineSchema))).toBeDefined();
});
