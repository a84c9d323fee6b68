// Known words close to a mistyped one.
import { distance } from "fastest-levenshtein";

/** Most suggestions that are made. */
const maxSuggestions = 3;
/** Longest word that is compared, in characters. */
const maxLength = 100;

/** The known words closest to a mistyped one, best first; none when nothing is close. */
export const closest = (mistyped: string, known: Iterable<string>): ReadonlyArray<string> => {
  const word = mistyped.slice(0, maxLength).toLowerCase();
  const allowed = Math.max(1, Math.floor(word.length / 3));
  const scored: Array<{ readonly name: string; readonly score: number }> = [];
  for (const name of new Set(known)) {
    const other = name.toLowerCase();
    const score = word.length > 2 && other.startsWith(word) ? 0.5 : swapped(word, other) ? 1 : distance(word, other);
    if (score <= allowed) scored.push({ name, score });
  }
  scored.sort((a, b) => a.score - b.score || (a.name < b.name ? -1 : 1));
  return scored.slice(0, maxSuggestions).map(({ name }) => name);
};

/** Two neighbours changed places: the commonest slip, which counts as two in plain edit distance. */
const swapped = (a: string, b: string): boolean => {
  if (a.length !== b.length || a === b) return false;
  const first = a.split("").findIndex((char, index) => char !== b[index]);
  return a[first] === b[first + 1] && a[first + 1] === b[first] && a.slice(first + 2) === b.slice(first + 2);
};

/** `Did you mean a, b or c?`, or undefined when nothing is close. */
export const didYouMean = (mistyped: string, known: Iterable<string>, prefix = ""): string | undefined => {
  const names = closest(mistyped, known).map((name) => prefix + name);
  if (names.length === 0) return undefined;
  const last = names.pop();
  return `Did you mean ${names.length === 0 ? last : `${names.join(", ")} or ${last}`}?`;
};
