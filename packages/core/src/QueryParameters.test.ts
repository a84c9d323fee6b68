import {
  clearField,
  clone,
  create,
  isFieldSet,
  toBinary,
  type DescMessage,
  type MessageShape,
} from "@bufbuild/protobuf";
import { reflect } from "@bufbuild/protobuf/reflect";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { messages } from "../test/ArbitraryMessages.ts";
import { EverythingSchema } from "../test/gen/kitchen/v1/kitchen_pb.ts";
import { endpoints } from "./gen/endpointSchemas.ts";
import { decodeQuery, encodeQuery, QueryParameterError } from "./QueryParameters.ts";

const list = endpoints.list.request;
const get = endpoints.get.request;
const schemas: ReadonlyArray<DescMessage> = [list, get];

/** The message without the empty ones in it: those say as little as none. */
const withoutEmpty = <D extends DescMessage>(schema: D, message: MessageShape<D>): MessageShape<D> => {
  const meant = clone(schema, message);
  for (const field of schema.fields) {
    if (field.fieldKind !== "message" || !isFieldSet(meant, field)) continue;
    if (toBinary(field.message, reflect(schema, meant).get(field).message as never).length === 0)
      clearField(meant, field);
  }
  return meant;
};

test.for(schemas)("a $typeName comes back from its query string as it was", (schema) => {
  fc.assert(
    fc.property(messages(schema), (message) => {
      const read = decodeQuery(schema, new URLSearchParams(encodeQuery(schema, message)));
      expect(toBinary(schema, read)).toEqual(toBinary(schema, withoutEmpty(schema, message)));
    }),
    { numRuns: 500 },
  );
});

test("values are written in declaration order, and defaults are not written", () => {
  const message = create(list, { isPublic: true, orderBy: "createdAt", pagination: { offset: 20, limit: 10 } });
  expect(encodeQuery(list, message)).toBe("orderBy=createdAt&pagination.limit=10&pagination.offset=20&isPublic=true");
  expect(encodeQuery(list, create(list, { pagination: {} }))).toBe("");
});

test("fields that travel in the path stay out of the query, both ways", () => {
  const message = create(get, { engineTag: "zipper@0.1", engineId: "7" });
  expect(encodeQuery(get, message, ["engine_tag"])).toBe("engineId=7");
  const read = decodeQuery(get, new URLSearchParams("engineTag=x&engine_tag=y&engineId=7"), ["engine_tag"]);
  expect(read).toMatchObject({ engineTag: "", engineId: "7" });
});

test("so do those inside a message, one by one or all", () => {
  const message = create(list, { pagination: { offset: 20, limit: 10 } });
  expect(encodeQuery(list, message, ["pagination.limit"])).toBe("pagination.offset=20");
  expect(encodeQuery(list, message, ["pagination"])).toBe("");
  const read = (except: string) => decodeQuery(list, new URLSearchParams(encodeQuery(list, message)), [except]);
  expect(read("pagination.limit").pagination).toMatchObject({ offset: 20, limit: 0 });
  expect(read("pagination").pagination).toBeUndefined();
  expect(read("pagina").pagination).toMatchObject({ offset: 20, limit: 10 });
});

test("the entries of a map can be changed and removed, whatever their keys", () => {
  const { labels } = decodeQuery(EverythingSchema, new URLSearchParams("labels[a]=1&labels[__proto__]=2"));
  expect(Object.entries(labels)).toEqual([
    ["a", "1"],
    ["__proto__", "2"],
  ]);
  labels["a"] = "3";
  expect(labels["a"]).toBe("3");
  delete labels["a"];
  expect(Object.keys(labels)).toEqual(["__proto__"]);
});

test.for<[query: string, expected: object]>([
  ["order_by=createdAt", { orderBy: "createdAt" }],
  ["orderBy=a%20b%2B", { orderBy: "a b+" }],
  ["pagination.limit=4294967295", { pagination: { limit: 4_294_967_295 } }],
  ["is_public=T", { isPublic: true }],
  ["isPublic=0", { isPublic: false }],
  ["unknown=1&unknown=2&pagination.unknown=3&orderBy.deep=4&pagination=5", { orderBy: "" }],
])("%s is read", ([query, expected]) => {
  expect(decodeQuery(list, new URLSearchParams(query))).toMatchObject(expected);
});

test("an integer of 64 bits is a BigInt, or text where its field says so", () => {
  const query = "int64=1&int64Text=2&int64s=3&int32=4";
  expect(decodeQuery(EverythingSchema, new URLSearchParams(query))).toMatchObject({
    int64: 1n,
    int64Text: "2",
    int64s: [3n],
    int32: 4,
  });
});

test.for(["AQID-_8=", "AQID-_8", "AQID+/8=", "AQID%2B%2F8="])("engineData=%s is read as base64", (text) => {
  const read = decodeQuery(get, new URLSearchParams(`engineData=${text}`));
  expect([...read.engineData]).toEqual([1, 2, 3, 251, 255]);
});

test.for([
  "orderBy=a&orderBy=a",
  "orderBy=a&order_by=b",
  "pagination.limit=1&pagination.limit=2",
  "pagination.limit=-1",
  "pagination.limit=1.5",
  "pagination.limit=",
  "pagination.limit=4294967296",
  "pagination.limit=1e3",
  "pagination.offset=0x10",
  "isPublic=yes",
  "isPublic=",
])("%s is refused", (query) => {
  expect(() => decodeQuery(list, new URLSearchParams(query))).toThrow(QueryParameterError);
});

test("invalid base64 is refused, and a long name is shortened", () => {
  expect(() => decodeQuery(get, new URLSearchParams("engineData=%21"))).toThrow(QueryParameterError);
  const error = new QueryParameterError("n".repeat(10_000), "is wrong");
  expect(error.message).toBe(`query parameter "${"n".repeat(100)}" is wrong`);
});
