import { create, toBinary } from "@bufbuild/protobuf";
import { decode, encode } from "@bytenite-engines/core/wire";
import { EngineListResponseSchema, EngineSchema, type Engine } from "@bytenite-engines/proto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { engineBody, listBody, storedFormFor } from "./EngineBody.ts";
import { rowOf, secretPlace } from "./EngineRow.ts";
import { makeSecretBox } from "./SecretBox.ts";
import { makeSerializer } from "./Serializer.ts";
import type { SqlDriver } from "./SqlDriver.ts";

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
  const text = await listBody(serializer, [stored], page, "json", undefined);
  expect(text).toBe(await listBody(makeSerializer(), [stored], page, "json", undefined));
  const bytes = (await listBody(serializer, [stored], page, "protobuf", undefined)) as Uint8Array;
  expect(decode(EngineListResponseSchema, bytes, "protobuf").engines[0]).toMatchObject({ name: "0.1", version: "a" });
});

test("the form that is read is that of the answer, and JSON for another numbering", () => {
  const other = makeSerializer({ fieldNumbers: {} });
  const forms = [makeSerializer(), other].map((serializer) =>
    (["json", "protobuf"] as const).flatMap((format) =>
      [{}, { bytesAsHex: true }].map((sql) => storedFormFor(serializer, format, sql as SqlDriver)),
    ),
  );
  expect(forms).toEqual([
    ["json", "json", "protobuf", "hex"],
    ["json", "json", "json", "json"],
  ]);
});

const bytesOf = (body: string | Uint8Array): Uint8Array =>
  typeof body === "string" ? new TextEncoder().encode(body) : body;

test("a secret is put into what its owner reads, from both kept forms, where there is a key", async () => {
  const box = await makeSecretBox("k".repeat(32));
  const engine = create(EngineSchema, { name: "a", version: "0.1", owner: "carol" });
  const [json, protobuf] = rowOf(engine, 1, null).slice(-2) as [string, Uint8Array];
  const secret = await box.seal("hunter2", secretPlace("carol", "a", "0.1"));
  const page = { total: 1, offset: 0, hasPrevious: false, hasNext: false };
  const serializer = makeSerializer();
  for (const [format, kept] of [
    ["json", { json, protobuf: undefined }],
    ["protobuf", { json: undefined, protobuf }],
  ] as const) {
    for (const [stored, key, token] of [
      [{ ...kept, secret }, box, "hunter2"],
      [{ ...kept, secret }, undefined, undefined],
      [{ ...kept, secret: undefined }, box, undefined],
    ] as const) {
      const whole = decode(EngineSchema, bytesOf(await engineBody(serializer, stored, format, key)), format);
      const list = decode(
        EngineListResponseSchema,
        bytesOf(await listBody(serializer, [stored, stored], page, format, key)),
        format,
      );
      expect([whole, ...list.engines].map(({ platformConfig }) => platformConfig?.token)).toEqual([
        token,
        token,
        token,
      ]);
    }
  }
});
