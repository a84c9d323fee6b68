// Equality of responses whose bytes differ.
import { create, toBinary, type MessageShape } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { EngineListResponseSchema, type EngineSchema } from "@bytenite-engines/proto";
import { expect, test } from "vitest";
import { zipper } from "../../test/verify/Samples.ts";
import { sameWire } from "./SameWire.ts";

const link = (signature: number): string => `https://files.example/zipper.zip?signature=${signature}`;
const bytesOf = (...changes: ReadonlyArray<Partial<MessageShape<typeof EngineSchema>>>): Uint8Array =>
  toBinary(
    EngineListResponseSchema,
    create(EngineListResponseSchema, { engines: changes.map((change) => Object.assign({}, zipper, change)) }),
  );
const signed = bytesOf({ link: link(1) }, { hash: "another" });

test("links that were signed anew are not a change, at any depth", () => {
  expect(sameWire(signed, signed)).toBe(true);
  expect(sameWire(signed, bytesOf({ link: link(2) }, { hash: "another" }))).toBe(true);
});

test.for<[name: string, changed: Uint8Array]>([
  ["another text", bytesOf({ link: link(2), hash: "another" }, { hash: "another" })],
  ["another link", bytesOf({ link: "https://files.example/other.zip?signature=1" }, { hash: "another" })],
  ["another number", bytesOf({ link: link(2), revision: 4 }, { hash: "another" })],
  ["a field more", bytesOf({ link: link(2), deletedAt: zipper.createdAt }, { hash: "another" })],
  ["a field less", bytesOf({ link: link(2), hash: "" }, { hash: "another" })],
  ["a field at another number", bytesOf({ link: link(2), hash: "", owner: zipper.hash }, { hash: "another" })],
  ["an item more", bytesOf({ link: link(2) }, {}, { hash: "another" })],
  ["another order", bytesOf({ hash: "another" }, { link: link(2) })],
  ["another wire type", new Uint8Array([0x08, 0, 0x08, 0])],
  ["no protobuf", new Uint8Array([0x0a, 0x7f])],
  ["nothing", new Uint8Array()],
])("%s is a change", ([, changed]) => {
  expect(sameWire(signed, changed)).toBe(false);
  expect(sameWire(changed, signed)).toBe(false);
});

/** A number inside dozens of messages. */
const nested = (value: number): Uint8Array => {
  let bytes: Uint8Array = new Uint8Array([0x08, value]);
  while (bytes.length < 120) bytes = new Uint8Array([0x0a, bytes.length, ...bytes]);
  return bytes;
};

test("what is nested without end is not followed", () => {
  expect(sameWire(nested(1), nested(1))).toBe(true);
  expect(sameWire(nested(1), nested(2))).toBe(false);
});

/** A list of so many engines with a link. */
const many = (signature: number, count: number) =>
  bytesOf(...Array.from({ length: count }, () => ({ link: link(signature) })));

/** A message with so many fields, of which the first is a link. */
const outer = (signature: number, count: number) => {
  const writer = new BinaryWriter().tag(1, WireType.LengthDelimited).string(link(signature));
  for (let field = 1; field < count; field++) writer.tag(2, WireType.Varint).uint32(1);
  return writer.finish();
};

/** The same in another one. */
const inner = (signature: number, count: number) =>
  new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(outer(signature, count)).finish();

test("an outermost message may have 131,072 fields, and one inside it 1,024", () => {
  expect(sameWire(many(1, 2_000), many(2, 2_000))).toBe(true);
  expect([131_072, 131_073].map((count) => sameWire(outer(1, count), outer(2, count)))).toEqual([true, false]);
  expect([1_024, 1_025].map((count) => sameWire(inner(1, count), inner(2, count)))).toEqual([true, false]);
});

/** A link inside so many messages. */
const linkWithin = (levels: number, signature: number): Uint8Array => {
  let bytes = new BinaryWriter().tag(1, WireType.LengthDelimited).string(link(signature)).finish();
  for (let level = 1; level < levels; level++)
    bytes = new BinaryWriter().tag(1, WireType.LengthDelimited).bytes(bytes).finish();
  return bytes;
};

test("eight levels are read", () => {
  expect([1, 7, 8, 9].map((levels) => sameWire(linkWithin(levels, 1), linkWithin(levels, 2)))).toEqual([
    true,
    true,
    true,
    false,
  ]);
});
