// OpenAPI 3.1 document of the service.
import { getOption, type DescMessage, type DescMethod, type DescService } from "@bufbuild/protobuf";
import { http } from "@bytenite-engines/proto/service";
import { mediaTypeOf } from "@bytenite-engines/core/wire";
import { commentOf } from "./Comment.ts";
import { json, managementPaths, managementSchemas, object, text } from "./OpenApiManagement.ts";
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

const refusedInJson = (description: string): Json => ({ description, content: json(status) });

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
  ...(changes(method)
    ? {
        "409": refused("Somebody else changes the engine at the moment."),
        "412": refused("If-Match or If-None-Match does not hold. Nothing has changed."),
        "413": refused("The body is too long."),
        "415": refused("Content-Type is neither JSON nor protobuf."),
        "501": refused("There are no uploads here, or only a link was sent."),
      }
    : {}),
  "429": refused("The user has called too often.", retryAfter),
  "500": refused("The server failed."),
  "503": refused("The server cannot answer at the moment."),
  default: refused("Any other failure."),
});

/** Whether a call changes engines. */
const changes = (method: DescMethod): boolean => getOption(method, http).pattern.case === "post";

const revision: Json = {
  name: "If-Match",
  in: "header",
  required: false,
  description: 'The revision that the engine must have, as "revision-7", or * for any.',
  schema: { type: "string" },
};

const absent: Json = {
  name: "If-None-Match",
  in: "header",
  required: false,
  description: "* : there must be no such engine yet.",
  schema: { type: "string", const: "*" },
};

/** The body of a call that changes engines: the message, less what is in its path. */
const requestBody = (method: DescMethod, path: string): Json => {
  const { properties, ...rest } = schemaOf(method.input) as { readonly properties: Json };
  const inBody = Object.entries(properties).filter(([name]) => !path.includes(`{${name}}`));
  const isWhole = inBody.length === Object.keys(properties).length;
  return {
    required: isWhole,
    content: bodies(isWhole ? reference(method.input) : { ...rest, properties: Object.fromEntries(inBody) }),
  };
};

const operationOf = (method: DescMethod, path: string): Json => {
  const parameters = parametersOf(method.input, path);
  const operation = {
    operationId: `${method.parent.name}_${method.name}`,
    summary: commentOf(method),
    tags: ["Engines"],
    parameters,
    responses: responses(method),
  };
  if (!changes(method)) return operation;
  const inPath = parameters.filter(({ required }) => required === true);
  return {
    ...operation,
    parameters: [...inPath, revision, ...(inPath.length === 0 ? [absent] : [])],
    requestBody: requestBody(method, path),
  };
};

/** Deleting, which the published service names nowhere. */
const deletion = (message: DescMessage): Json => ({
  operationId: "Developer_DeleteEngine",
  summary:
    "Deletes one version of an engine, and its archive. An extension of this registry: the published API has none.",
  tags: ["Engines"],
  parameters: [
    { name: "engineTag", in: "path", required: true, schema: { type: "string" }, description: "name@major.minor" },
    revision,
  ],
  responses: {
    "200": { description: "It is deleted.", headers: digest, content: bodies(reference(message)) },
    "401": refused("There is no access token, or it is not valid."),
    "403": refused("The user may not do this."),
    "404": refused("There is no such engine, for this user."),
    "412": refused("If-Match does not hold. Nothing has changed."),
    default: refused("Any other failure."),
  },
});

/** Where links to archives lead. */
const archive: Json = {
  servers: [{ url: "/" }],
  get: {
    operationId: "Archive_Download",
    summary:
      "Downloads an archive by the link that GetEngineLink has answered. Takes Range, If-Range and If-None-Match.",
    tags: ["Engines"],
    security: [],
    parameters: [
      { name: "key", in: "path", required: true, schema: { type: "string" } },
      { name: "expires", in: "query", required: true, schema: { type: "integer" } },
      { name: "signature", in: "query", required: true, schema: { type: "string" } },
    ],
    responses: {
      "200": {
        description: "The archive as it was uploaded.",
        headers: {
          "Repr-Digest": { description: "Its SHA-256 (RFC 9530).", schema: { type: "string" } },
          ETag: { description: "Strong.", schema: { type: "string" } },
        },
        content: { "application/x-tar": {}, "application/gzip": {} },
      },
      "206": { description: "A part of it.", content: { "application/x-tar": {}, "application/gzip": {} } },
      "403": refusedInJson("The link has expired, or was altered."),
      "404": refusedInJson("The archive no longer exists."),
      "416": refusedInJson("The range is none of it."),
      default: refusedInJson("Any other failure."),
    },
  },
};

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
    requestBody: { required: true, content: json(object({ apiKey: text })) },
    responses: {
      "200": {
        description: "The token.",
        content: json(
          object({
            token: { ...text, description: "A JWT, for the Authorization header." },
            expiresIn: { ...text, description: "Seconds it lives, as text." },
            scope: text,
          }),
        ),
      },
      default: refusedInJson("Why there is none."),
    },
  },
};

/** The document of a service. */
export const openApiOf = (service: DescService): Json => {
  const paths: Record<string, Json> = {};
  const messages = new Map<string, DescMessage>();
  for (const method of service.methods) {
    const { pattern } = getOption(method, http);
    if (pattern.case !== "get" && pattern.case !== "post") continue;
    const template = pattern.value;
    const path = template.replaceAll(
      /\{([^}]*)\}/g,
      (_, name: string) => `{${method.input.fields.find((field) => field.name === name)?.jsonName ?? name}}`,
    );
    paths[path] = { ...paths[path], [pattern.case]: operationOf(method, path) };
    if (method.name === "GetEngineStatus") {
      paths["/engines/{engineTag}"] = { ...paths["/engines/{engineTag}"], delete: deletion(method.output) };
    }
    collect(method.output, messages);
  }
  return {
    openapi: "3.1.1",
    info: { title: "ByteNite developers API", version: "0.1", description: commentOf(service) },
    servers: [{ url: "/v1/dev" }],
    security: [{ ApiKeyAuth: [] }],
    tags: [{ name: "Engines" }, { name: "Access" }, { name: "Management" }],
    paths: { ...paths, "/access_token": accessToken, "/archives/{key}": archive, ...managementPaths },
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
