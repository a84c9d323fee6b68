import { create } from "@bufbuild/protobuf";
import { WireType } from "@bufbuild/protobuf/wire";
import { expect, test } from "vitest";
import { endpoints } from "./gen/endpointSchemas.ts";
import { noUnknownFields, unknownFieldsEvent } from "./UnknownFields.ts";

const schema = endpoints.list.response;
const subject = { endpoint: "list", url: "http://127.0.0.1:4010/v1/dev/engines" } as const;
const unknown = (no: number) => [{ no, wireType: WireType.Varint, data: new Uint8Array([1]) }];

test("unknown field numbers anywhere in a response are reported by path", () => {
  const list = create(schema, {
    engines: [{ name: "a" }, { name: "b", deviceRequirements: { minCpu: 1 } }],
    pagination: { total: 2 },
  });
  list.$unknown = unknown(7);
  const [first, second] = list.engines;
  if (first !== undefined) first.$unknown = [...unknown(40), ...unknown(41)];
  if (second?.deviceRequirements !== undefined) second.deviceRequirements.$unknown = unknown(9);
  expect(unknownFieldsEvent(subject, schema, list, new Map([["new", 1]]), [])).toEqual({
    ...subject,
    type: "unknown-fields",
    message: "bytenite.developer.EngineListResponse",
    fields: ["new", "#7", "engines[0].#40", "engines[0].#41", "engines[1].deviceRequirements.#9"],
    count: 5,
  });
});

test("a response without any reports none, and at most a hundred are named", () => {
  const list = create(schema, { engines: Array.from({ length: 300 }, () => ({ name: "a" })) });
  expect(unknownFieldsEvent(subject, schema, list, noUnknownFields, [])).toBeUndefined();
  for (const engine of list.engines) engine.$unknown = unknown(40);
  const event = unknownFieldsEvent(subject, schema, list, noUnknownFields, []);
  expect(event).toMatchObject({ count: 300 });
  expect(event?.type === "unknown-fields" && event.fields).toHaveLength(100);
});
