import { fromBinary, toBinary, type DescMessage, type MessageShape, type UnknownField } from "@bufbuild/protobuf";
import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { FieldDescriptorProto_Type as Type } from "@bufbuild/protobuf/wkt";
import { EngineListResponseSchema, EngineMessageSchema, EngineSchema } from "@bytenite-engines/proto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { hiddenFor, message, numbers, wireTypes } from "../../test/trust/Arbitrary.ts";
import { foreignServer, type Numbers } from "../../test/trust/ForeignServer.ts";
import { origin, readOnce, said } from "../../test/trust/Reading.ts";
import { firstPage, page, statuses, trainer, zipper } from "../../test/trust/Samples.ts";
import { calibration } from "./Calibration.ts";
import type { Profile } from "./Profile.ts";
import { unknownNumberOffset } from "./AnswerReader.ts";
import { makeTrust } from "./WireTrust.ts";

/** Random servers that the law is tried on; TRUST_RUNS tries more. */
const numRuns = Number(process.env["TRUST_RUNS"] ?? 200);

/** Everything that is claimed about the numbers is true. */
const assertTrue = (profile: Profile, truth: Numbers): void => {
  for (const [typeName, { fields, unknown }] of Object.entries(profile.messages)) {
    const theirs = truth[typeName] ?? {};
    for (const [name, { number }] of Object.entries(fields))
      if (number !== undefined) expect(number).toBe(theirs[name]);
    for (const number of unknown) expect(Object.values(theirs)).not.toContain(number);
  }
};

const answers = fc.array(
  fc.oneof(
    ...[EngineSchema, EngineListResponseSchema, EngineMessageSchema].map((schema: DescMessage) =>
      message(schema).map((sent) => ({ schema, sent })),
    ),
  ),
  { minLength: 1, maxLength: 20 },
);

test("for any numbering, any answers and any parts of them, what is read is right and what is claimed is true", async () => {
  await fc.assert(
    fc.asyncProperty(
      numbers.chain((chosen) =>
        fc.tuple(fc.constant(chosen), fc.array(hiddenFor(chosen), { minLength: 1, maxLength: 3 })),
      ),
      wireTypes,
      answers,
      fc.constantFrom("auto" as const, "protobuf" as const),
      fc.constantFrom(true, true, false),
      async ([chosen, hidden], types, sequence, prefers, isCalibrated) => {
        const account = calibration();
        const trust = makeTrust({ calibration: isCalibrated ? account : undefined });
        for (const [index, { schema, sent }] of sequence.entries()) {
          const server = foreignServer(chosen, hidden[index % hidden.length], types);
          const read = await readOnce(trust, schema, server, sent, { prefers });
          const expected = said(server, schema, sent);
          expect(said(server, schema, read.message)).toEqual(expected);
          // Passing it on under our numbers must not turn an unknown field into one of ours.
          expect(said(server, schema, fromBinary(schema, toBinary(schema, read.message)))).toEqual(expected);
        }
        assertTrue(account.profile(origin), chosen);
      },
    ),
    { numRuns },
  );
}, 600_000);

test("200 random numberings are worked out from four answers, and protobuf is used from then on", async () => {
  for (const chosen of fc.sample(numbers, { seed: 4, numRuns: 200 })) {
    const server = foreignServer(chosen);
    const account = calibration();
    const trust = makeTrust({ calibration: account });
    let requests = 0;
    const read = async <D extends DescMessage>(schema: D, sent: MessageShape<D>) => {
      const { message, asked } = await readOnce(trust, schema, server, sent);
      expect(message).toEqual(sent);
      requests += asked.length;
    };
    const round = async () => {
      await read(EngineListResponseSchema, page);
      await read(EngineListResponseSchema, firstPage);
      await read(EngineSchema, trainer);
      await read(EngineSchema, zipper);
      for (const status of statuses) await read(EngineMessageSchema, status);
    };
    await round();
    // Both pages and one status are witnessed; the engines are known from the pages by then.
    expect(requests).toBe(9);
    for (let more = 0; more < 3; more++) await round();
    expect(requests).toBe(9 + 3 * 6);
    assertTrue(account.profile(origin), chosen);
  }
}, 120_000);

const text = (no: number, value: string): UnknownField => ({
  no,
  wireType: WireType.LengthDelimited,
  data: new BinaryWriter().string(value).finish(),
});

test("a field that only the protobuf has is kept, after a second answer showed the same", async () => {
  const server = foreignServer(
    { "bytenite.engine.Engine": { name: 40 } },
    { "bytenite.engine.Engine": [text(77, "new")] },
  );
  const trust = makeTrust({ calibration: calibration() });
  expect((await readOnce(trust, EngineSchema, server, trainer)).asked).toEqual(["protobuf", "json"]);
  await readOnce(trust, EngineSchema, server, trainer);
  const { message, asked } = await readOnce(trust, EngineSchema, server, trainer);
  expect(asked).toEqual(["protobuf"]);
  expect(message.name).toBe("trainer");
  expect(message.$unknown).toEqual([text(77, "new")]);
});

test("an unknown field under one of our numbers is kept where it cannot be taken for ours", async () => {
  const server = foreignServer(
    { "bytenite.engine.Engine": { name: 40 } },
    { "bytenite.engine.Engine": [text(2, "new")] },
  );
  const trust = makeTrust({ calibration: calibration() });
  for (let call = 0; call < 2; call++) await readOnce(trust, EngineSchema, server, trainer);
  const { message, asked } = await readOnce(trust, EngineSchema, server, trainer);
  expect(asked).toEqual(["protobuf"]);
  expect(message.$unknown).toEqual([text(2 + unknownNumberOffset, "new")]);
  expect(fromBinary(EngineSchema, toBinary(EngineSchema, message)).name).toBe("trainer");
});

test("a hidden field that always equals one of ours keeps both unconfirmed", async () => {
  const server = foreignServer({}, { "bytenite.developer.EngineMessage": [text(9, "active")] });
  const account = calibration();
  const trust = makeTrust({ calibration: account });
  for (const tag of ["a", "b", "c", "d"]) {
    const sent = { ...statuses[0], engineTag: tag, engineStatus: "active" } as MessageShape<typeof EngineMessageSchema>;
    await readOnce(trust, EngineMessageSchema, server, sent, { prefers: "protobuf" });
  }
  const { fields, unknown } = account.profile(origin).messages["bytenite.developer.EngineMessage"] ?? {};
  expect(fields).toMatchObject({ engine_id: { number: 1 }, engine_tag: { number: 2 } });
  expect(fields?.["engine_status"]?.candidates?.map(({ number }) => number)).toEqual([5, 9]);
  expect(unknown).toEqual([]);
});

test("an answer that was written as zigzag or fixed is read as such", async () => {
  const server = foreignServer(
    {},
    {},
    {
      "bytenite.engine.Engine": { revision: Type.SINT32 },
      "bytenite.common.PaginatedResponse": { total: Type.FIXED32 },
    },
  );
  const trust = makeTrust({ calibration: calibration() });
  await readOnce(trust, EngineListResponseSchema, server, page);
  const { message, asked } = await readOnce(trust, EngineListResponseSchema, server, page);
  expect(asked).toEqual(["protobuf"]);
  expect(message).toEqual(page);
});
