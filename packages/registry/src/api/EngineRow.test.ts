import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { EngineSchema } from "@bytenite-engines/proto";
import { expect, test } from "vitest";
import { assertTag, engineColumns, engineOf, rowOf } from "./EngineRow.ts";

test("the row of an engine has its times in milliseconds, and its secret in its own column alone", () => {
  const whole = create(EngineSchema, {
    id: "an-id",
    name: "sealed",
    version: "1.20",
    status: "active",
    isPublic: true,
    revision: 7,
    createdAt: timestampFromMs(1_001),
    updatedAt: timestampFromMs(2_002),
    deletedAt: timestampFromMs(3_003),
    platformConfig: { token: "hunter2", secrets: ["kept"] },
  });
  const row = rowOf(whole, 5, Uint8Array.of(9));
  expect(row.slice(0, -2)).toEqual([
    "an-id",
    5,
    "sealed",
    1,
    20,
    "active",
    1,
    7,
    1_001,
    2_002,
    3_003,
    Uint8Array.of(9),
  ]);
  expect(engineOf(row.at(-2)).platformConfig).toMatchObject({ token: "", secrets: ["kept"] });
  expect(Buffer.from(row.at(-1) as Uint8Array).includes("hunter2")).toBe(false);
  expect(whole.platformConfig?.token).toBe("hunter2");
  const bare = rowOf(create(EngineSchema, { name: "bare", version: "0.1" }), 5, null);
  expect(bare.slice(0, -2)).toEqual(["", 5, "bare", 0, 1, "", 0, 0, 0, 0, null, null]);
  expect(engineOf(bare.at(-2)).platformConfig).toBeUndefined();
  expect(bare).toHaveLength(engineColumns.length);
});

/** What is said of an engine with this name and version. */
const said = (name: string, version: string): string => {
  try {
    return JSON.stringify(assertTag(create(EngineSchema, { name, version })));
  } catch (error) {
    return (error as Error).message;
  }
};

test.for([
  ["a", "1.2", '{"major":1,"minor":2}'],
  ["a", "1", 'version "1" is not major.minor'],
  ["a@1", "1.2", 'name "a@1" is not 1 to 64 letters, digits, - or _'],
  ["a b", "1.2", 'name "a b" is not 1 to 64 letters, digits, - or _'],
  ["ab".repeat(51), "1.2", `name "${"ab".repeat(50)}" is not 1 to 64 letters, digits, - or _`],
] as const)("an engine needs a name and a version that make a tag: %s, %s", ([name, version, expected]) => {
  expect(said(name, version)).toBe(expected);
});
