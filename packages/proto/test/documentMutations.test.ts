// Mutations of the OpenAPI documents that the contract test must notice.
import { Developer } from "@bytenite-engines/proto/service";
import { expect, test } from "vitest";
import { differences } from "./Contract.ts";
import { contractOfService } from "./DescriptorContract.ts";
import { contractOfDocuments, publishedDocuments, type OpenApiDocument } from "./DocumentContract.ts";

type Json = null | boolean | number | string | Array<Json> | { [key: string]: Json };
type Steps = ReadonlyArray<string | number>;

const prose = new Set(["title", "description", "summary", "readOnly", "tags"]);

/** The places of a document that say something about the wire. */
const placesOf = (value: Json, steps: Steps = []): ReadonlyArray<Steps> => {
  if (typeof value !== "object" || value === null) return [steps];
  const inner = Array.isArray(value)
    ? value.map((child, index) => placesOf(child, [...steps, index]))
    : Object.entries(value)
        // Under `properties` these are names of fields, not of keywords.
        .filter(([key]) => steps.at(-1) === "properties" || !prose.has(key))
        .map(([key, child]) => placesOf(child, [...steps, key]));
  return [...(steps.length === 0 ? [] : [steps]), ...inner.flat()];
};

const parentOf = (document: Json, steps: Steps): { [key: string | number]: Json } => {
  let parent = document as { [key: string | number]: Json };
  for (const step of steps.slice(0, -1)) parent = parent[step] as { [key: string | number]: Json };
  return parent;
};

/** Applies the change to a copy of one document; the others stay as published. */
const withDocument = (index: number, change: (document: Json) => void): ReadonlyArray<OpenApiDocument> => {
  const copies = structuredClone(publishedDocuments());
  change(copies[index] as unknown as Json);
  return copies;
};

const renameKey = (parent: { [key: string | number]: Json }, key: string | number, to: string): void => {
  const entries = Object.entries(parent);
  for (const [name] of entries) delete parent[name];
  for (const [name, value] of entries) parent[name === key ? to : name] = value;
};

const swapWithNext = (value: Json): boolean => {
  if (typeof value !== "object" || value === null) return false;
  const [first, second, ...rest] = Object.entries(value);
  if (first === undefined || second === undefined) return false;
  if (Array.isArray(value)) value.splice(0, 2, second[1], first[1]);
  else {
    for (const key of Object.keys(value)) delete value[key];
    Object.assign(value, Object.fromEntries([second, first, ...rest]));
  }
  return true;
};

const documentMutations = publishedDocuments().flatMap((document, index) => {
  const { paths, components } = document as unknown as { paths: Json; components: { schemas: Json } };
  const places = placesOf({ paths, components: { schemas: components.schemas } });
  return places
    .filter((steps) => steps.length > 2)
    .flatMap((steps) => {
      const last = steps.at(-1) as string | number;
      const name = steps.join("/");
      const original = parentOf(document as unknown as Json, steps)[last];
      const at = (change: (parent: { [key: string | number]: Json }) => void) => () =>
        withDocument(index, (copy) => change(parentOf(copy, steps)));
      const mutations: Array<[string, () => ReadonlyArray<OpenApiDocument>]> = [];
      // `required: false` is what its absence says, too.
      if (!(last === "required" && original === false)) {
        mutations.push([
          `${name} removed`,
          at((parent) => (Array.isArray(parent) ? parent.splice(Number(last), 1) : delete parent[last])),
        ]);
      }
      if (typeof last === "string" && !(last === "required" && original === false)) {
        mutations.push([`${name} renamed`, at((parent) => renameKey(parent, last, `${last}X`))]);
      }
      if (typeof original === "string")
        mutations.push([`${name} changed`, at((parent) => (parent[last] = `${original}X`))]);
      if (typeof original === "boolean")
        mutations.push([`${name} flipped`, at((parent) => (parent[last] = !original))]);
      if ((last === "properties" || last === "parameters") && swapWithNext(structuredClone(original) as Json)) {
        mutations.push([`${name} reordered`, at((parent) => swapWithNext(parent[last] as Json))]);
      }
      return mutations;
    });
});

test("every change to a document is seen: removal, renaming, another value, another order", () => {
  const ours = contractOfService(Developer);
  const unseen = documentMutations.filter(
    ([, mutate]) => differences(contractOfDocuments(mutate()), ours).length === 0,
  );
  expect(unseen.map(([name]) => name)).toEqual([]);
  expect(documentMutations.length).toBeGreaterThan(700);
  expect(differences(contractOfDocuments(withDocument(0, () => undefined)), ours)).toEqual([]);
});

test.for<[change: string, mutate: (document: OpenApiDocument) => void]>([
  ["a path more", ({ paths }) => Object.assign(paths, { "/engines/all": paths["/engines"] })],
  [
    "a method more",
    ({ paths }) => Object.assign(paths["/engines"] ?? {}, { put: Object.values(paths["/engines"] ?? {})[0] }),
  ],
  [
    "a parameter more",
    ({ paths }) => Object.assign(paths["/engines"]?.["get"]?.parameters ?? [], { 4: { name: "page", in: "query" } }),
  ],
  [
    "a field more",
    ({ components }) =>
      Object.assign(components.schemas["engineEngine"]?.properties ?? {}, { region: { type: "string" } }),
  ],
  ["a schema more", ({ components }) => Object.assign(components.schemas, { engineRegion: { type: "object" } })],
  ["a body", ({ paths }) => Object.assign(paths["/engines"]?.["get"] ?? {}, { requestBody: {} })],
])("%s in a document is seen", ([, mutate]) => {
  const documents = structuredClone(publishedDocuments());
  for (const document of documents) if (document.paths["/engines"] !== undefined) mutate(document);
  expect(differences(contractOfDocuments(documents), contractOfService(Developer))).not.toEqual([]);
});
