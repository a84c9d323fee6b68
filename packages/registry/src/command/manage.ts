// Commands over the management API.
import { existsSync } from "node:fs";
import { didYouMean, isLoopback } from "@bytenite-engines/core/wire";
import { createRawClient, errorOf } from "@bytenite-engines/core/exchange";
import { EngineError } from "@bytenite-engines/core/promise";
import { fetchHandler } from "../api/App.ts";
import { scopes, type Scope } from "../api/Authentication.ts";
import { makeManagement, maxLifetimeDays, managementHeader, managementPath } from "../api/Management.ts";
import { operatorActor, type ListedCredential } from "../manage/Accounts.ts";
import { databasePath, flagsOf, needed, oneTooMany, withDatabase, type Flags } from "./Database.ts";
import { assertDeletion, canAsk, isConfirmed, type CommandOutput } from "./Output.ts";
import { assertSendable, codesByStatus, exitCodes, UsageError, UserError } from "./UserError.ts";

/** Milliseconds until an answer must be there. */
const timeoutMs = 30_000;

/** Many changes must not be sent twice. */
const once = { attemptTimeoutMs: timeoutMs, deadlineMs: timeoutMs, retry: { maxAttempts: 1 } };

/** Rows of a page: as many as there may be. */
const pageRows = 1_000;

/** Where the token of scope `manage` is read from: a flag would be seen by everybody on this machine. */
const tokenVariable = "BYTENITE_MANAGE_TOKEN";

/** An error response of the management API on a database here. */
class Refused extends UserError {
  readonly status: number;
  constructor(message: string, status: number) {
    super(message, codesByStatus[status]);
    this.status = status;
  }
}

/** The HTTP status of an error response. */
const statusOf = (error: unknown): number | undefined =>
  error instanceof Refused || error instanceof EngineError ? error.status : undefined;

/** The management API of one registry. Failures are UserErrors, EngineErrors of a registry elsewhere, and those of a database here. */
interface Management {
  /** The registry, in messages. */
  readonly where: string;
  /** The record that is answered, which has the fields. */
  readonly call: <A>(method: string, path: string, fields: Fields, body?: object) => Promise<A>;
  /** The rows of a list, page by page; at most so many. */
  readonly rows: <A>(path: string, name: string, fields: Fields, most?: number) => AsyncGenerator<A>;
}

type Fields = ReadonlyArray<string>;

/** The JSON of a success, and the error of one that is not what was asked for. */
interface Answer {
  readonly json: unknown;
  readonly unreadable: (problem: string) => Error;
}

/** Sends one request. */
type Ask = (method: string, path: string, body?: object) => Promise<Answer>;

const managementBy = (where: string, ask: Ask): Management => ({
  where,
  call: async <A>(method: string, path: string, fields: Fields, body?: object) => {
    const { json, unreadable } = await ask(method, path, body);
    return recordIn(json, fields, unreadable) as A;
  },
  rows: async function* <A>(path: string, name: string, fields: Fields, most = Infinity) {
    const seen = new Set<string | null>([null]);
    let left = most;
    for (let after: string | null = null; left > 0;) {
      const query = `limit=${Math.min(left, pageRows)}${after === null ? "" : `&after=${encodeURIComponent(after)}`}`;
      const { json, unreadable } = await ask("GET", `${path}${path.includes("?") ? "&" : "?"}${query}`);
      const { [name]: rows, next } = recordIn(json, ["next"], unreadable);
      if (!Array.isArray(rows)) throw unreadable(`it has no list ${name}`);
      for (const row of rows) yield recordIn(row, fields, unreadable) as A;
      if (next === null) return;
      if (typeof next !== "string" || seen.has(next) || rows.length === 0) throw unreadable("its next leads nowhere");
      seen.add(next);
      left -= rows.length;
      after = next;
    }
  },
});

/** A JSON object that has the fields; of a time, one that can be read. */
const recordIn = (
  json: unknown,
  fields: Fields,
  unreadable: Answer["unreadable"],
): Readonly<Record<string, unknown>> => {
  if (typeof json !== "object" || json === null) throw unreadable("it is not a JSON object where one is expected");
  const record = json as Readonly<Record<string, unknown>>;
  for (const field of fields) {
    const value = record[field];
    const isTime = /(?:^a|A)t$/.test(field) && value !== null;
    const isGood = isTime ? typeof value === "string" && !Number.isNaN(Date.parse(value)) : value !== undefined;
    if (!isGood || (typeof value === "object" && value !== null && field !== "detail"))
      throw unreadable(`it has no ${field} that can be read`);
  }
  return record;
};

/** Sends to a registry elsewhere. Rejects with EngineError. */
const askOver =
  (base: string, token: string): Ask =>
  async (method, path, body) => {
    const url = `${base}${managementPath}/${path}`;
    const bytesOfBody = body === undefined ? {} : { body: new TextEncoder().encode(JSON.stringify(body)) };
    const request = { url, method, headers: requestHeaders(token), endpoint: "list", ...bytesOfBody } as const;
    const answer = await createRawClient(once).send(request);
    const { status, headers, bytes } = answer;
    if (status >= 400) throw errorOf(answer, token).with({ method });
    const unreadable = (problem: string) =>
      new EngineError({ reason: { _tag: "Undecodable", problem }, method, url, attempts: 1, status });
    try {
      return { json: JSON.parse(new TextDecoder().decode(bytes)) as unknown, unreadable };
    } catch {
      const type = mediaTypeIn(headers.get("content-type"));
      throw unreadable(type === "application/json" ? "it is not JSON" : `no JSON but ${type}`);
    }
  };

const mediaTypeIn = (contentType: string | null): string =>
  /^[\w.+-]+\/[\w.+-]+/.exec(contentType ?? "")?.[0].toLowerCase() ?? "an unknown type";

const requestHeaders = (token: string) => ({
  authorization: token,
  accept: "application/json",
  "content-type": "application/json",
  [managementHeader.toLowerCase()]: "1",
});

/** The registry that `--base-url` names, or undefined without that flag. Throws UsageError. */
const elsewhere = (flags: Flags): Management | undefined => {
  const text = flags.text("base-url");
  if (text === undefined) return undefined;
  if (flags.text("database") !== undefined) throw new UsageError("--base-url or --database, not both");
  const url = URL.parse(text);
  if (url !== null && (url.username !== "" || url.password !== "")) {
    throw new UsageError(`--base-url has a user name or password: leave them out, and set ${tokenVariable}`);
  }
  if (url === null || !(url.protocol === "https:" || (url.protocol === "http:" && isLoopback(hostOf(url))))) {
    throw new UsageError("--base-url is https://HOST, or http:// on this machine: a token is sent there");
  }
  const token = (process.env[tokenVariable] ?? "").trim();
  if (token === "") throw new UsageError(`set ${tokenVariable} to a token of scope manage`);
  assertSendable(token, tokenVariable);
  // The base URL of the API is taken for that of the registry.
  const base = url.href.replace(/\/+$/, "").replace(/\/v1\/dev$/, "");
  return managementBy(url.origin, askOver(base, token));
};

const hostOf = ({ hostname }: URL): string => hostname.replace(/^\[|\]$/g, "");

/** Who changes a database by commands. No user has this number, so that every user can be disabled or deleted. */
const operator = {
  id: "",
  kind: "token",
  scope: "manage",
  user: { number: -1, id: "", name: operatorActor },
} as const;

const asOperator = async () => operator;

/** Works on the registry that the flags name: the same requests, sent there or answered in this process. */
const managed = (
  flags: Flags,
  how: "make" | "change" | "read",
  work: (registry: Management) => Promise<void>,
): Promise<number> => {
  const registry = elsewhere(flags);
  if (registry !== undefined) return work(registry).then(() => 0);
  return withDatabase(flags, how, async (file, box) => {
    let fault: unknown;
    const onFault = (error: unknown) => (fault = error);
    const answer = fetchHandler(makeManagement({ sql: file.port, box, authorize: asOperator, now: Date.now, onFault }));
    const ask: Ask = async (method, path, body) => {
      const init = {
        method,
        headers: requestHeaders(""),
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      };
      const response = await answer(new Request(`http://localhost${managementPath}/${path}`, init));
      if (fault !== undefined) throw fault;
      const json = (await response.json()) as { readonly message?: string };
      if (!response.ok) throw new Refused(json.message ?? "", response.status);
      return { json, unreadable: (problem) => new Error(problem) };
    };
    await work(managementBy(databasePath(flags), ask));
    return 0;
  });
};

const userPath = (name: string): string => `users/${encodeURIComponent(name)}`;

interface UserRow {
  readonly name: string;
  readonly id: string;
  readonly engines: number;
  readonly disabledAt: string | null;
  readonly maxEngines: number | null;
  readonly maxBytes: number | null;
}

const userFields = ["name", "id", "engines", "disabledAt", "maxEngines", "maxBytes"] as const;

const printUser = (output: CommandOutput, user: UserRow): Promise<void> => {
  const { name, id, engines, disabledAt, maxEngines, maxBytes } = user;
  const state = disabledAt === null ? [] : [`disabled ${disabledAt}`];
  const quotas = [
    ...(maxEngines === null ? [] : [`at most ${maxEngines} engines`]),
    ...(maxBytes === null ? [] : [`at most ${maxBytes} bytes`]),
  ];
  const line = [name, id, engines, ...state, ...quotas].join("\t");
  return output.row({ name, id, engines, disabledAt, maxEngines, maxBytes }, line);
};

/** The quotas that flags set; null lifts one. Throws UsageError. */
const quotasOf = (flags: Flags): { readonly maxEngines?: number | null; readonly maxBytes?: number | null } => {
  const quota = (name: string): number | null | undefined => {
    const text = flags.text(name);
    if (text === undefined || text === "none") return text === undefined ? undefined : null;
    if (/^\d{1,15}$/.test(text)) return Number(text);
    throw new UsageError(`--${name} is a whole number, or none for no limit`);
  };
  const [maxEngines, maxBytes] = [quota("max-engines"), quota("max-bytes")];
  return { ...(maxEngines === undefined ? {} : { maxEngines }), ...(maxBytes === undefined ? {} : { maxBytes }) };
};

const userVerbs = ["create", "disable", "enable", "delete"] as const;

/** `registry users`: a row for each user, or the row of the one that is made or changed. */
export const users = async (args: ReadonlyArray<string>, output: CommandOutput): Promise<number> => {
  const texts = ["base-url", "hand-over-to", "max-engines", "max-bytes"];
  const flags = flagsOf(args, texts, ["delete-engines", "yes"], Infinity);
  const [given = "list", name, extra] = flags.positionals;
  if (given === "list") {
    if (name !== undefined) throw oneTooMany(name);
    return managed(flags, "read", async ({ rows }) => {
      for await (const user of rows<UserRow>("users", "users", userFields)) await printUser(output, user);
    });
  }
  const verb = userVerbs.find((known) => known === given);
  if (verb === undefined) {
    const there = [...userVerbs, "list"];
    throw new UsageError(
      `users has no ${JSON.stringify(given.slice(0, 100))}`,
      didYouMean(given, there) ?? `There are ${there.join(", ")}.`,
    );
  }
  if (name === undefined) throw new UsageError(`${verb} which user? give a name`);
  if (extra !== undefined) throw oneTooMany(extra);
  if (verb === "create") {
    const body = { name, ...quotasOf(flags) };
    return managed(flags, "change", async ({ call }) =>
      printUser(output, await call("POST", "users", userFields, body)),
    );
  }
  if (verb === "delete") return deleteUser(name, flags, output);
  const body = { disabled: verb === "disable" };
  return managed(flags, "change", async ({ call }) =>
    printUser(output, await call("PATCH", userPath(name), userFields, body)),
  );
};

const deleteUser = (name: string, flags: Flags, output: CommandOutput): Promise<number> => {
  const heir = flags.text("hand-over-to");
  if (heir !== undefined && flags.isOn("delete-engines")) {
    throw new UsageError("--hand-over-to or --delete-engines, not both");
  }
  const isSaid = heir !== undefined || flags.isOn("delete-engines");
  const query = heir !== undefined ? `?handOverTo=${encodeURIComponent(heir)}` : "?engines=delete";
  const path = `${userPath(name)}${isSaid ? query : ""}`;
  return managed(flags, "change", async ({ call, where }) => {
    if (!flags.isOn("yes")) {
      const { engines } = await call<UserRow>("GET", userPath(name), userFields);
      const what = `${name}${engines === 0 ? "" : heir === undefined ? ` and ${engines} engines` : `, and hand ${engines} engines over to ${heir}`}`;
      // Otherwise the registry refuses it.
      if (isSaid || engines === 0) await assertDeletion(`Delete user ${what}, in ${where}?`);
    }
    const done = await call<{ readonly engines?: number; readonly deletedEngines?: number }>("DELETE", path, [
      "name",
    ]).catch((error: unknown) => {
      // Other conflicts have the same status.
      if (statusOf(error) !== 409 || !/has engines/.test((error as Error).message)) throw error;
      const hint = "--hand-over-to USER hands them over, --delete-engines deletes them.";
      throw new UserError(`${name} has engines`, exitCodes.notMet, hint, { cause: error });
    });
    const engines = done.engines ?? done.deletedEngines ?? 0;
    const fate = heir === undefined ? `with ${engines} engines` : `${engines} engines handed over to ${heir}`;
    await output.row({ name, engines, handedOverTo: heir ?? null }, `deleted ${name}\t${fate}`);
  });
};

/** `registry quota`: sets what a user may have; the user's row. */
export const quota = async (args: ReadonlyArray<string>, output: CommandOutput): Promise<number> => {
  const flags = flagsOf(args, ["base-url", "max-engines", "max-bytes"], [], 1);
  const [name] = flags.positionals;
  if (name === undefined) throw new UsageError("the quota of which user? give a name");
  const body = quotasOf(flags);
  if (Object.keys(body).length === 0)
    throw new UsageError("which quota? --max-engines N, --max-bytes N, or none for N");
  return managed(flags, "change", async ({ call }) =>
    printUser(output, await call("PATCH", userPath(name), userFields, body)),
  );
};

/** The number of rows that `--limit` allows. Throws UsageError. */
const limitOf = (flags: Flags): number | undefined => {
  const text = flags.text("limit");
  if (text === undefined) return undefined;
  if (!/^[1-9]\d{0,8}$/.test(text)) throw new UsageError("--limit is a number from 1 on");
  return Number(text);
};

/** Columns of the lists, by their names in the API. */
const columns = {
  engines: ["tag", "owner", "status", "isPublic", "revision", "id", "updatedAt"],
  audit: ["at", "actor", "action", "subject", "detail"],
} as const;

/** `registry engines`, of all users or one, and `registry audit`, the newest change first. */
export const list = async (
  what: keyof typeof columns,
  args: ReadonlyArray<string>,
  output: CommandOutput,
): Promise<number> => {
  const filters = what === "engines" ? ["user"] : ["user", "since"];
  const flags = flagsOf(args, ["base-url", "limit", ...filters], [], 0);
  const given = filters.flatMap((name) => {
    const value = flags.text(name);
    return value === undefined ? [] : [`${name}=${encodeURIComponent(value)}`];
  });
  const path = given.length === 0 ? what : `${what}?${given.join("&")}`;
  const most = limitOf(flags);
  return managed(flags, "read", async ({ rows }) => {
    for await (const record of rows<Readonly<Record<string, string | number | boolean | object>>>(
      path,
      what,
      columns[what],
      most,
    )) {
      const cells = columns[what].map((name) => {
        const value = record[name] ?? null;
        return [name, typeof value === "object" && value !== null ? JSON.stringify(value) : value] as const;
      });
      await output.row(Object.fromEntries(cells), cells.map(([, value]) => value).join("\t"));
    }
  });
};

const statisticsFields = ["users", "disabledUsers", "engines", "publicEngines", "credentials"] as const;

/** `registry statistics`: one row. */
export const statistics = async (args: ReadonlyArray<string>, output: CommandOutput): Promise<number> =>
  managed(flagsOf(args, ["base-url"], [], 0), "read", async ({ call }) => {
    const numbers = await call<Readonly<Record<string, number>>>("GET", "statistics", statisticsFields);
    await output.row(
      numbers,
      Object.entries(numbers)
        .map((entry) => entry.join("\t"))
        .join("\n"),
    );
  });

/** What commands do to engines, as the API's change; none deletes. */
const changes = {
  activate: [{ status: "active" }, "activated"],
  deactivate: [{ status: "inactive" }, "deactivated"],
  "make-public": [{ isPublic: true }, "made public"],
  "make-private": [{ isPublic: false }, "made private"],
  delete: [undefined, "deleted"],
} as const;

/** Changes the engines that tags mean, one after the other; each is on disk when its line is printed. */
export const change = async (
  how: keyof typeof changes,
  args: ReadonlyArray<string>,
  output: CommandOutput,
): Promise<number> => {
  const flags = flagsOf(args, ["base-url", "user"], [], Infinity);
  const path = `${userPath(needed(flags, "user"))}/engines`;
  const [body, done] = changes[how];
  const { positionals } = flags;
  if (positionals.length === 0) throw new UsageError(`${how} which engine? name a tag`);
  return managed(flags, "change", async ({ call }) => {
    for (const given of positionals) {
      const method = body === undefined ? "DELETE" : "PATCH";
      const { tag = given } = await call<{ readonly tag?: string }>(
        method,
        `${path}/${encodeURIComponent(given)}`,
        [],
        body,
      );
      await output.row({ tag, change: done }, `${done} ${tag}`);
    }
  });
};

/** `registry token` and `registry key`. `create` prints the secret, once, on stdout and nothing else there; `list` never shows one. */
export const credentials = async (
  kind: "token" | "api-key",
  args: ReadonlyArray<string>,
  output: CommandOutput,
): Promise<number> => {
  const flags = flagsOf(args, ["base-url", "user", "label", "expires-in", "scope"], ["create-user"], 2);
  const [verb, id] = flags.positionals;
  if (verb !== "revoke" && id !== undefined) throw oneTooMany(id);
  if (verb === "create") return createCredential(kind, flags, output);
  if (verb === "list") {
    const user = flags.text("user");
    const path = user === undefined ? "credentials" : `credentials?user=${encodeURIComponent(user)}`;
    return managed(flags, "read", async ({ rows }) => {
      for await (const credential of rows<ShownCredential>(path, "credentials", credentialFields)) {
        if ((credential.kind === "api-key") !== (kind === "api-key")) continue;
        const { user, scope, label, createdAt, lastUsedAt } = credential;
        const state = stateOf(credential, Date.now());
        const row = { id: credential.id, user, kind: credential.kind, scope, label, state, createdAt, lastUsedAt };
        await output.row(row, lineOf(credential, Date.now()));
      }
    });
  }
  if (verb === "revoke") {
    if (id === undefined) throw new UsageError("revoke which one? give an id of the list");
    return managed(flags, "change", async ({ call }) => {
      const { configuredIn } = await revoked(call, id);
      await output.row({ id, configuredIn }, `revoked ${id}`);
      if (configuredIn !== null)
        output.note(`${id} is configured: it stays revoked; remove it from ${configuredIn}, too`);
    });
  }
  throw new UsageError("create, list or revoke?");
};

const revoked = (call: Management["call"], id: string): Promise<{ readonly configuredIn: string | null }> =>
  call("DELETE", `credentials/${encodeURIComponent(id)}`, ["configuredIn"]);

const createCredential = async (kind: "token" | "api-key", flags: Flags, output: CommandOutput): Promise<number> => {
  const user = needed(flags, "user");
  const scope = flags.text("scope") ?? "read";
  if (!scopes.includes(scope as Scope)) throw new UsageError(`--scope is ${scopes.join(", ")}`);
  const days = flags.text("expires-in");
  if (days !== undefined && !(/^[1-9]\d{0,3}$/.test(days) && Number(days) <= maxLifetimeDays))
    throw new UsageError(`--expires-in is a number of days from 1 to ${maxLifetimeDays}`);
  const wanted = {
    kind,
    scope,
    label: flags.text("label") ?? "",
    ...(days === undefined ? {} : { expiresInDays: Number(days) }),
  };
  let mayMakeUser = flags.isOn("create-user");
  if (flags.text("base-url") === undefined && !mayMakeUser && !existsSync(databasePath(flags))) {
    await assertWanted(`there is no database ${databasePath(flags)}`, `Make it, with user ${user}?`);
    mayMakeUser = true;
  }
  return managed(flags, "make", async ({ call, where }) => {
    await call("GET", userPath(user), userFields).catch(async (error: unknown) => {
      if (statusOf(error) !== 404) throw error;
      const meant = /\(did you mean [\w ,-]+\?\)/.exec((error as Error).message)?.[0];
      const missing = `there is no user ${user} in ${where}${meant === undefined ? "" : ` ${meant}`}`;
      if (!mayMakeUser) await assertWanted(missing, "Make one?", error);
      await call("POST", "users", userFields, { name: user });
    });
    const path = `${userPath(user)}/credentials`;
    const { id, secret } = await call<Record<"id" | "secret", string>>("POST", path, ["id", "secret"], wanted);
    output.note(`${kind} ${id} of ${user}, scope ${scope}; it is shown this once:`);
    await output.secret({ id, user, kind, scope, secret }, secret).catch(async (error: unknown) => {
      await revoked(call, id);
      throw new UserError(`${kind} ${id} could not be written and is revoked: ${(error as Error).message}`);
    });
  });
};

const createHint = "--create-user makes it, without a question.";

/** Asks whether to make what is missing. Rejects with UserError when not. */
export const assertWanted = async (missing: string, question: string, cause?: unknown): Promise<void> => {
  if (!canAsk()) throw new UserError(missing, exitCodes.notFound, createHint, { cause });
  if (await isConfirmed(`${missing}. ${question} [y/N] `)) return;
  throw new UserError("nothing was made", exitCodes.notMet, createHint);
};

/** A credential as the management API writes it. */
type ShownCredential = Readonly<Record<(typeof givenFields)[number], string>> &
  Readonly<Record<(typeof timeFields)[number], string | null>>;

const givenFields = ["id", "user", "kind", "scope", "label", "createdAt"] as const;
const timeFields = ["expiresAt", "revokedAt", "lastUsedAt", "userDisabledAt"] as const;
const credentialFields = [...givenFields, ...timeFields];

/** A credential of a list, as a database or the API has it. */
type Listed = ShownCredential | ListedCredential;

const isoOf = (time: string | Date): string => new Date(time).toISOString();

/** A credential as a line: what there is to say of it but the secret. */
export const lineOf = (credential: Listed, nowMs: number): string => {
  const { id, user, kind, scope, label, createdAt, lastUsedAt } = credential;
  const used = lastUsedAt ? `used ${isoOf(lastUsedAt)}` : "never used";
  return [id, user, kind, isoOf(createdAt), stateOf(credential, nowMs), label, scope, used].join("\t");
};

const stateOf = ({ kind, expiresAt, revokedAt, userDisabledAt }: Listed, nowMs: number): string => {
  if (revokedAt) return `revoked ${isoOf(revokedAt)}`;
  if (userDisabledAt) return `user disabled ${isoOf(userDisabledAt)}`;
  if (kind === "configured") return "good where it is configured";
  if (!expiresAt) return "good";
  return `${new Date(expiresAt).getTime() > nowMs ? "good until" : "expired"} ${isoOf(expiresAt)}`;
};
