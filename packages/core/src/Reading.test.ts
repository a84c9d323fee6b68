import { create, toBinary, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { EmptySchema, FieldMaskSchema } from "@bufbuild/protobuf/wkt";
import type { Engine } from "@bytenite-engines/proto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { messages } from "../test/ArbitraryMessages.ts";
import { endpoints } from "./gen/endpointSchemas.ts";
import { encode } from "./Encoding.ts";
import { engineCodec } from "./client/EngineCodec.ts";
import type { Format } from "./MediaType.ts";
import { readMessage } from "./MessageReader.ts";
import { defaultReadLimits, LimitExceeded } from "./ReadLimits.ts";
import { decodeBody, UnreadableBody } from "./Reading.ts";

const engine = endpoints.get.response;
const list = endpoints.list.response;
const utf8 = new TextEncoder();
const labels = fc.constantFrom("application/json", "application/x-protobuf", "application/octet-stream");

/** As the client reads an answer of the engines API. */
const read = (schema: DescMessage, label: string | null, bytes: Uint8Array) =>
  decodeBody(
    engineCodec,
    schema,
    undefined,
    { contentType: label ?? undefined, status: 200, bytes, isRequired: true },
    defaultReadLimits,
    readMessage,
  );

test("whatever the label says of the two, the same message comes out, in the form it really has", () => {
  fc.assert(
    fc.property(messages(engine), fc.constantFrom("json", "protobuf"), labels, (message, format, label) => {
      const bytes = encode(engine, message, format);
      fc.pre(bytes.length > 0);
      const reading = read(engine, label, bytes);
      expect(reading.format).toBe(format);
      expect(toBinary(engine, reading.message as Engine)).toEqual(toBinary(engine, message));
    }),
    { numRuns: 500 },
  );
});

test("a list whose protobuf begins with a line feed, as every one with an engine does, is read as protobuf", () => {
  // 0x0a: field 1, delimited; 0x7b, `{`: 123 bytes of it.
  const message = create(list, { engines: [{ name: "n".repeat(121) }] });
  const bytes = toBinary(list, message);
  expect([...bytes.subarray(0, 2)]).toEqual([0x0a, 0x7b]);
  for (const label of ["application/x-protobuf", "application/json"]) {
    const reading = read(list, label, bytes);
    expect(reading.format).toBe("protobuf");
    expect(create(list, reading.message as MessageShape<typeof list>)).toEqual(message);
  }
});

test("a byte order mark and white space before JSON are passed over", () => {
  for (const label of ["application/json", "application/x-protobuf", "text/plain", null]) {
    for (const space of ["", " ", "\t", "\n", "\r", "\ufeff", "\ufeff \r\n\t"]) {
      const bytes = utf8.encode(`${space}{"name":"a"}`);
      expect(read(engine, label, bytes)).toMatchObject({ format: "json", message: { name: "a" } });
    }
  }
});

test.for<[contentType: string | null, body: string | Uint8Array, problem: RegExp]>([
  ["application/json", "", /the body is empty/],
  ["text/html", "<html></html>", /its Content-Type is text\/html, and it is not JSON/],
  [null, "<html></html>", /its Content-Type is missing/],
  ["application/json", "<html></html>", /labelled JSON, and is none/],
  ["application/json", '{"name":"a"', /malformed JSON/],
  ["application/x-protobuf", "{not json}", /malformed JSON/],
  ["application/json", new Uint8Array([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]), /malformed JSON, or not in UTF-8/],
  ["application/json", '{"revision":"x"}', /its JSON is not a bytenite\.engine\.Engine: revision must be/],
  ["application/json", "[]", /its JSON is not a bytenite\.engine\.Engine: the message must be a JSON object/],
  ["application/json", "7", /the message must be a JSON object, and is of the kind number/],
  ["application/json", new Uint8Array([0x0a, 0x05, 0x61]), /labelled JSON, and is none/],
])("%s with the body %j is unreadable: %s", ([contentType, body, problem]) => {
  const bytes = typeof body === "string" ? utf8.encode(body) : body;
  expect(() => read(engine, contentType, bytes)).toThrow(UnreadableBody);
  expect(() => read(engine, contentType, bytes)).toThrow(problem);
});

/** The format in which an answer of no bytes is the empty message; false where it is none. */
const emptyFormat = (schema: DescMessage, contentType: string | undefined, status: number, isRequired = false) => {
  const body = { contentType, status, bytes: new Uint8Array(), isRequired };
  try {
    return decodeBody(engineCodec, schema, undefined, body, defaultReadLimits, undefined).format;
  } catch (error) {
    return (error as Error).message.includes("the body is empty") ? false : error;
  }
};

test.for<[schema: DescMessage, contentType: string | undefined, status: number, format: Format | false]>([
  [EmptySchema, "application/json", 200, "json"],
  [EmptySchema, undefined, 200, "json"],
  [FieldMaskSchema, "application/json", 200, false],
  [FieldMaskSchema, "application/json", 204, "json"],
  [FieldMaskSchema, undefined, 204, "json"],
  [FieldMaskSchema, undefined, 205, false],
  [FieldMaskSchema, "application/x-protobuf", 200, "protobuf"],
])("no bytes as %o with the type %s and the status %i are an empty message: %s", (row) => {
  const [schema, contentType, status, format] = row;
  expect(emptyFormat(schema, contentType, status)).toBe(format);
  expect(emptyFormat(schema, contentType, status, true)).toBe(false);
});

test("a body cut anywhere is unreadable, or is a shorter body that is whole", () => {
  fc.assert(
    fc.property(messages(engine), fc.nat(), (message, at) => {
      const bytes = encode(engine, message, "json");
      const cut = bytes.subarray(0, 1 + (at % (bytes.length - 1)));
      expect(() => read(engine, "application/json", cut)).toThrow(UnreadableBody);
    }),
  );
});

const problemOf = (label: string | null, bytes: Uint8Array): unknown => {
  try {
    read(engine, label, bytes);
  } catch (error) {
    return error;
  }
  return undefined;
};

test("any bytes under any label give a reading or UnreadableBody, never another error", () => {
  const anyLabel = fc.oneof(labels, fc.constantFrom("text/html", null));
  const bodies = fc.oneof(
    fc.uint8Array({ maxLength: 40 }),
    fc.json().map((text) => utf8.encode(text)),
  );
  fc.assert(
    fc.property(anyLabel, bodies, (label, bytes) => {
      const problem = problemOf(label, bytes);
      expect(problem === undefined || problem instanceof UnreadableBody).toBe(true);
    }),
    { numRuns: 3_000 },
  );
});

const arrays = `{"a":${"[".repeat(1_000_000)}`;

test.for([
  ["JSON arrays", "application/json", utf8.encode(arrays), LimitExceeded],
  ["JSON arrays", "application/x-protobuf", utf8.encode(arrays), LimitExceeded],
  ["JSON arrays after a space", "application/json", utf8.encode(` ${arrays}`), LimitExceeded],
  // It may be protobuf.
  ["JSON arrays after a space", "application/x-protobuf", utf8.encode(` ${arrays}`), UnreadableBody],
  [
    "closed JSON arrays",
    "application/json",
    utf8.encode(`{"a":${"[".repeat(200_000)}${"]".repeat(200_000)}}`),
    LimitExceeded,
  ],
  ["protobuf groups", "application/json", new Uint8Array(1_000_000).fill((31 << 3) | 3), UnreadableBody],
  ["protobuf groups in JSON's name", "application/json", new Uint8Array(1_000_000).fill((14 << 3) | 3), UnreadableBody],
] as const)("a million nested %s, labelled %s, are refused", ([, label, bytes, refusal]) => {
  expect(() => read(engine, label, bytes)).toThrow(refusal);
});
