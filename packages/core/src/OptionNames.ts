// Names of options, and the closest name to a wrong one.

/** Throws TypeError for a name that is not known, and names the closest one; for options that are no object. */
export const assertOptionNames = (
  given: unknown,
  known: ReadonlyArray<string>,
  within = "",
  what: "option" | "parameter" = "option",
): void => {
  if (given === undefined) return;
  assertObject(given, within === "" ? `${what}s` : within);
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue;
    const closest = closestTo(name, known);
    const path = within === "" ? name : `${within}.${name}`;
    throw new TypeError(
      `there is no ${what} ${JSON.stringify(path)}${closest === undefined ? `; known are ${known.join(", ")}` : `; did you mean ${JSON.stringify(closest)}?`}`,
    );
  }
};

/** Throws TypeError for options other than an object. */
export function assertObject(given: unknown, name = "options"): asserts given is object {
  if (typeof given !== "object" || given === null || Array.isArray(given))
    throw new TypeError(`${name} must be an object, not ${kindOf(given)}`);
}

/** What kind of value an option has: its text may be a secret. */
export const kindOf = (value: unknown): string => {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
};

/** Whether a value has these methods. */
export const hasMethods = (value: unknown, ...names: ReadonlyArray<string>): boolean =>
  typeof value === "object" &&
  value !== null &&
  names.every((name) => typeof (value as Readonly<Record<string, unknown>>)[name] === "function");

/** The most letters that a name may differ in, as a part of its length. */
const mostDifferent = 0.4;

const closestTo = (name: string, known: ReadonlyArray<string>): string | undefined => {
  const given = name.toLowerCase();
  let best: string | undefined;
  let least = Math.max(2, Math.floor(given.length * mostDifferent)) + 1;
  for (const candidate of known) {
    const letters = differentLetters(given, candidate.toLowerCase());
    if (letters < least) [best, least] = [candidate, letters];
  }
  return best ?? known.find((candidate) => given.length > 3 && candidate.toLowerCase().includes(given));
};

/** Letters to be changed, added or left out (Levenshtein). */
const differentLetters = (one: string, other: string): number => {
  let row = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      const changed = (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1);
      next.push(Math.min(changed, (row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1));
    }
    row = next;
  }
  return row[other.length] ?? 0;
};
