// Stores an access token or an API key.
import { exitCodes } from "../../ExitCode.ts";
import { isOn, type Invocation } from "../../Invocation.ts";
import { forgetAccessTokens } from "../../settings/AccessTokenFiles.ts";
import { storeSecret } from "../../settings/CredentialStore.ts";
import type { SecretKind } from "../../settings/Secret.ts";
import { readSecretLine } from "../../terminal/SecretInput.ts";
import { UsageError } from "../../UsageError.ts";

export const run = async (invocation: Invocation): Promise<number> => {
  const { settings, notes, arguments: given, directories } = invocation;
  const kind: SecretKind = isOn(invocation, "with-api-key") ? "api-key" : "token";
  if (kind === "api-key" && isOn(invocation, "with-token")) {
    throw new UsageError("--with-token and --with-api-key exclude each other");
  }
  if (typeof given.flags["token"] === "string" && given.flags["token"] !== "-") {
    throw new UsageError(
      "A token is not taken from the command line, where others can see it",
      "Send it to stdin, or type it when asked.",
    );
  }
  const secret = await readSecretLine(invocation, kind === "token" ? "Access token" : "API key");
  if (secret === "") throw new UsageError("Nothing was given", "Send the secret to stdin, or type it when asked.");
  if (!/^[\u0021-\u007e]+$/.test(secret))
    throw new UsageError("A token or key has no spaces and no characters beyond ASCII");
  const baseUrl = settings.text("baseUrl") ?? "";
  notes.progress("asking the keychain");
  const { where } = await storeSecret(settings, { kind, secret, baseUrl }, !isOn(invocation, "no-keychain"));
  notes.progress(undefined);
  forgetAccessTokens(directories.cache);
  notes.note(`Stored in ${where} for profile ${settings.profileName}, for ${new URL(baseUrl).origin} only.`);
  return exitCodes.ok;
};
