import { EngineListResponseSchema, EngineSchema } from "@bytenite-engines/proto";
import { expect, test } from "vitest";
import { foreignServer } from "../../test/verify/ForeignServer.ts";
import { origin } from "../../test/verify/Reading.ts";
import { page, trainer } from "../../test/verify/Samples.ts";
import { FieldNumberInference } from "./FieldNumberInference.ts";
import { evidenceFrom, parseProfile, ProfileError, profileOf, writeProfile, type Profile } from "./Profile.ts";
import { fieldNumbers } from "./ProfileReader.ts";

const server = foreignServer({ "bytenite.engine.Engine": { name: 7, description: 2, hash: 300 } });
const nowMs = Date.UTC(2026, 10, 24, 8);

const inferred = (): Profile => {
  const inference = new FieldNumberInference();
  inference.add(EngineListResponseSchema, server.protobuf(EngineListResponseSchema, page), page);
  return inference.profile(origin, nowMs);
};

test("a profile says for people which number carries which field", () => {
  const profile = inferred();
  expect(profile).toMatchObject({ version: 1, origin, date: "2026-11-24T08:00:00.000Z" });
  const engine = profile.messages["bytenite.engine.Engine"];
  expect(engine?.compared).toBe(3);
  expect(engine?.fields["name"]).toEqual({ number: 7, type: "string", seen: 3 });
  expect(engine?.fields["hash"]).toEqual({ number: 300, type: "string", seen: 2 });
  expect(engine?.fields["deleted_at"]).toEqual({ number: 14, type: "message", seen: 1 });
  const unseen = Object.values(engine?.fields ?? {}).filter(({ seen }) => seen === 0);
  expect(unseen.filter((field) => "number" in field)).toEqual([]);
  expect(writeProfile(profile)).toMatch(/^\{\n  "kind": /);
  expect(engine?.fields["created_at"]).toEqual({ number: 12, type: "message", seen: 2 });
  expect(profile.messages["bytenite.common.PaginatedResponse"]?.fields["has_next"]).toEqual({ seen: 0 });
});

test("a profile is written the same way each time and reads back as it was", () => {
  const profile = inferred();
  const text = writeProfile(profile);
  expect(text).toBe(writeProfile(inferred()));
  expect(parseProfile(text)).toEqual(profile);
  const sent = server.protobuf(EngineSchema, trainer);
  expect(fieldNumbers(parseProfile(text)).read(EngineSchema, sent)).toEqual(trainer);
});

test("a profile holds nothing of the answers", () => {
  const text = writeProfile(inferred());
  for (const value of [trainer.platformConfig?.token, trainer.id, trainer.userName]) expect(text).not.toContain(value);
});

test.for<readonly [string, ReadonlyArray<string>, unknown]>([
  ["a version of the format", ["version"], 2],
  ["a field", ["messages", "bytenite.engine.Engine", "fields", "colour"], { seen: 0 }],
  ["a message", ["messages", "bytenite.engine.Wheel"], { compared: 0, fields: {}, unknown: [] }],
])("a profile with %s that only a newer version can know is refused as such", ([, path, value]) => {
  expect(() => parseProfile(edited(inferred(), path, value))).toThrow(
    expect.objectContaining({ isNewer: true }) as Error,
  );
});

/** The text of a profile in which the value at a path is another one, or, when undefined, missing. */
const edited = (profile: Profile, path: ReadonlyArray<string>, value: unknown): string => {
  const json = JSON.parse(writeProfile(profile)) as Record<string, unknown>;
  let at = json;
  for (const key of path.slice(0, -1)) at = at[key] as Record<string, unknown>;
  at[path.at(-1) ?? ""] = value;
  return JSON.stringify(json);
};

const fields = ["messages", "bytenite.engine.Engine", "fields"];

test.for<[string, ReadonlyArray<string>, unknown, string]>([
  ["another kind", ["kind"], "x", '"kind"'],
  ["another version", ["version"], 2, "only 1 can be read"],
  ["no origin", ["origin"], undefined, '"origin"'],
  ["an origin with a path", ["origin"], "https://engines.example/v1", "must be an origin"],
  ["an invalid date", ["date"], "soon", '"date"'],
  ["a date that brings lines of its own", ["date"], "24 Nov 2026 (\nmessage Other {}\n)", '"date"'],
  ["an invalid count of messages", ["messages", "bytenite.engine.Engine", "compared"], -1, '"compared"'],
  ["no messages", ["messages"], [], '"messages"'],
  ["an unknown message", ["messages", "a.B"], {}, "a.B is not a message"],
  ["an invalid message", ["messages", "bytenite.engine.Engine"], 1, "bytenite.engine.Engine must be an object"],
  ["an unknown field", [...fields, "colour"], { seen: 0 }, "has no field colour"],
  ["a missing field", [...fields, "link"], undefined, "bytenite.engine.Engine.link is missing"],
  ["an invalid number", [...fields, "name", "number"], 0, "0 is not a field number"],
  ["a type that cannot be", [...fields, "name", "type"], "bool", "is none of string"],
  ["one number twice", [...fields, "name", "number"], 2, "the same number"],
  ["an unknown number of ours", ["messages", "bytenite.engine.Engine", "unknown"], [7], "unknown and a field's"],
  [
    "more numbers than are ever learned",
    ["messages", "bytenite.engine.Engine", "unknown"],
    Array.from({ length: 512 }, (_, index) => 1000 + index),
    "more than 512 numbers",
  ],
  ["invalid unknown numbers", ["messages", "bytenite.engine.Engine", "unknown"], 7, '"unknown"'],
  ["a number never seen", [...fields, "name", "seen"], 0, "never seen"],
  ["a field seen without a number", [...fields, "name", "number"], undefined, 'neither "number" nor "candidates"'],
  ["an invalid count", [...fields, "name", "seen"], -1, '"seen"'],
  ["a number that is too large", [...fields, "name", "number"], 536_870_912, "536870912 is not a field number"],
  ["a number as text", [...fields, "name", "number"], "7", '"7" is not a field number'],
  ["half a number", [...fields, "name", "number"], 7.5, "7.5 is not a field number"],
  ["no type", [...fields, "name", "type"], undefined, 'type "" is none of string'],
  ["candidates that are no list", [...fields, "name"], { seen: 1, candidates: {} }, '"candidates" must be a list'],
  ["no candidates of a field that was seen", [...fields, "name"], { seen: 1, candidates: [] }, 'neither "number" nor'],
  ["a half count", [...fields, "name", "seen"], 1.5, '"seen" must be a whole number'],
  ["half a message", ["messages", "bytenite.engine.Engine", "compared"], 0.5, '"compared" must be a whole number'],
  ["fields that are a list", fields, [], "bytenite.engine.Engine must be an object"],
  ["a message that is null", ["messages", "bytenite.engine.Engine"], null, "bytenite.engine.Engine must be an object"],
  ["an unknown number 0", ["messages", "bytenite.engine.Engine", "unknown"], [0], '"unknown": 0 is not a field number'],
  ["an origin that ends with a slash", ["origin"], "https://engines.example/", "must be an origin"],
  ["a date that is a number", ["date"], 5, '"date"'],
  ["a date of no day", ["date"], "2026-13-45T00:00:00Z", '"date"'],
  ["an invalid candidate", [...fields, "name"], { seen: 1, candidates: [null] }, "is not a field number"],
])("a profile with %s is refused by name", ([, path, value, problem]) => {
  const text = edited(inferred(), path, value);
  expect(() => parseProfile(text)).toThrow(ProfileError);
  expect(() => parseProfile(text)).toThrow(problem);
});

test("an invalid profile gives no field numbers", () => {
  const profile = { ...inferred(), version: 2 } as unknown as Profile;
  expect(() => fieldNumbers(profile)).toThrow(ProfileError);
});

test("a profile of invalid JSON is refused, and is not a newer one", () => {
  expect(() => parseProfile("{")).toThrow("it is not JSON");
  expect(() => parseProfile("{")).toThrow(expect.objectContaining({ isNewer: false }) as Error);
});

test.for<[what: string, path: ReadonlyArray<string>, value: unknown]>([
  ["the largest number", [...fields, "name", "number"], 536_870_911],
  [
    "candidates of a field that was not seen",
    [...fields, "user_name"],
    { seen: 0, candidates: [{ number: 900, type: "string" }] },
  ],
  ["no messages compared", ["messages", "bytenite.engine.Engine", "compared"], 0],
  ["a date without a time", ["date"], "2026-11-24"],
  ["a date with an offset", ["date"], "2026-11-24T08:00:00+01:00"],
])("a profile with %s is read, and says the same when it is written anew", ([, path, value]) => {
  const profile = parseProfile(edited(inferred(), path, value));
  expect(profileOf(origin, evidenceFrom(profile), nowMs).messages).toEqual(profile.messages);
});

test("unknown numbers are written in ascending order", () => {
  const path = ["messages", "bytenite.engine.Engine", "unknown"];
  const evidence = evidenceFrom(parseProfile(edited(inferred(), path, [1_001, 1_000, 1_002])));
  expect(profileOf(origin, evidence, nowMs).messages["bytenite.engine.Engine"]?.unknown).toEqual([1_000, 1_001, 1_002]);
});

test.for([0, 1.5, "2", null, undefined])("the version %j is neither ours nor a newer one", (version) => {
  expect(() => parseProfile(edited(inferred(), ["version"], version))).toThrow(
    expect.objectContaining({ isNewer: false }) as Error,
  );
});

test.for(["null", "[]", "7", '"text"', "{}"])("%s is no profile", (text) => {
  expect(() => parseProfile(text)).toThrow('"kind" must be "bytenite-engines/field-numbers"');
});

test("a message has 512 numbers at most, its fields' and unknown ones", () => {
  const engine = inferred().messages["bytenite.engine.Engine"];
  const held = new Set(
    Object.values(engine?.fields ?? {})
      .flatMap(({ number, candidates = [] }) => [number, candidates.map((candidate) => candidate.number)])
      .flat()
      .filter((number) => number !== undefined),
  ).size;
  const withUnknown = (count: number) =>
    edited(
      inferred(),
      ["messages", "bytenite.engine.Engine", "unknown"],
      Array.from({ length: count }, (_, index) => 1_000 + index),
    );
  expect(() => parseProfile(withUnknown(512 - held))).not.toThrow();
  expect(() => parseProfile(withUnknown(513 - held))).toThrow("more than 512 numbers");
});
