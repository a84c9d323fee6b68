// Removes a profile and its credentials.
import { exitCodes } from "../../ExitCode.ts";
import { positional, type Invocation } from "../../Invocation.ts";
import { forgetAccessTokens } from "../../settings/AccessTokenFiles.ts";
import { changeConfig, readConfig } from "../../settings/ConfigFile.ts";
import { removeSecret } from "../../settings/CredentialStore.ts";
import { assertProfile } from "../../settings/ProfileNames.ts";

export const run = async (invocation: Invocation): Promise<number> => {
  const { settings, notes, directories } = invocation;
  const name = positional(invocation, 0);
  assertProfile(settings, name);
  const removal = await removeSecret(settings, name);
  const inUse = (await readConfig(settings.userFile))["profile"] === name;
  await changeConfig(settings.userFile, [
    [["profiles", name], undefined],
    ...(inUse ? ([[["profile"], undefined]] as const) : []),
  ]);
  forgetAccessTokens(directories.cache);
  if (removal === "unanswered") notes.warn("the keychain did not remove its credentials, so they may still be in it");
  notes.note(`Removed profile ${name}.`);
  return exitCodes.ok;
};
