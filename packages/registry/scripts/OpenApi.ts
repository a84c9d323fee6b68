// OpenAPI 3.1 document of the service.
import { getOption, type DescMessage, type DescMethod, type DescService } from "@bufbuild/protobuf";
import { http } from "@bytenite-engines/proto/service";
import { matchPath, mediaTypeOf } from "@bytenite-engines/core/wire";
import { commentOf } from "./Comment.ts";
import { managementPaths, managementSchemas } from "./OpenApiManagement.ts";
import { parametersOf, reference, schemaName, schemaOf } from "./OpenApiSchema.ts";

type Json = { readonly [key: string]: unknown };

/** Answers in both forms, under the names that upstream documents. */
const bodies = (schema: Json): Json => ({
  [mediaTypeOf("json")]: { schema },
  [mediaTypeOf("protobuf")]: { schema },
});

const status: Json = { $ref: "#/components/schemas/rpcStatus" };

const refused = (description: string, headers?: Json): Json => ({
  description,
  ...(headers === undefined ? {} : { headers }),
  content: bodies(status),
});

const digest: Json = {
  "Bytenite-Schema-Digest": {
    description: "Digest of the descriptor of the message in the body. Equal digests mean the same field numbers.",
    schema: { type: "string" },
  },
};

const retryAfter: Json = {
  "Retry-After": {
    description: "Seconds until one more call is allowed.",
    schema: { type: "integer" },
  },
};

const responses = (method: DescMethod): Json => ({
  "200": { description: "A successful response.", headers: digest, content: bodies(reference(method.output)) },
  "400": refused("A parameter or the tag cannot be read."),
  "401": refused("There is no access token, or it is not valid."),
  "403": refused("The user may not do this."),
  "404": refused("There is no such engine, for this user."),
  "406": refused("Accept allows nothing that is offered."),
  "429": refused("The user has called too often.", retryAfter),
  "500": refused("The server failed."),
  "503": refused("The server cannot answer at the moment."),
  default: refused("Any other failure."),
});

const operationOf = (method: DescMethod, path: string): Json => ({
  operationId: `${method.parent.name}_${method.name}`,
  summary: commentOf(method),
  tags: ["Engines"],
  parameters: parametersOf(method.input, path),
  responses: responses(method),
});

const rpcStatus: Json = {
  type: "object",
  description: "Why a call was refused (google.rpc.Status).",
  properties: {
    code: { type: "integer", format: "int32", description: "gRPC code." },
    message: { type: "string", description: "What went wrong, for people." },
    details: { type: "array", items: { $ref: "#/components/schemas/protobufAny" } },
  },
};

const protobufAny: Json = {
  type: "object",
  properties: { "@type": { type: "string", description: "URL of the type of the other members." } },
  additionalProperties: {},
};

/** The exchange of an API key, which is not part of the contract in proto. */
const accessToken: Json = {
  servers: [{ url: "/v1/auth" }],
  post: {
    operationId: "Auth_AccessToken",
    summary: "Exchanges an API key for an access token that lives one hour.",
    tags: ["Access"],
    security: [],
    requestBody: {
      required: true,
      content: {
        "application/json": {
          schema: { type: "object", required: ["apiKey"], properties: { apiKey: { type: "string" } } },
        },
      },
    },
    responses: {
      "200": {
        description: "The token.",
        content: {
          "application/json": {
            schema: {
              type: "object",
              required: ["token", "expiresIn", "scope"],
              properties: {
                token: { type: "string", description: "A JWT, for the Authorization header." },
                expiresIn: { type: "string", description: "Seconds it lives, as text." },
                scope: { type: "string" },
              },
            },
          },
        },
      },
      default: { description: "Why there is none.", content: { "application/json": { schema: status } } },
    },
  },
};

/** The document of a service. */
export const openApiOf = (service: DescService): Json => {
  const paths: Record<string, Json> = {};
  const messages = new Map<string, DescMessage>();
  for (const method of service.methods) {
    const { pattern } = getOption(method, http);
    // What the contract has and this registry does not serve is not in its document.
    if (pattern.case !== "get" || matchPath(pattern.value.replaceAll(/\{[^}]*\}/g, "x")) === undefined) continue;
    const template = pattern.value;
    const path = template.replaceAll(
      /\{([^}]*)\}/g,
      (_, name: string) => `{${method.input.fields.find((field) => field.name === name)?.jsonName ?? name}}`,
    );
    paths[path] = { get: operationOf(method, path) };
    collect(method.output, messages);
  }
  return {
    openapi: "3.1.1",
    info: { title: "ByteNite developers API", version: "0.1", description: commentOf(service) },
    servers: [{ url: "/v1/dev" }],
    security: [{ ApiKeyAuth: [] }],
    tags: [{ name: "Engines" }, { name: "Access" }, { name: "Management" }],
    paths: { ...paths, "/access_token": accessToken, ...managementPaths },
    components: {
      securitySchemes: {
        ApiKeyAuth: { type: "apiKey", description: "Your ByteNite access token", name: "Authorization", in: "header" },
      },
      schemas: {
        ...Object.fromEntries([...messages.values()].map((message) => [schemaName(message), schemaOf(message)])),
        ...managementSchemas,
        rpcStatus,
        protobufAny,
      },
    },
  };
};

const collect = (message: DescMessage, into: Map<string, DescMessage>): void => {
  if (message.typeName.startsWith("google.protobuf.") || into.has(message.typeName)) return;
  into.set(message.typeName, message);
  for (const field of message.fields) if (field.message !== undefined) collect(field.message, into);
};
