// Agreement of endpoint table, annotations and OpenAPI documents.
import { readdirSync, readFileSync } from "node:fs";
import { getOption, type DescMessage } from "@bufbuild/protobuf";
import { endpoints, mediaTypeOf } from "@bytenite-engines/core/wire";
import { Developer, http } from "@bytenite-engines/proto/service";
import { expect, test } from "vitest";
import { wireCases } from "../src/Cases.ts";

interface Row {
  readonly rpc: string;
  readonly method: string;
  readonly path: string;
  readonly response: string;
}

interface Operation {
  readonly operationId: string;
  readonly responses: { readonly 200: { readonly content: Readonly<Record<string, { schema: { $ref: string } }>> } };
}

interface OpenApiDocument {
  readonly servers: ReadonlyArray<{ readonly url: string }>;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}

const folder = new URL("../../../../../proto/openapi/", import.meta.url);
const documents = readdirSync(folder).map(
  (name) => JSON.parse(readFileSync(new URL(name, folder), "utf8")) as OpenApiDocument,
);

const operations = documents.flatMap(({ paths }) =>
  Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]) => ({ path, method, operation })),
  ),
);

const byRpc = (rows: ReadonlyArray<Row>): ReadonlyArray<Row> => rows.toSorted((a, b) => (a.rpc < b.rpc ? -1 : 1));

/** The name that grpc-gateway gives the schema of a message. */
const schemaName = ({ typeName }: DescMessage): string => typeName.split(".").slice(-2).join("");

const camelCase = (path: string): string => path.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());

const published = byRpc(
  operations.map(({ path, method, operation }) => ({
    rpc: operation.operationId.replace(/^Developer_/, ""),
    method: method.toUpperCase(),
    path,
    response: operation.responses[200].content["application/json"]?.schema.$ref.split("/").at(-1) ?? "",
  })),
);

const annotated = byRpc(
  Developer.methods.map((method) => {
    const { pattern } = getOption(method, http);
    const path = typeof pattern.value === "string" ? pattern.value : "";
    return {
      rpc: method.name,
      method: pattern.case?.toUpperCase() ?? "",
      path: camelCase(path),
      response: schemaName(method.output),
    };
  }),
);

const served = byRpc(
  Object.values(endpoints).map(({ rpc, method, path, response }) => ({
    rpc,
    method,
    path: camelCase(path),
    response: schemaName(response),
  })),
);

test("the endpoint table has the rows of the documents", () => {
  expect(Object.keys(published).length).toBeGreaterThanOrEqual(7);
  expect(served).toEqual(published);
});

test("the Endpoint table has the rows of the annotations", () => {
  expect(served).toEqual(annotated);
});

test("the Endpoint table reads and answers with the messages of the service", () => {
  for (const { rpc, request, response } of Object.values(endpoints)) {
    const method = Developer.methods.find(({ name }) => name === rpc);
    expect(method?.input).toBe(request);
    expect(method?.output).toBe(response);
  }
});

test("the media types asked for are those that the documents offer", () => {
  for (const { operation } of operations) {
    expect(Object.keys(operation.responses[200].content)).toEqual([mediaTypeOf("json"), mediaTypeOf("protobuf")]);
  }
});

test("every parameter of the list is in a case of core and in one over HTTP, and in the README of the registry", () => {
  const readme = readFileSync(new URL("../../../../registry/README.md", import.meta.url), "utf8");
  const names = endpoints.list.request.fields.filter(({ message }) => message === undefined);
  expect(names.length).toBeGreaterThan(1);
  for (const { jsonName } of names) {
    const inCore = wireCases.some(
      ({ call }) => call?.endpoint === "list" && Object.hasOwn(call.params ?? {}, jsonName),
    );
    const overHttp = wireCases.some(({ target }) => target?.includes(`${jsonName}=`));
    expect([jsonName, inCore, overHttp, readme.includes(`\`${jsonName}`)]).toEqual([jsonName, true, true, true]);
  }
});
