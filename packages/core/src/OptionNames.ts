// Names and kinds of options.
import { closest } from "./Suggestion.ts";

/** Throws TypeError for an unknown name, with the closest one, and for options other than an object. */
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
    const [near] = closest(name, known);
    const path = within === "" ? name : `${within}.${name}`;
    throw new TypeError(
      `there is no ${what} ${JSON.stringify(path)}${near === undefined ? `; known are ${known.join(", ")}` : `; did you mean ${JSON.stringify(near)}?`}`,
    );
  }
};

/** Throws TypeError for options other than an object. */
export function assertObject(given: unknown, name = "options"): asserts given is object {
  if (typeof given !== "object" || given === null || Array.isArray(given))
    throw new TypeError(`${name} must be an object, not ${kindOf(given)}`);
}

/** What an option must be, and a test of that. */
export type OptionRule = readonly [must: string, test: (value: unknown) => boolean];

export const booleanRule: OptionRule = ["true or false", (value) => typeof value === "boolean"];

/** Throws TypeError for an option that is given, and is not what its rule says. A value is shown for a choice of words, and a number for a number: another's may be a secret. */
export const assertOptionTypes = (options: object, rules: Readonly<Record<string, OptionRule>>): void => {
  for (const name in rules) {
    const value = (options as Readonly<Record<string, unknown>>)[name];
    if (value === undefined) continue;
    const [must, test] = rules[name] ?? booleanRule;
    if (test(value)) continue;
    const isNumber = typeof value === "number" && must.includes("number");
    const shown = isNumber ? value : must.startsWith('"') ? JSON.stringify(value) : kindOf(value);
    throw new TypeError(`${name} must be ${must}${must.startsWith("an ") ? "" : `, not ${shown}`}`);
  }
};

/** Throws RangeError for what is no number from the least one on. */
export const assertNumber = (name: string, value: unknown, least: number): void => {
  if (!(typeof value === "number" && value >= least))
    throw new RangeError(
      `${name} must be a number from ${least}, not ${typeof value === "number" ? value : kindOf(value)}`,
    );
};

/** What kind of value an option has: its text may be a secret. */
export const kindOf = (value: unknown): string => {
  if (value === null || value === undefined) return String(value);
  if (Array.isArray(value)) return "an array";
  return typeof value === "object" ? "an object" : `a ${typeof value}`;
};

/** Whether a value has these methods. */
export const hasMethods = (value: unknown, ...names: ReadonlyArray<string>): boolean => {
  if (typeof value !== "object" || value === null) return false;
  for (const name of names) if (typeof (value as Readonly<Record<string, unknown>>)[name] !== "function") return false;
  return true;
};

/** Options of which each may be left out or undefined. */
export type Given<T> = { readonly [K in keyof T]?: T[K] | undefined };

/** The values that are not undefined. */
export const defined = <T extends object>(
  values: T | undefined,
): { readonly [K in keyof T]?: Exclude<T[K], undefined> } =>
  Object.fromEntries(Object.entries(values ?? {}).filter(([, value]) => value !== undefined)) as T;
