import { create, fromBinary, fromJson, toBinary, type JsonValue, type MessageInitShape } from "@bufbuild/protobuf";
import { EngineMessageSchema } from "@bytenite-engines/proto";
import { expect, test } from "vitest";
import { engineCodec } from "./EngineCodec.ts";

const body = (init: MessageInitShape<typeof EngineMessageSchema>, format: "json" | "protobuf", omitted?: string) => {
  const message = create(EngineMessageSchema, init);
  const field = EngineMessageSchema.fields.find(({ name }) => name === omitted);
  const pathFields = field === undefined ? [] : [{ name: field.name }];
  return engineCodec.encode(EngineMessageSchema, message, { field: undefined, pathFields } as never, format);
};

const read = (bytes: Uint8Array): object =>
  fromJson(EngineMessageSchema, JSON.parse(Buffer.from(bytes).toString()) as JsonValue);

const data = (length: number): Uint8Array => Uint8Array.from({ length }, (_, at) => (at * 7) % 251);

test.for<MessageInitShape<typeof EngineMessageSchema>>([
  {},
  { engineTag: "a@1.0" },
  { engineStatus: "active" },
  { engineId: "i", engineTag: 'quoted " \u{1f600}\n', engineStatus: "active", engineLink: "https://f/a" },
  { engineTag: "a".repeat(127) },
  { engineTag: "a".repeat(128) },
  { engineTag: "é".repeat(8_192) },
  { engineTag: "a@1.0", engineData: data(7), engineStatus: "active" },
])("%o is written as protobuf-es writes it", (init) => {
  const message = create(EngineMessageSchema, init);
  expect(fromBinary(EngineMessageSchema, body(init, "protobuf"))).toEqual(message);
  expect(body(init, "protobuf")).toHaveLength(toBinary(EngineMessageSchema, message).byteLength);
  expect(read(body(init, "json"))).toEqual(message);
});

test.for([1, 2, 3, 4, 127, 128, 16_383, 16_384, 49_151, 49_152, 49_153, 98_304, 98_305, 2_097_152])(
  "an archive of %i bytes is written whole",
  (length) => {
    const init = { engineId: "i", engineData: data(length), engineTag: "a@1.0" };
    const expected = toBinary(EngineMessageSchema, create(EngineMessageSchema, init));
    expect(Buffer.compare(body(init, "protobuf"), expected)).toBe(0);
    const json = JSON.parse(Buffer.from(body(init, "json")).toString()) as { engineData: string };
    expect(json).toEqual({
      engineId: "i",
      engineData: Buffer.from(init.engineData).toString("base64"),
      engineTag: "a@1.0",
    });
  },
);

test("a field of the path is not in the body", () => {
  const init = { engineId: "i", engineTag: "a@1.0" };
  for (const format of ["json", "protobuf"] as const) {
    const bytes = body(init, format, "engine_tag");
    const message = format === "json" ? read(bytes) : fromBinary(EngineMessageSchema, bytes);
    expect(message).toEqual(create(EngineMessageSchema, { engineId: "i" }));
  }
});
