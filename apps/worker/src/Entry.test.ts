import { create, equals, type DescMessage, type MessageInitShape } from "@bufbuild/protobuf";
import { decode, encode, endpoints, schemaDigestHeader, schemaDigests } from "@bytenite-engines/core/wire";
import { EngineListResponseSchema, EngineSchema } from "@bytenite-engines/proto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { entryWith } from "../test/entry.ts";
import { clientFields, decryptEntry, encryptEntry, formOf, inForm, isFresh, namesOf } from "./Entry.ts";
import { otherForm, outdated, sizeOf, transcode, type Entry, type OwnFields } from "./Entry.ts";
import { createIdentities } from "./Identity.ts";

const confirmed = (schema: DescMessage): string => schemaDigests[schema.typeName] ?? "";

const arbitraryEngine: fc.Arbitrary<MessageInitShape<typeof EngineSchema>> = fc.record({
  id: fc.string({ unit: "binary" }),
  name: fc.string({ unit: "binary" }),
  revision: fc.integer({ min: -2147483648, max: 2147483647 }),
  createdAt: fc.option(fc.record({ seconds: fc.bigInt(-62135596800n, 253402300799n), nanos: fc.nat(999_999_999) }), {
    nil: undefined,
  }),
  isPublic: fc.boolean(),
  deviceRequirements: fc.option(fc.record({ minCpu: fc.float(), gpu: fc.array(fc.string()) }), { nil: undefined }),
});

/** JSON has no negative zero, and NaN is not even equal to itself. */
const isKeptByJson = ({ deviceRequirements }: MessageInitShape<typeof EngineSchema>): boolean =>
  deviceRequirements?.minCpu === undefined ||
  !(Object.is(deviceRequirements.minCpu, -0) || Number.isNaN(deviceRequirements.minCpu));

test("both ways, any answer keeps its meaning, or is not transcoded", () => {
  fc.assert(
    fc.property(fc.array(arbitraryEngine, { maxLength: 3 }), (engines) => {
      const message = create(EngineListResponseSchema, { engines, pagination: { total: engines.length } });
      const binary = encode(EngineListResponseSchema, message, "protobuf");
      const json = transcode("list", binary, "protobuf", confirmed(EngineListResponseSchema));
      const back = json && transcode("list", json, "json", confirmed(EngineListResponseSchema));
      const again = back && decode(EngineListResponseSchema, back, "protobuf");
      const isSame = again !== undefined && equals(EngineListResponseSchema, again, message);
      expect(isSame).toBe(engines.every(isKeptByJson));
    }),
  );
});

const engine = encode(EngineSchema, create(EngineSchema, { name: "zipper" }), "protobuf");
const withUnknownField = new Uint8Array([...engine, 0xfa, 0x7f, 0x01, 0x78]);
const nested = (bytes: Uint8Array): Uint8Array<ArrayBuffer> => new Uint8Array([0x0a, bytes.length, ...bytes]);
const json = (text: string): Uint8Array<ArrayBuffer> => new TextEncoder().encode(text);

test.each<[string, "get" | "list", Uint8Array<ArrayBuffer>, "json" | "protobuf"]>([
  ["a field number that the schema does not know", "get", withUnknownField, "protobuf"],
  ["one inside a list", "list", nested(withUnknownField), "protobuf"],
  ["a key that the schema does not know", "get", json('{"name":"zipper","tomorrow":1}'), "json"],
  ["one inside a message", "get", json('{"platformConfig":{"tomorrow":null}}'), "json"],
  ["bytes that are cut short", "get", engine.subarray(0, 3), "protobuf"],
  ["a body without any bytes", "get", new Uint8Array(), "protobuf"],
  ["invalid JSON", "get", json("<html>"), "json"],
  ["a value of the wrong type", "get", json('{"revision":"many"}'), "json"],
  ["text that is not UTF-8", "get", new Uint8Array([0x22, 0xff, 0x22]), "json"],
])("%s keeps an answer in the form it came in", (_what, endpoint, bytes, from) => {
  expect(transcode(endpoint, bytes, from, confirmed(endpoints[endpoint].response))).toBeUndefined();
});

test("without our schema's digest nothing is transcoded", () => {
  expect(transcode("get", engine, "protobuf", undefined)).toBeUndefined();
  expect(transcode("get", engine, "protobuf", "sha-256=:AAAA:")).toBeUndefined();
  expect(transcode("get", engine, "protobuf", confirmed(EngineListResponseSchema))).toBeUndefined();
  expect(transcode("get", engine, "protobuf", confirmed(EngineSchema))).toBeDefined();
});

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);
const listed = (format: "json" | "protobuf"): Uint8Array =>
  encode(
    EngineListResponseSchema,
    create(EngineListResponseSchema, {
      engines: [{ name: "zipper", version: "0.1", deviceRequirements: { minCpu: 2 } }, { name: "trainer" }],
      pagination: { total: 2 },
    }),
    format,
  );
const long = (end: string): Uint8Array => bytesOf(`\uFEFF {"a":"${"x".repeat(300_000)}"${end}`);

test.each<[string, ["json" | "protobuf" | undefined, Uint8Array], boolean]>([
  ["a list in JSON", ["json", listed("json")], true],
  ["a list in protobuf", ["protobuf", listed("protobuf")], true],
  ["JSON with fields that nobody knows", ["json", bytesOf(' {"tomorrow": [1]}\n')], true],
  ["JSON after a byte order mark", ["json", bytesOf("\uFEFF{}")], true],
  ["a field of protobuf that nobody knows", ["protobuf", new Uint8Array([0xfa, 0x7f, 1, 0x78])], true],
  ["JSON that names no type of ours", [undefined, bytesOf("{}")], true],
  ["JSON too long to be parsed", ["json", long("}\n")], true],
  ["nothing, as JSON", ["json", bytesOf("")], false],
  ["nothing, as protobuf", ["protobuf", bytesOf("")], false],
  ["nothing, as nothing of ours", [undefined, bytesOf("")], false],
  ["JSON cut short", ["json", listed("json").subarray(0, -1)], false],
  ["JSON too long to be parsed, cut short", ["json", long("")], false],
  ["protobuf cut short", ["protobuf", listed("protobuf").subarray(0, -1)], false],
  ["JSON of another type", ["json", bytesOf("[]")], false],
  ["null", ["json", bytesOf("null")], false],
  ["half a character", ["json", new Uint8Array([0x7b, 0x22, 0xc3, 0x22, 0x3a, 0x31, 0x7d])], false],
  ["JSON, as protobuf", ["protobuf", listed("json")], false],
  ["protobuf, as JSON", ["json", listed("protobuf")], false],
  ["a page", [undefined, bytesOf("<h1>We are back soon</h1>")], false],
  ["a page, as JSON", ["json", bytesOf("<h1>We are back soon</h1>")], false],
  ["a page, as protobuf", ["protobuf", bytesOf("<h1>We are back soon</h1>")], false],
])("%s: %#", (_what, [format, bytes], expected) => {
  expect(namesOf("list", format, bytes, null) !== undefined).toBe(expected);
});

test("the names of the engines in an answer are read, of protobuf with our schema's digest alone", () => {
  const digest = confirmed(EngineListResponseSchema);
  expect(namesOf("list", "json", listed("json"), null)).toEqual(["zipper", "trainer"]);
  expect(namesOf("list", "protobuf", listed("protobuf"), digest)).toEqual(["zipper", "trainer"]);
  expect(namesOf("list", "protobuf", listed("protobuf"), null)).toBeNull();
});

const browser = { browserMs: 2_999 };
const inHalfAMinute = new Date(30_000).toUTCString();

test.each<[string, number, Record<string, string>, OwnFields | undefined, Record<string, string>]>([
  [
    "a lifetime for browsers",
    200,
    {},
    browser,
    { "cache-control": "private, max-age=2", vary: "Accept, Authorization" },
  ],
  [
    "less where this cache has less, and a tag",
    200,
    { etag: '"up"' },
    { ...browser, freshness: { ...entryWith().freshness, lifetimeMs: 1_500 }, etag: '"own"' },
    { "cache-control": "private, max-age=1", vary: "Accept, Authorization", etag: '"own"' },
  ],
  [
    "an error",
    404,
    { etag: '"up"' },
    browser,
    { "cache-control": "private, no-store", vary: "Accept, Authorization", etag: '"up"' },
  ],
  [
    "nothing of ours, on another path",
    200,
    { "accept-ranges": "bytes", "content-length": "2", vary: "Origin" },
    undefined,
    {
      "accept-ranges": "bytes",
      "cache-control": "private, no-store",
      "content-length": "2",
      vary: "Origin, Authorization",
    },
  ],
  [
    "no parts and no length of another form, of an endpoint",
    200,
    { "accept-ranges": "bytes", "content-length": "2", age: "9" },
    browser,
    { age: "9", "cache-control": "private, max-age=2", vary: "Accept, Authorization" },
  ],
  [
    "no age that is no number",
    200,
    { age: "9, 10", "x-age": "9, 10" },
    browser,
    { "cache-control": "private, max-age=2", vary: "Accept, Authorization", "x-age": "9, 10" },
  ],
  [
    "Expires in seconds, rounded down",
    200,
    { expires: inHalfAMinute },
    browser,
    { "cache-control": "private, max-age=29", vary: "Accept, Authorization" },
  ],
  [
    "Expires as it came, beside Cache-Control",
    404,
    { expires: inHalfAMinute, "cache-control": "public, s-maxage=5, max-age=7, immutable" },
    browser,
    {
      "cache-control": "private, max-age=7, immutable",
      expires: inHalfAMinute,
      vary: "Accept, Authorization",
    },
  ],
  [
    "no lifetime where a field for this cache forbids it",
    200,
    { "cdn-cache-control": "no-store" },
    browser,
    { "cache-control": "private, no-store", vary: "Accept, Authorization" },
  ],
  [
    "that nobody may keep what is lost",
    200,
    { "cache-control": "max-age=9" },
    { ...browser, isLost: true },
    { "cache-control": "private, no-store", vary: "Accept, Authorization" },
  ],
])("a client is told %s", (_what, status, received, own, expected) => {
  const headers = new Headers({ pragma: "no-cache", "set-cookie": "a=b", ...received });
  const times = { requestTimeMs: 100, responseTimeMs: 100 };
  expect(Object.fromEntries(clientFields(status, headers, times, own))).toEqual(expected);
});

const digested = [[schemaDigestHeader.toLowerCase(), confirmed(EngineSchema)] as const];
const transcodable = (changes: Partial<Entry> = {}): Entry =>
  entryWith({ client: [...digested, ["etag", '"e"'], ["digest", "x"]], bytes: json('{"name":"zipper"}'), ...changes });
/** A body of so many bytes. */
const longJson = (length: number): Uint8Array<ArrayBuffer> => json(`{"name":"${"x".repeat(length - 11)}"}`);

test("an entry is made in the other form once, with a tag of its own and without digests", async () => {
  expect((["json", "protobuf"] as const).map(otherForm)).toEqual(["protobuf", "json"]);
  const entry = transcodable();
  expect([formOf(entry, "json"), formOf(entry, "protobuf"), await inForm(entry, "json")]).toEqual([
    entry,
    undefined,
    entry,
  ]);
  expect(entry.other).toBeUndefined();
  const [made, again] = [await inForm(entry, "protobuf"), await inForm(entry, "protobuf")];
  expect(made).toEqual({
    ...entry,
    bytes: engine,
    format: "protobuf",
    client: [...digested, ["etag", expect.stringMatching(/^"p[\w-]{22}"$/)]],
    other: undefined,
    prepared: undefined,
    lease: undefined,
  });
  expect([again === made, formOf(entry, "protobuf") === made, formOf(entry, "json") === entry]).toEqual([
    true,
    true,
    true,
  ]);
});

test.each<[string, Partial<Entry>, boolean]>([
  ["of a megabyte", { bytes: longJson(1024 * 1024) }, true],
  ["beyond a megabyte", { bytes: longJson(1024 * 1024 + 1) }, false],
  ["with no-transform", { headers: [["cache-control", "max-age=9, no-transform"]] }, false],
  ["that is an error", { status: 404 }, false],
  ["in neither form", { format: undefined }, false],
  ["without our digest", { client: [] }, false],
])("an entry %s: is there another form? %#", async (_what, changes, expected) => {
  const entry = transcodable(changes);
  const made = await inForm(entry, "protobuf");
  expect([made !== undefined, entry.other !== "none", formOf(entry, "protobuf") !== undefined]).toEqual([
    expected,
    expected,
    expected,
  ]);
});

test("what was asked for in a form, and what is of another path, serves as it is", async () => {
  const asked = transcodable({ askedFormat: "protobuf" });
  const other = transcodable({ endpoint: "other" });
  for (const entry of [asked, other]) expect(await inForm(entry, "protobuf")).toBe(entry);
  expect([asked.other, other.other]).toEqual([undefined, undefined]);
});

test("an outdated entry may be served in place of a failure for as long as before, in both forms", () => {
  const freshness = { ...entryWith().freshness, lifetimeMs: 7, staleWhileRevalidateMs: 5, staleIfErrorMs: 3 };
  const entry = entryWith({ freshness, other: entryWith({ freshness, other: "none" }) });
  const ended = { ...freshness, lifetimeMs: 0, staleWhileRevalidateMs: 0, staleIfErrorMs: 10 };
  expect(outdated(entry)).toEqual({
    ...entry,
    freshness: ended,
    other: { ...entryWith(), freshness: ended, other: "none" },
  });
  const strict = entryWith({ freshness: { ...freshness, neverStale: true } });
  expect(outdated(strict).freshness).toEqual({ ...ended, staleIfErrorMs: 3, neverStale: true });
  expect([60_999, 61_000].map((nowMs) => isFresh(entryWith(), nowMs))).toEqual([true, false]);
});

/** Fields of so many characters. */
const fieldsOf = (characters: number) =>
  ({ headers: [["a", "x".repeat(characters - 3)]], client: [["b", "c"]] }) as const;

test("an entry counts its bytes, 2,000 more, and the characters of its fields beyond 2,000, for each form", () => {
  const bytes = new Uint8Array(100);
  expect(sizeOf(entryWith({ bytes }))).toBe(2_100);
  expect(sizeOf(entryWith({ bytes, ...fieldsOf(2_000) }))).toBe(2_100);
  expect(sizeOf(entryWith({ bytes, ...fieldsOf(2_010) }))).toBe(2_110);
  expect(sizeOf(entryWith({ bytes, other: "none" }))).toBe(2_100);
  expect(sizeOf(entryWith({ bytes, other: entryWith({ bytes }) }))).toBe(4_200);
});

test("an entry is encrypted by AES-GCM after twelve random bytes: a line of JSON with its key, and its bytes", async () => {
  const { key, digest: owner } = await createIdentities().of("alice");
  const { bytes: _bytes, owner: _owner, ...rest } = entryWith();
  const entry = { ...rest, owner, bytes: new Uint8Array([10, 11, 0, 10, 255]) };
  const encrypted = await encryptEntry("k", { ...entry, other: "none" }, key);
  const algorithm = { name: "AES-GCM", iv: encrypted.subarray(0, 12) };
  const plain = new Uint8Array(await crypto.subtle.decrypt(algorithm, key, encrypted.subarray(12)));
  const line = `${JSON.stringify(["k", rest])}\n`;
  expect([new TextDecoder().decode(plain.subarray(0, line.length)), plain.subarray(line.length)]).toEqual([
    line,
    entry.bytes,
  ]);
  expect(await decryptEntry("k", encrypted.buffer, key, owner)).toEqual(entry);
  expect(await decryptEntry("l", encrypted.buffer, key, owner)).toBeUndefined();
});
