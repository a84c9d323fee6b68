import { toBinary, type DescMessage } from "@bufbuild/protobuf";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { messages } from "../test/ArbitraryMessages.ts";
import { endpoints } from "./gen/endpointSchemas.ts";
import { decode, encode } from "./Encoding.ts";
import { formatOf } from "./MediaType.ts";

const schemas: ReadonlyArray<DescMessage> = Object.values(endpoints).map(({ response }) => response);

test.for(schemas)("decode(encode(x)) is x for $typeName, in both forms and across them", (schema) => {
  fc.assert(
    fc.property(messages(schema), (message) => {
      const bytes = toBinary(schema, message);
      for (const form of ["protobuf", "json"] as const) {
        const once = decode(schema, encode(schema, message, form), form);
        expect(toBinary(schema, once)).toEqual(bytes);
        for (const other of ["protobuf", "json"] as const) {
          expect(toBinary(schema, decode(schema, encode(schema, once, other), other))).toEqual(bytes);
        }
      }
    }),
    { numRuns: 300 },
  );
});

test.for<[contentType: string | null, format: "json" | "protobuf" | undefined]>([
  ["application/json", "json"],
  ["Application/JSON; charset=utf-8", "json"],
  ["application/problem+json", "json"],
  ["text/json", "json"],
  ["application/x-protobuf", "protobuf"],
  ["application/protobuf; proto=bytenite.engine.Engine", "protobuf"],
  ["application/vnd.google.protobuf", "protobuf"],
  ["application/octet-stream", "protobuf"],
  ["text/html", undefined],
  ["application/jsonp", undefined],
  ["", undefined],
  [null, undefined],
])("Content-Type %s names the form %s", ([contentType, format]) => {
  expect(formatOf(contentType)).toBe(format);
});

test("JSON that is not in UTF-8 is refused", () => {
  expect(() => decode(endpoints.get.response, new Uint8Array([0x7b, 0xff, 0x7d]), "json")).toThrow(TypeError);
});
