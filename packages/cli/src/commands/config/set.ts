// Changes a setting.
import { join } from "node:path";
import { exitCodes } from "../../ExitCode.ts";
import { isOn, positional, type Invocation } from "../../Invocation.ts";
import { changeConfig } from "../../settings/ConfigFile.ts";
import { assertProfile } from "../../settings/ProfileNames.ts";
import { readSetting, settingOf } from "../../settings/Setting.ts";
import { projectFileName } from "../../settings/Settings.ts";

export const run = async (invocation: Invocation): Promise<number> => {
  const { settings, notes, cwd } = invocation;
  const setting = settingOf(positional(invocation, 0));
  const text = positional(invocation, 1);
  const takenBack = text === "";
  if (!takenBack) readSetting(setting, text, "the command line");
  if (!takenBack && setting.name === "profile") assertProfile(settings, text);
  const path = isOn(invocation, "project") ? (settings.projectFile ?? join(cwd, projectFileName)) : settings.userFile;
  await changeConfig(path, [[[setting.name], takenBack ? undefined : text]]);
  notes.note(`${setting.name} ${takenBack ? "is no longer set" : `= ${text}`} in ${path}`);
  return exitCodes.ok;
};
