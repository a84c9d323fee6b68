import {
  create,
  createRegistry,
  fromJson,
  toBinary,
  toJson,
  type DescMessage,
  type JsonValue,
  type Message,
} from "@bufbuild/protobuf";
import { EngineListResponseSchema, EngineSchema } from "@bytenite-engines/proto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { messages } from "../../test/ArbitraryMessages.ts";
import { LibraryService, ListBooksResponseSchema } from "../../test/gen/google/example/library/v1/library_pb.ts";
import { ChildSchema, EverythingSchema } from "../../test/gen/kitchen/v1/kitchen_pb.ts";
import { decodeJson } from "../JsonReader.ts";
import { defaultReadLimits } from "../ReadLimits.ts";
import { decodeBody } from "../Reading.ts";
import { readJson, serviceCodec } from "./MessageCodec.ts";

const schemas: ReadonlyArray<DescMessage> = [
  EngineSchema,
  EngineListResponseSchema,
  ListBooksResponseSchema,
  ChildSchema,
  EverythingSchema,
];
const registry = createRegistry(...schemas);

test.for(schemas)("$typeName is read as protobuf-es reads it, in either spelling of names", (schema) => {
  fc.assert(
    fc.property(messages(schema, 2), fc.boolean(), fc.boolean(), (message, useProtoFieldName, alwaysEmitImplicit) => {
      const json = toJson(schema, message, { useProtoFieldName, alwaysEmitImplicit, registry });
      const read = readJson(schema, json, defaultReadLimits, () => registry);
      expect(read.message).toEqual(fromJson(schema, json, { registry }));
      expect(read.unknownFields.size).toBe(0);
    }),
    { numRuns: 300 },
  );
});

test.for([EngineSchema, ListBooksResponseSchema, ChildSchema])(
  "our own reader reads $typeName",
  (schema: DescMessage) => {
    fc.assert(
      fc.property(messages(schema, 2), (message) => {
        const json = toJson(schema, message);
        expect(decodeJson(schema, json).message).toEqual(fromJson(schema, json));
      }),
    );
  },
);

test("etcd's way of writing is read: proto names, and integers of 64 bits as text or as numbers", () => {
  const json: JsonValue = { int64_text: 5, int64: "7", uint64: 8, maybe_number: "9", struct: { any_key: { x: 1 } } };
  const { message, unknownFields } = readJson(EverythingSchema, json, defaultReadLimits, () => registry);
  expect(message).toMatchObject({
    int64Text: "5",
    int64: 7n,
    uint64: 8n,
    maybeNumber: 9,
    struct: { any_key: { x: 1 } },
  });
  expect(unknownFields.size).toBe(0);
});

test("what protobuf-es refuses is said from its beginning, without the value", () => {
  const json: JsonValue = { int64: "secret" };
  const read = () => readJson(EverythingSchema, json, defaultReadLimits, () => registry);
  expect(read).toThrow(/^cannot decode [^]* from JSON$/);
});

/** A list of engines of which only one field is in a body of protobuf. */
const decodeField = (name: "engines" | "pagination", bytes: Uint8Array) => {
  const field = EngineListResponseSchema.field[name];
  const body = { contentType: "application/x-protobuf", status: 200, bytes, isRequired: true };
  const codec = serviceCodec(LibraryService, undefined);
  return decodeBody(codec, EngineListResponseSchema, field, body, defaultReadLimits, undefined);
};

test("of an answer that is one field a message comes as its protobuf; any other field has no such form", () => {
  const message = create(EngineListResponseSchema, { pagination: { total: 7 } });
  const field = EngineListResponseSchema.field["pagination"]?.message;
  const bytes = field === undefined ? new Uint8Array() : toBinary(field, message.pagination as Message);
  expect(decodeField("pagination", bytes)).toMatchObject({ format: "protobuf", message });
  expect(() => decodeField("engines", bytes)).toThrow(/is not a message, so its protobuf has no form/);
});
