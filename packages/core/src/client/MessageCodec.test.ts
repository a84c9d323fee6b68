import {
  create,
  createFileRegistry,
  createRegistry,
  fromJson,
  toBinary,
  toJson,
  type DescMessage,
  type JsonObject,
  type JsonValue,
  type Message,
  type MessageInitShape,
} from "@bufbuild/protobuf";
import {
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  FieldMaskSchema,
  FileDescriptorProtoSchema,
  TimestampSchema,
} from "@bufbuild/protobuf/wkt";
import { EngineListResponseSchema, EngineSchema } from "@bytenite-engines/proto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { messages } from "../../test/ArbitraryMessages.ts";
import { LibraryService, ListBooksResponseSchema } from "../../test/gen/google/example/library/v1/library_pb.ts";
import { ChildSchema, EverythingSchema, Kitchen } from "../../test/gen/kitchen/v1/kitchen_pb.ts";
import { decodeJson } from "../JsonReader.ts";
import { attempted, defaultReadLimits, LimitExceeded, type ReadLimits } from "../ReadLimits.ts";
import { decodeBody } from "../Reading.ts";
import { readJson, serviceCodec, withoutPath } from "./MessageCodec.ts";

const schemas: ReadonlyArray<DescMessage> = [
  EngineSchema,
  EngineListResponseSchema,
  ListBooksResponseSchema,
  ChildSchema,
  EverythingSchema,
];
const registry = createRegistry(...schemas);
const read = (schema: DescMessage, json: JsonValue) => readJson(schema, json, defaultReadLimits, () => registry);

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

test.for<[where: string, json: JsonValue]>([
  ["a FieldMask", { mask: "A".repeat(3_000_000) }],
  ["an Any", { any: { "@type": "type.googleapis.com/google.protobuf.FieldMask", value: "A".repeat(3_000_000) } }],
  [
    "a message in an Any",
    { any: { "@type": "type.googleapis.com/kitchen.v1.Everything", mask: "A".repeat(3_000_000) } },
  ],
])("the text of %s counts before it is converted", ([, json]) => {
  const known = createRegistry(EverythingSchema, FieldMaskSchema);
  expect(() => readJson(EverythingSchema, json, defaultReadLimits, () => known)).toThrow(LimitExceeded);
});

test("the key of a map may be of any length, unless it is a number", () => {
  const key = "k".repeat(65);
  expect(read(EverythingSchema, { labels: { [key]: "a" } }).message).toMatchObject({ labels: { [key]: "a" } });
  const switches = { ["1".repeat(65)]: true };
  expect(() => read(EverythingSchema, { switches })).toThrow("switches is not a 64-bit integer");
});

test("a number is read as text in messages of plain fields, also of themselves, and with times; in others not", () => {
  expect(read(ChildSchema, { label: 7, child: { label: 8 } }).message).toMatchObject({
    label: "7",
    child: { label: "8" },
  });
  expect(read(EngineSchema, { name: 7 }).message).toMatchObject({ name: "7" });
  expect(() => read(EverythingSchema, { text: 7 })).toThrow("cannot decode field kitchen.v1.Everything.text");
});

test("what looks like an Any in a Struct is none", () => {
  const struct = { "@type": "type.googleapis.com/kitchen.v1.Child", nope: 1 };
  expect(read(EverythingSchema, { struct }).unknownFields.size).toBe(0);
});

test("types that the file of a service imports are known in an Any", () => {
  const any = { "@type": "type.googleapis.com/google.protobuf.Duration", value: "1s" };
  const { message } = serviceCodec(Kitchen, undefined).readJson(EverythingSchema, { any }, defaultReadLimits);
  expect(message).toMatchObject({ any: { typeUrl: any["@type"] } });
});

test("a field of the path is left out where what holds it is there, and nothing else", () => {
  const { child } = EverythingSchema.field;
  const { label } = ChildSchema.field;
  const left = (init: MessageInitShape<typeof EverythingSchema>) =>
    withoutPath(EverythingSchema, create(EverythingSchema, init), [{ name: "child.label", fields: [child, label] }]);
  expect(left({ text: "a" })).toEqual(create(EverythingSchema, { text: "a" }));
  expect(left({ child: { label: "a", numbers: [1] } })).toEqual(create(EverythingSchema, { child: { numbers: [1] } }));
});

test("an integer of many digits in an Any is not worked out", () => {
  const json: JsonValue = { any: { "@type": "x/kitchen.v1.Everything", int64: "9".repeat(8_000_000) } };
  expect(() => readJson(EverythingSchema, json, defaultReadLimits, () => registry)).toThrow("not a 64-bit integer");
});

test("what the message in an Any has more is counted as unknown", () => {
  const json: JsonValue = { any: { "@type": "x/kitchen.v1.Child", label: "l", more: 1 } };
  const { unknownFields } = readJson(EverythingSchema, json, defaultReadLimits, () => registry);
  expect([...unknownFields.keys()]).toEqual(["any.more"]);
  const named: JsonValue = { any: { "@type": "x/kitchen.v1.Everything", value: 5, more: 1 } };
  const { unknownFields: others } = readJson(EverythingSchema, named, defaultReadLimits, () => registry);
  expect([...others.keys()]).toEqual(["any.more"]);
  expect(readWithin({ any: { "@type": "x/google.protobuf.Timestamp" } }, {})).toThrow(/^cannot decode/);
});

const made = (init: object) => () => serviceCodec(Kitchen, undefined).create(EverythingSchema, init as never);

const cyclic: { label: string; child?: object } = { label: "c" };
cyclic.child = cyclic;

test.for<[init: object, problem: string]>([
  [{ int32: 2_147_483_648 }, "int32 must be a whole number from -2147483648 to 2147483647"],
  [{ int32: 1.5 }, "int32 must be a whole number from -2147483648 to 2147483647"],
  [{ int32: Number.NaN }, "int32 must be a whole number from -2147483648 to 2147483647"],
  [{ int32: "5" }, "int32 must be a whole number from -2147483648 to 2147483647"],
  [{ uint32: -1 }, "uint32 must be a whole number from 0 to 4294967295"],
  [{ int64: 2n ** 63n }, "int64 must be a whole number from -9223372036854775808 to 9223372036854775807"],
  [{ float: 1e39 }, "float must be a number"],
  [{ flag: "true" }, "flag must be true or false"],
  [{ text: "\ud800" }, "text must be well-formed text"],
  [{ data: "x" }, "data must be a Uint8Array"],
  [{ color: "RED" }, "color must be a value of kitchen.v1.Color"],
  [{ texts: "abc" }, "texts must be an array"],
  [{ int64s: [1n, "x"] }, "int64s[1] must be a whole number from"],
  [{ labels: [] }, "labels must be an object"],
  [{ labels: { a: 1 } }, "labels.a must be well-formed text"],
  [{ switches: { x: true } }, "the key x of switches must be a whole number from"],
  [{ child: 5 }, "child must be an object"],
  [{ children: 5 }, "children must be an array"],
  [{ child: { numbers: 5 } }, "child.numbers must be an array"],
  [{ choice: "choiceText" }, "choice must be an object"],
  [{ choice: { case: "choiceTxt", value: "" } }, "choice.case must be one of choiceText, choiceNumber"],
  [{ choice: { case: "choiceNumber", value: "5" } }, "choiceNumber must be a whole number from"],
  [{ time: new Date(5) }, "time must be an object"],
  [{ time: { seconds: 10n ** 15n } }, "time must be within the range of google.protobuf.Timestamp"],
  [{ duration: { seconds: 1n, nanos: -1 } }, "duration must be within the range of google.protobuf.Duration"],
  [{ wrappedUint32: -1 }, "wrappedUint32 must be a whole number from 0"],
  [{ struct: { a: [Number.NaN] } }, "struct.a.0 must be JSON"],
  [{ struct: { a: 1n } }, "struct.a must be JSON"],
  [{ times: [{}, { seconds: 10n ** 15n }] }, "times[1] must be within the range of google.protobuf.Timestamp"],
  [{ choice: { case: "choiceTime", value: { seconds: 10n ** 15n } } }, "choiceTime must be within the range"],
  [{ childrenByName: { a: { label: 5 } } }, "childrenByName.a.label must be well-formed text"],
  [{ children: [{}, null] }, "children[1] must be an object of its fields"],
  [{ colorsByName: { a: 1.5 } }, "colorsByName.a must be a value of kitchen.v1.Color"],
  [{ wrappedText: { value: "a" } }, "wrappedText must be well-formed text"],
  [{ choice: { case: "choiceWrapped", value: "a" } }, "choiceWrapped must be an object"],
  [{ struct: [] }, "struct must be an object"],
  [{ struct: { a: "\ud800" } }, "struct.a must be JSON"],
  [{ struct: { a: [{ b: new Date(5) }] } }, "struct.a.0.b must be JSON"],
  [{ struct: { a: Infinity } }, "struct.a must be JSON"],
  [{ labels: new Map([["a", "b"]]) }, "labels must be an object"],
  [{ child: cyclic }, `${"child.".repeat(17).slice(0, 100)} is nested deeper than 100 levels, or contains itself`],
  [{ switches: { ["x".repeat(200)]: true } }, `the key ${"x".repeat(100)} of switches must be a whole number`],
  [
    {
      value: { kind: { case: "structValue", value: { fields: { a: { kind: { case: "numberValue", value: "x" } } } } } },
    },
    "a.numberValue must be a number",
  ],
  [[] as object, "the request must be an object"],
])("%o is no request: %s", ([init, problem]) => {
  expect(made(init)).toThrow(problem);
});

test.for<[json: JsonValue, problem: string]>([
  [{ int64: 9007199254740992 }, "int64 is a 64-bit integer without quotes"],
  [{ int64s: [1, -9007199254740992] }, "int64s[1] is a 64-bit integer without quotes"],
  [{ wrappedInt64: 9007199254740992 }, "wrappedInt64 is a 64-bit integer without quotes"],
  [{ time: "2020-02-30T00:00:00Z" }, "time must be a moment of RFC 3339"],
  [{ times: ["2021-02-29T00:00:00Z"] }, "times[0] must be a moment of RFC 3339"],
])("%j is not read as another value", ([json, problem]) => {
  expect(() => readJson(EverythingSchema, json, defaultReadLimits, () => registry)).toThrow(problem);
});

test.for<[init: object]>([
  [{ choice: null, child: null, texts: null, labels: null }],
  [undefined as never],
  [{ choice: { case: undefined } }],
  [{ choice: { case: "choiceWrapped", value: { value: "a" } } }],
  [{ struct: { a: null, b: true, c: undefined, d: 1.5, e: "t", f: [[]], g: {} } }],
  [{ wrappedText: "a", wrappedUint32: 4_294_967_295, wrappedInt64: "5", wrappedDouble: Number.NaN }],
  [{ int64: "9223372036854775807", uint64: 5, float: 3.4028234663852886e38, color: 99 }],
  [{ time: { seconds: 253_402_300_799n, nanos: 999_999_999 }, duration: { seconds: -1n, nanos: -1 } }],
])("%o is a request", ([init]) => {
  expect(made(init)).not.toThrow();
});

/** So many objects inside each other. */
const nestedChild = (levels: number): object => (levels === 0 ? {} : { child: nestedChild(levels - 1) });
const nestedList = (levels: number): ReadonlyArray<unknown> => (levels === 0 ? [] : [nestedList(levels - 1)]);

test("a request has a hundred levels at most, of messages, lists, maps and JSON", () => {
  for (const init of [
    (levels: number) => nestedChild(levels),
    (levels: number) => ({ children: [nestedChild(levels - 1)] }),
    (levels: number) => ({ childrenByName: { a: nestedChild(levels - 1) } }),
    (levels: number) => ({ struct: { a: nestedList(levels - 2) } }),
  ]) {
    expect(made(init(100))).not.toThrow();
    expect(made(init(101))).toThrow("is nested deeper than 100 levels, or contains itself");
  }
});

const limitsOf = (limits: Partial<ReadLimits>): ReadLimits => ({ ...defaultReadLimits, ...limits });
const readWithin = (json: JsonValue, limits: Partial<ReadLimits>) => () =>
  readJson(EverythingSchema, json, limitsOf(limits), () => anyRegistry);
const anyRegistry = createRegistry(...schemas, TimestampSchema);
const moment = "2020-01-01T00:00:00Z";

test.for<[json: JsonObject, items: number]>([
  [{}, 1],
  [{ text: "a" }, 1],
  [{ texts: ["a", "b"] }, 3],
  [{ child: { label: "a" } }, 2],
  [{ children: [{}, {}] }, 3],
  [{ labels: { a: "x", b: "y" } }, 3],
  [{ childrenByName: { a: {}, b: {} } }, 3],
  [{ more: 1 }, 2],
  [{ more: { a: [1, 2] } }, 2],
  [{ time: moment }, 3],
  [{ mask: "text,data" }, 7],
  [{ struct: { a: [1, { b: 2 }] } }, 7],
  [{ wrappedInt64: "5" }, 3],
  [{ any: { "@type": "x/kitchen.v1.Child", label: "l" } }, 3],
  [{ any: { "@type": "x/google.protobuf.Timestamp", value: moment } }, 4],
])("%j has %i items", ([json, items]) => {
  expect(readWithin(json, { maxItems: items })).not.toThrow();
  expect(readWithin(json, { maxItems: items - 1 })).toThrow(new LimitExceeded("maxItems", items - 1));
});

test.for<[json: JsonObject, depth: number]>([
  [{ text: "a" }, 0],
  [{ texts: ["a"] }, 1],
  [{ labels: { a: "b" } }, 1],
  [{ child: {} }, 1],
  [{ children: [{}] }, 2],
  [{ childrenByName: { a: {} } }, 2],
  [{ child: { child: {} } }, 2],
  [{ more: [[1]] }, 3],
  [{ struct: { a: { b: 1 } } }, 3],
  [{ any: { "@type": "x/kitchen.v1.Child", child: {} } }, 3],
])("%j is %i levels deep", ([json, maxJsonDepth]) => {
  expect(readWithin(json, { maxJsonDepth })).not.toThrow();
  expect(readWithin(json, { maxJsonDepth: maxJsonDepth - 1 })).toThrow("JSON nested deeper than");
});

test("unknown fields are named by their path, in lists and maps too; extensions are not unknown", () => {
  const json: JsonValue = {
    x: 1,
    child: { x: 2 },
    children: [{}, { x: 3 }],
    childrenByName: { a: { x: 4 } },
    "[a.b]": 5,
  };
  const { unknownFields } = readJson(EverythingSchema, json, defaultReadLimits, () => registry);
  expect([...unknownFields]).toEqual([
    ["x", 1],
    ["child.x", 2],
    ["children[1].x", 3],
    ["childrenByName.a.x", 4],
  ]);
});

test.for<[json: JsonObject, isRead: boolean]>([
  [{ int64: "9".repeat(64) }, false],
  [{ int64: `${"0".repeat(63)}5` }, true],
  [{ int64: `${"0".repeat(64)}5` }, false],
  [{ int64: 9_007_199_254_740_991 }, true],
  [{ int64s: [9_007_199_254_740_992] }, false],
  [{ switches: { [`${"0".repeat(64)}5`]: true } }, false],
])("whether the integer in %j is read: %s", ([json, isRead]) => {
  const given = attempted(() => readJson(EverythingSchema, json, defaultReadLimits, () => registry));
  expect(given !== undefined).toBe(isRead);
});

/** One field of a message, as its schema has it. */
const fieldTypes: Readonly<Record<string, Type>> = {
  double: Type.DOUBLE,
  float: Type.FLOAT,
  int64: Type.INT64,
  uint64: Type.UINT64,
  int32: Type.INT32,
  fixed64: Type.FIXED64,
  fixed32: Type.FIXED32,
  bool: Type.BOOL,
  string: Type.STRING,
  bytes: Type.BYTES,
  uint32: Type.UINT32,
  sfixed32: Type.SFIXED32,
  sfixed64: Type.SFIXED64,
  sint32: Type.SINT32,
  sint64: Type.SINT64,
};

/** Messages with one field each: of each scalar alone, optional, as a list and in a message; and a map beside a text. */
const oneField = (): ReadonlyArray<DescMessage> => {
  const messageType = Object.entries(fieldTypes).flatMap(([name, type]) => {
    const field = { name: "v", number: 1, type, label: Label.OPTIONAL, jsonName: "v" };
    return [
      { name, field: [field] },
      { name: `${name}_list`, field: [{ ...field, label: Label.REPEATED }] },
      {
        name: `${name}_optional`,
        field: [{ ...field, proto3Optional: true, oneofIndex: 0 }],
        oneofDecl: [{ name: "_v" }],
      },
      { name: `${name}_inner`, field: [{ ...field, type: Type.MESSAGE, typeName: `.one.${name}` }] },
    ];
  });
  const entry = {
    name: "VEntry",
    field: ["key", "value"].map((name, at) => ({
      name,
      number: at + 1,
      type: Type.STRING,
      label: Label.OPTIONAL,
      jsonName: name,
    })),
    options: { mapEntry: true },
  };
  const map = {
    name: "map",
    nestedType: [entry],
    field: [
      { name: "v", number: 1, type: Type.MESSAGE, typeName: ".one.map.VEntry", label: Label.REPEATED, jsonName: "v" },
      { name: "w", number: 2, type: Type.STRING, label: Label.OPTIONAL, jsonName: "w" },
    ],
  };
  const file = create(FileDescriptorProtoSchema, {
    name: "one.proto",
    package: "one",
    syntax: "proto3",
    messageType: [...messageType, map],
  });
  return [...createFileRegistry(file, () => undefined)].flatMap((each) => (each.kind === "message" ? [each] : []));
};

test("a message of one field, whatever it is, is read as protobuf-es reads it", () => {
  const values = [
    0,
    1,
    -1,
    1.5,
    "1",
    "AQ==",
    "a",
    true,
    [],
    [1],
    ["1"],
    ["AQ=="],
    [true],
    {},
    { a: "b" },
    { v: 1 },
    { v: "1" },
  ];
  const seen = new Set<string>();
  for (const schema of oneField())
    for (const json of [{}, ...values.map((v) => ({ v }))] as ReadonlyArray<JsonObject>) {
      const expected = attempted(() => fromJson(schema, json));
      if (expected === undefined) continue;
      if ("v" in json) seen.add(schema.name);
      const { message, unknownFields } = read(schema, json);
      expect(toBinary(schema, message)).toEqual(toBinary(schema, expected));
      expect(unknownFields.size).toBe(0);
    }
  expect(seen.size).toBe(61);
});
