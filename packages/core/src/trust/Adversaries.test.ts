// Servers that mislead, by accident or on purpose. In each case: no value under a wrong name.
import { create, type MessageShape } from "@bufbuild/protobuf";
import { EngineListResponseSchema, EngineMessageSchema, EngineSchema } from "@bytenite-engines/proto";
import { expect, test } from "vitest";
import { contractMessages, foreignServer, type Numbers } from "../../test/trust/ForeignServer.ts";
import { origin, readOnce } from "../../test/trust/Reading.ts";
import { firstPage, page, statuses, trainer, zipper } from "../../test/trust/Samples.ts";
import { schemaDigests } from "../gen/schemaDigests.ts";
import { calibration, type Calibration } from "./Calibration.ts";
import { readTrusted, UntrustedAnswer } from "./TrustedAnswer.ts";
import type { TrustNews } from "./Verdict.ts";
import { makeTrust } from "./WireTrust.ts";

const engineType = EngineSchema.typeName;
const ours = foreignServer({});
const swapped = foreignServer({ [engineType]: { name: 7, description: 2 } });
/** Every number is one that our contract does not have. */
const shifted: Numbers = Object.fromEntries(
  contractMessages.map(({ typeName, fields }) => [
    typeName,
    Object.fromEntries(fields.map(({ name, number }) => [name, number + 1000])),
  ]),
);

type Engine = MessageShape<typeof EngineSchema>;

const certain = (account: Calibration): ReadonlyArray<string> =>
  Object.entries(account.profile(origin).messages[engineType]?.fields ?? {}).flatMap(([name, { number }]) =>
    number === undefined ? [] : [name],
  );

test.for([
  ["ours", ours],
  ["swapped", swapped],
] as const)(
  "two fields with swapped numbers and equal values are told apart only when they differ (%s)",
  async ([, server]) => {
    const account = calibration();
    const trust = makeTrust({ calibration: account });
    const same: Engine = { ...trainer, description: trainer.name };
    for (let call = 0; call < 3; call++) {
      expect((await readOnce(trust, EngineSchema, server, same)).message).toEqual(same);
      expect(certain(account)).not.toContain("name");
      expect(certain(account)).not.toContain("description");
    }
    expect((await readOnce(trust, EngineSchema, server, zipper)).message).toEqual(zipper);
    const { message, asked } = await readOnce(trust, EngineSchema, server, trainer);
    expect(message).toEqual(trainer);
    expect(asked).toEqual(["protobuf"]);
  },
);

test("a schema that changes between two calls is noticed by what it carries where it can be seen, and by sampling where not", async () => {
  const trust = makeTrust({ calibration: calibration(), sampleEvery: 20 });
  for (const engine of [trainer, zipper]) await readOnce(trust, EngineSchema, ours, engine);
  const moved = foreignServer({ [engineType]: { name: 50 } });
  // A new number is seen at once.
  expect((await readOnce(trust, EngineSchema, moved, zipper)).message).toEqual(zipper);
  for (let call = 0; call < 50; call++) {
    expect((await readOnce(trust, EngineSchema, moved, zipper)).message).toEqual(zipper);
  }
  // So are known texts under other numbers.
  const permuted = foreignServer({ [engineType]: { name: 7, description: 50 } });
  for (let call = 0; call < 50; call++) {
    expect((await readOnce(trust, EngineSchema, permuted, zipper)).message).toEqual(zipper);
  }
  // Texts that were never seen tell nothing: a sample sees it, and then it is never misread again.
  const again = foreignServer({ [engineType]: { name: 50, description: 7 } });
  const unseen: Engine = { ...zipper, name: "unseen", description: "Never seen." };
  const news: Array<TrustNews> = [];
  let wrong = 0;
  for (let call = 1; call <= 70; call++) {
    const read = await readOnce(trust, EngineSchema, again, unseen);
    news.push(...read.news);
    if (read.message.name !== unseen.name) wrong = call;
  }
  expect(wrong).toBeLessThan(20);
  expect(news.filter(({ type }) => type === "drift")).toHaveLength(1);
});

test("a schema that changes between the readings of one call is not learned from a pair that does not fit", async () => {
  const trust = makeTrust({ calibration: calibration(), sampleEvery: Infinity });
  await readOnce(trust, EngineSchema, ours, zipper);
  const retyped = foreignServer({ [engineType]: { name: 11, revision: 2 } });
  for (let call = 0; call < 3; call++) {
    expect((await readOnce(trust, EngineSchema, retyped, zipper)).message).toEqual(zipper);
  }
  expect((await readOnce(trust, EngineSchema, retyped, zipper)).asked).toEqual(["protobuf"]);
});

test("replicas with other data for each form are answered from JSON, and nobody learns from them", async () => {
  const account = calibration();
  const trust = makeTrust({ calibration: account });
  let requests = 0;
  for (let call = 0; call < 64; call++) {
    const { message, asked } = await readOnce(trust, EngineSchema, ours, zipper, { json: trainer });
    expect(message).toEqual(trainer);
    requests += asked.length;
  }
  expect(certain(account)).toEqual([]);
  expect(requests).toBeLessThan(64 * 1.5);
});

test("replicas that lack some of the fields do not make a number foreign", async () => {
  const trust = makeTrust({ calibration: calibration() });
  const bare: Engine = { ...zipper, description: "" };
  await readOnce(trust, EngineSchema, swapped, zipper, { json: bare });
  expect((await readOnce(trust, EngineSchema, swapped, zipper)).message).toEqual(zipper);
  expect((await readOnce(trust, EngineSchema, swapped, trainer)).message).toEqual(trainer);
  expect((await readOnce(trust, EngineSchema, swapped, zipper)).message).toEqual(zipper);
});

const one = (total: number, hasNext: boolean) =>
  create(EngineListResponseSchema, { engines: [zipper], pagination: { total, hasNext } });

test("a row that goes between the two readings of a page of one does not swap its total with a flag", async () => {
  const trust = makeTrust({ calibration: calibration() });
  // Protobuf says 2 and more to come; in the JSON, which a cache holds on to, there is one: its total equals the flag's 1.
  for (let call = 0; call < 2; call++) {
    await readOnce(trust, EngineListResponseSchema, ours, one(2, true), { json: one(1, false), prefers: "protobuf" });
  }
  for (const total of [7, 1, 2]) {
    for (const hasNext of [true, false]) {
      const sent = one(total, hasNext);
      expect((await readOnce(trust, EngineListResponseSchema, ours, sent)).message).toEqual(sent);
    }
  }
});

test("a digest header that lies is caught by a sample, and its numbers are worked out", async () => {
  const trust = makeTrust({ calibration: calibration() });
  const digest = schemaDigests[engineType] ?? "";
  const news: Array<TrustNews> = [];
  let wrong = 0;
  for (let call = 0; call < 600; call++) {
    const read = await readOnce(trust, EngineSchema, swapped, zipper, { digest });
    news.push(...read.news);
    if (read.message.name !== zipper.name) wrong = call + 1;
  }
  expect(wrong).toBe(499);
  expect(news.filter(({ type }) => type === "drift")).toHaveLength(1);
  expect((await readOnce(trust, EngineSchema, swapped, zipper, { digest })).asked).toEqual(["protobuf"]);
});

test("protobuf whose fields are all unknown to us is worked out like any other", async () => {
  const server = foreignServer(shifted);
  const trust = makeTrust({ calibration: calibration() });
  for (const sent of [page, firstPage, page]) {
    expect((await readOnce(trust, EngineListResponseSchema, server, sent)).message).toEqual(sent);
  }
  expect((await readOnce(trust, EngineListResponseSchema, server, page)).asked).toEqual(["protobuf"]);
  for (const status of statuses) {
    expect((await readOnce(trust, EngineMessageSchema, server, status)).message).toEqual(status);
  }
});

test("without a JSON witness unconfirmed protobuf is refused, and its failure is the call's", async () => {
  const trust = makeTrust({ calibration: calibration() });
  const asking = { trust, origin, schema: EngineSchema, prefers: "auto" } as const;
  const protobuf = { format: "protobuf", digest: null, bytes: ours.protobuf(EngineSchema, zipper) } as const;
  await expect(readTrusted({ ...asking, ask: () => Promise.resolve(protobuf) })).rejects.toThrow(UntrustedAnswer);
  await expect(
    readTrusted({
      ...asking,
      ask: (format) => (format === "json" ? Promise.reject(new Error("503")) : Promise.resolve(protobuf)),
    }),
  ).rejects.toThrow("503");
});

test("a sample whose JSON cannot be had leaves what was believed, and the next one is due as usual", async () => {
  const trust = makeTrust({ calibration: calibration(), sampleEvery: 2 });
  await readOnce(trust, EngineSchema, ours, trainer);
  let refused = 0;
  for (let call = 0; call < 6; call++) {
    const { message } = await readTrusted({
      trust,
      origin,
      schema: EngineSchema,
      prefers: "auto",
      ask: (format) => {
        if (format === "protobuf") {
          return Promise.resolve({ format, digest: null, bytes: ours.protobuf(EngineSchema, trainer) });
        }
        refused += 1;
        return Promise.reject(new Error("406"));
      },
    });
    expect(message).toEqual(trainer);
  }
  expect(refused).toBe(3);
});

test("what one origin taught is not believed of another", async () => {
  const trust = makeTrust({ calibration: calibration() });
  await readOnce(trust, EngineSchema, ours, trainer);
  const bytes = ours.protobuf(EngineSchema, trainer);
  expect(trust.decide(origin, EngineSchema, { digest: null, bytes }).kind).toBe("believed");
  expect(trust.decide("https://other.example", EngineSchema, { digest: null, bytes }).kind).toBe("witness");
});
