// Values for completion: tags and names of the API, profiles, settings.
import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { join } from "node:path";
import type { Completion } from "../parse/Command.ts";
import { httpFetch, tokenOption } from "../client/Client.ts";
import { credentialsOf } from "../config/Credentials.ts";
import { directoriesOf, homeDirectory } from "../config/Directories.ts";
import { readText, writeOwn } from "../config/Files.ts";
import { profileNames, loadSettings, type Settings } from "../config/Settings.ts";
import { settingsTable } from "../config/Setting.ts";

/** Lifetime of cached tags, in milliseconds. */
const keptMs = 60_000;
/** Longest time of a lookup, in milliseconds. */
const limitMs = 2_000;
/** Most engines that are offered. */
const maxEngines = 1_000;

/** A candidate. */
export interface Candidate {
  readonly value: string;
  readonly summary: string;
}

/** Candidates of a kind; none after an error, which a shell cannot show. */
export const lookUp = async (
  what: Extract<Completion, string>,
  words: ReadonlyArray<string>,
): Promise<ReadonlyArray<Candidate>> => {
  try {
    if (what === "settings") return settingsTable.map(({ name, summary }) => ({ value: name, summary }));
    const directories = directoriesOf(process.platform, process.env, homeDirectory());
    const settings = await loadSettings({
      flags: flagsIn(words),
      env: process.env,
      cwd: process.cwd(),
      userFile: join(directories.config, "config.json"),
    });
    if (what === "profiles") return profileNames(settings).map((value) => ({ value, summary: "" }));
    const engines = await keptEngines(settings, flagsIn(words), directories.cache);
    return what === "tags"
      ? engines.map(({ name, version, type }) => ({ value: `${name}@${version}`, summary: type }))
      : [...new Set(engines.map(({ name }) => name))].map((value) => ({ value, summary: "" }));
  } catch {
    return [];
  }
};

/** Flags of the line that select server and credentials. */
const flagsIn = (words: ReadonlyArray<string>): Readonly<Record<string, string>> =>
  Object.fromEntries(
    ["base-url", "token", "profile"].flatMap((name) => {
      const inline = words.find((word) => word.startsWith(`--${name}=`))?.slice(name.length + 3);
      const index = words.indexOf(`--${name}`);
      const value = inline ?? (index < 0 ? undefined : words[index + 1]);
      return value === undefined || value === "" || value === "-" ? [] : [[name, value]];
    }),
  );

interface EngineName {
  readonly name: string;
  readonly version: string;
  readonly type: string;
}

const keptEngines = async (
  settings: Settings,
  flags: Readonly<Record<string, string>>,
  cache: string,
): Promise<ReadonlyArray<EngineName>> => {
  const found = await credentialsOf(settings, flags, process.env, async () => "");
  const baseUrl = settings.text("baseUrl") ?? "";
  // Another token sees other engines; the digest does not give the token away.
  const key = createHash("sha256")
    .update(`${baseUrl}\0${found?.secret ?? ""}`)
    .digest("hex");
  const path = join(cache, "completion", `${key}.json`);
  try {
    if (Date.now() - statSync(path).mtimeMs < keptMs)
      return JSON.parse(readText(path, "secret") ?? "") as ReadonlyArray<EngineName>;
  } catch {
    // Not there, or half of it: asked anew.
  }
  const engines = await askedEngines(baseUrl, found, cache);
  try {
    writeOwn(path, JSON.stringify(engines));
  } catch {
    // The next completion asks again.
  }
  return engines;
};

const askedEngines = async (
  baseUrl: string,
  found: Awaited<ReturnType<typeof credentialsOf>>,
  cache: string,
): Promise<ReadonlyArray<EngineName>> => {
  const { createEngineClient } = await import("@bytenite-engines/core/promise");
  const token = await tokenOption(found, cache);
  const client = createEngineClient({
    baseUrl,
    fetch: httpFetch(),
    deadlineMs: limitMs,
    ...(token === undefined ? {} : { token }),
  });
  const engines: Array<EngineName> = [];
  for await (const { name, version, type } of client.listAll({}, { signal: AbortSignal.timeout(limitMs) })) {
    engines.push({ name, version, type });
    if (engines.length >= maxEngines) break;
  }
  return engines;
};
