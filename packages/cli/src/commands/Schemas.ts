// JSON Schemas (2020-12) of the output with `--output json`.
import { ScalarType, type DescField, type DescMessage, type JsonObject } from "@bufbuild/protobuf";
import { EngineListResponseSchema, EngineMessageSchema, EngineSchema } from "@bytenite-engines/proto";

/** Version of these schemas; it is raised when a field changes its meaning or goes. New fields can come at any time. */
export const schemaVersion = 1;

const text: JsonObject = { type: "string" };
const flag: JsonObject = { type: "boolean" };
const count: JsonObject = { type: "integer", minimum: 0 };
const textOrNull: JsonObject = { type: ["string", "null"] };
const countOrNull: JsonObject = { type: ["integer", "null"], minimum: 0 };

const list = (items: JsonObject): JsonObject => ({ type: "array", items });

/** An object in which all of these are there. */
const object = (properties: JsonObject, optional: ReadonlyArray<string> = []): JsonObject => ({
  type: "object",
  properties,
  required: Object.keys(properties).filter((name) => !optional.includes(name)),
});

/** One object for one tag, an array of them for several. */
const oneOrMany = (record: JsonObject): JsonObject => ({ anyOf: [record, list(record)] });

/** A message as the API writes it: any field can be absent. */
const message = ({ fields }: DescMessage): JsonObject => ({
  type: "object",
  properties: Object.fromEntries(fields.map((field) => [field.jsonName, fieldSchema(field)])),
});

const fieldSchema = (field: DescField): JsonObject => {
  if (field.fieldKind === "list") {
    return list(field.listKind === "message" ? message(field.message) : scalar(field.scalar));
  }
  if (field.fieldKind === "message") return messageField(field.message);
  return scalar(field.fieldKind === "scalar" ? field.scalar : undefined);
};

/** A message in a field of its own: null when it is not set. */
const messageField = (desc: DescMessage): JsonObject =>
  desc.typeName === "google.protobuf.Timestamp"
    ? { type: ["string", "null"], format: "date-time" }
    : { ...message(desc), type: ["object", "null"] };

const scalar = (type: ScalarType | undefined): JsonObject => {
  switch (type) {
    case ScalarType.BOOL:
      return flag;
    case ScalarType.INT32:
    case ScalarType.UINT32:
    case ScalarType.INT64:
    case ScalarType.UINT64:
      return { type: "integer" };
    case ScalarType.FLOAT:
    case ScalarType.DOUBLE:
      return { anyOf: [{ type: "number" }, { enum: ["NaN", "Infinity", "-Infinity"] }] };
    default:
      return text;
  }
};

const engine = message(EngineSchema);
const status = message(EngineMessageSchema);
const files = list(object({ path: text, bytes: count, executable: flag }));

const credential = object({
  id: text,
  user: text,
  kind: text,
  scope: text,
  label: text,
  state: text,
  createdAt: text,
  lastUsedAt: textOrNull,
});

const registryUser = object({
  name: text,
  id: text,
  engines: count,
  disabledAt: textOrNull,
  maxEngines: countOrNull,
  maxBytes: countOrNull,
});

const flagSchema = object(
  { name: text, short: text, kind: text, value: text, choices: list(text), least: count, summary: text },
  ["short", "value", "choices", "least"],
);

/** The document of each command; of `watch`, `export` and `registry export` one line of its NDJSON. */
export const outputSchemas: Readonly<Record<string, JsonObject>> = {
  list: {
    ...message(EngineListResponseSchema),
    required: ["engines", "pagination"],
    description:
      "pagination.total is absent where it is not known, which is when bne filters and --limit ended the reading",
  },
  get: oneOrMany(engine),
  status: oneOrMany(status),
  versions: list(engine),
  export: engine,
  validate: object({
    problems: list(object({ severity: { enum: ["error", "warning"] }, place: text, problem: text })),
    tag: textOrNull,
    valid: flag,
    files: count,
    bytes: countOrNull,
    hash: textOrNull,
  }),
  push: object({
    files,
    tag: text,
    result: { enum: ["created", "updated", "activated", "unchanged"] },
    dryRun: flag,
    revision: countOrNull,
    status: textOrNull,
    bytes: count,
    hash: text,
  }),
  pull: object({ files, tag: text, folder: text, revision: count, bytes: count, hash: text }),
  activate: oneOrMany(status),
  deactivate: oneOrMany(status),
  delete: oneOrMany(status),
  wait: oneOrMany(status),
  watch: object({ event: { enum: ["added", "changed", "removed"] }, at: text, tag: text, fields: list(text), engine }),
  diff: object({
    differences: list(object({ field: text, left: {}, right: {} })),
    equal: flag,
    left: text,
    right: text,
  }),
  doctor: object({
    checks: list(
      object({
        check: text,
        subject: text,
        state: { enum: ["ok", "unknown", "different", "failed", "skipped"] },
        detail: text,
      }),
    ),
    baseUrl: text,
    well: flag,
  }),
  "auth status": object({
    profile: text,
    baseUrl: text,
    kind: { enum: ["token", "api-key", "none"] },
    origin: textOrNull,
    expiresAt: textOrNull,
    accepted: { type: ["boolean", "null"] },
  }),
  "profile list": list(
    object({ name: text, current: flag, baseUrl: textOrNull, kind: textOrNull, credentials: textOrNull }),
  ),
  "config path": list(object({ name: text, path: text, exists: flag })),
  "config get": oneOrMany(object({ name: text, value: textOrNull, origin: text }, ["origin"])),
  "registry export": engine,
  "registry import": list(object({ tag: text, revision: count, source: text })),
  ...Object.fromEntries(
    ["activate", "deactivate", "make-public", "make-private", "delete"].map((name) => [
      `registry ${name}`,
      list(object({ tag: text, change: text })),
    ]),
  ),
  "registry check": list(object({ problem: text })),
  "registry users": list(registryUser),
  ...Object.fromEntries(
    ["users create", "users disable", "users enable", "quota"].map((name) => [`registry ${name}`, registryUser]),
  ),
  "registry users delete": object({ name: text, engines: count, handedOverTo: textOrNull }),
  "registry engines": list(
    object({ tag: text, owner: text, status: text, isPublic: flag, revision: count, id: text, updatedAt: text }),
  ),
  "registry audit": list(object({ at: text, actor: text, action: text, subject: text, detail: text })),
  "registry statistics": object({
    users: count,
    disabledUsers: count,
    engines: count,
    publicEngines: count,
    credentials: count,
  }),
  ...Object.fromEntries(
    ["token", "key"].flatMap((word) => [
      [`registry ${word} create`, object({ id: text, user: text, kind: text, scope: text, secret: text })],
      [`registry ${word} list`, list(credential)],
      [`registry ${word} revoke`, object({ id: text, configuredIn: textOrNull })],
    ]),
  ),
  version: object({ version: text, node: text, platform: text }),
  commands: object({
    commands: list(
      object(
        {
          name: text,
          summary: text,
          aliases: list(text),
          values: list(object({ name: text, usage: text, summary: text, optional: flag, many: flag })),
          flags: list(flagSchema),
          details: list(text),
          examples: list(object({ line: text, explains: text, exit: count })),
          output: { type: "object" },
        },
        ["output"],
      ),
    ),
    schemaVersion: count,
    version: text,
    exitCodes: list(object({ code: count, meaning: text })),
    topics: list(text),
    errors: { type: "object" },
  }),
};

/** An error on stderr, with --output json, ndjson or --trace. */
export const errorSchema: JsonObject = object({
  error: object(
    {
      message: text,
      hint: text,
      exitCode: count,
      reason: text,
      status: count,
      code: text,
      url: text,
      attempts: count,
      requestId: text,
    },
    ["hint", "status", "code", "url", "attempts", "requestId"],
  ),
});
