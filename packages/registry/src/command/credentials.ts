// `registry token` and `registry key`.
import { existsSync } from "node:fs";
import {
  createCredential,
  ensureUser,
  listCredentials,
  listUsers,
  revokeCredential,
  userOf,
  type ListedCredential,
} from "../manage/Accounts.ts";
import { scopes, type Scope } from "../api/Authentication.ts";
import type { SqliteFile } from "../node/SqliteFile.ts";
import { databasePath, flagsOf, needed, oneTooMany, withDatabase } from "./Database.ts";
import { canAsk, isConfirmed, type CommandOutput, type RegistryRow } from "./Output.ts";
import { remoteOf, type Remote } from "./Remote.ts";
import { UserError, UsageError } from "./UserError.ts";

const dayMs = 24 * 3_600_000;

type Kind = "token" | "api-key";

/** A credential that is to be made. */
interface Wanted {
  readonly user: string;
  readonly label: string;
  readonly days: number | undefined;
  readonly scope: Scope;
}

/** Where credentials are kept: in a database here, or in a registry elsewhere. */
interface Keeper {
  /** Whether the user would have to be made first. */
  readonly isNewUser: (name: string) => boolean;
  readonly create: (wanted: Wanted) => Promise<{ readonly id: string; readonly secret: string }>;
  readonly list: (user: string | undefined) => AsyncIterable<ListedCredential> | Iterable<ListedCredential>;
  /** Gives the place of a configured one. */
  readonly revoke: (id: string) => Promise<string | undefined>;
}

const keeperIn = (file: SqliteFile, kind: Kind): Keeper => ({
  isNewUser: (name) => listUsers(file).every(({ user }) => user.name !== name),
  create: ({ user, label, days, scope }) => {
    const now = Date.now();
    const expiresAt = days === undefined ? undefined : now + days * dayMs;
    return createCredential(file, ensureUser(file, user, now), kind, label, now, expiresAt, scope);
  },
  list: (name) => listCredentials(file, name === undefined ? undefined : userOf(file, name)),
  revoke: async (id) => revokeCredential(file, id, Date.now()),
});

/** A credential as the management API writes it. */
type Remembered = { readonly [Name in keyof ListedCredential]: string | null };

const dateIn = (text: string | null): Date | undefined => (text === null ? undefined : new Date(text));

const keeperAt = ({ call, rows }: Remote, kind: Kind): Keeper => ({
  // The management API makes none with a credential.
  isNewUser: () => false,
  create: ({ user, days, ...wanted }) =>
    call("POST", `users/${encodeURIComponent(user)}/credentials`, { kind, expiresInDays: days, ...wanted }),
  list: async function* (name) {
    const query = name === undefined ? "" : `?user=${encodeURIComponent(name)}`;
    for await (const row of rows<Remembered>(`credentials${query}`, "credentials")) {
      yield {
        ...(row as unknown as ListedCredential),
        createdAt: new Date(row.createdAt ?? 0),
        expiresAt: dateIn(row.expiresAt),
        revokedAt: dateIn(row.revokedAt),
        lastUsedAt: dateIn(row.lastUsedAt),
      };
    }
  },
  revoke: async (id) => {
    const path = `credentials/${encodeURIComponent(id)}`;
    return (await call<{ readonly configuredIn: string | null }>("DELETE", path)).configuredIn ?? undefined;
  },
});

/** `create` prints the secret, once, on stdout and nothing else there; `list` never shows one. */
export const credentials = async (kind: Kind, args: ReadonlyArray<string>, output: CommandOutput): Promise<number> => {
  const flags = flagsOf(args, ["base-url", "user", "label", "expires-in", "scope"], ["create-user"], 2);
  const [verb, id] = flags.positionals;
  if (verb !== "revoke" && id !== undefined) throw oneTooMany(id);
  const remote = remoteOf(flags);
  const kept = (how: "make" | "change" | "read", work: (keeper: Keeper) => Promise<void>): Promise<number> =>
    remote === undefined
      ? withDatabase(flags, how, async (file) => work(keeperIn(file, kind)).then(() => 0))
      : work(keeperAt(remote, kind)).then(() => 0);
  if (verb === "create") {
    const user = needed(flags, "user");
    const scope = scopeOf(flags.text("scope"));
    const days = daysOf(flags.text("expires-in"));
    let mayMakeUser = flags.isOn("create-user");
    if (remote === undefined && !mayMakeUser && !existsSync(databasePath(flags))) {
      await assertWanted(`there is no database ${databasePath(flags)}`, `Make it, with user ${user}?`);
      mayMakeUser = true;
    }
    return kept("make", async ({ isNewUser, create, revoke }) => {
      if (!mayMakeUser && isNewUser(user)) {
        await assertWanted(`there is no user ${user} in ${databasePath(flags)}`, "Make one?");
      }
      const made = await create({ user, label: flags.text("label") ?? "", days, scope });
      output.note(`${kind} ${made.id} of ${user}, scope ${scope}; it is shown this once:`);
      const { id, secret } = made;
      await output.secret({ id, user, kind, scope, secret }, secret).catch(async (error: unknown) => {
        await revoke(made.id);
        throw new UserError(`${kind} ${made.id} could not be written and is revoked: ${(error as Error).message}`);
      });
    });
  }
  if (verb === "list") {
    return kept("read", async ({ list }) => {
      for await (const credential of list(flags.text("user"))) {
        if ((credential.kind === "api-key") !== (kind === "api-key")) continue;
        await output.row(rowOf(credential, Date.now()), lineOf(credential, Date.now()));
      }
    });
  }
  if (verb === "revoke") {
    if (id === undefined) throw new UsageError("revoke which one? give an id of the list");
    return kept("change", async ({ revoke }) => {
      const place = await revoke(id);
      await output.row({ id, configuredIn: place ?? null }, `revoked ${id}`);
      if (place !== undefined) output.note(`${id} is configured: it stays revoked; remove it from ${place}, too`);
    });
  }
  throw new UsageError("create, list or revoke?");
};

const createHint = "--create-user makes it, without a question.";

/** Asks whether to make what is missing. Rejects with UserError when not. */
const assertWanted = async (missing: string, question: string): Promise<void> => {
  if (!canAsk()) throw new UserError(missing, 1, createHint);
  if (await isConfirmed(`${missing}. ${question} [y/N] `)) return;
  throw new UserError("nothing was made", 1, createHint);
};

const scopeOf = (text = "read"): Scope => {
  if (scopes.includes(text as Scope)) return text as Scope;
  throw new UsageError(`--scope is ${scopes.join(", ")}`);
};

const daysOf = (days: string | undefined): number | undefined => {
  if (days === undefined) return undefined;
  if (!/^[1-9][0-9]{0,4}$/.test(days)) throw new UsageError("--expires-in is a number of days");
  return Number(days);
};

const rowOf = (credential: ListedCredential, nowMs: number): RegistryRow => {
  const { id, user, kind, scope, label, createdAt, lastUsedAt } = credential;
  const state = stateOf(credential, nowMs);
  return {
    id,
    user,
    kind,
    scope,
    label,
    state,
    createdAt: createdAt.toISOString(),
    lastUsedAt: lastUsedAt?.toISOString() ?? null,
  };
};

/** A credential as a line: what there is to say of it but the secret. */
export const lineOf = (credential: ListedCredential, nowMs: number): string => {
  const { id, user, kind, scope, label, createdAt, lastUsedAt } = credential;
  const used = lastUsedAt === undefined ? "never used" : `used ${lastUsedAt.toISOString()}`;
  return [id, user, kind, createdAt.toISOString(), stateOf(credential, nowMs), label, scope, used].join("\t");
};

const stateOf = ({ kind, expiresAt, revokedAt }: ListedCredential, nowMs: number): string => {
  if (revokedAt !== undefined) return `revoked ${revokedAt.toISOString()}`;
  if (kind === "configured") return "good where it is configured";
  if (expiresAt === undefined) return "good";
  return `${expiresAt.getTime() > nowMs ? "good until" : "expired"} ${expiresAt.toISOString()}`;
};
