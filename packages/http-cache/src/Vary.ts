// Decides: which request fields choose among stored answers, and whether a request's fields match (RFC 9111, 4.1).
import { splitList } from "./Directives.ts";

/** The names in Vary, lower case, sorted, without repetition; `*` among them means that nothing ever matches. */
export const varyNames = (headers: Headers): ReadonlyArray<string> =>
  [...new Set(splitList(headers.get("vary") ?? "").map((name) => name.toLowerCase())).values()].toSorted();

/** The part of a key that Vary adds: the request's values of the named fields, normalised. */
export const variantOf = (names: ReadonlyArray<string>, request: Headers): string =>
  names.map((name) => `${name}:${normalised(request.get(name))}`).join("\n");

/**
 * A field value in a form in which equal meaning is more often equal text: white space around commas and semicolons
 * dropped (RFC 9111, 4.1 allows normalising in ways known not to change the meaning). An absent field differs from an
 * empty one.
 */
const normalised = (value: string | null): string =>
  value === null
    ? "-"
    : `+${value
        .trim()
        .replaceAll(/[ \t]*([,;])[ \t]*/g, "$1")
        .replaceAll(/[ \t]+/g, " ")}`;

/** Adds names to a Vary value, keeping what is there; `*` stays alone. */
export const withVary = (vary: string | null, names: ReadonlyArray<string>): string => {
  const present = splitList(vary ?? "");
  if (present.includes("*")) return "*";
  const lower = new Set(present.map((name) => name.toLowerCase()));
  return [...present, ...names.filter((name) => !lower.has(name.toLowerCase()))].join(", ");
};
