import { create, toJson, type DescMessage, type JsonObject, type Message } from "@bufbuild/protobuf";
import { FieldDescriptorProto_Type, FileDescriptorProtoSchema, FileOptions_OptimizeMode } from "@bufbuild/protobuf/wkt";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { floats, messages } from "../test/ArbitraryMessages.ts";
import { EverythingSchema } from "../test/gen/kitchen/v1/kitchen_pb.ts";
import { endpoints } from "./gen/endpointSchemas.ts";
import { encodeJson } from "./Encoding.ts";

const engine = endpoints.get.response;

test("zero values are written as they are, unset messages and timestamps as null, lists as []", () => {
  expect(encodeJson(engine, create(engine, { name: "a", deviceRequirements: {} }))).toMatchObject({
    id: "",
    name: "a",
    revision: 0,
    createdAt: null,
    platformConfig: null,
    deviceRequirements: { minCpu: 0, minMemory: 0, gpu: [] },
    isPublic: false,
  });
});

test("every field is there, in the order of declaration, whatever is set", () => {
  fc.assert(
    fc.property(messages(engine), (message) => {
      expect(Object.keys(encodeJson(engine, message))).toEqual(engine.fields.map(({ jsonName }) => jsonName));
    }),
  );
});

const whole = (schema: DescMessage, message: Message): JsonObject =>
  toJson(schema, message, { alwaysEmitImplicit: true }) as JsonObject;

test("what protobuf-es writes is written, value by value", () => {
  fc.assert(
    fc.property(messages(endpoints.list.response), messages(endpoints.status.response), (list, status) => {
      // It leaves out messages that are not set, and writes floats in a longer form of the same value.
      expect(encodeJson(endpoints.list.response, list)).toMatchObject(rounded(whole(endpoints.list.response, list)));
      expect(encodeJson(endpoints.status.response, status)).toEqual(whole(endpoints.status.response, status));
    }),
  );
});

/** With the API's two floats as encodeJson has them. */
const rounded = (json: JsonObject): JsonObject =>
  JSON.parse(JSON.stringify(json), (key, value: unknown) =>
    key.startsWith("min") && typeof value === "number" ? written(value) : value,
  ) as JsonObject;

test("kinds of field that the API has not are written as protobuf-es does", () => {
  const empty = create(EverythingSchema);
  const unset = Object.fromEntries(EverythingSchema.fields.map(({ jsonName }) => [jsonName, null]));
  expect(encodeJson(EverythingSchema, empty)).toEqual({ ...unset, ...whole(EverythingSchema, empty) });
  for (const choice of [
    { case: "choiceText", value: "a" },
    { case: "choiceNumber", value: 7 },
    { case: "choiceChild", value: { label: "b" } },
  ] as const) {
    const full = create(EverythingSchema, {
      choice,
      text: "a",
      color: 1,
      colors: [1, 2],
      maybeText: "b",
      maybeNumber: 0,
      labels: { a: "b" },
      duration: { seconds: 1n },
      times: [{ seconds: 1n }],
      childrenByName: { a: { label: "c" } },
      children: [{ label: "d", numbers: [1] }],
    });
    expect(encodeJson(EverythingSchema, full)).toMatchObject(whole(EverythingSchema, full));
  }
  const file = create(FileDescriptorProtoSchema, {
    name: "a.proto",
    dependency: ["b"],
    messageType: [{ name: "A", field: [{ name: "b", type: FieldDescriptorProto_Type.DOUBLE }] }],
    options: { optimizeFor: FileOptions_OptimizeMode.SPEED },
  });
  expect(encodeJson(FileDescriptorProtoSchema, file)).toMatchObject(toJson(FileDescriptorProtoSchema, file) as object);
});

const written = (minCpu: number): unknown =>
  (encodeJson(engine, create(engine, { deviceRequirements: { minCpu } }))["deviceRequirements"] as { minCpu: unknown })
    .minCpu;

test.for<[value: number, text: string]>([
  [Math.fround(0.1), "0.1"],
  [Math.fround(1.1), "1.1"],
  [Math.fround(16_777_217), "16777216"],
  [Math.fround(3.4028234663852886e38), "3.4028235e+38"],
  [Math.fround(1e-45), "1e-45"],
  [-2.5, "-2.5"],
  [Number.NaN, '"NaN"'],
  [Number.NEGATIVE_INFINITY, '"-Infinity"'],
])("the float %d is written %s", ([value, text]) => {
  expect(JSON.stringify(written(value))).toBe(text);
});

test("no shorter form of a float reads back to the same binary32", () => {
  fc.assert(
    fc.property(
      floats.filter((value) => Number.isFinite(value)),
      (value) => {
        const form = written(value) as number;
        expect(Math.fround(form)).toBe(value);
        const [digits = ""] = form.toExponential().split("e");
        const count = digits.replaceAll(/[^0-9]/g, "").length;
        const shorter = count === 1 ? Number.NaN : Math.fround(Number(value.toPrecision(count - 1)));
        expect(shorter).not.toBe(value);
      },
    ),
    { numRuns: 1_000 },
  );
});
