// bne profile list, use, set, remove.
import { UsageError } from "@bytenite-engines/registry/command";
import { exitCodes } from "../Errors.ts";
import { type Invocation, positional } from "../Invocation.ts";
import { forgetAccessTokens } from "../config/AccessTokens.ts";
import { changeConfig } from "../config/Files.ts";
import { removeSecret } from "../config/Credentials.ts";
import { assertLasting, settingsTable } from "../config/Setting.ts";
import { profileNames, assertProfile, assertProfileName } from "../config/Settings.ts";
import { openOutput } from "../output/Output.ts";
import { textAt, type Shape } from "../output/Shape.ts";

const fields = ["name", "current", "baseUrl", "kind", "credentials"];

const shape: Shape = {
  columns: fields.map((path) => ({ path, kind: "text" })),
  known: fields,
  nameOf: (record) => textAt(record, "name"),
  document: "array",
};

const textOrNull = (value: unknown): string | null => (typeof value === "string" ? value : null);

export const list = async (invocation: Invocation): Promise<number> => {
  const { settings } = invocation;
  const writer = await openOutput(invocation, shape);
  const records = profileNames(settings).map((name) => ({
    json: {
      name,
      current: name === settings.profileName,
      baseUrl: textOrNull(settings.profiles[name]?.["baseUrl"]),
      kind: textOrNull(settings.profiles[name]?.["kind"]),
      credentials: textOrNull(settings.profiles[name]?.["credentials"]),
    },
  }));
  await writer.write(records);
  await writer.end();
  return exitCodes.ok;
};

export const use = async (invocation: Invocation): Promise<number> => {
  const { settings, notes, env } = invocation;
  const name = positional(invocation, 0);
  assertProfile(settings, name);
  await changeConfig(settings.userFile, [[["profile"], name]]);
  notes.note(`Profile ${name} is used from now on.`);
  if ((env["BYTENITE_PROFILE"] ?? "") !== "") notes.warn("BYTENITE_PROFILE is set and wins over it");
  return exitCodes.ok;
};

export const set = async (invocation: Invocation): Promise<number> => {
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

export const remove = async (invocation: Invocation): Promise<number> => {
  const { settings, notes, directories } = invocation;
  const name = positional(invocation, 0);
  assertProfile(settings, name);
  const removal = await removeSecret(settings, name);
  await changeConfig(settings.userFile, ({ profile }) => [
    [["profiles", name], undefined],
    ...(profile === name ? ([[["profile"], undefined]] as const) : []),
  ]);
  await forgetAccessTokens(directories.cache);
  if (removal === "unanswered") notes.warn("the keychain did not remove its credentials, so they may still be in it");
  notes.note(`Removed profile ${name}.`);
  return exitCodes.ok;
};
