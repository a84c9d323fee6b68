// Makes or changes a profile.
import { exitCodes } from "../../ExitCode.ts";
import { positional, type Invocation } from "../../Invocation.ts";
import { changeConfig } from "../../settings/ConfigFile.ts";
import { assertProfileName } from "../../settings/ProfileNames.ts";
import { assertLasting, settingsTable } from "../../settings/Setting.ts";
import { UsageError } from "../../UsageError.ts";

export const run = async (invocation: Invocation): Promise<number> => {
  const { settings, notes, env, arguments: given } = invocation;
  const name = positional(invocation, 0);
  assertProfileName(name);
  if (given.flags["token"] !== undefined) {
    throw new UsageError("A profile's credentials are not set here", `Use: bne auth login --profile ${name}`);
  }
  const chosen = settingsTable.filter(
    (setting) => setting.name !== "profile" && setting.name !== "color" && given.flags[setting.flag.name] !== undefined,
  );
  for (const setting of chosen) assertLasting(setting, settings.text(setting.name) ?? "", env);
  const changes = chosen.map((setting) => [["profiles", name, setting.name], settings.text(setting.name)] as const);
  if (changes.length === 0) {
    throw new UsageError(
      "Nothing to set",
      `For example: bne profile set ${name} --base-url http://127.0.0.1:8787/v1/dev`,
    );
  }
  await changeConfig(settings.userFile, changes);
  notes.note(`Profile ${name} is set; use it with --profile ${name} or \`bne profile use ${name}\`.`);
  return exitCodes.ok;
};
