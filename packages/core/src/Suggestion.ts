// Known names close to a mistyped one.

/** Most names that are suggested. */
const maxSuggestions = 3;
/** Longest name that is compared, in characters. */
const maxLength = 100;

/**
 * The known names closest to a mistyped one, best first; none when nothing is close. Close are one slip in three characters
 * (at least one), and names that begin with it or, from four characters on, have it in them. Case is ignored.
 */
export const closest = (mistyped: string, known: Iterable<string>): ReadonlyArray<string> => {
  const word = mistyped.slice(0, maxLength).toLowerCase();
  const allowed = Math.max(1, Math.floor(word.length / 3));
  const scored: Array<{ readonly name: string; readonly score: number }> = [];
  for (const name of [...new Set(known)].toSorted()) {
    const other = name.slice(0, maxLength).toLowerCase();
    const begins = word.length > 2 && other.startsWith(word);
    const score = begins ? 0.5 : slipsBetween(word, other);
    if (score <= allowed) scored.push({ name, score });
    else if (word.length > 3 && other.includes(word)) scored.push({ name, score: allowed });
  }
  scored.sort((a, b) => a.score - b.score);
  return scored.slice(0, maxSuggestions).map(({ name }) => name);
};

/** `Did you mean a, b or c?`, or undefined when nothing is close. */
export const didYouMean = (mistyped: string, known: Iterable<string>, prefix = ""): string | undefined => {
  const names = closest(mistyped, known).map((name) => prefix + name);
  const last = names.pop();
  return last === undefined
    ? undefined
    : `Did you mean ${names.length === 0 ? last : `${names.join(", ")} or ${last}`}?`;
};

/** Characters to change, add, leave out, or exchange with their neighbour (optimal string alignment). */
const slipsBetween = (one: string, other: string): number => {
  let before: ReadonlyArray<number> = [];
  let row: ReadonlyArray<number> = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      const isSame = one[i - 1] === other[j - 1];
      const isExchanged = one[i - 1] === other[j - 2] && one[i - 2] === other[j - 1];
      next.push(
        Math.min(
          (row[j - 1] as number) + (isSame ? 0 : 1),
          (row[j] as number) + 1,
          (next[j - 1] as number) + 1,
          isExchanged ? (before[j - 2] as number) + 1 : Infinity,
        ),
      );
    }
    [before, row] = [row, next];
  }
  return row[other.length] as number;
};
