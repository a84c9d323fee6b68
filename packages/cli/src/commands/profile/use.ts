// Uses a profile from now on.
import { exitCodes } from "../../ExitCode.ts";
import { positional, type Invocation } from "../../Invocation.ts";
import { changeConfig } from "../../settings/ConfigFile.ts";
import { assertProfile } from "../../settings/ProfileNames.ts";

export const run = async (invocation: Invocation): Promise<number> => {
  const { settings, notes, env } = invocation;
  const name = positional(invocation, 0);
  assertProfile(settings, name);
  await changeConfig(settings.userFile, [[["profile"], name]]);
  notes.note(`Profile ${name} is used from now on.`);
  if ((env["BYTENITE_PROFILE"] ?? "") !== "") notes.warn("BYTENITE_PROFILE is set and wins over it");
  return exitCodes.ok;
};
