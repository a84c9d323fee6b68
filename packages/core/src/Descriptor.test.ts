// Small descriptors, compared with those of protobuf-es.
import { create, type DescField, type DescMessage } from "@bufbuild/protobuf";
import { EngineListResponseSchema, EngineMessageSchema, EngineSchema } from "@bytenite-engines/proto";
import { expect, test } from "vitest";
import { hasImplicitPresence, namesOf, newMessage, oncePer } from "./Descriptor.ts";
import * as small from "./gen/descriptors.ts";

const fieldOf = (field: DescField) => ({
  kind: field.kind,
  name: field.name,
  jsonName: field.jsonName,
  localName: field.localName,
  number: field.number,
  parent: field.parent.typeName,
  fieldKind: field.fieldKind,
  listKind: field.fieldKind === "list" ? field.listKind : undefined,
  scalar: field.scalar,
  message: field.message?.typeName,
  presence: field.presence,
  isImplicit: hasImplicitPresence(field),
});

/** What the client reads of a descriptor, and of those in it. */
const read = (schema: DescMessage): ReadonlyArray<unknown> => [
  [schema.kind, schema.typeName, schema.name, schema.oneofs],
  ...schema.fields.map(fieldOf),
  ...schema.fields.flatMap(({ message }) => (message === undefined ? [] : read(message))),
];

const pairs = [
  [small.EngineSchema, EngineSchema],
  [small.EngineListResponseSchema, EngineListResponseSchema],
  [small.EngineMessageSchema, EngineMessageSchema],
] as const;

test.for(pairs.map(([own, theirs]) => ({ name: own.name, own, theirs })))(
  "$name is described as by protobuf-es",
  (pair) => {
    const { own, theirs } = pair;
    expect(read(own)).toEqual(read(theirs));
    expect([...namesOf(own).keys()]).toEqual([...namesOf(theirs).keys()]);
  },
);

test("a new message has its values, and the defaults of proto3 for all others", () => {
  const init = {
    name: "a",
    revision: 3,
    createdAt: { seconds: 1n },
    updatedAt: { nanos: 2 },
    deviceRequirements: { gpu: ["x"] },
  };
  expect(newMessage(small.EngineSchema, init)).toEqual(create(EngineSchema, init));
  for (const [own, theirs] of pairs) expect(newMessage(own as DescMessage)).toEqual(create(theirs as DescMessage));
  expect(newMessage(EngineMessageSchema, { engineData: new Uint8Array([1]) }).engineData).toEqual(new Uint8Array([1]));
});

test.for([7, undefined])("what is made once of a descriptor is %s afterwards, too", (value) => {
  const asked: Array<DescMessage> = [];
  const of = oncePer((schema) => {
    asked.push(schema);
    return value;
  });
  for (const schema of [EngineSchema, EngineMessageSchema, EngineSchema]) expect(of(schema)).toBe(value);
  expect(asked).toEqual([EngineSchema, EngineMessageSchema]);
});
