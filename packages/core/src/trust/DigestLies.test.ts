// Origins whose digest header names our schema although their numbers are others.
import { create, type DescMessage, type MessageShape } from "@bufbuild/protobuf";
import { EngineListResponseSchema, EngineMessageSchema, EngineSchema } from "@bytenite-engines/proto";
import { expect, test } from "vitest";
import { foreignServer, type ForeignServer } from "../../test/trust/ForeignServer.ts";
import { origin, readOnce, type Read } from "../../test/trust/Reading.ts";
import { firstPage, page, statuses, trainer, zipper } from "../../test/trust/Samples.ts";
import { schemaDigests } from "../gen/schemaDigests.ts";
import { calibration } from "./Calibration.ts";
import { memoryProfileStore } from "./ProfileStore.ts";
import { readTrusted, UntrustedAnswer } from "./TrustedAnswer.ts";
import type { Trust } from "./Verdict.ts";
import { makeTrust } from "./WireTrust.ts";

const engineType = EngineSchema.typeName;
const ours = foreignServer({});
/** Decodes: a number and a text change places, and both are unknown where they are. */
const retyped = foreignServer({ [engineType]: { name: 11, revision: 2 } });
/** Decodes, to the same names with other values. */
const swapped = foreignServer({ [engineType]: { name: 10, entrypoint: 2 } });
/** Does not decode: a name is no message. */
const broken = foreignServer({ [engineType]: { name: 16, platform_config: 2 } });

const claimed = <D extends DescMessage>(
  trust: Trust,
  schema: D,
  server: ForeignServer,
  sent: MessageShape<D>,
): Promise<Read<D>> => readOnce(trust, schema, server, sent, { digest: schemaDigests[schema.typeName] ?? "" });

const drifts = ({ news }: Pick<Read<DescMessage>, "news">): number =>
  news.filter(({ type }) => type === "drift").length;

test.for([undefined, calibration()])("a number and a text in each other's place are seen at once", async (account) => {
  const trust = makeTrust({ calibration: account });
  const first = await claimed(trust, EngineSchema, retyped, zipper);
  expect(first.message).toEqual(zipper);
  expect(drifts(first)).toBe(1);
  for (let call = 0; call < 30; call++) {
    const { message, news } = await claimed(trust, EngineSchema, retyped, call % 2 === 0 ? trainer : zipper);
    expect(message.name).toBe(call % 2 === 0 ? "trainer" : "zipper");
    expect(news.filter(({ type }) => type === "drift")).toEqual([]);
  }
});

test.for([undefined, calibration()])(
  "of bytes that are no message the first may be cut short; from the second on the JSON is asked, and the lie is told",
  async (account) => {
    const trust = makeTrust({ calibration: account });
    await expect(claimed(trust, EngineSchema, broken, zipper)).rejects.toThrow(UntrustedAnswer);
    const second = await claimed(trust, EngineSchema, broken, zipper);
    expect(second.message).toEqual(zipper);
    expect(drifts(second)).toBe(1);
    for (const sent of [trainer, zipper, trainer]) {
      const { message, news } = await claimed(trust, EngineSchema, broken, sent);
      expect(message).toEqual(sent);
      expect(news.filter(({ type }) => type === "drift")).toEqual([]);
    }
  },
);

const reading = (trust: Trust, bytes: Uint8Array, json: () => MessageShape<typeof EngineSchema> | undefined) =>
  readTrusted({
    trust,
    origin,
    schema: EngineSchema,
    prefers: "auto",
    ask: (format) => {
      const message = format === "json" ? json() : undefined;
      const digest = schemaDigests[engineType] ?? "";
      return Promise.resolve(
        message === undefined ? { format: "protobuf", digest, bytes } : { format: "json", message },
      );
    },
  });

test("one body that is cut short costs nothing afterwards", async () => {
  const trust = makeTrust();
  for (let round = 0; round < 3; round++) {
    const cut = ours.protobuf(EngineSchema, zipper).subarray(0, 50);
    await expect(reading(trust, cut, () => zipper)).rejects.toMatchObject({ problem: "undecodable" });
    const { asked, news } = await claimed(trust, EngineSchema, ours, zipper);
    expect([asked, news]).toEqual([["protobuf"], []]);
  }
});

test("where there is no JSON either, what cannot be decoded stays so", async () => {
  const trust = makeTrust();
  for (let call = 0; call < 3; call++) {
    const read = reading(trust, new Uint8Array(64).fill(0xfe), () => undefined);
    await expect(read).rejects.toMatchObject({ problem: "undecodable", cause: expect.anything() as unknown });
  }
});

test("a header that lies about one kind of answer is not read for another", async () => {
  const trust = makeTrust();
  await claimed(trust, EngineSchema, retyped, zipper);
  expect((await claimed(trust, EngineMessageSchema, ours, create(EngineMessageSchema, statuses[0]))).asked).toEqual([
    "protobuf",
    "json",
  ]);
});

/** What a look without the header has shown. */
const profileOf = async (server: ForeignServer) => {
  const account = calibration();
  const trust = makeTrust({ calibration: account });
  for (const sent of [page, firstPage]) await readOnce(trust, EngineListResponseSchema, server, sent);
  return account.profile(origin);
};

test("numbers that are known contradict the header: it has to be shown, and is not read any more", async () => {
  const store = memoryProfileStore();
  await store.save(await profileOf(swapped));
  const account = calibration({ store });
  const first = await claimed(makeTrust({ calibration: account }), EngineSchema, swapped, zipper);
  expect(first.message).toEqual(zipper);
  expect(first.asked).toEqual(["protobuf", "json"]);
  expect(drifts(first)).toBe(1);
  await account.flush();
  expect(account.profile(origin).digestLies).toBe(true);
  const next = await claimed(makeTrust({ calibration: calibration({ store }) }), EngineSchema, swapped, trainer);
  expect(next).toMatchObject({ message: trainer, asked: ["protobuf"], news: [] });
});

test("a header that is right against what is known is believed, and that is forgotten", async () => {
  const account = calibration({ profiles: [await profileOf(swapped)] });
  const trust = makeTrust({ calibration: account });
  const first = await claimed(trust, EngineSchema, ours, zipper);
  expect(first.message).toEqual(zipper);
  expect(drifts(first)).toBe(1);
  expect(account.profile(origin).digestLies).toBeUndefined();
  expect(Object.keys(account.profile(origin).messages)).not.toContain(engineType);
  let requests = 0;
  for (let call = 0; call < 32; call++) {
    const { message, asked } = await claimed(trust, EngineSchema, ours, trainer);
    expect(message).toEqual(trainer);
    requests += asked.length;
  }
  expect(requests).toBeLessThanOrEqual(32 + 6);
});
