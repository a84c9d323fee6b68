import { Developer } from "@bytenite-engines/proto/service";
import { expect, test } from "vitest";
import { differences } from "./Contract.ts";
import { contractOfService } from "./DescriptorContract.ts";
import { contractOfDocuments, publishedDocuments } from "./DocumentContract.ts";

test("the published documents and our descriptors agree, both ways", () => {
  const found = differences(contractOfDocuments(publishedDocuments()), contractOfService(Developer));
  expect(found, "a difference is mended in proto/bytenite or in proto/openapi").toEqual([]);
});

test("the comparison covers all calls, their parameters, their responses and every field", () => {
  const facts = contractOfService(Developer);
  expect([...facts.keys()].filter((name) => /^\S+ \S+$/.test(name))).toEqual(
    expect.arrayContaining([
      "GET /engines",
      "POST /engines",
      "GET /engines/{engineTag}",
      "GET /engines/{engineTag}/status",
      "POST /engines/{engineTag}/activate",
      "POST /engines/{engineTag}/deactivate",
      "GET /engines/{engineTag}/download",
    ]),
  );
  expect(facts.get("GET /engines ?pagination.limit")).toBe(
    '#2 in query, optional, {"format":"int64","type":"integer"}',
  );
  expect(facts.get("GET /engines engineEngine.createdAt")).toBe('#12 {"format":"date-time","type":"string"}');
  expect(facts.size).toBeGreaterThanOrEqual(332);
});

test("the documents that were not published say so", () => {
  const written = publishedDocuments().filter(({ info }) =>
    info.description?.startsWith("Written by this project, not published"),
  );
  expect(
    written.flatMap(({ paths }) =>
      Object.values(paths).flatMap((item) => Object.values(item).map(({ operationId }) => operationId)),
    ),
  ).toEqual([
    "Developer_ActivateEngine",
    "Developer_DeactivateEngine",
    "Developer_GetEngineLink",
    "Developer_UploadEngine",
  ]);
});
