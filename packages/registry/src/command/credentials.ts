// Decides: how tokens and API keys are made, listed and revoked from a command line.
import {
  createCredential,
  ensureUser,
  listCredentials,
  revokeCredential,
  userOf,
  type ListedCredential,
} from "../manage/Accounts.ts";
import { scopes, type Scope } from "../api/Authentication.ts";
import { flagsOf, needed, oneTooMany, withDatabase } from "./Database.ts";
import { UsageError } from "./Told.ts";

const dayMs = 24 * 3_600_000;

/** `create` prints the secret, once, on stdout and nothing else there; `list` never shows one. */
export const credentials = async (kind: "token" | "api-key", args: ReadonlyArray<string>): Promise<number> => {
  const flags = flagsOf(args, ["user", "label", "expires-in", "scope"], [], 2);
  const [verb, id] = flags.positionals;
  if (verb !== "revoke" && id !== undefined) throw oneTooMany(id);
  if (verb === "create") {
    const name = needed(flags, "user");
    const scope = scopeOf(flags.text("scope"));
    const expires = expiryOf(flags.text("expires-in"));
    return withDatabase(flags, "make", async (file) => {
      const user = ensureUser(file, name, Date.now());
      const made = await createCredential(file, user, kind, flags.text("label") ?? "", Date.now(), expires, scope);
      process.stderr.write(`${kind} ${made.id} of ${name}, scope ${scope}; it is shown this once:\n`);
      process.stdout.write(`${made.secret}\n`);
      return 0;
    });
  }
  if (verb === "list") {
    return withDatabase(flags, "refuse", async (file) => {
      const name = flags.text("user");
      const user = name === undefined ? undefined : userOf(file, name);
      for (const credential of listCredentials(file, user)) {
        if ((credential.kind === "api-key") !== (kind === "api-key")) continue;
        process.stdout.write(`${lineOf(credential, Date.now())}\n`);
      }
      return 0;
    });
  }
  if (verb === "revoke") {
    if (id === undefined) throw new UsageError("revoke which one? give an id of the list");
    return withDatabase(flags, "refuse", async (file) => {
      const place = revokeCredential(file, id, Date.now());
      process.stdout.write(`revoked ${id}\n`);
      if (place !== undefined) {
        process.stderr.write(`${id} is configured: it stays revoked; remove it from ${place}, too\n`);
      }
      return 0;
    });
  }
  throw new UsageError("create, list or revoke?");
};

const scopeOf = (text = "read"): Scope => {
  if (scopes.includes(text as Scope)) return text as Scope;
  throw new UsageError(`--scope is ${scopes.join(", ")}`);
};

const expiryOf = (days: string | undefined): number | undefined => {
  if (days === undefined) return undefined;
  if (!/^[1-9][0-9]{0,4}$/.test(days)) throw new UsageError("--expires-in is a number of days");
  return Date.now() + Number(days) * dayMs;
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
