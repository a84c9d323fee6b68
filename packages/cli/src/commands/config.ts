// bne config path, get, set; bne cache clear.
import { UsageError } from "@bytenite-engines/registry/command";
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { FileError, exitCodes } from "../Errors.ts";
import { type Invocation, isOn, positional } from "../Invocation.ts";
import { changeConfig, reasonOf } from "../config/Files.ts";
import { credentialsFile } from "../config/Credentials.ts";
import { settingOf, assertLasting, projectSettings } from "../config/Setting.ts";
import { allSettings, assertProfile, projectFileName } from "../config/Settings.ts";
import { openOutput, outputOptions } from "../output/Output.ts";
import { textAt, type Shape } from "../output/Shape.ts";
import { safeText } from "../terminal/SafeText.ts";

const fields = ["name", "path", "exists"];

const shape: Shape = {
  columns: fields.map((path) => ({ path, kind: "text" })),
  known: fields,
  nameOf: (record) => textAt(record, "path"),
  document: "array",
};

export const path = async (invocation: Invocation): Promise<number> => {
  const { settings, directories } = invocation;
  const writer = await openOutput(invocation, shape);
  const files = {
    settings: settings.userFile,
    credentials: credentialsFile(settings.userFile),
    ...(settings.projectFile === undefined ? {} : { project: settings.projectFile }),
    cache: directories.cache,
  };
  await writer.write(Object.entries(files).map(([name, path]) => ({ json: { name, path, exists: existsSync(path) } })));
  await writer.end();
  return exitCodes.ok;
};

export const get = async (invocation: Invocation): Promise<number> => {
  const { settings, stdout } = invocation;
  const name = positional(invocation, 0);
  const showOrigin = isOn(invocation, "show-origin");
  const options = outputOptions(invocation);
  const plain = options.form === "table" && options.jq === undefined && options.columns === undefined;
  if (name !== "" && !showOrigin && plain) {
    const { text } = settings.of(settingOf(name).name);
    await stdout.write(text === undefined ? "" : `${safeText(text)}\n`);
    return exitCodes.ok;
  }
  const fields = ["name", "value", ...(showOrigin ? ["origin"] : [])];
  const shape: Shape = {
    columns: fields.map((path) => ({ path, kind: "text" })),
    known: fields,
    nameOf: (record) => textAt(record, "name"),
    document: name === "" ? "array" : "one",
  };
  const writer = await openOutput(invocation, shape);
  const wanted = allSettings(settings).filter(([setting]) => name === "" || setting === settingOf(name));
  await writer.write(
    wanted.map(([setting, { text, origin }]) => ({
      json: { name: setting.name, value: text ?? null, ...(showOrigin ? { origin } : {}) },
    })),
  );
  await writer.end();
  return exitCodes.ok;
};

export const set = async (invocation: Invocation): Promise<number> => {
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

export const clear = async ({ directories, notes }: Invocation): Promise<number> => {
  const { cache } = directories;
  const there = existsSync(cache);
  try {
    // Not rmSync: its errors of a read-only file system have no code.
    await rm(cache, { recursive: true, force: true });
  } catch (error) {
    throw new FileError(`Cannot remove ${cache}: ${reasonOf(error)}`, { cause: error });
  }
  notes.note(there ? `Removed ${cache}` : `There is nothing in ${cache}`);
  return exitCodes.ok;
};
