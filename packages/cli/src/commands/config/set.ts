// Changes a setting.
import { join } from "node:path";
import { exitCodes } from "../../ExitCode.ts";
import { isOn, positional, type Invocation } from "../../Invocation.ts";
import { changeConfig } from "../../settings/ConfigFile.ts";
import { assertProfile } from "../../settings/ProfileNames.ts";
import { assertLasting, projectSettings, settingOf } from "../../settings/Setting.ts";
import { projectFileName } from "../../settings/Settings.ts";
import { UsageError } from "../../UsageError.ts";

export const run = async (invocation: Invocation): Promise<number> => {
  const { settings, notes, cwd, env } = invocation;
  const setting = settingOf(positional(invocation, 0));
  const text = positional(invocation, 1);
  const takenBack = text === "";
  const inProject = isOn(invocation, "project");
  if (inProject && setting.project !== true) {
    throw new UsageError(
      `${projectFileName} may set ${projectSettings.join(" and ")} only, not ${setting.name}`,
      `For yourself: bne config set ${setting.name} VALUE`,
    );
  }
  if (!takenBack) assertLasting(setting, text, env);
  if (!takenBack && setting.name === "profile") assertProfile(settings, text);
  // Never a file that was found further up: somebody else may have put it there.
  const path = inProject ? join(cwd, projectFileName) : settings.userFile;
  await changeConfig(path, [[[setting.name], takenBack ? undefined : text]], inProject ? "any" : "own");
  notes.note(`${setting.name} ${takenBack ? "is no longer set" : `= ${text}`} in ${path}`);
  return exitCodes.ok;
};
