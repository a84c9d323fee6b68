// Random field numberings and data, reproducible by seed.
import { fromJson, type DescMessage } from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import { endpoints } from "@bytenite-engines/core/wire";
import type { EngineInit, FieldNumbers } from "@bytenite-engines/registry/testing";

/** Chance that can be had again: mulberry32. */
export type Chance = () => number;

export const chanceOf = (seed: number): Chance => {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
};

const pick = <T>(chance: Chance, items: ReadonlyArray<T>): T => items[Math.floor(chance() * items.length)] as T;

export const shuffled = <T>(chance: Chance, items: ReadonlyArray<T>): Array<T> =>
  items
    .map((item) => ({ item, at: chance() }))
    .toSorted((a, b) => a.at - b.at)
    .map(({ item }) => item);

const messages = new Map<string, DescMessage>();
const collect = (message: DescMessage): void => {
  if (messages.has(message.typeName) || message.typeName.startsWith("google.")) return;
  messages.set(message.typeName, message);
  for (const field of message.fields) if (field.message !== undefined) collect(field.message);
};
for (const { response } of Object.values(endpoints)) collect(response);

/** All messages that answers consist of. */
export const contractMessages: ReadonlyArray<DescMessage> = [...messages.values()];

/** Other numbers: ours in another order, small ones with gaps, or any that protobuf allows. */
export const randomNumbers = (chance: Chance): FieldNumbers =>
  Object.fromEntries(
    contractMessages.map(({ typeName, fields }) => {
      const style = pick(chance, ["ours", "gaps", "any"]);
      const pool =
        style === "ours"
          ? fields.map(({ number }) => number)
          : fields.map((_, index) => (style === "gaps" ? index * 3 + 1 : 20_000 + Math.floor(chance() * 5e8)));
      const numbers = shuffled(chance, pool);
      return [typeName, Object.fromEntries(fields.map(({ name }, index) => [name, numbers[index] ?? 0]))];
    }),
  );

const at = (text: string) => fromJson(TimestampSchema, text);
const texts = ["", "", "a", "b", "main.py", "0.1", "docker"];
const times = ["2025-04-10T09:30:00Z", "2025-04-10T09:30:00.500Z", "2026-01-01T00:00:00Z"];

/** An engine with many empty or equal fields, which confirm few numbers. */
const bareEngine = (chance: Chance, index: number): EngineInit => ({
  name: `e${index}`,
  version: pick(chance, ["0.1", "1.0"]),
  type: pick(chance, texts),
  status: pick(chance, ["active", "inactive"]),
  description: pick(chance, texts),
  hash: pick(chance, texts),
  link: pick(chance, texts),
  entrypoint: pick(chance, texts),
  platform: pick(chance, texts),
  revision: pick(chance, [1, 2, 3]),
  createdAt: at(pick(chance, times)),
  updatedAt: at(pick(chance, times)),
  isPublic: chance() < 0.5,
  ...(chance() < 0.5
    ? {
        platformConfig: { container: pick(chance, texts), username: pick(chance, texts), privateImage: chance() < 0.5 },
      }
    : {}),
  ...(chance() < 0.5
    ? { deviceRequirements: { minCpu: pick(chance, [0, 1, 2]), minMemory: pick(chance, [0, 1, 2]), gpu: ["a", "b"] } }
    : {}),
});

/** An engine in which everything is populated and different, but isPublic: no engine with a token is public. */
const fullEngine: EngineInit = {
  name: "full",
  version: "3.7",
  type: "partitioner",
  status: "active",
  description: "Has all that an engine can have.",
  hash: "9T4P4O3WPa+oy3s0o5dsnonJ4DXY+JhPQQi9K2rucpA=",
  link: "https://files.example/full.zip",
  entrypoint: "start.py",
  revision: 9,
  createdAt: at("2025-02-03T04:05:06.789Z"),
  updatedAt: at("2025-03-04T05:06:07Z"),
  platform: "container",
  platformConfig: {
    container: "ghcr.io/acme/full:7",
    privateImage: true,
    username: "acme",
    token: "t",
    secrets: ["S"],
  },
  deviceRequirements: { minCpu: 0.5, minMemory: 16, gpu: ["tesla t4"] },
};

/** Engines of a user; a full one confirms every number. */
export const randomEngines = (chance: Chance, isFull: boolean): ReadonlyArray<EngineInit> => [
  ...Array.from({ length: 5 }, (_, index) => ({ ...bareEngine(chance, index), ...(isFull ? { isPublic: true } : {}) })),
  ...(isFull ? [fullEngine] : []),
];
