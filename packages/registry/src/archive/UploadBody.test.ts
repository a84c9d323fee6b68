// Upload bodies in both formats, truncated everywhere, and invalid ones.
import { create, toBinary, toJsonString } from "@bufbuild/protobuf";
import { EngineMessageSchema } from "@bytenite-engines/proto";
import { expect, test } from "vitest";
import type { RequestHead } from "../api/Answer.ts";
import { ApiError } from "../api/ApiError.ts";
import { bodyFormat, maxFieldBytes, readUpload } from "./UploadBody.ts";

const utf8 = new TextEncoder();

const chunked = async function* (bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
};

const read = async (body: Uint8Array | string, format: "json" | "protobuf", size = 1_000) => {
  const upload = readUpload(chunked(typeof body === "string" ? utf8.encode(body) : body, size), format);
  const parts: Array<Uint8Array> = [];
  try {
    for await (const part of upload.archive) {
      expect(part.length).toBeGreaterThan(0);
      parts.push(part.slice());
    }
    const { engineTag, engineStatus, engineId, engineLink, engineData } = upload.message();
    expect(engineData).toHaveLength(0);
    return { archive: Buffer.concat(parts), engineTag, engineStatus, engineId, engineLink };
  } catch (error) {
    if (error instanceof ApiError) return `${error.status} ${error.message}`;
    throw error;
  }
};

const rest = { engineTag: 'zipper@0.1"\\é', engineStatus: "active", engineId: "{:,", engineLink: "" };

test("an archive of every length comes out of both forms, however the body is cut", async () => {
  for (const length of [0, 1, 2, 3, 4, 5, 127, 128, 300]) {
    const archive = Buffer.from(Array.from({ length }, (_, index) => (index * 37) % 256));
    const message = create(EngineMessageSchema, { ...rest, engineData: archive });
    for (const size of [1, 2, 3, 7, 1_000]) {
      expect(await read(toBinary(EngineMessageSchema, message), "protobuf", size)).toEqual({ archive, ...rest });
      expect(await read(toJsonString(EngineMessageSchema, message), "json", size)).toEqual({ archive, ...rest });
    }
  }
});

test.for([
  '{"engineData":"+/+/","engineTag":"a"}',
  '{ "engine_data" : "+\\/+/" , "engine_tag":"a" }',
  '{"engineTag":"a","engineData":"-_-_"}',
  '{"":1,"engineData":"+/+/","engineTag":"a"}',
  '{"unknown":{"engineData":"?","list":[[],{}]},"more":[{}],"engineData":"+/+/","engineTag":"a"}',
  '{"engineTag":"a","engineData":"\\u002b\\u002F+/","unknown":{"engineData":"?","list":[{"engineData":1}]}}',
])("%s is base64 as some writer has it", async (body) => {
  for (const size of [1, 4, 1_000]) {
    expect(await read(body, "json", size)).toMatchObject({ archive: Buffer.from("+/+/", "base64"), engineTag: "a" });
  }
});

test("one and two bytes come with and without padding", async () => {
  for (const text of ["QQ==", "QQ", "QUE=", "QUE"]) {
    expect(await read(`{"engineData":"${text}"}`, "json")).toMatchObject({ archive: Buffer.from(text, "base64") });
  }
});

test.for<[body: string, problem: string]>([
  ["", "400 the body is not an EngineMessage"],
  ["[]", "400 the body is not an EngineMessage"],
  ["{", "400 the body is not an EngineMessage"],
  ['{"engineData":"AAAA', "400 the body is cut short"],
  ['{"engineData":"AAAA"', "400 the body is not an EngineMessage"],
  ['{"engineData":"A"}', "400 engineData is not base64"],
  ['{"engineData":"AB=="}', "400 engineData is not base64"],
  ['{"engineData":"AA="}', "400 engineData is not base64"],
  ['{"engineData":"AAB="}', "400 engineData is not base64"],
  ['{"engineData":"AA?A"}', "400 engineData is not base64"],
  ['{"engineData":"A==="}', "400 engineData is not base64"],
  ['{"engineData":"===="}', "400 engineData is not base64"],
  ['{"engineData":"AA=A"}', "400 engineData is not base64"],
  ['{"engineData":"AA==A"}', "400 engineData is not base64"],
  ['{"engineData":"AAA\\u007f"}', "400 engineData is not base64"],
  ['{"engineData":"AAA\\u0141"}', "400 engineData is not base64"],
  ['{"engineData":"AA==="}', "400 engineData is not base64"],
  ['{"engineData":"AA==AA=="}', "400 engineData is not base64"],
  ['{"engineData":"A A="}', "400 engineData is not base64"],
  ['{"engineData":"\\n"}', "400 engineData is not base64"],
  ['{"engineData":"\\u00e9"}', "400 engineData is not base64"],
  ['{"engineData":"\\u00', "400 the body is cut short"],
  ['{"engineData":"AAAA","engineData":"AAAA"}', "400 engineData is there twice"],
  ['{"engineData":1}', "400 the body is not an EngineMessage"],
  ['{"engineData":{}}', "400 the body is not an EngineMessage"],
  [`{"engineTag":"${"a".repeat(maxFieldBytes)}"}`, "400 the body has more than 65536 bytes besides engineData"],
])("%# is refused as JSON", async ([body, problem]) => {
  expect(await read(body, "json", 5)).toContain(problem);
});

test.for<[bytes: ReadonlyArray<number>, problem: string]>([
  [[0x1a], "400 the body is cut short"],
  [[0x1a, 4, 1, 2], "400 the body is cut short"],
  [[0x1a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff], "400 the body is not protobuf"],
  [[0x1a, 1, 1, 0x1a, 1, 1], "400 engineData is there twice"],
  [[0x0b], "400 the body is not protobuf"],
  // A tag of more than 32 bits, and a value of more than 64.
  [[0x80, 0x80, 0x80, 0x80, 0x10, 1], "400 the body is not protobuf"],
  [[0xf8, 0xff, 0xff, 0xff, 0x7f, 1], "400 the body is not protobuf"],
  [[0xbb, 0xd5, 0xbb, 0xb0, 0x47, 0x34, 0x65, 0x16, 0x87, 0x1a], "400 the body is not protobuf"],
  [[0x00, 1], "400 the body is not an EngineMessage"],
  [[0x7a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1], "400 the body has more than 65536 bytes"],
  [[0x0a, 0xff, 0xff, 0x7f], "400 the body has more than 65536 bytes besides engineData"],
  [[0x0a, 2, 0xff, 0xff], "400 the body is not an EngineMessage"],
])("%j is refused as protobuf", async ([bytes, problem]) => {
  expect(await read(Uint8Array.from(bytes), "protobuf", 1)).toContain(problem);
});

test("a body that is refused is read no further, and ended", async () => {
  let [given, isEnded] = [0, false];
  const source = async function* (): AsyncGenerator<Uint8Array> {
    try {
      while (given < 1_000) yield Uint8Array.of(0x0b, ++given);
    } finally {
      isEnded = true;
    }
  };
  const archive = readUpload(source(), "protobuf").archive[Symbol.asyncIterator]();
  await expect(archive.next()).rejects.toThrow("the body is not protobuf");
  await expect.poll(() => [given, isEnded]).toEqual([1, true]);
});

/** Bodies of so many bytes. */
const jsonOf = (length: number): string => `{"engineTag":"${"a".repeat(length - 16)}"}`;
const protobufOf = (length: number): Uint8Array =>
  toBinary(EngineMessageSchema, create(EngineMessageSchema, { engineTag: "a".repeat(length - 4) }));

test("fields besides the archive may have so many bytes and no more", async () => {
  expect(await read(jsonOf(maxFieldBytes), "json")).toMatchObject({ engineTag: "a".repeat(maxFieldBytes - 16) });
  expect(await read(jsonOf(maxFieldBytes + 1), "json")).toContain("400 the body has more than 65536 bytes");
  expect(await read(protobufOf(maxFieldBytes), "protobuf")).toMatchObject({ engineStatus: "" });
  expect(await read(protobufOf(maxFieldBytes + 1), "protobuf")).toContain("400 the body has more than 65536 bytes");
});

test.for([
  ["application/json", null, "json"],
  ["application/x-protobuf; a=b", "identity", "protobuf"],
  ["application/json", " Identity ", "json"],
  ["application/json", "", "json"],
  ["application/json", "gzip", "415"],
  ["text/plain", null, "415"],
  [null, null, "415"],
] as const)("Content-Type: %s, Content-Encoding: %s is %s", ([type, coding, expected]) => {
  const header = (name: string): string | null => (name === "content-type" ? type : coding);
  const format = (): string => {
    try {
      return bodyFormat({ header } as unknown as RequestHead);
    } catch (error) {
      return String((error as ApiError).status);
    }
  };
  expect(format()).toBe(expected);
});

test.for<[kind: string, field: ReadonlyArray<number>]>([
  ["the largest value", [0x78, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]],
  ["eight bytes", [0x79, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]],
  ["four bytes", [0x7d, 0xff, 0xff, 0xff, 0xff]],
])("an unknown field with %s is passed over", async ([, field]) => {
  const body = [...field, 0x12, 1, 0x61];
  expect(await read(Uint8Array.from(body), "protobuf", 1)).toMatchObject({ engineTag: "a" });
});
