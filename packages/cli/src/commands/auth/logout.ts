// Forgets the stored credentials of the profile.
import { exitCodes } from "../../ExitCode.ts";
import type { Invocation } from "../../Invocation.ts";
import { removeSecret } from "../../settings/CredentialStore.ts";

export const run = async ({ settings, notes, env }: Invocation): Promise<number> => {
  const removed = await removeSecret(settings, settings.profileName);
  notes.note(
    removed
      ? `Forgot the credentials of profile ${settings.profileName}.`
      : `Profile ${settings.profileName} had none.`,
  );
  for (const name of ["BYTENITE_TOKEN", "BYTENITE_API_KEY"]) {
    if ((env[name] ?? "") !== "") notes.warn(`${name} is still set and is used`);
  }
  return exitCodes.ok;
};
