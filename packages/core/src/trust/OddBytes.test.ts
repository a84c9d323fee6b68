// Bytes that no writer of ours would send: flags in more bytes than they need, numbers where flags were, texts where moments were;
// and a replica that is behind.
import { create, type MessageShape } from "@bufbuild/protobuf";
import { EngineListResponseSchema, EngineMessageSchema, EngineSchema } from "@bytenite-engines/proto";
import { expect, test } from "vitest";
import { foreignServer, type ForeignServer } from "../../test/trust/ForeignServer.ts";
import { origin, readOnce } from "../../test/trust/Reading.ts";
import { firstPage, page, statuses, trainer, zipper } from "../../test/trust/Samples.ts";
import { schemaDigests } from "../gen/schemaDigests.ts";
import { calibration } from "./Calibration.ts";
import { makeTrust, type TrustOptions } from "./WireTrust.ts";

const engineType = EngineSchema.typeName;
const ours = foreignServer({});
const accounts: ReadonlyArray<() => TrustOptions> = [() => ({}), () => ({ calibration: calibration() })];

type Engine = MessageShape<typeof EngineSchema>;

/** Writes an engine by hand. */
const by = (write: (engine: Engine) => ReadonlyArray<number>): ForeignServer => ({
  ...ours,
  protobuf: (_schema, message) => new Uint8Array(write(message as unknown as Engine)),
});

/** Number 18 is the revision, and 11 the flag, in two bytes. */
const longFlag = by(({ revision, isPublic }) => [
  ...(revision === 0 ? [] : [0x90, 0x01, revision]),
  ...(isPublic ? [0x58, 0x81, 0x00] : []),
]);

test.for(accounts)("a flag in more bytes than it needs is a flag", async (options) => {
  const trust = makeTrust(options());
  const sent = [
    { revision: 1, isPublic: true },
    { revision: 1 },
    { revision: 2, isPublic: true },
    { isPublic: true },
  ].map((init) => create(EngineSchema, init));
  for (const engine of [...sent, ...sent]) {
    expect((await readOnce(trust, EngineSchema, longFlag, engine, { prefers: "protobuf" })).message).toEqual(engine);
  }
});

test.for(accounts)("a number where a flag has been confirmed is witnessed", async (options) => {
  const trust = makeTrust(options());
  const all = [trainer, zipper, create(EngineSchema, { ...zipper, isPublic: true, revision: 7 })];
  for (const engine of all) await readOnce(trust, EngineSchema, ours, engine);
  expect((await readOnce(trust, EngineSchema, ours, trainer)).asked).toEqual(["protobuf"]);
  const swapped = foreignServer({ [engineType]: { revision: 18, is_public: 11 } });
  const sent = create(EngineSchema, { isPublic: true, revision: 7 });
  expect((await readOnce(trust, EngineSchema, swapped, sent)).message).toEqual(sent);
});

test("a number where our flags are shows at once that the digest lies", async () => {
  const trust = makeTrust();
  const swapped = foreignServer({ [engineType]: { revision: 18, is_public: 11 } });
  const sent = create(EngineSchema, { isPublic: true, revision: 7 });
  const digest = schemaDigests[engineType] ?? "";
  expect((await readOnce(trust, EngineSchema, swapped, sent, { digest })).message).toEqual(sent);
});

test.for(accounts)("a text where a moment has been confirmed is witnessed", async (options) => {
  const trust = makeTrust(options());
  for (const engine of [trainer, zipper]) await readOnce(trust, EngineSchema, ours, engine);
  expect((await readOnce(trust, EngineSchema, ours, trainer)).asked).toEqual(["protobuf"]);
  const swapped = foreignServer({ [engineType]: { hash: 12, created_at: 8 } });
  // As protobuf, a field of 2 bytes.
  const sent = create(EngineSchema, { hash: "j\u0002ab" });
  expect((await readOnce(trust, EngineSchema, swapped, sent)).message).toEqual(sent);
});

const none = (offset: number) => create(EngineListResponseSchema, { pagination: { offset } });

test("a replica whose JSON is behind does not make of a field that it has not shown yet one of the server's own", async () => {
  const account = calibration();
  const trust = makeTrust({ calibration: account });
  const noLink = create(EngineMessageSchema, { engineId: "i", engineTag: "t", engineStatus: "active" });
  for (let call = 0; call < 6; call++) {
    const sent = call % 2 === 0 ? page : firstPage;
    await readOnce(trust, EngineListResponseSchema, ours, sent, { json: none(call % 2) });
    const status = create(EngineMessageSchema, { ...noLink, engineId: `i${call}`, engineLink: `https://f/${call}` });
    const behind = create(EngineMessageSchema, { ...status, engineLink: "" });
    await readOnce(trust, EngineMessageSchema, ours, status, { json: behind });
  }
  expect(Object.values(account.profile(origin).messages).flatMap(({ unknown }) => unknown)).toEqual([]);
  for (const sent of [page, firstPage, page]) {
    expect((await readOnce(trust, EngineListResponseSchema, ours, sent)).message).toEqual(sent);
  }
  for (const init of statuses) {
    const sent = create(EngineMessageSchema, init);
    expect((await readOnce(trust, EngineMessageSchema, ours, sent)).message).toEqual(sent);
  }
});
