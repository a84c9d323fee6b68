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
