// Commands over the management API.
import { existsSync } from "node:fs";
import { didYouMean, isLoopback } from "@bytenite-engines/core/wire";
import { fetchHandler } from "../api/App.ts";
import { scopes, type Scope } from "../api/Authentication.ts";
import { makeManagement, managementHeader, managementPath } from "../api/Management.ts";
import { operatorActor, type ListedCredential } from "../manage/Accounts.ts";
import { databasePath, flagsOf, needed, oneTooMany, withDatabase, type Flags } from "./Database.ts";
import { canAsk, isConfirmed, type CommandOutput } from "./Output.ts";
import { UserError, UsageError } from "./UserError.ts";

/** Milliseconds until an answer must be there. */
const timeoutMs = 30_000;

/** Rows of a page: as many as there may be. */
const pageRows = 1_000;

/** Where the token of scope `manage` is read from: a flag would be seen by everybody on this machine. */
const tokenVariable = "BYTENITE_MANAGE_TOKEN";

/** An error response of the management API. */
class Refused extends UserError {
  readonly status: number;
  constructor(message: string, status: number) {
    super(message);
    this.status = status;
  }
}

/** The management API of one registry. Failures are UserErrors, and those of a database here. */
interface Management {
  /** The registry, in messages. */
  readonly where: string;
  readonly call: <A>(method: string, path: string, body?: object) => Promise<A>;
  /** The rows of a list, page by page; at most so many. */
  readonly rows: <A>(path: string, name: string, most?: number) => AsyncGenerator<A>;
}

type Send = (request: Request) => Promise<Response>;

const managementOver = (where: string, base: string, token: string, send: Send, server: string): Management => {
  const call = async <A>(method: string, path: string, body?: object): Promise<A> => {
    const headers = { Authorization: token, [managementHeader]: "1", "Content-Type": "application/json" };
    const init = body === undefined ? {} : { body: JSON.stringify(body) };
    const answer = await send(new Request(`${base}${managementPath}/${path}`, { method, headers, ...init }));
    const json = (await answer.json().catch(() => undefined)) as { readonly message?: string } | undefined;
    if (answer.ok && json !== undefined) return json as A;
    const said = json?.message ?? "no JSON: is it a registry?";
    throw new Refused(server === "" ? said : `${server} answered ${answer.status}: ${said}`, answer.status);
  };
  return {
    where,
    call,
    rows: async function* <A>(path: string, name: string, most = Infinity) {
      let left = most;
      for (let after: string | null = null; left > 0;) {
        const query = `limit=${Math.min(left, pageRows)}${after === null ? "" : `&after=${encodeURIComponent(after)}`}`;
        const page: Record<string, unknown> = await call("GET", `${path}${path.includes("?") ? "&" : "?"}${query}`);
        const rows = page[name] as ReadonlyArray<A>;
        yield* rows;
        left -= rows.length;
        after = page["next"] as string | null;
        if (after === null) return;
      }
    },
  };
};

/** The registry that `--base-url` names, or undefined without that flag. Throws UsageError. */
const elsewhere = (flags: Flags): Management | undefined => {
  const text = flags.text("base-url");
  if (text === undefined) return undefined;
  if (flags.text("database") !== undefined) throw new UsageError("--base-url or --database, not both");
  const url = URL.parse(text);
  if (url === null || !(url.protocol === "https:" || (url.protocol === "http:" && isLoopback(hostOf(url))))) {
    throw new UsageError("--base-url is https://HOST, or http:// on this machine: a token is sent there");
  }
  const token = process.env[tokenVariable] ?? "";
  if (token === "") throw new UsageError(`set ${tokenVariable} to a token of scope manage`);
  // The base URL of the API is taken for that of the registry.
  const base = url.href.replace(/\/+$/, "").replace(/\/v1\/dev$/, "");
  const send: Send = async (request) => {
    try {
      // A token goes nowhere else.
      return await fetch(request, { redirect: "error", signal: AbortSignal.timeout(timeoutMs) });
    } catch (error) {
      const { cause, message } = error as { readonly cause?: { readonly message?: string }; readonly message: string };
      throw new UserError(`${url.origin} cannot be reached: ${cause?.message || message}`);
    }
  };
  return managementOver(url.origin, base, token, send, url.origin);
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
    const send: Send = async (request) => {
      const response = await answer(request);
      if (fault !== undefined) throw fault;
      return response;
    };
    await work(managementOver(databasePath(flags), "http://localhost", "", send, ""));
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
  const flags = flagsOf(args, texts, ["delete-engines"], Infinity);
  const [given = "list", name, extra] = flags.positionals;
  if (given === "list") {
    if (name !== undefined) throw oneTooMany(name);
    return managed(flags, "read", async ({ rows }) => {
      for await (const user of rows<UserRow>("users", "users")) await printUser(output, user);
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
    return managed(flags, "change", async ({ call }) => printUser(output, await call("POST", "users", body)));
  }
  if (verb === "delete") return deleteUser(name, flags, output);
  const body = { disabled: verb === "disable" };
  return managed(flags, "change", async ({ call }) => printUser(output, await call("PATCH", userPath(name), body)));
};

const deleteUser = (name: string, flags: Flags, output: CommandOutput): Promise<number> => {
  const heir = flags.text("hand-over-to");
  if (heir !== undefined && flags.isOn("delete-engines")) {
    throw new UsageError("--hand-over-to or --delete-engines, not both");
  }
  const query = heir !== undefined ? `?handOverTo=${encodeURIComponent(heir)}` : "?engines=delete";
  const path = `${userPath(name)}${heir === undefined && !flags.isOn("delete-engines") ? "" : query}`;
  return managed(flags, "change", async ({ call }) => {
    const done = await call<{ readonly engines?: number; readonly deletedEngines?: number }>("DELETE", path).catch(
      (error: unknown) => {
        if (!(error instanceof Refused) || error.status !== 409 || path !== userPath(name)) throw error;
        throw new UserError(
          `${name} has engines`,
          1,
          "--hand-over-to USER hands them over, --delete-engines deletes them.",
        );
      },
    );
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
  return managed(flags, "change", async ({ call }) => printUser(output, await call("PATCH", userPath(name), body)));
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
  const flags = flagsOf(args, ["base-url", "limit", ...(what === "engines" ? ["user"] : [])], [], 0);
  const user = flags.text("user");
  const path = user === undefined ? what : `${what}?user=${encodeURIComponent(user)}`;
  const most = limitOf(flags);
  return managed(flags, "read", async ({ rows }) => {
    for await (const record of rows<Readonly<Record<string, string | number | boolean | object>>>(path, what, most)) {
      const cells = columns[what].map((name) => {
        const value = record[name] ?? null;
        return [name, typeof value === "object" && value !== null ? JSON.stringify(value) : value] as const;
      });
      await output.row(Object.fromEntries(cells), cells.map(([, value]) => value).join("\t"));
    }
  });
};

/** `registry statistics`: one row. */
export const statistics = async (args: ReadonlyArray<string>, output: CommandOutput): Promise<number> =>
  managed(flagsOf(args, ["base-url"], [], 0), "read", async ({ call }) => {
    const numbers = await call<Readonly<Record<string, number>>>("GET", "statistics");
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
      for await (const credential of rows<ShownCredential>(path, "credentials")) {
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
  call("DELETE", `credentials/${encodeURIComponent(id)}`);

const createCredential = async (kind: "token" | "api-key", flags: Flags, output: CommandOutput): Promise<number> => {
  const user = needed(flags, "user");
  const scope = flags.text("scope") ?? "read";
  if (!scopes.includes(scope as Scope)) throw new UsageError(`--scope is ${scopes.join(", ")}`);
  const days = flags.text("expires-in");
  if (days !== undefined && !/^[1-9][0-9]{0,4}$/.test(days)) throw new UsageError("--expires-in is a number of days");
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
    await call("GET", userPath(user)).catch(async (error: unknown) => {
      if (!(error instanceof Refused) || error.status !== 404) throw error;
      if (!mayMakeUser) await assertWanted(`there is no user ${user} in ${where}`, "Make one?");
      await call("POST", "users", { name: user });
    });
    const path = `${userPath(user)}/credentials`;
    const { id, secret } = await call<{ readonly id: string; readonly secret: string }>("POST", path, wanted);
    output.note(`${kind} ${id} of ${user}, scope ${scope}; it is shown this once:`);
    await output.secret({ id, user, kind, scope, secret }, secret).catch(async (error: unknown) => {
      await revoked(call, id);
      throw new UserError(`${kind} ${id} could not be written and is revoked: ${(error as Error).message}`);
    });
  });
};

const createHint = "--create-user makes it, without a question.";

/** Asks whether to make what is missing. Rejects with UserError when not. */
const assertWanted = async (missing: string, question: string): Promise<void> => {
  if (!canAsk()) throw new UserError(missing, 1, createHint);
  if (await isConfirmed(`${missing}. ${question} [y/N] `)) return;
  throw new UserError("nothing was made", 1, createHint);
};

/** A credential as the management API writes it. */
type ShownCredential = Readonly<Record<"id" | "user" | "kind" | "scope" | "label" | "createdAt", string>> &
  Readonly<Record<"expiresAt" | "revokedAt" | "lastUsedAt", string | null>>;

/** A credential of a list, as a database or the API has it. */
type Listed = ShownCredential | ListedCredential;

const isoOf = (time: string | Date): string => new Date(time).toISOString();

/** A credential as a line: what there is to say of it but the secret. */
export const lineOf = (credential: Listed, nowMs: number): string => {
  const { id, user, kind, scope, label, createdAt, lastUsedAt } = credential;
  const used = lastUsedAt ? `used ${isoOf(lastUsedAt)}` : "never used";
  return [id, user, kind, isoOf(createdAt), stateOf(credential, nowMs), label, scope, used].join("\t");
};

const stateOf = ({ kind, expiresAt, revokedAt }: Listed, nowMs: number): string => {
  if (revokedAt) return `revoked ${isoOf(revokedAt)}`;
  if (kind === "configured") return "good where it is configured";
  if (!expiresAt) return "good";
  return `${new Date(expiresAt).getTime() > nowMs ? "good until" : "expired"} ${isoOf(expiresAt)}`;
};
