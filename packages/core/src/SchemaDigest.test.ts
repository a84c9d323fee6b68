import { FileDescriptorProtoSchema, StructSchema } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { endpoints } from "./gen/endpointSchemas.ts";
import { canonicalForm, schemaDigest } from "./SchemaDigest.ts";
import { schemaDigests } from "./gen/schemaDigests.ts";

test.for(Object.values(endpoints))(
  "the committed digest of $response.typeName is that of the contract",
  async ({ response }) => {
    expect(schemaDigests[response.typeName]).toBe(await schemaDigest(response));
  },
);

test("the canonical form lists a message and all that it contains, by number", () => {
  expect(canonicalForm(endpoints.list.response)).toMatch(
    /^message bytenite\.developer\.EngineListResponse\n1 repeated bytenite\.engine\.Engine engines\n2 bytenite\.common\.PaginatedResponse pagination\nmessage bytenite\.common\.DeviceRequirements\n1 float min_cpu\n/,
  );
});

test("fields declared in another order stand by number, and a map with the type of its keys", () => {
  const [, first = ""] = canonicalForm(FileDescriptorProtoSchema).split("message ");
  const numbers = [...first.matchAll(/^\d+/gm)].map(Number);
  expect(numbers).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 14, 15]);
  expect(canonicalForm(StructSchema)).toMatch(
    /^message google\.protobuf\.Struct\n1 map from string to google\.protobuf\.Value fields\nmessage /,
  );
});
