import { create, toBinary } from "@bufbuild/protobuf";
import { decode, encode } from "@bytenite-engines/core/wire";
import { EngineListResponseSchema, EngineSchema, type Engine } from "@bytenite-engines/proto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { listBody } from "./EngineBody.ts";
import { rowOf } from "./EngineRow.ts";
import { makeSerializer } from "./Serializer.ts";

const anyEngine: fc.Arbitrary<Engine> = fc
  .record({
    name: fc.stringMatching(/^[A-Za-z0-9_-]{1,64}$/),
    description: fc.string({ unit: "binary", maxLength: 300 }).filter((text) => text.isWellFormed()),
    revision: fc.integer(),
    isPublic: fc.boolean(),
    secrets: fc.array(fc.string({ maxLength: 5 })),
    minCpu: fc.float({ noNaN: true, noDefaultInfinity: true }),
  })
  .map(({ secrets, minCpu, ...rest }) =>
    create(EngineSchema, { ...rest, version: "0.1", platformConfig: { secrets }, deviceRequirements: { minCpu } }),
  );

const anyPage = fc.record({
  total: fc.nat({ max: 4_294_967_295 }),
  offset: fc.nat({ max: 4_294_967_295 }),
  hasPrevious: fc.boolean(),
  hasNext: fc.boolean(),
});

test("a list joined from kept bytes is what the message that holds them would be written as, in both forms", async () => {
  const serializer = makeSerializer();
  await fc.assert(
    fc.asyncProperty(fc.array(anyEngine, { maxLength: 5 }), anyPage, async (engines, pagination) => {
      const whole = create(EngineListResponseSchema, { engines, pagination });
      const stored = engines.map((engine) => {
        const [json, protobuf] = rowOf(engine, 1, null).slice(-2) as [string, Uint8Array];
        return { json, protobuf, secret: undefined };
      });
      const only = (form: "json" | "protobuf") =>
        stored.map(({ json, protobuf, secret }) =>
          form === "json" ? { json, protobuf: undefined, secret } : { json: undefined, protobuf, secret },
        );
      const json = await listBody(serializer, only("json"), pagination, "json", undefined);
      expect(json).toBe(
        new TextDecoder("utf-8", { ignoreBOM: true }).decode(encode(EngineListResponseSchema, whole, "json")),
      );
      const bytes = await listBody(serializer, only("protobuf"), pagination, "protobuf", undefined);
      expect(bytes).toEqual(toBinary(EngineListResponseSchema, whole));
    }),
  );
});

test("a list in another numbering says the same", async () => {
  const serializer = makeSerializer({ fieldNumbers: { "bytenite.engine.Engine": { name: 3, version: 2 } } });
  const [json] = rowOf(create(EngineSchema, { name: "a", version: "0.1" }), 1, null).slice(-2) as [string];
  const stored = { json, protobuf: undefined, secret: undefined };
  const page = { total: 1, offset: 0, hasPrevious: false, hasNext: false };
  const bytes = (await listBody(serializer, [stored], page, "protobuf", undefined)) as Uint8Array;
  expect(decode(EngineListResponseSchema, bytes, "protobuf").engines[0]).toMatchObject({ name: "0.1", version: "a" });
});
