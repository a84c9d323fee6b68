// Decides: which keys of a file of settings mean nothing where they stand, and which ones were meant.
import { didYouMean } from "../Suggestion.ts";
import { safeText } from "../text/SafeText.ts";
import type { ConfigValues } from "./ConfigFile.ts";
import { settingsTable } from "./Setting.ts";

const settings = settingsTable.map(({ name }) => name);
/** What each place may say; editors look for `$schema`. */
const meant = {
  user: ["$schema", "profiles", ...settings],
  profile: ["credentials", "kind", ...settings.filter((name) => name !== "profile")],
} as const;
const everywhere = new Set<string>(Object.values(meant).flat());

/** Most keys that are told of one place; longest part of a key that is told, in characters. */
const maxTold = 5;
const maxKeyLength = 100;

/** A sentence for each key that means nothing in a place. `where` is told as it is. */
export const unknownKeys = (values: ConfigValues, place: keyof typeof meant, where: string): ReadonlyArray<string> => {
  const known: ReadonlyArray<string> = meant[place];
  const unknown = Object.keys(values).filter((key) => !known.includes(key));
  const told = unknown.slice(0, maxTold).map((key) => {
    const named = safeText(JSON.stringify(key.slice(0, maxKeyLength)));
    if (everywhere.has(key)) return `${where}: ${named} has no effect there`;
    return `${where}: there is no setting ${named}. ${didYouMean(key, known) ?? "It has no effect."}`;
  });
  return unknown.length > maxTold ? [...told, `${where}: ${unknown.length - maxTold} more are not known`] : told;
};
