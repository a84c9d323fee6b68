// Credentials: flag, environment, keychain or file; each bound to its origin.
import { assertSendable, UsageError } from "@bytenite-engines/registry/command";
import { dirname, join } from "node:path";
import { isLoopback } from "@bytenite-engines/core/wire";
import { FileError, HintedError } from "../Errors.ts";
import type { Arguments } from "../parse/Arguments.ts";
import type { Environment } from "../terminal/Terminal.ts";
import { changeConfig, readConfig, rewrite, valuesIn } from "./Files.ts";
import { askKeychain, hasKeychain } from "./Keychain.ts";
import { type Settings, assertProfileName } from "./Settings.ts";

/** Credentials and their source. */
export interface Credentials {
  readonly kind: SecretKind;
  readonly secret: string;
  /** URL of the exchange of API keys, if given; else derived from the base URL. */
  readonly authUrl?: string | undefined;
  /** For people: `flag --token`, `BYTENITE_TOKEN`, the keychain, the path of a file. */
  readonly origin: string;
}

/** The credentials of this run, or undefined when there are none. Throws UsageError where they must not be sent. */
export const credentialsOf = async (
  settings: Settings,
  flags: Arguments["flags"],
  env: Environment,
  readStdin: () => Promise<string>,
): Promise<Credentials | undefined> => {
  const given = await givenCredentials(flags, env, readStdin);
  if (given !== undefined) return { ...given, authUrl: settings.text("authUrl") };
  const stored = await loadSecret(settings);
  if (stored === undefined) return undefined;
  assertBound(stored.secret, settings.text("baseUrl") ?? "", settings.profileName);
  const authUrl = settings.text("authUrl") ?? stored.secret.authUrl;
  assertExchange(stored.secret, authUrl, settings.profileName);
  return { kind: stored.secret.kind, secret: stored.secret.secret, origin: stored.where, authUrl };
};

const givenCredentials = async (
  flags: Arguments["flags"],
  env: Environment,
  readStdin: () => Promise<string>,
): Promise<Credentials | undefined> => {
  const flag = flags["token"];
  if (typeof flag === "string") {
    const secret = flag === "-" ? await readStdin() : flag;
    return { kind: "token", secret: sendable(secret, "--token"), origin: "flag --token" };
  }
  for (const [name, kind] of [
    ["BYTENITE_TOKEN", "token"],
    ["BYTENITE_API_KEY", "api-key"],
  ] as const) {
    // A variable filled from a file often ends with its newline.
    const value = env[name]?.trim();
    if (value !== undefined && value !== "") return { kind, secret: sendable(value, name), origin: name };
  }
  return undefined;
};

/** The secret, when there is one and a header can carry it. Throws UsageError that says where it came from, never the secret. */
const sendable = (secret: string, origin: string): string => {
  if (secret.trim() === "")
    throw new UsageError(`${origin} is empty`, "`bne help credentials` says where tokens come from.");
  assertSendable(secret, origin);
  return secret;
};

/** An access token, or an API key that is exchanged for one. */
export type SecretKind = "token" | "api-key";

/** A secret as it is stored: bound to the base URL for which it was given. */
export interface StoredSecret {
  readonly kind: SecretKind;
  readonly secret: string;
  readonly baseUrl: string;
  /** URL of the exchange of API keys, if given. */
  readonly authUrl?: string;
}

/** Parses a stored secret; undefined for invalid text. */
export const parseSecret = (text: string): StoredSecret | undefined => {
  try {
    const { kind, secret, baseUrl, authUrl } = JSON.parse(text) as Record<string, unknown>;
    return (kind === "token" || kind === "api-key") && typeof secret === "string" && typeof baseUrl === "string"
      ? { kind, secret, baseUrl, ...(typeof authUrl === "string" ? { authUrl } : {}) }
      : undefined;
  } catch {
    return undefined;
  }
};

/** Whether a URL is on this machine. */
export const isLocal = (url: string): boolean => isLoopback(new URL(url).hostname);

/** A stored secret goes to the origin that it was stored for and to no other. Throws UsageError. */
export const assertBound = ({ baseUrl }: StoredSecret, target: string, profileName: string): void => {
  if (new URL(baseUrl).origin === new URL(target).origin) return;
  throw new UsageError(
    `The credentials of profile ${profileName} are for ${new URL(baseUrl).origin}, not for ${new URL(target).origin}, so they are not sent there`,
    `Log in for it: bne auth login --profile NAME --base-url ${target}`,
  );
};

/** A stored API key is exchanged at the origin that it was stored for, or at the place that was said then. Throws UsageError. */
const assertExchange = (
  { kind, baseUrl, authUrl }: StoredSecret,
  target: string | undefined,
  profile: string,
): void => {
  if (kind !== "api-key" || target === undefined) return;
  const { origin } = new URL(target);
  if (origin === new URL(baseUrl).origin || (authUrl !== undefined && origin === new URL(authUrl).origin)) return;
  throw new UsageError(
    `The API key of profile ${profile} was not stored for ${origin}, so it is not sent there`,
    `Log in for it: bne auth login --with-api-key --auth-url ${target}`,
  );
};

/** Storage of a secret. */
export type StorePlace = "keychain" | "file";

/** The file of secrets, next to the settings. */
export const credentialsFile = (userFile: string): string => join(dirname(userFile), "credentials.json");

/** The stored secret of the profile in use, and where it was. */
export const loadSecret = async (
  settings: Settings,
): Promise<{ readonly secret: StoredSecret; readonly place: StorePlace; readonly where: string } | undefined> => {
  const { profileName, profiles, userFile } = settings;
  const place = profiles[profileName]?.["credentials"];
  if (place === "keychain" && !hasKeychain)
    throw new UsageError(
      `The credentials of profile ${profileName} are in the keychain, which the single executable cannot ask`,
      "Log in again with it, which stores them in a file: bne auth login. Or set BYTENITE_TOKEN.",
    );
  if (place === "keychain") {
    const answer = await askKeychain({ action: "get", account: profileName });
    const secret = parseSecret(answer?.secret ?? "");
    if (secret !== undefined) return { secret, place, where: "the keychain" };
    throw new UsageError(
      `The credentials of profile ${profileName} are in the keychain, which ${answer === undefined ? "does not answer" : "does not have them any more"}`,
      "Set BYTENITE_TOKEN, or log in again: bne auth login",
    );
  }
  const path = credentialsFile(userFile);
  const text = (await readConfig(path, "secret"))[profileName];
  const secret = text === undefined ? undefined : parseSecret(JSON.stringify(text));
  return secret === undefined ? undefined : { secret, place: "file", where: path };
};

/** Stores the secret of the profile in use; resolves to where it went. */
export const storeSecret = async (
  settings: Settings,
  secret: StoredSecret,
  keychain: boolean,
): Promise<{ readonly place: StorePlace; readonly where: string }> => {
  const { profileName, userFile } = settings;
  assertProfileName(profileName);
  const path = credentialsFile(userFile);
  const inKeychain =
    keychain &&
    (await askKeychain({ action: "set", account: profileName, secret: JSON.stringify(secret) }))?.done === true;
  await putIntoFile(path, profileName, inKeychain ? undefined : secret);
  const place = inKeychain ? "keychain" : "file";
  await changeConfig(userFile, [
    [["profiles", profileName, "baseUrl"], secret.baseUrl],
    [["profiles", profileName, "credentials"], place],
    [["profiles", profileName, "kind"], secret.kind],
  ]);
  return { place, where: inKeychain ? "the keychain" : path };
};

/** Result of removing a secret; `unanswered`: it may still be in the keychain, which did not answer or did not find it. */
export type Removal = "removed" | "none" | "unanswered";

/** Removes the secret of a profile. */
export const removeSecret = async (settings: Settings, profileName: string): Promise<Removal> => {
  const place = settings.profiles[profileName]?.["credentials"];
  const inKeychain = place === "keychain";
  const forgotten = inKeychain && (await askKeychain({ action: "remove", account: profileName }))?.done === true;
  const removed = await putIntoFile(credentialsFile(settings.userFile), profileName, undefined).catch(
    (error: Error) => {
      throw error instanceof FileError
        ? new HintedError(error, `The credentials of profile ${profileName} are still there.`)
        : error;
    },
  );
  if (place !== undefined)
    await changeConfig(settings.userFile, [
      [["profiles", profileName, "credentials"], undefined],
      [["profiles", profileName, "kind"], undefined],
    ]);
  if (inKeychain && !forgotten) return "unanswered";
  return forgotten || removed ? "removed" : "none";
};

/** Puts a secret in the place of that of a profile, or removes that; whether there was one. */
const putIntoFile = async (path: string, profileName: string, secret: StoredSecret | undefined): Promise<boolean> => {
  let replaced: unknown;
  await rewrite(path, "secret", async (text) => {
    const { [profileName]: found, ...others } = await valuesIn(path, text);
    replaced = found;
    if (found === undefined && secret === undefined) return text;
    const secrets = { ...others, ...(secret === undefined ? {} : { [profileName]: secret }) };
    return Object.keys(secrets).length === 0 ? undefined : `${JSON.stringify(secrets, null, 2)}\n`;
  });
  return replaced !== undefined;
};
