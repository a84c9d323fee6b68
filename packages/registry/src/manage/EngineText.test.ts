import { toJson } from "@bufbuild/protobuf";
import { EngineSchema, type Engine } from "@bytenite-engines/proto";
import { expect, test } from "vitest";
import { UnacceptableEngineError } from "../api/EngineRow.ts";
import { documentOf, engineIn, type EngineChanges } from "./EngineText.ts";
import { ManifestError } from "./Manifest.ts";

const read = (text: string, changes: EngineChanges = {}): Engine => engineIn({ text, source: "f" }, changes);

const problems = (text: string): ReadonlyArray<string> => {
  try {
    read(text);
    return [];
  } catch (error) {
    if (error instanceof ManifestError) return error.problems;
    if (error instanceof UnacceptableEngineError) return [error.message];
    throw error;
  }
};

test.for<[ReadonlyArray<number | string>, string]>([
  [[0xff], "1:1"],
  [["a", 0xff], "1:2"],
  [["\n", 0xff, "\n"], "2:1"],
  [["é\nab", 0xff, "\n", 0xff], "2:3"],
  [["a\nb\né😀", 0xc3, "\n"], "3:4"],
  [["\u{FFFD}", 0xe9, "x"], "1:2"],
  [["x\n", 0xc3, "\n"], "2:1"],
])("bytes %j are not UTF-8 at %s", ([parts, place]) => {
  const bytes = Buffer.concat(parts.map((part) => (typeof part === "string" ? Buffer.from(part) : Buffer.of(part))));
  const document = documentOf(bytes, "f");
  expect(document).toEqual({ text: "", source: "f", problem: `f:${place}: is not UTF-8` });
  expect(() => engineIn(document, {})).toThrow(new ManifestError([`f:${place}: is not UTF-8`]));
});

test("UTF-8 is a document as it is", () => {
  expect(documentOf(Buffer.from("é\u{FFFD}\n"), "f")).toEqual({ text: "é\u{FFFD}\n", source: "f" });
});

test("a manifest or an exported engine is changed as the import says, and in nothing else", () => {
  const hash = `${"A".repeat(43)}=`;
  const exported = { id: "x", userName: "ann", name: "a", version: "0.1", status: "inactive" };
  for (const text of ['{"name":"a","version":"0.1"}', JSON.stringify(exported)]) {
    const plain = read(text);
    expect(plain).toMatchObject({ name: "a", isPublic: false, hash: "" });
    expect(plain.status).not.toBe("active");
    const unchanged = { activate: false, makePublic: false, hash: undefined };
    expect(read(text, unchanged)).toEqual(plain);
    expect(read(text, { activate: true })).toEqual({ ...plain, status: "active" });
    expect(read(text, { makePublic: true })).toEqual({ ...plain, isPublic: true });
    expect(read(text, { hash })).toEqual({ ...plain, hash });
  }
});

const whole = {
  id: "x-Y_1",
  owner: "o",
  userName: "ann",
  name: "a",
  version: "0.1",
  status: "active",
  revision: 3,
  createdAt: "2026-11-28T00:00:00Z",
  hash: `${"A".repeat(43)}=`,
  isPublic: true,
  platformConfig: { container: "c", secrets: ["A", "B"] },
  deviceRequirements: { minCpu: 0.5, minMemory: 2, gpu: ["t4"] },
};

test("an exported engine is read as it is", () => {
  expect(toJson(EngineSchema, read(JSON.stringify(whole)))).toEqual(whole);
  // Without one of the fields that a manifest has not, it is a manifest.
  for (const text of [
    '{"userName":"ann","name":"a"}',
    '{"id":"x","name":{"userName":"ann"}}',
    '["userName"]',
    ' "userName"',
    'null "userName"',
  ]) {
    expect(problems(text)).toEqual(expect.arrayContaining([expect.stringMatching(/^f:1:\d+: /)]) as unknown);
  }
});

const maxRevision = "f: revision must be a number from 0 to 1000000000";

test.for<[object, ReadonlyArray<string>]>([
  [{ id: "x".repeat(64), hash: "", revision: 1_000_000_000 }, []],
  [{ id: "" }, []],
  [{ id: "x".repeat(65) }, ["f: id must be 1 to 64 letters, digits, - or _"]],
  [{ id: "a b" }, ["f: id must be 1 to 64 letters, digits, - or _"]],
  [{ hash: "A=" }, ["f: hash must be the base64 of a SHA-256"]],
  [{ revision: 1_000_000_001 }, [maxRevision]],
  [{ revision: -1, id: "ä" }, ["f: id must be 1 to 64 letters, digits, - or _", maxRevision]],
  [{ revision: 0 }, []],
  [{ description: "x".repeat(65_536) }, []],
  [{ description: "x".repeat(65_537) }, ["f: description must be a text of at most 65536 characters"]],
  [
    { platformConfig: { token: "x".repeat(65_537) } },
    ["f: platformConfig.token must be a text of at most 65536 characters"],
  ],
  [{ platformConfig: { secrets: Array(1_000).fill("x") } }, []],
  [
    { platformConfig: { secrets: Array(1_001).fill("x") } },
    ["f: platformConfig.secrets must be a list of at most 1000 texts of at most 65536 characters"],
  ],
  [
    { deviceRequirements: { gpu: ["x", "x".repeat(65_537)] } },
    ["f: deviceRequirements.gpu must be a list of at most 1000 texts of at most 65536 characters"],
  ],
  [{ deviceRequirements: { minCpu: 0, minMemory: 3e38 } }, []],
  [{ deviceRequirements: { minCpu: -1 } }, ["f: deviceRequirements.minCpu must be a number from 0 on"]],
  [{ deviceRequirements: { minMemory: "NaN" } }, ["f: deviceRequirements.minMemory must be a number from 0 on"]],
  [{ deviceRequirements: { minMemory: "Infinity" } }, ["f: deviceRequirements.minMemory must be a number from 0 on"]],
  [{ tokn: 1 }, [expect.stringContaining("tokn") as string]],
])("of an exported engine with %j: %j", ([change, expected]) => {
  expect(problems(JSON.stringify({ ...whole, ...change }))).toEqual(expected);
});

const padded = (length: number): string => {
  const text = JSON.stringify(whole);
  return `${text.slice(0, -1)}${" ".repeat(length - text.length)}}`;
};

test("an exported engine has 16 KiB more than a manifest", () => {
  expect(problems(padded(1_064_960))).toEqual([]);
  expect(problems(padded(1_064_961))).toEqual(["f: is longer than 1064960 characters"]);
});
