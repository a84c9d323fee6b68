import { EngineListResponseSchema, EngineSchema } from "@bytenite-engines/proto";
import { expect, test } from "vitest";
import { foreignServer } from "../../test/trust/ForeignServer.ts";
import { origin, readOnce } from "../../test/trust/Reading.ts";
import { page, trainer, zipper } from "../../test/trust/Samples.ts";
import { calibration } from "./Calibration.ts";
import { parseProfile, writeProfile, type Profile } from "./Profile.ts";
import { ProfileError } from "./ProfileError.ts";
import { memoryProfileStore } from "./ProfileStore.ts";
import { makeTrust } from "./WireTrust.ts";

const server = foreignServer({ "bytenite.engine.Engine": { name: 7, description: 2, hash: 300 } });
const now = () => Date.UTC(2026, 10, 24, 8);

const learned = async (options: Parameters<typeof calibration>[0] = {}) => {
  const account = calibration({ now, ...options });
  const trust = makeTrust({ calibration: account });
  await readOnce(trust, EngineListResponseSchema, server, page);
  return { account, trust, profile: account.profile(origin) };
};

test("a profile says for people which number carries which field", async () => {
  const { profile } = await learned();
  expect(profile).toMatchObject({ version: 1, origin, date: "2026-11-24T08:00:00.000Z" });
  const engine = profile.messages["bytenite.engine.Engine"];
  expect(engine?.witnessed).toBe(3);
  expect(engine?.fields["name"]).toEqual({ number: 7, type: "string", seen: 3 });
  expect(engine?.fields["hash"]).toEqual({ number: 300, type: "string", seen: 2 });
  expect(engine?.fields["created_at"]).toEqual({ number: 12, type: "message", seen: 2 });
  expect(profile.messages["bytenite.common.PaginatedResponse"]?.fields["has_next"]).toEqual({ seen: 0 });
});

test("a profile is written the same way each time and reads back as it was", async () => {
  const { profile } = await learned();
  const text = writeProfile(profile);
  expect(text).toBe(writeProfile((await learned()).profile));
  expect(parseProfile(text)).toEqual(profile);
  expect(calibration({ profiles: [parseProfile(text)], now }).profile(origin)).toEqual(profile);
});

test("a profile holds nothing of the answers", async () => {
  const text = writeProfile((await learned()).profile);
  for (const value of [trainer.platformConfig?.token, trainer.id, trainer.userName]) expect(text).not.toContain(value);
});

test("a client that is given a profile uses it, after the first answer of each kind has shown it to be right", async () => {
  const { profile } = await learned();
  const trust = makeTrust({ calibration: calibration({ profiles: [profile], now }) });
  for (const asked of [["protobuf", "json"], ["protobuf"], ["protobuf"]]) {
    expect(await readOnce(trust, EngineSchema, server, zipper)).toMatchObject({ message: zipper, asked });
  }
  expect((await readOnce(trust, EngineListResponseSchema, server, page)).asked).toEqual(["protobuf", "json"]);
});

test("a profile that is given and wrong gives no wrong value, though it is of today", async () => {
  const { profile } = await learned();
  const swapped = foreignServer({ "bytenite.engine.Engine": { name: 2, description: 7, hash: 300 } });
  const trust = makeTrust({ calibration: calibration({ profiles: [profile], now }) });
  for (let call = 0; call < 5; call++) {
    expect((await readOnce(trust, EngineSchema, swapped, zipper)).message).toEqual(zipper);
  }
});

test("what one process learned, the next one knows from the store", async () => {
  const store = memoryProfileStore();
  const { account } = await learned({ store });
  await account.flush();
  const trust = makeTrust({ calibration: calibration({ store, now }) });
  expect((await readOnce(trust, EngineSchema, server, zipper)).asked).toEqual(["protobuf"]);
});

test("a store that fails is told of, and costs no more than a witness", async () => {
  const errors: Array<unknown> = [];
  const broken = new Error("disk full");
  const store = { load: () => Promise.reject(broken), save: () => Promise.reject(broken) };
  const { account } = await learned({ store, onStoreError: (error) => errors.push(error) });
  await account.flush();
  expect(errors).toEqual([broken, broken]);
});

/** A store that has this text, and what is done with it. */
const storeOf = (text: string) => {
  const saved: Array<Profile> = [];
  const store = {
    // Later than the first answer, which nobody who was given a profile waits with.
    load: () => new Promise<void>((resolve) => void setImmediate(resolve)).then(() => parseProfile(text)),
    save: (profile: Profile) => Promise.resolve(void saved.push(profile)),
  };
  return { store, saved };
};

test("a profile that cannot be read is told of, worked out anew, and written over", async () => {
  const errors: Array<unknown> = [];
  const { store, saved } = storeOf("{");
  const { account } = await learned({ store, onStoreError: (error) => errors.push(error) });
  await account.flush();
  expect(errors).toEqual([new ProfileError("it is not JSON")]);
  expect(saved.map((profile) => profile.origin)).toEqual([origin]);
});

test.for<readonly [string, ReadonlyArray<string>, unknown]>([
  ["a version of the format", ["version"], 2],
  ["a field", ["messages", "bytenite.engine.Engine", "fields", "colour"], { seen: 0 }],
  ["a message", ["messages", "bytenite.engine.Wheel"], { witnessed: 0, fields: {}, unknown: [] }],
])("a profile with %s that only a newer version can know is told of, and left as it is", async ([, path, value]) => {
  const { profile } = await learned();
  for (const profiles of [[], [profile]]) {
    const errors: Array<unknown> = [];
    const { store, saved } = storeOf(edited(profile, path, value));
    const { account } = await learned({ profiles, store, onStoreError: (error) => errors.push(error) });
    await account.flush();
    expect(errors).toMatchObject([{ name: "ProfileError", isNewer: true }]);
    expect(saved).toEqual([]);
    expect(account.profile(origin).messages).toHaveProperty(["bytenite.engine.Engine"]);
  }
});

test("a profile that does not hold any more is given up", async () => {
  const { profile } = await learned();
  const other = foreignServer({ "bytenite.engine.Engine": { name: 8, hash: 2 } });
  const trust = makeTrust({ calibration: calibration({ profiles: [profile] }), sampleEvery: 1 });
  const { message, news } = await readOnce(trust, EngineSchema, other, zipper);
  expect(message).toEqual(zipper);
  expect(news.map(({ type }) => type)).toContain("drift");
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
  ["a date that is none", ["date"], "soon", '"date"'],
  ["a date that brings lines of its own", ["date"], "24 Nov 2026 (\nmessage Other {}\n)", '"date"'],
  ["a message whose date is none", ["messages", "bytenite.engine.Engine", "date"], "soon", 'Engine: "date"'],
  ["a lie that is none", ["digestLies"], false, '"digestLies"'],
  ["no messages", ["messages"], [], '"messages"'],
  ["an unknown message", ["messages", "a.B"], {}, "a.B is no message"],
  ["a message that is none", ["messages", "bytenite.engine.Engine"], 1, "bytenite.engine.Engine must be an object"],
  ["an unknown field", [...fields, "colour"], { seen: 0 }, "has no field colour"],
  ["a missing field", [...fields, "link"], undefined, "bytenite.engine.Engine.link is missing"],
  ["a number that is none", [...fields, "name", "number"], 0, "0 is no field number"],
  ["a type that cannot be", [...fields, "name", "type"], "bool", "is none of string"],
  ["one number twice", [...fields, "name", "number"], 2, "the same number"],
  ["an unknown number of ours", ["messages", "bytenite.engine.Engine", "unknown"], [7], "unknown and a field's"],
  [
    "more numbers than are ever learned",
    ["messages", "bytenite.engine.Engine", "unknown"],
    Array.from({ length: 512 }, (_, index) => 1000 + index),
    "more than 512 numbers",
  ],
  ["unknown numbers that are none", ["messages", "bytenite.engine.Engine", "unknown"], 7, '"unknown"'],
  ["a number never seen", [...fields, "name", "seen"], 0, "never seen"],
  ["a field seen without a number", [...fields, "name", "number"], undefined, 'neither "number" nor "candidates"'],
  ["a count that is none", [...fields, "name", "seen"], -1, '"seen"'],
  ["a candidate that is none", [...fields, "name"], { seen: 1, candidates: [null] }, "is no field number"],
])("a profile with %s is refused by name", async ([, path, value, problem]) => {
  const text = edited((await learned()).profile, path, value);
  expect(() => parseProfile(text)).toThrow(ProfileError);
  expect(() => parseProfile(text)).toThrow(problem);
});

test("a client is not made with a profile that is none", async () => {
  const profile = { ...(await learned()).profile, version: 2 } as unknown as Profile;
  expect(() => calibration({ profiles: [profile] })).toThrow(ProfileError);
});

test("a profile that is no JSON is refused", () => {
  expect(() => parseProfile("{")).toThrow("it is not JSON");
});
