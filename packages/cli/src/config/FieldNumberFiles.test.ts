import { EngineMessageSchema } from "@bytenite-engines/proto";
import { FieldNumberInference, parseProfile, writeProfile, type Profile } from "@bytenite-engines/core/infer";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { keepProfile, loadProfile, originMemory } from "./FieldNumberFiles.ts";

const origin = "https://api.example:8443";
const { typeName, fields } = EngineMessageSchema;

/** A profile with these numbers of fields of the status, and no others. */
const profileOf = (numbers: Readonly<Record<string, number>>): Profile => ({
  ...new FieldNumberInference().profile(origin, 0),
  messages: {
    [typeName]: {
      compared: 1,
      fields: Object.fromEntries(
        fields.map(({ name }) => {
          const number = numbers[name];
          return [name, number === undefined ? { seen: 0 } : { number, type: "string", seen: 1 }];
        }),
      ),
      unknown: [],
    },
  },
});

const makeCache = (): { readonly cache: string; readonly file: (extension: string) => string } => {
  const cache = mkdtempSync(join(tmpdir(), "bne-numbers-"));
  onTestFinished(() => rmSync(cache, { recursive: true }));
  return { cache, file: (extension) => join(cache, "field-numbers", `https_api.example_8443.${extension}`) };
};

test("a profile is kept with its origin, and is of no other one", async () => {
  const { cache, file } = makeCache();
  expect(await loadProfile(cache, origin)).toBeUndefined();
  const profile = profileOf({ engine_id: 7 });
  await keepProfile(cache, profile);
  expect(readFileSync(file("json"), "utf8")).toBe(writeProfile(profile));
  expect(readFileSync(file("status"), "utf8")).toBe("compared\n");
  expect(await loadProfile(cache, origin)).toEqual(parseProfile(writeProfile(profile)));
  // The same file name.
  expect(await loadProfile(cache, "https:api.example/8443")).toBeUndefined();
});

test("a profile replaces one that it contradicts, or of which it has every number", async () => {
  const two = { engine_id: 7, engine_tag: 8 };
  for (const [found, isKept] of [
    [two, true],
    [{ ...two, engine_link: 9 }, true],
    [{ engine_id: 8 }, true],
    [{ engine_tag: 9, engine_id: 7 }, true],
    [{ engine_id: 7 }, false],
    [{ engine_link: 9 }, false],
    [{}, false],
  ] as const) {
    const { cache, file } = makeCache();
    await keepProfile(cache, profileOf(two));
    rmSync(file("status"));
    await keepProfile(cache, profileOf(found));
    expect([found, await loadProfile(cache, origin)]).toEqual([found, profileOf(isKept ? found : two)]);
    expect(readdirSync(join(cache, "field-numbers"))).toHaveLength(isKept ? 2 : 1);
  }
});

test("a damaged profile is replaced, one of a newer version is not", async () => {
  const { cache, file } = makeCache();
  const profile = profileOf({ engine_id: 7 });
  await keepProfile(cache, profile);
  const newer = writeProfile({ ...profile, version: 2 as 1 });
  writeFileSync(file("json"), newer);
  await expect(keepProfile(cache, profile)).rejects.toThrow("profile: ");
  expect(readFileSync(file("json"), "utf8")).toBe(newer);
  writeFileSync(file("json"), "{");
  await expect(loadProfile(cache, origin)).rejects.toThrow("profile: it is not JSON");
  await keepProfile(cache, profile);
  expect(await loadProfile(cache, origin)).toEqual(profile);
});

test("what is known of an origin's protobuf is one of two words, and unknown where files cannot be used", () => {
  const { cache, file } = makeCache();
  const memory = originMemory(cache);
  const known = (): unknown => memory.get(origin);
  expect(known()).toBeUndefined();
  for (const status of ["json", "compared"] as const) {
    memory.set(origin, status);
    expect([readFileSync(file("status"), "utf8"), known()]).toEqual([`${status}\n`, status]);
  }
  writeFileSync(file("status"), "other\n");
  expect(known()).toBeUndefined();
  memory.set(origin, "json");
  chmodSync(file("status"), 0o666);
  expect(known()).toBeUndefined();
  memory.set(origin, undefined);
  memory.set(origin, undefined);
  expect(readdirSync(join(cache, "field-numbers"))).toEqual([]);
  mkdirSync(file("status"));
  expect(() => memory.set(origin, undefined)).not.toThrow();
  expect(() => memory.set(origin, "json")).not.toThrow();
});
