// Forgets the stored credentials of the profile.
import { exitCodes } from "../../ExitCode.ts";
import { CommandError } from "../../Failure.ts";
import type { Invocation } from "../../Invocation.ts";
import { forgetAccessTokens } from "../../settings/AccessTokenFiles.ts";
import { removeSecret } from "../../settings/CredentialStore.ts";

export const run = async ({ settings, notes, env, directories }: Invocation): Promise<number> => {
  const removed = await removeSecret(settings, settings.profileName);
  forgetAccessTokens(directories.cache);
  if (removed === "unanswered") {
    throw new CommandError(
      `The keychain did not remove the credentials of profile ${settings.profileName}, so they may still be in it`,
      exitCodes.unavailable,
      "They are not used any more; remove bytenite-engines there when you can.",
    );
  }
  notes.note(
    removed === "removed"
      ? `Forgot the credentials of profile ${settings.profileName}.`
      : `Profile ${settings.profileName} had none.`,
  );
  for (const name of ["BYTENITE_TOKEN", "BYTENITE_API_KEY"]) {
    if ((env[name] ?? "") !== "") notes.warn(`${name} is still set and is used`);
  }
  return exitCodes.ok;
};
