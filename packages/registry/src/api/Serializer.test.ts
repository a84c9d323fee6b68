import { create } from "@bufbuild/protobuf";
import { schemaDigests } from "@bytenite-engines/core/wire";
import { EngineMessageSchema } from "@bytenite-engines/proto";
import { expect, test } from "vitest";
import { makeSerializer } from "./Serializer.ts";

const ours = schemaDigests[EngineMessageSchema.typeName];
const numbers = { [EngineMessageSchema.typeName]: { engine_tag: 20 } };

const digestOf = (options: Parameters<typeof makeSerializer>[0]) =>
  makeSerializer(options).digestOf(EngineMessageSchema);

test("answers have the digest of their numbering, unless they shall have none", async () => {
  expect(await digestOf({})).toBe(ours);
  expect(await digestOf({ fieldNumbers: {} })).toBe(ours);
  expect(await digestOf({ schemaDigest: false })).toBeUndefined();
  expect(await digestOf({ schemaDigest: false, fieldNumbers: numbers })).toBeUndefined();
  const other = makeSerializer({ fieldNumbers: numbers });
  const digest = await other.digestOf(EngineMessageSchema);
  expect([typeof digest, digest === ours]).toEqual(["string", false]);
  expect(other.digestOf(EngineMessageSchema)).toBe(other.digestOf(EngineMessageSchema));
});

test("a message is text in JSON and bytes in protobuf, in the numbering that was given", () => {
  const message = create(EngineMessageSchema, { engineTag: "a" });
  for (const [fieldNumbers, bytes] of [
    [undefined, [0x12, 1, 0x61]],
    [numbers, [0xa2, 1, 1, 0x61]],
  ] as const) {
    const { encode, jsonOnly } = makeSerializer({ fieldNumbers });
    expect(JSON.parse(encode(EngineMessageSchema, message, "json") as string)).toMatchObject({ engineTag: "a" });
    expect([...(encode(EngineMessageSchema, message, "protobuf") as Uint8Array)]).toEqual(bytes);
    expect([jsonOnly, makeSerializer({ fieldNumbers, jsonOnly: true }).jsonOnly]).toEqual([false, true]);
  }
});
