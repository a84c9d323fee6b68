// Settings of a run: flag, environment, project file, profile, own file, default.
import { didYouMean } from "@bytenite-engines/core/wire";
import { UsageError, UserError } from "@bytenite-engines/registry/command";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { exitCodes } from "../Errors.ts";
import type { Arguments, FlagValue } from "../parse/Arguments.ts";
import { safeText } from "../terminal/SafeText.ts";
import type { Environment } from "../terminal/Terminal.ts";
import { readConfig, type ConfigValues } from "./Files.ts";
import { projectSettings, readSetting, settingOf, settingsTable, type Setting } from "./Setting.ts";

/** Name of the file that a project may have. */
export const projectFileName = ".bne.json";
/** Largest such file that is read, in bytes. */
const maxProjectBytes = 65_536;
/** Most keys that are named of one place; longest part of a key that is shown, in characters. */
const maxNamedKeys = 5;
const maxKeyLength = 100;

/** Source of a value. */
export type OriginKind = "flag" | "environment" | "project" | "profile" | "user" | "default";

/** A value and where it comes from. */
export interface Resolved {
  readonly value: FlagValue | undefined;
  /** As it is written there. */
  readonly text: string | undefined;
  readonly kind: OriginKind;
  /** For people: `flag --output`, `BYTENITE_OUTPUT`, the path of a file, `default`. */
  readonly origin: string;
}

/** A profile of the user's file. */
export type Profile = Readonly<Record<string, unknown>>;

/** All settings of one run. */
export interface Settings {
  readonly of: (name: string) => Resolved;
  /** The value as text; undefined when nobody says anything. */
  readonly text: (name: string) => string | undefined;
  readonly profileName: string;
  readonly profiles: Readonly<Record<string, Profile>>;
  /** The user's file, whether it exists or not. */
  readonly userFile: string;
  /** The project's file, if there is one. */
  readonly projectFile: string | undefined;
  /** Sentences about what the files say that has no effect. */
  readonly warnings: ReadonlyArray<string>;
}

/** Where settings are looked for. */
export interface SettingSources {
  readonly flags: Arguments["flags"];
  readonly env: Environment;
  readonly cwd: string;
  readonly userFile: string;
}

/** Reads the files and resolves. Throws UsageError for a broken file and, when it is asked for, for a wrong value. */
export const loadSettings = async ({ flags, env, cwd, userFile }: SettingSources): Promise<Settings> => {
  const projectFile = findProjectFile(cwd);
  const user = await readConfig(userFile);
  const project = projectFile === undefined ? noProject : await readProject(projectFile);
  const profiles = profilesIn(user, userFile);
  const outside = (setting: Setting): Resolved | undefined =>
    fromFlag(setting, flags) ??
    fromEnvironment(setting, env) ??
    fromFile(setting, project.values, projectFile ?? "", "project");
  const inside = (setting: Setting): Resolved => fromFile(setting, user, userFile, "user") ?? fallback(setting);
  const nameSetting = settingOf("profile");
  const profileName = String((outside(nameSetting) ?? inside(nameSetting)).value);
  const profile = Object.hasOwn(profiles, profileName) ? profiles[profileName] : undefined;
  const resolve = (name: string): Resolved => {
    const setting = settingOf(name);
    const own =
      name === "profile" || profile === undefined
        ? undefined
        : fromFile(setting, profile, `profile ${profileName} in ${userFile}`, "profile");
    return outside(setting) ?? own ?? inside(setting);
  };
  return {
    of: resolve,
    text: (name) => resolve(name).text,
    profileName,
    profiles,
    userFile,
    projectFile,
    warnings: [
      ...unknownKeys(user, "user", userFile),
      ...Object.entries(profiles).flatMap(([name, values]) =>
        unknownKeys(values, "profile", `profile ${safeText(name)} in ${userFile}`),
      ),
      ...project.warnings,
    ],
  };
};

interface Project {
  readonly values: ConfigValues;
  readonly warnings: ReadonlyArray<string>;
}

const noProject: Project = { values: {}, warnings: [] };

/**
 * What a project file may set: anybody can have put it above the working folder, so it chooses how things look, never a program,
 * an address or a place. Whatever else is in it, or wrong with it, is ignored and ends no command.
 */
const readProject = async (path: string): Promise<Project> => {
  const values: Record<string, unknown> = {};
  const ignored: Array<string> = [];
  const warnings: Array<string> = [];
  try {
    for (const [name, value] of Object.entries(await readConfig(path, "any", maxProjectBytes))) {
      if (projectSettings.includes(name)) {
        if (value !== "") readSetting(settingOf(name), value, path);
        values[name] = value;
      } else if (name !== "$schema") ignored.push(safeText(name.slice(0, maxKeyLength)));
    }
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    return { values: {}, warnings: [`${safeText(error.message)}; the file is ignored`] };
  }
  if (ignored.length > 0) {
    const more = ignored.length > maxNamedKeys ? `, ${ignored.length - maxNamedKeys} more` : "";
    warnings.push(
      `${path} may set ${projectSettings.join(" and ")} only; ignored: ${ignored.slice(0, maxNamedKeys).join(", ")}${more}. ` +
        "Set them with `bne config set` or `bne profile set`.",
    );
  }
  return { values, warnings };
};

const fromFlag = ({ flag }: Setting, flags: Arguments["flags"]): Resolved | undefined => {
  const value = flags[flag.name];
  return value === undefined
    ? undefined
    : {
        value,
        text: flag.kind === "duration" ? `${String(value)}ms` : String(value),
        kind: "flag",
        origin: `flag --${flag.name}`,
      };
};

const fromEnvironment = (setting: Setting, env: Environment): Resolved | undefined => {
  const { variable = "" } = setting;
  const text = env[variable] ?? "";
  return text === ""
    ? undefined
    : { value: readSetting(setting, text, variable), text, kind: "environment", origin: variable };
};

const fromFile = (setting: Setting, values: ConfigValues, origin: string, kind: OriginKind): Resolved | undefined => {
  const text = Object.hasOwn(values, setting.name) ? values[setting.name] : undefined;
  return text === undefined || text === ""
    ? undefined
    : {
        value: readSetting(setting, text, origin),
        text: typeof text === "number" ? String(text) : (text as string),
        kind,
        origin,
      };
};

const fallback = (setting: Setting): Resolved => ({
  value: setting.fallback === undefined ? undefined : readSetting(setting, setting.fallback, "default"),
  text: setting.fallback,
  kind: "default",
  origin: "default",
});

const isObject = (value: unknown): value is Profile =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const profilesIn = (user: ConfigValues, path: string): Readonly<Record<string, Profile>> => {
  const profiles = user["profiles"] ?? {};
  if (!isObject(profiles) || !Object.values(profiles).every(isObject)) {
    throw new UsageError(
      `${path}: "profiles" must be an object of objects`,
      "It was left as it is; correct it or remove it.",
    );
  }
  return profiles as Readonly<Record<string, Profile>>;
};

const findProjectFile = (cwd: string): string | undefined => {
  for (let directory = cwd; ;) {
    const path = join(directory, projectFileName);
    if (existsSync(path)) return path;
    const above = dirname(directory);
    if (above === directory) return undefined;
    directory = above;
  }
};

/** All settings with their values, for `config get`. */
export const allSettings = (settings: Settings): ReadonlyArray<readonly [Setting, Resolved]> =>
  settingsTable.map((setting) => [setting, settings.of(setting.name)] as const);

const settings = settingsTable.map(({ name }) => name);
/** Allowed keys by file; editors look for `$schema`. */
const meant = {
  user: ["$schema", "profiles", ...settings],
  profile: ["credentials", "kind", ...settings.filter((name) => name !== "profile")],
} as const;
const everywhere = new Set<string>(Object.values(meant).flat());

/** A sentence for each unknown key. `where` is printed as it is. */
export const unknownKeys = (values: ConfigValues, place: keyof typeof meant, where: string): ReadonlyArray<string> => {
  const known: ReadonlyArray<string> = meant[place];
  const unknown = Object.keys(values).filter((key) => !known.includes(key));
  const sentences = unknown.slice(0, maxNamedKeys).map((key) => {
    const named = safeText(JSON.stringify(key.slice(0, maxKeyLength)));
    if (everywhere.has(key)) return `${where}: ${named} has no effect there`;
    return `${where}: there is no setting ${named}. ${didYouMean(key, known) ?? "It has no effect."}`;
  });
  return unknown.length > maxNamedKeys
    ? [...sentences, `${where}: ${unknown.length - maxNamedKeys} more are not known`]
    : sentences;
};

/** The profile that is there without being made. */
export const defaultProfile = "default";

/** All profiles by name. */
export const profileNames = ({ profiles }: Pick<Settings, "profiles">): ReadonlyArray<string> => [
  ...new Set([defaultProfile, ...Object.keys(profiles)]),
];

/** Throws UserError, with the closest names, for a profile that there is not. */
export const assertProfile = (settings: Pick<Settings, "profiles">, name: string): void => {
  const names = profileNames(settings);
  if (names.includes(name)) return;
  throw new UserError(
    `There is no profile ${JSON.stringify(name.slice(0, 100))}`,
    exitCodes.notFound,
    didYouMean(name, names) ?? `There are: ${names.join(", ")}. Make one with \`bne profile set NAME --base-url URL\`.`,
  );
};

/** Throws UsageError for a name that no profile may have. */
export const assertProfileName = (name: string): void => {
  if (!/^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/.test(name)) {
    throw new UsageError(
      `${JSON.stringify(name.slice(0, 100))} is not a name for a profile`,
      "Letters, digits, dot, dash and underscore, at most 64.",
    );
  }
};
