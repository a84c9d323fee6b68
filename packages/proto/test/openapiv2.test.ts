// Output of grpc-gateway's generator, compared with the documents.
import { spawnSync } from "node:child_process";
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { publishedDocuments, type Schema } from "./DocumentContract.ts";

const contract = fileURLToPath(new URL("../../../proto", import.meta.url));

const isThere = ["protoc", "protoc-gen-openapiv2"].every((program) => spawnSync(program, ["--version"]).status === 0);

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  /** OpenAPI 3 and the body of OpenAPI 2. */
  readonly schema?: Schema;
  /** OpenAPI 2. */
  readonly type?: string;
  readonly format?: string;
}

interface Operation {
  readonly operationId: string;
  readonly parameters?: ReadonlyArray<Parameter>;
  readonly responses: Readonly<Record<string, { readonly schema: Schema }>>;
}

interface Swagger {
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly definitions: Readonly<Record<string, Schema>>;
}

/** What protoc-gen-openapiv2 makes of the contract. */
const generated = (): Swagger => {
  const folder = mkdtempSync(join(tmpdir(), "openapiv2-"));
  try {
    const files = globSync("bytenite/**/*.proto", { cwd: contract });
    const { status, stderr } = spawnSync(
      "protoc",
      [
        "-I.",
        "-Inode_modules/google-proto-files",
        // It is written in Go, and wants to know a package of Go for each file.
        ...files.map((file) => `--openapiv2_opt=M${file}=example/${file.replace(/\/[^/]*$/, "")}`),
        `--openapiv2_out=${folder}`,
        "bytenite/developer/developer.proto",
      ],
      { cwd: contract, encoding: "utf8" },
    );
    if (status !== 0) throw new Error(stderr);
    const file = join(folder, "bytenite/developer/developer.swagger.json");
    return JSON.parse(readFileSync(file, "utf8")) as Swagger;
  } finally {
    rmSync(folder, { recursive: true });
  }
};

/** A type in words: `integer int64`, `string byte`, `engineEngine`, `[string]`. OpenAPI 3.1 says byte by its encoding. */
const typeOf = (schema: Schema | undefined): string => {
  const { $ref, type, format, contentEncoding, items } = (schema ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof $ref === "string") return $ref.split("/").at(-1) ?? "";
  if (type === "array") return `[${typeOf(items as Schema)}]`;
  const words = [type, contentEncoding === "base64" ? "byte" : format];
  return words.filter((word) => typeof word === "string").join(" ");
};

const resolved = (schema: Schema | undefined, all: Readonly<Record<string, Schema>>): Schema | undefined =>
  typeof schema?.["$ref"] === "string" ? all[typeOf(schema)] : schema;

/** A message in one line: the names and types of its fields. */
const messageText = (schema: Schema | undefined, all: Readonly<Record<string, Schema>>): string =>
  Object.entries(resolved(schema, all)?.properties ?? {})
    .map(([name, property]) => `${name}: ${typeOf(property)}`)
    .join(", ");

const parameterText = ({ name, in: where, required }: Parameter, schema: Schema | undefined): string =>
  `${name} in ${where}, required ${required}: ${typeOf(schema)}`;

/** All that is said of one operation. */
interface OperationFacts {
  readonly at: string;
  readonly parameters: ReadonlyArray<string>;
  readonly body: string;
  readonly answers: Readonly<Record<string, string>>;
}

type Facts = Readonly<Record<string, OperationFacts>>;

const factsOfSwagger = ({ paths, definitions }: Swagger): Facts => {
  const facts: Record<string, OperationFacts> = {};
  for (const [path, item] of Object.entries(paths)) {
    for (const [method, { operationId, parameters = [], responses }] of Object.entries(item)) {
      facts[operationId] = {
        at: `${method} ${path}`,
        parameters: parameters.filter((one) => one.in !== "body").map((one) => parameterText(one, { ...one })),
        body: messageText(parameters.find((one) => one.in === "body")?.schema, definitions),
        answers: {
          "200": messageText(responses["200"]?.schema, definitions),
          default: messageText(responses["default"]?.schema, definitions),
        },
      };
    }
  }
  return facts;
};

/** What the documents say, in the same words. */
const factsOfDocuments = (): Facts => {
  const facts: Record<string, OperationFacts> = {};
  for (const { paths, components } of publishedDocuments()) {
    for (const [path, item] of Object.entries(paths)) {
      for (const [method, { operationId, parameters = [], requestBody, responses = {} }] of Object.entries(item)) {
        const answer = (status: string): string =>
          messageText(responses[status]?.content?.["application/json"]?.schema, components.schemas);
        facts[operationId ?? ""] = {
          at: `${method} ${path}`,
          parameters: parameters.map((one) => parameterText(one, one.schema)),
          body: messageText(requestBody?.content?.["application/json"]?.schema, components.schemas),
          answers: { "200": answer("200"), default: answer("default") },
        };
      }
    }
  }
  return facts;
};

test.skipIf(!isThere)(
  "protoc-gen-openapiv2 writes the operations, parameters, bodies and answers of the documents",
  () => {
    const ours = factsOfSwagger(generated());
    expect(ours).toEqual(factsOfDocuments());
    expect(Object.keys(ours).length).toBeGreaterThanOrEqual(7);
    expect(ours["Developer_ActivateEngine"]).toMatchObject({
      at: "post /engines/{engineTag}/activate",
      parameters: ["engineTag in path, required true: string"],
      body: "engineId: string, engineData: string byte, engineLink: string, engineStatus: string",
    });
  },
);
