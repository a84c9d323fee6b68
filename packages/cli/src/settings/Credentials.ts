// Decides: which credentials hold: flag, environment, then what is stored for the profile.
import type { Arguments } from "../Arguments.ts";
import type { Environment } from "../terminal/Terminal.ts";
import { loadSecret } from "./CredentialStore.ts";
import { assertBound, type SecretKind } from "./Secret.ts";
import type { Settings } from "./Settings.ts";
import { UsageError } from "../UsageError.ts";

/** What opens the API, and where it comes from. */
export interface Credentials {
  readonly kind: SecretKind;
  readonly secret: string;
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
  if (given !== undefined) return given;
  const stored = await loadSecret(settings);
  if (stored === undefined) return undefined;
  assertBound(stored.secret, settings.text("baseUrl") ?? "", settings.profileName);
  return { kind: stored.secret.kind, secret: stored.secret.secret, origin: stored.where };
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

/** The secret, when a header can carry it. Throws UsageError that says where it came from, never the secret. */
const sendable = (secret: string, origin: string): string => {
  if (/^[\u0020-\u007e]*$/.test(secret)) return secret;
  throw new UsageError(`${origin} has line breaks or characters beyond ASCII, which no token has`);
};
