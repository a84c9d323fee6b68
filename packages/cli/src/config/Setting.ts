// The table of settings: names, values, where each may come from.
import { defaultBaseUrl, defaultRetryPolicy, didYouMean } from "@bytenite-engines/core/wire";
import { UsageError } from "@bytenite-engines/registry/command";
import type { Flag } from "../parse/Command.ts";
import { valueOf, type FlagValue } from "../parse/Arguments.ts";
import { outputForms } from "../parse/Flags.ts";
import { missingProgram } from "../terminal/Pager.ts";
import type { Environment } from "../terminal/Terminal.ts";

/** One setting: its kind is that of its flag. */
export interface Setting {
  readonly name: string;
  readonly variable?: string;
  readonly flag: Flag;
  /** What holds when nobody says anything. */
  readonly fallback: string | undefined;
  readonly summary: string;
  /** Whether a project file may set it: only how things look. */
  readonly project?: true;
}

/** Every setting. */
export const settingsTable: ReadonlyArray<Setting> = [
  {
    name: "profile",
    variable: "BYTENITE_PROFILE",
    flag: { name: "profile", kind: "text", summary: "" },
    fallback: "default",
    summary: "Profile in use",
  },
  {
    name: "baseUrl",
    variable: "BYTENITE_BASE_URL",
    flag: { name: "base-url", kind: "url", summary: "" },
    fallback: defaultBaseUrl,
    summary: "Where the API is, with its path",
  },
  {
    name: "authUrl",
    variable: "BYTENITE_AUTH_URL",
    flag: { name: "auth-url", kind: "url", summary: "" },
    fallback: undefined,
    summary: "Where API keys are exchanged for access tokens; found from the base URL when not set",
  },
  {
    name: "wireFormat",
    variable: "BYTENITE_WIRE_FORMAT",
    flag: { name: "wire-format", kind: "choice", choices: ["auto", "protobuf", "json"], summary: "" },
    fallback: "auto",
    summary: "Encoding between bne and the server: auto, protobuf or json",
  },
  {
    name: "output",
    variable: "BYTENITE_OUTPUT",
    flag: { name: "output", kind: "choice", choices: outputForms, summary: "" },
    fallback: "table",
    summary: "How data is written",
    project: true,
  },
  {
    name: "color",
    flag: { name: "color", kind: "choice", choices: ["auto", "always", "never"], summary: "" },
    fallback: "auto",
    summary: "Colour: auto, always or never",
    project: true,
  },
  {
    name: "pager",
    variable: "BYTENITE_PAGER",
    flag: { name: "pager", kind: "text", summary: "" },
    fallback: undefined,
    summary: "Pager on a terminal, `cat` for none; PAGER and then less when not set",
  },
  {
    name: "deadline",
    variable: "BYTENITE_DEADLINE",
    flag: { name: "deadline", kind: "duration", least: 1, summary: "" },
    fallback: "30s",
    summary: "Longest time for one call with all its attempts",
  },
  {
    name: "attempts",
    variable: "BYTENITE_ATTEMPTS",
    flag: { name: "attempts", kind: "count", least: 1, summary: "" },
    fallback: String(defaultRetryPolicy.maxAttempts),
    summary: "Requests sent for one call, at most",
  },
];

/** Settings allowed in a project file. */
export const projectSettings: ReadonlyArray<string> = settingsTable
  .filter(({ project }) => project === true)
  .map(({ name }) => name);

/** Shortest time for a call that is worth keeping as a setting, in milliseconds. */
const leastLastingDeadlineMs = 100;

/** Throws UsageError for a value that is fit for one call, but would make every later one fail. */
export const assertLasting = (setting: Setting, text: string, env: Environment): void => {
  const value = readSetting(setting, text, "the command line");
  if (setting.name === "deadline" && Number(value) < leastLastingDeadlineMs) {
    throw new UsageError(
      `deadline: with ${text} every call would time out`,
      `From ${leastLastingDeadlineMs}ms on; --deadline takes less for one call.`,
    );
  }
  if (setting.name === "pager") {
    const missing = missingProgram(text, env);
    if (missing !== undefined) throw new UsageError(`There is no program ${missing}`, "`cat` stands for no pager.");
  }
};

/** What settings of other programs are here: not accepted, but suggested. */
const settingsElsewhere: Readonly<Record<string, string>> = {
  timeout: "deadline",
  retries: "attempts",
  url: "baseUrl",
  host: "baseUrl",
  server: "baseUrl",
  format: "output or wireFormat",
};

/** The setting of a name, or UsageError with the closest one. */
export const settingOf = (name: string): Setting => {
  const setting = settingsTable.find((candidate) => candidate.name === name);
  if (setting !== undefined) return setting;
  const names = settingsTable.map((candidate) => candidate.name);
  throw new UsageError(
    `There is no setting ${JSON.stringify(name.slice(0, 100))}`,
    (Object.hasOwn(settingsElsewhere, name) ? `Did you mean ${settingsElsewhere[name]}?` : undefined) ??
      didYouMean(name, names) ??
      `There are: ${names.join(", ")}.`,
  );
};

/** Reads the text of a setting; errors name the place. */
export const readSetting = (setting: Setting, text: unknown, origin: string): FlagValue => {
  try {
    if (typeof text !== "string" && typeof text !== "number") throw new UsageError("it must be a text");
    return valueOf(setting.flag, String(text));
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const problem = error.message.replace(`--${setting.flag.name} `, "");
    throw new UsageError(`${setting.name} from ${origin}: ${problem}`, error.hint);
  }
};

/** Variables of the environment that mean something, for help and man page. */
export const environmentVariables: ReadonlyArray<readonly [name: string, text: string]> = [
  ["BYTENITE_TOKEN", "Access token"],
  ["BYTENITE_API_KEY", "API key, exchanged for access tokens"],
  ...settingsTable.flatMap(({ variable, summary }) => (variable === undefined ? [] : [[variable, summary] as const])),
  ["HTTP_PROXY, HTTPS_PROXY", "Proxy for http and https addresses; none for loopback hosts"],
  ["NO_PROXY", "Hosts without a proxy, between commas; .api.test has subdomains, too"],
  ["PAGER", "Pager, when no setting names one"],
  ["NO_COLOR, FORCE_COLOR, CLICOLOR", "Colour off, on, by habit"],
  ["XDG_CONFIG_HOME, XDG_CACHE_HOME", "Where settings and what is kept are, on every system"],
  ["NODE_COMPILE_CACHE", "Where compiled code is kept, instead of the cache directory"],
];
