// Random field numberings and data, reproducible by seed.
import { fromJson, type DescMessage } from "@bufbuild/protobuf";
import { TimestampSchema } from "@bufbuild/protobuf/wkt";
import { endpoints } from "@bytenite-engines/core/wire";
import type { EngineInit, FieldNumbers } from "@bytenite-engines/registry/testing";
import type { Random } from "@bytenite-engines/test-kit/random";
import { trainer } from "@bytenite-engines/test-kit/samples";

/** The items in a random order. */
export const shuffled = <T>({ next }: Random, items: ReadonlyArray<T>): Array<T> =>
  items
    .map((item) => ({ item, at: next() }))
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
export const randomNumbers = (random: Random): FieldNumbers =>
  Object.fromEntries(
    contractMessages.map(({ typeName, fields }) => {
      const style = random.pick(["ours", "gaps", "any"]);
      const pool =
        style === "ours"
          ? fields.map(({ number }) => number)
          : fields.map((_, index) => (style === "gaps" ? index * 3 + 1 : 20_000 + random.below(5e8)));
      const numbers = shuffled(random, pool);
      return [typeName, Object.fromEntries(fields.map(({ name }, index) => [name, numbers[index] ?? 0]))];
    }),
  );

const at = (text: string) => fromJson(TimestampSchema, text);
const texts = ["", "", "a", "b", "main.py", "0.1", "docker"];
const times = ["2025-04-10T09:30:00Z", "2025-04-10T09:30:00.500Z", "2026-01-01T00:00:00Z"];

/** An engine with many empty or equal fields, which confirm few numbers. */
const bareEngine = (random: Random, index: number): EngineInit => ({
  name: `e${index}`,
  version: random.pick(["0.1", "1.0"]),
  type: random.pick(texts),
  status: random.pick(["active", "inactive"]),
  description: random.pick(texts),
  hash: random.pick(texts),
  link: random.pick(texts),
  entrypoint: random.pick(texts),
  platform: random.pick(texts),
  revision: random.pick([1, 2, 3]),
  createdAt: at(random.pick(times)),
  updatedAt: at(random.pick(times)),
  isPublic: random.chance(0.5),
  ...(random.chance(0.5)
    ? {
        platformConfig: {
          container: random.pick(texts),
          username: random.pick(texts),
          privateImage: random.chance(0.5),
        },
      }
    : {}),
  ...(random.chance(0.5)
    ? { deviceRequirements: { minCpu: random.pick([0, 1, 2]), minMemory: random.pick([0, 1, 2]), gpu: ["a", "b"] } }
    : {}),
});

/** An engine in which everything is populated and different, but isPublic: no engine with a token is public. */
const fullEngine: EngineInit = { ...trainer, name: "full", version: "3.7" };

/** Engines of a user; a full one confirms every number. */
export const randomEngines = (random: Random, isFull: boolean): ReadonlyArray<EngineInit> => [
  ...Array.from({ length: 5 }, (_, index) => ({ ...bareEngine(random, index), ...(isFull ? { isPublic: true } : {}) })),
  ...(isFull ? [fullEngine] : []),
];
