import {
  fromBinary,
  fromJson,
  toBinary,
  toJson,
  type DescMessage,
  type JsonObject,
  type JsonValue,
} from "@bufbuild/protobuf";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { messages } from "../test/ArbitraryMessages.ts";
import { endpoints } from "./gen/endpointSchemas.ts";
import { decodeJson, decodeJsonWithin, maxJsonDepth } from "./JsonReader.ts";
import { defaultReadLimits, LimitExceeded, parseJson, type ReadLimits } from "./ReadLimits.ts";

const schemas: ReadonlyArray<DescMessage> = Object.values(endpoints).map(({ response }) => response);
const engine = endpoints.get.response;
const list = endpoints.list.response;

test.for(schemas)("the JSON that protobuf-es writes of $typeName is read to the same message", (schema) => {
  fc.assert(
    fc.property(messages(schema), fc.boolean(), fc.boolean(), (message, alwaysEmitImplicit, useProtoFieldName) => {
      const json = toJson(schema, message, { alwaysEmitImplicit, useProtoFieldName });
      const read = decodeJson(schema, JSON.parse(JSON.stringify(json)) as JsonValue);
      expect(read.unknownFields.size).toBe(0);
      expect(toBinary(schema, read.message)).toEqual(toBinary(schema, message));
    }),
  );
});

/** Values that a server might put where a field is expected. Not 30 February: protobuf-es makes March of it, we refuse. */
const values: fc.Arbitrary<JsonValue> = fc.oneof(
  fc.constantFrom<JsonValue>(null, true, false, "true", "", "1", "01", "1.0", "1e3", "-1", "4294967296", "NaN", " 1"),
  fc.constantFrom<JsonValue>([], {}, [null], ["a"], [1], "AQ==", "AQ", "-_8", "+/8=", "Infinity", 3.5e38, 1e-50),
  fc.constantFrom<JsonValue>("2024-01-02T03:04:05Z", "2024-01-02T03:04:05.123456789+05:30", "2024-01-02T03:04:05"),
  fc.integer(),
  fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => (value === 0 ? 0 : value)),
  fc.string({ maxLength: 4 }),
);

const places = [
  ...engine.fields,
  ...(engine.field["deviceRequirements"]?.message?.fields ?? []),
  ...endpoints.status.response.fields,
];

/** What protobuf-es reads, as bytes; undefined for what it refuses. A float too small to be one is 0 only once it travels. */
const oracle = (schema: DescMessage, json: JsonValue): Uint8Array | undefined => {
  try {
    const bytes = toBinary(schema, fromJson(schema, json, { ignoreUnknownFields: true }));
    return toBinary(schema, fromBinary(schema, bytes));
  } catch {
    return undefined;
  }
};

test("whatever protobuf-es reads is read here too, and to the same message", () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...places),
      fc.boolean(),
      values,
      ({ parent: schema, jsonName, name }, byName, value) => {
        const json: JsonObject = { [byName ? name : jsonName]: value };
        const expected = oracle(schema, json);
        fc.pre(expected !== undefined);
        expect(toBinary(schema, decodeJson(schema, json).message)).toEqual(expected);
      },
    ),
    { numRuns: 5_000 },
  );
});

test.for<[json: JsonObject, field: string, value: unknown]>([
  [{ name: null }, "name", ""],
  [{ name: 7 }, "name", "7"],
  [{ name: true }, "name", "true"],
  [{ revision: "12" }, "revision", 12],
  [{ revision: "-0012" }, "revision", -12],
  [{ revision: 1e3 }, "revision", 1000],
  [{ isPublic: "true" }, "isPublic", true],
  [{ isPublic: "false" }, "isPublic", false],
  [{ is_public: true }, "isPublic", true],
  [{ user_name: "a" }, "userName", "a"],
  [{ revision: 2_147_483_647 }, "revision", 2_147_483_647],
  [{ revision: -2_147_483_648 }, "revision", -2_147_483_648],
  [{ deviceRequirements: { minCpu: 3.4028234663852886e38 } }, "deviceRequirements.minCpu", 3.4028234663852886e38],
  [{ deviceRequirements: { minCpu: "-Infinity" } }, "deviceRequirements.minCpu", -Infinity],
  [{ deviceRequirements: { minCpu: "Infinity" } }, "deviceRequirements.minCpu", Infinity],
  [{ deviceRequirements: { minCpu: "NaN" } }, "deviceRequirements.minCpu", Number.NaN],
])("%j gives %s = %j", ([json, field, value]) => {
  expect(decodeJson(engine, json).message).toHaveProperty(field, value);
});

const totalOf = (total: JsonValue) => decodeJson(list, { pagination: { total } }).message.pagination?.total;

test("a count is read from 0 to 4294967295", () => {
  expect([totalOf(0), totalOf("4294967295"), totalOf(4_294_967_295)]).toEqual([0, 4_294_967_295, 4_294_967_295]);
  for (const total of [-1, 4_294_967_296, "4294967296"])
    expect(() => totalOf(total)).toThrow("pagination.total must be a whole number from 0 to 4294967295");
});

test("bytes are read from base64 only", () => {
  const status = endpoints.status.response;
  expect(decodeJson(status, { engineData: "AQ==" }).message.engineData).toEqual(new Uint8Array([1]));
  for (const engineData of [1, true, "A*", ["AQ=="]])
    expect(() => decodeJson(status, { engineData })).toThrow("engineData must be base64");
});

const limitsOf = (limits: Partial<ReadLimits>): ReadLimits => ({ ...defaultReadLimits, ...limits });

test.for<[json: JsonObject, items: number]>([
  [{}, 1],
  [{ engines: [{}, {}] }, 3],
  [{ engines: [{ deviceRequirements: { gpu: ["a", "b"] } }] }, 5],
  [{ next: [1, 2, 3] }, 2],
  [{ engines: [{ a: 1, b: 2 }], pagination: {} }, 5],
  [{ engines: null }, 1],
])("%j has %i items", ([json, items]) => {
  expect(() => decodeJsonWithin(list, json, limitsOf({ maxItems: items }))).not.toThrow();
  const refusal = new LimitExceeded("maxItems", items - 1);
  expect(() => decodeJsonWithin(list, json, limitsOf({ maxItems: items - 1 }))).toThrow(refusal);
});

test.for<[json: JsonObject, depth: number]>([
  [{ pagination: {} }, 1],
  [{ pagination: { total: 1 } }, 2],
  [{ engines: [] }, 1],
  [{ engines: [{}] }, 1],
  [{ engines: [{ name: "a" }] }, 3],
  [{ engines: [{ deviceRequirements: { gpu: ["a"] } }] }, 4],
  [{ next: 1 }, 1],
  [{ next: [[1]] }, 3],
  [{ engines: [{ next: { a: 1 } }] }, 4],
])("%j is %i levels deep", ([json, depth]) => {
  expect(() => decodeJson(list, json, depth)).not.toThrow();
  expect(() => decodeJson(list, json, depth - 1)).toThrow(`JSON nested deeper than maxJsonDepth = ${depth - 1}`);
});

const within = (json: JsonObject) => () => decodeJsonWithin(list, json, limitsOf({ maxEnginesPerPage: 2 }));

test("a list has as many engines as the limit allows; of texts it may have more", () => {
  expect(within({ engines: [{}, {}] })).not.toThrow();
  expect(within({ engines: [{}, {}, {}] })).toThrow(new LimitExceeded("maxEnginesPerPage", 2));
  expect(within({ engines: [{ deviceRequirements: { gpu: ["a", "b", "c"] } }] })).not.toThrow();
});

test.for<[json: JsonValue, complaint: RegExp]>([
  [{ revision: -(2 ** 31) - 1 }, /^revision must be/],
  [{ revision: " 1" }, /^revision must be/],
  [{ revision: true }, /^revision must be/],
  [{ name: ["a"] }, /^name must be text, and is of the kind array$/],
  [{ isPublic: "" }, /^isPublic must be true or false/],
  [{ deviceRequirements: { minCpu: -1e39 } }, /^deviceRequirements\.minCpu must be a number that a float can hold/],
  [{ deviceRequirements: { minCpu: "x" } }, /^deviceRequirements\.minCpu must be a number that a float can hold/],
  [{ revision: 1.5 }, /^revision must be a whole number from -2147483648 to 2147483647, and is of the kind number$/],
  [{ revision: "x" }, /^revision must be a whole number/],
  [{ revision: "" }, /^revision must be a whole number/],
  [{ revision: 2 ** 31 }, /^revision must be/],
  [{ isPublic: "yes" }, /^isPublic must be true or false/],
  [{ isPublic: 1 }, /^isPublic must be true or false/],
  [{ name: {} }, /^name must be text, and is of the kind object$/],
  [{ name: "\ud83d" }, /^name must be well-formed text, and is of the kind string$/],
  [{ deviceRequirements: [] }, /^deviceRequirements must be a JSON object, and is of the kind array$/],
  [{ deviceRequirements: { gpu: "a" } }, /^deviceRequirements\.gpu must be a JSON array/],
  [{ deviceRequirements: { gpu: ["a", []] } }, /^deviceRequirements\.gpu\[1\] must be text/],
  [{ deviceRequirements: { minCpu: 1e39 } }, /^deviceRequirements\.minCpu must be a number that a float can hold/],
  [{ createdAt: "2023-02-29T00:00:00Z" }, /^createdAt must be a moment of RFC 3339/],
  [{ createdAt: 0 }, /^createdAt must be a moment/],
  [[], /^the message must be a JSON object, and is of the kind array$/],
  [null, /^the message must be a JSON object, and is of the kind null$/],
])("%j is refused: %s", ([json, complaint]) => {
  expect(() => decodeJson(engine, json)).toThrow(complaint);
});

test("a complaint never quotes the value, which may be a secret", () => {
  fc.assert(
    fc.property(
      fc.stringMatching(/^[g-z]{12}$/),
      fc.constantFrom("isPublic", "revision", "createdAt"),
      (secret, key) => {
        let message = "";
        try {
          decodeJson(engine, { [key]: secret });
        } catch (error) {
          message = (error as Error).message;
        }
        expect(message).not.toBe("");
        expect(message).not.toContain(secret);
      },
    ),
  );
});

test("unknown keys are passed over, and named by their path", () => {
  const json: JsonValue = { extra: { deep: [1] }, engines: [{ name: "a", colour: "red" }, { name: "b" }], next: null };
  const { message, unknownFields } = decodeJson(list, json);
  expect(message.engines.map(({ name }) => name)).toEqual(["a", "b"]);
  expect([...unknownFields.keys()]).toEqual(["extra", "engines[0].colour", "next"]);
});

test("a key that is also a property of every object is an unknown one, and changes nothing", () => {
  const json = JSON.parse(`{"__proto__":{"name":"evil"},"constructor":1,"toString":2,"name":"good"}`) as JsonValue;
  const { message, unknownFields } = decodeJson(engine, json);
  expect(message.name).toBe("good");
  expect(Object.getPrototypeOf(message)).not.toHaveProperty("evil");
  expect([...unknownFields.keys()]).toEqual(["__proto__", "constructor", "toString"]);
});

const nested = (levels: number): JsonValue =>
  JSON.parse(`{"unknown":${"[".repeat(levels)}${"]".repeat(levels)}}`) as JsonValue;

test("nesting is read up to the limit and refused beyond it, in what is not known too", () => {
  expect([...decodeJson(engine, nested(maxJsonDepth)).unknownFields.keys()]).toEqual(["unknown"]);
  expect(() => decodeJson(engine, nested(maxJsonDepth + 1))).toThrow(RangeError);
  expect(() => decodeJson(engine, nested(100_000))).toThrow("JSON nested deeper than maxJsonDepth = 64");
  expect(() => decodeJson(list, { engines: [{ name: "a" }] }, 1)).toThrow(RangeError);
});

const textOf = (levels: number): string =>
  `{"known":[${"[],{},".repeat(levels)}0],"unknown":${"[".repeat(levels)}${"]".repeat(levels)}}`;

test("a long text is searched for nesting before it is parsed, beside other values", () => {
  const limits = { ...defaultReadLimits, maxItems: textOf(maxJsonDepth).length - 1 };
  const parse = (levels: number) => parseJson(Buffer.from(textOf(levels)), limits);
  expect(parse(maxJsonDepth)).toEqual(JSON.parse(textOf(maxJsonDepth)));
  expect(() => parse(maxJsonDepth + 1)).toThrow("JSON nested deeper than maxJsonDepth = 64");
});

/** Objects with so many members each. */
const parsed = (members: ReadonlyArray<string>, each: number) => {
  const objects = Array.from({ length: members.length / each }, (_, at) => members.slice(at * each, (at + 1) * each));
  return () => parseJson(Buffer.from(`[${objects.map((members) => `{${members.join()}}`).join()}]`), defaultReadLimits);
};

test("many different names are too much before they are parsed, and the same ones are not", () => {
  const names = Array.from({ length: 600_000 }, (_, at) => `"${at.toString(36)}" :0`);
  expect(parsed(names, 600_000)).toThrow(LimitExceeded);
  expect(parsed(names, 100)).toThrow(LimitExceeded);
  const same = Array.from({ length: 600_000 }, (_, at) => `"k${at % 20}":"a"`);
  expect(parsed(same, 20)).not.toThrow();
});
