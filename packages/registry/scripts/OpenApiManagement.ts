// OpenAPI 3.1 operations of the management API.

type Json = { readonly [key: string]: unknown };

export const text: Json = { type: "string" };
const time: Json = { type: ["string", "null"], format: "date-time" };
const count: Json = { type: "integer", minimum: 0 };
const quota: Json = { type: ["integer", "null"], minimum: 0, description: "null: no limit." };
const scope: Json = {
  type: "string",
  enum: ["read", "publish", "manage"],
  description: "Each includes those before it.",
};

/** Schema of an object; all properties are required unless others are named. */
export const object = (properties: Json, required: ReadonlyArray<string> = Object.keys(properties)): Json => ({
  type: "object",
  required,
  properties,
});

const named = (name: string): Json => ({ $ref: `#/components/schemas/${name}` });

/** Schemas of the management API. */
export const managementSchemas: Json = {
  managementUser: object({
    id: text,
    name: text,
    createdAt: time,
    disabledAt: time,
    engines: count,
    maxEngines: quota,
    maxBytes: quota,
  }),
  managementCredential: object({
    id: text,
    user: text,
    kind: { type: "string", enum: ["token", "api-key", "trial", "configured"] },
    scope,
    label: text,
    createdAt: time,
    expiresAt: time,
    revokedAt: time,
    lastUsedAt: time,
    userDisabledAt: { ...time, description: "Not null: the user is disabled, and it opens nothing." },
  }),
  managementEngine: object({
    id: text,
    tag: text,
    owner: { ...text, description: "Name of the user." },
    status: text,
    isPublic: { type: "boolean" },
    revision: count,
    createdAt: time,
    updatedAt: time,
  }),
  managementChange: object({ at: time, actor: text, action: text, subject: text, detail: { type: "object" } }),
  managementStatistics: object({
    users: count,
    disabledUsers: count,
    engines: count,
    publicEngines: count,
    credentials: count,
  }),
};

/** Content in JSON. */
export const json = (schema: Json): Json => ({ "application/json": { schema } });

const header: Json = {
  name: "Bytenite-Management",
  in: "header",
  required: true,
  description: "`1`. A page of another origin cannot send it.",
  schema: { type: "string", const: "1" },
};

const inPath = (name: string, description: string): Json => ({
  name,
  in: "path",
  required: true,
  description,
  schema: text,
});

const inQuery = (name: string, description: string, schema: Json = text): Json => ({
  name,
  in: "query",
  description,
  schema,
});

const paging: ReadonlyArray<Json> = [
  inQuery("limit", "Rows on the page.", { type: "integer", minimum: 1, maximum: 1_000, default: 100 }),
  inQuery("after", "The `next` of the page before."),
];

interface Described {
  readonly id: string;
  readonly summary: string;
  readonly parameters?: ReadonlyArray<Json>;
  readonly body?: Json;
  readonly status?: string;
  readonly answer: Json;
}

const operation = ({ id, summary, parameters = [], body, status = "200", answer }: Described): Json => ({
  operationId: `Management_${id}`,
  summary,
  tags: ["Management"],
  parameters: [header, ...parameters],
  ...(body === undefined ? {} : { requestBody: { required: true, content: json(body) } }),
  responses: {
    [status]: { description: "A successful response.", content: json(answer) },
    default: { description: "Why it was refused.", content: json(named("rpcStatus")) },
  },
});

const page = (name: string, schema: string): Json =>
  object({ [name]: { type: "array", items: named(schema) }, next: { type: ["string", "null"] } });

const user = inPath("user", "Name of the user.");
const tag = inPath("tag", "`name@major.minor`; for changes also `name` or `name@major`: the newest version.");
const userName = inQuery("user", "Name of the user whose they are. Default: all users.");
const quotas = { maxEngines: quota, maxBytes: quota };

const paths: Readonly<Record<string, Json>> = {
  "/users": {
    get: operation({
      id: "Users",
      summary: "Lists users by name.",
      parameters: paging,
      answer: page("users", "managementUser"),
    }),
    post: operation({
      id: "CreateUser",
      summary: "Makes a user.",
      body: object({ name: text, ...quotas }, ["name"]),
      status: "201",
      answer: named("managementUser"),
    }),
  },
  "/users/{user}": {
    get: operation({ id: "User", summary: "One user.", parameters: [user], answer: named("managementUser") }),
    patch: operation({
      id: "ChangeUser",
      summary: "Disables or enables a user, or sets quotas.",
      parameters: [user],
      body: object({ disabled: { type: "boolean" }, ...quotas }, []),
      answer: named("managementUser"),
    }),
    delete: operation({
      id: "DeleteUser",
      summary:
        "Deletes a user. Engines are deleted or handed over; where it ends in between, the same request goes on.",
      parameters: [
        user,
        inQuery("engines", "`delete` deletes the user's engines.", { type: "string", enum: ["delete"] }),
        inQuery("handOverTo", "Name of the user who gets them."),
      ],
      answer: object({ name: text, deletedEngines: count, handedOverTo: text, engines: count }, ["name"]),
    }),
  },
  "/users/{user}/credentials": {
    post: operation({
      id: "CreateCredential",
      summary: "Makes a token or API key. Its secret is answered this once.",
      parameters: [user],
      body: object(
        {
          kind: { type: "string", enum: ["token", "api-key"], default: "token" },
          scope: { ...scope, default: "read" },
          label: { type: "string", maxLength: 200 },
          expiresInDays: { type: "integer", minimum: 1, maximum: 3_650 },
        },
        [],
      ),
      status: "201",
      answer: object({ id: text, kind: text, scope, label: text, expiresAt: time, user: text, secret: text }),
    }),
  },
  "/users/{user}/engines/{tag}": {
    patch: operation({
      id: "ChangeEngine",
      summary: "Switches an engine of a user on or off, shows or hides it.",
      parameters: [user, tag],
      body: object({ status: { type: "string", enum: ["active", "inactive"] }, isPublic: { type: "boolean" } }, []),
      answer: object({ id: text, tag: text, status: text, isPublic: { type: "boolean" } }),
    }),
    delete: operation({
      id: "DeleteEngine",
      summary: "Deletes an engine of a user.",
      parameters: [user, tag],
      answer: object({ deleted: text }),
    }),
  },
  "/credentials": {
    get: operation({
      id: "Credentials",
      summary: "Lists tokens and API keys, never their secrets.",
      parameters: [userName, ...paging],
      answer: page("credentials", "managementCredential"),
    }),
  },
  "/credentials/{id}": {
    delete: operation({
      id: "RevokeCredential",
      summary: "Revokes a token or API key; it opens nothing after a second.",
      parameters: [inPath("id", "Id of the credential.")],
      answer: object({ id: text, revoked: { type: "boolean" }, configuredIn: { type: ["string", "null"] } }),
    }),
  },
  "/engines": {
    get: operation({
      id: "Engines",
      summary: "Lists engines of all users.",
      parameters: [userName, ...paging],
      answer: page("engines", "managementEngine"),
    }),
  },
  "/audit": {
    get: operation({
      id: "Audit",
      summary: "Who changed what, newest first.",
      parameters: [
        inQuery("user", "Name of a user: changes by the user, and of the user's account, engines and credentials."),
        inQuery("since", "First moment: a date (UTC) or a time with its offset.", { type: "string" }),
        ...paging,
      ],
      answer: page("audit", "managementChange"),
    }),
  },
  "/statistics": {
    get: operation({ id: "Statistics", summary: "Numbers of what there is.", answer: named("managementStatistics") }),
  },
};

/** The paths, from the root of the server: other paths of the document stand below its own. */
export const managementPaths: Json = Object.fromEntries(
  Object.entries(paths).map(([path, item]) => [`/manage/v1${path}`, { servers: [{ url: "/" }], ...item }]),
);
