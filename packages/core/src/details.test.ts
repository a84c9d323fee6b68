// Details of errors by their types.
import { create, toBinary } from "@bufbuild/protobuf";
import { BadRequestSchema, ErrorInfoSchema } from "@bytenite-engines/proto";
import { expect, test } from "vitest";
import { findDetails } from "./details.ts";
import { EngineError, type ErrorDetail } from "./EngineError.ts";

const type = ErrorInfoSchema.typeName;
const info = (reason: string) => toBinary(ErrorInfoSchema, create(ErrorInfoSchema, { reason }));

/** The reasons in the ErrorInfos among these details. */
const reasons = (...details: ReadonlyArray<ErrorDetail>) => {
  const error = new EngineError({ reason: { _tag: "NotFound" }, url: "http://a.example", attempts: 1, details });
  return findDetails(error, ErrorInfoSchema).map(({ reason }) => reason);
};

test("details of the type are read, from protobuf or JSON, in their order", () => {
  const json = { reason: "in JSON", unknown: 1 };
  expect(reasons({ type, json }, { type, binary: info("in protobuf") }, { type })).toEqual([
    "in JSON",
    "in protobuf",
    "",
  ]);
});

test("details of another type, and what is none of its type, are left out", () => {
  const other = BadRequestSchema.typeName;
  const others = [
    { type: other, binary: info("a") },
    { type: other, json: { reason: "b" } },
    { type, binary: new Uint8Array([0xff]) },
    { type, json: { reason: 1 } },
  ];
  expect(reasons(...others, { type, binary: info("c") })).toEqual(["c"]);
});

/** Of a detail of so many items, how many are read. */
const violations = (count: number) => {
  const binary = new Uint8Array(Buffer.alloc(2 * count, Buffer.from([0x0a, 0])));
  const details = [{ type: BadRequestSchema.typeName, binary }];
  const error = new EngineError({ reason: { _tag: "NotFound" }, url: "http://a.example", attempts: 1, details });
  return findDetails(error, BadRequestSchema).map(({ fieldViolations }) => fieldViolations.length);
};

test("a detail of more items than an answer may have is left out", () => {
  expect([violations(250_000), violations(250_001)]).toEqual([[250_000], []]);
});
