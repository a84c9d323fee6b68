// Processes that are too short to come to a sample: what they know from earlier is compared once a day.
import { create } from "@bufbuild/protobuf";
import { EngineListResponseSchema, EngineMessageSchema, EngineSchema } from "@bytenite-engines/proto";
import { expect, test } from "vitest";
import { foreignServer, type ForeignServer } from "../../test/trust/ForeignServer.ts";
import { origin, readOnce } from "../../test/trust/Reading.ts";
import { firstPage, page, statuses, trainer, zipper } from "../../test/trust/Samples.ts";
import { calibration } from "./Calibration.ts";
import type { Profile } from "./Profile.ts";
import { memoryProfileStore } from "./ProfileStore.ts";
import { makeTrust } from "./WireTrust.ts";

const hour = 3_600_000;
const learnedMs = Date.UTC(2026, 10, 24, 8);
const before = foreignServer({ "bytenite.engine.Engine": { name: 7, description: 2 } });
const swapped = foreignServer({ "bytenite.engine.Engine": { name: 2, description: 7 } });
const status = create(EngineMessageSchema, { engineId: "id-7", engineTag: "zipper@0.1", engineStatus: "active" });

const learned = async (): Promise<Profile> => {
  const account = calibration({ now: () => learnedMs });
  const trust = makeTrust({ calibration: account });
  for (const sent of [page, firstPage]) await readOnce(trust, EngineListResponseSchema, before, sent);
  for (const sent of statuses) await readOnce(trust, EngineMessageSchema, before, sent);
  return account.profile(origin);
};

/** The accounts of processes that follow each other, with what one of them leaves to the next. */
const processes = async () => {
  const store = memoryProfileStore();
  await store.save(await learned());
  const process = async (nowMs: number, server: ForeignServer, kind: "get" | "status" = "get") => {
    const account = calibration({ store, now: () => nowMs });
    const trust = makeTrust({ calibration: account });
    const read =
      kind === "get"
        ? await readOnce(trust, EngineSchema, server, zipper)
        : await readOnce(trust, EngineMessageSchema, server, status);
    await account.flush();
    return { asked: read.asked.join(), right: read.message, drifts: read.news.filter(({ type }) => type === "drift") };
  };
  return { process, store };
};

test("a process of the next day compares its first answer, and that counts for all of the day", async () => {
  const { process } = await processes();
  expect((await process(learnedMs + 24 * hour, before)).asked).toBe("protobuf");
  expect((await process(learnedMs + 25 * hour, before)).asked).toBe("protobuf,json");
  expect((await process(learnedMs + 26 * hour, before)).asked).toBe("protobuf");
  expect((await process(learnedMs + 49 * hour, before)).asked).toBe("protobuf");
  expect((await process(learnedMs + 50 * hour, before)).asked).toBe("protobuf,json");
});

test("each kind of answer has a day of its own", async () => {
  const { process } = await processes();
  expect((await process(learnedMs + 25 * hour, before)).asked).toBe("protobuf,json");
  expect((await process(learnedMs + 25 * hour, before, "status")).asked).toBe("protobuf,json");
  expect((await process(learnedMs + 26 * hour, before, "status")).asked).toBe("protobuf");
});

test("numbers that were swapped are noticed by it", async () => {
  const { process } = await processes();
  const first = await process(learnedMs + 25 * hour, swapped);
  expect(first.right).toEqual(zipper);
  expect(first.drifts).toHaveLength(1);
  for (let call = 0; call < 3; call++) expect((await process(learnedMs + 25 * hour, swapped)).right).toEqual(zipper);
});

test("a profile of before there were dates of messages counts by the date that it was written", async () => {
  const older = structuredClone(await learned()) as { messages: Record<string, { date?: string }> };
  for (const message of Object.values(older.messages)) delete message.date;
  for (const [hours, asked] of [
    [1, ["protobuf"]],
    [25, ["protobuf", "json"]],
    // A clock that was set back.
    [-25, ["protobuf", "json"]],
  ] as const) {
    const store = memoryProfileStore();
    await store.save(older as unknown as Profile);
    const trust = makeTrust({ calibration: calibration({ store, now: () => learnedMs + hours * hour }) });
    expect((await readOnce(trust, EngineSchema, before, trainer)).asked).toEqual(asked);
    expect((await readOnce(trust, EngineSchema, before, trainer)).asked).toEqual(["protobuf"]);
  }
});
