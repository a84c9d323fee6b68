// What the OpenAPI documents say about the API.
import { readdirSync, readFileSync } from "node:fs";
import { placed, type Contract } from "./Contract.ts";

/** A schema of OpenAPI 3.1, as far as these documents use it; other keywords count as said, too. */
export interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly [keyword: string]: unknown;
}

interface Content {
  readonly content?: Readonly<Record<string, { readonly schema?: Schema }>>;
}

interface Parameter {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly schema?: Schema;
}

interface Operation {
  readonly operationId?: string;
  readonly parameters?: ReadonlyArray<Parameter>;
  readonly requestBody?: Content & { readonly required?: boolean };
  readonly responses?: Readonly<Record<string, Content>>;
}

/** One published document. */
export interface OpenApiDocument {
  readonly info: { readonly description?: string };
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: { readonly schemas: Readonly<Record<string, Schema>> };
}

const folder = new URL("../../../proto/openapi/", import.meta.url);

/**
 * The documents of the contract: three as published, and four that were written from what is known of their
 * operations (`info.description` says so).
 */
export const publishedDocuments = (): ReadonlyArray<OpenApiDocument> =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".openapi.json"))
    .toSorted()
    .map((name) => JSON.parse(readFileSync(new URL(name, folder), "utf8")) as OpenApiDocument);

// Prose, and whether a server ignores the field in requests that this API does not have.
const unspoken = new Set(["title", "description", "readOnly", "properties"]);

/** A schema without its prose, keywords in a fixed order. */
export const schemaText = (schema: Schema | undefined): string =>
  JSON.stringify(
    Object.fromEntries(
      Object.entries(schema ?? { absent: true })
        .filter(([keyword]) => !unspoken.has(keyword))
        .toSorted(([a], [b]) => (a < b ? -1 : 1)),
    ),
  );

/** What the documents say. Each one carries its own copy of the schemas, so these are facts of its operation. */
export const contractOfDocuments = (documents: ReadonlyArray<OpenApiDocument>): Contract => {
  const facts = new Map<string, string>();
  const say = (name: string, fact: string): void => {
    const said = facts.get(name);
    facts.set(name, said === undefined ? fact : `${said}, and again ${fact}`);
  };
  for (const { paths, components } of documents) {
    for (const [path, item] of Object.entries(paths)) {
      for (const [method, operation] of Object.entries(item)) {
        const at = `${method.toUpperCase()} ${path}`;
        sayOperation(at, operation, say);
        for (const [name, schema] of Object.entries(components.schemas)) saySchema(`${at} ${name}`, schema, say);
      }
    }
  }
  return facts;
};

type Say = (name: string, fact: string) => void;

const bodyRemark = ({ requestBody }: Operation): string =>
  requestBody === undefined ? "" : requestBody.required === true ? " with a body" : " with an optional body";

const sayOperation = (at: string, operation: Operation, say: Say): void => {
  say(at, `${operation.operationId}${bodyRemark(operation)}`);
  for (const [index, { name, in: where, required, schema }] of (operation.parameters ?? []).entries()) {
    say(`${at} ?${name}`, placed(index, `in ${where}, ${required ? "required" : "optional"}, ${schemaText(schema)}`));
  }
  for (const [mediaType, { schema }] of Object.entries(operation.requestBody?.content ?? {})) {
    saySchema(`${at} body ${mediaType}`, schema, say);
  }
  for (const [status, { content }] of Object.entries(operation.responses ?? {})) {
    for (const [mediaType, { schema }] of Object.entries(content ?? { "no content": {} })) {
      say(`${at} ${status} ${mediaType}`, schemaText(schema));
    }
  }
};

const saySchema = (at: string, schema: Schema | undefined, say: Say): void => {
  say(at, schemaText(schema));
  for (const [index, [name, property]] of Object.entries(schema?.properties ?? {}).entries()) {
    say(`${at}.${name}`, placed(index, schemaText(property)));
  }
};
