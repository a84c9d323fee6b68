// Decides: which request fields choose among stored answers, and whether a request's fields match (RFC 9111, 4.1).
import { splitList } from "./Directives.ts";

/** What a stored answer was selected by: its own header, and the fields of the request that it answered. */
export interface Selected {
  readonly response: Headers;
  /** Values of the fields that Vary names, by lower-case name; null where the request had none. */
  readonly selecting: ReadonlyMap<string, string | null>;
}

/** What a field name consists of (RFC 9110, 5.6.2). */
const token = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;

/**
 * The names in Vary, lower case, sorted, without repetition; `*` among them means that nothing ever matches. What is no name
 * counts as `*`: nobody can tell what it wants compared.
 */
export const varyNames = (headers: Headers): ReadonlyArray<string> =>
  [
    ...new Set(
      splitList(headers.get("vary") ?? "").map((name) => {
        const lower = name.toLowerCase();
        return token.test(lower) ? lower : "*";
      }),
    ),
  ].toSorted();

/** The values to keep with a stored answer, so that later requests can be held against them. */
export const selectingFields = (response: Headers, request: Headers): ReadonlyMap<string, string | null> =>
  new Map(varyNames(response).map((name) => [name, request.get(name)]));

/** Whether a stored answer is one that this request would select. */
export const isSelectedBy = ({ response, selecting }: Selected, request: Headers): boolean => {
  for (const [name, stored] of selecting) {
    if (name === "*") return false;
    const value = request.get(name);
    if (normalised(name, stored) === normalised(name, value)) continue;
    if (name === "accept-language" && prefersLanguage(value, response.get("content-language"))) continue;
    return false;
  }
  return true;
};

/**
 * A field value in a form in which equal meaning is more often equal text (RFC 9111, 4.1): white space around commas and
 * semicolons dropped; languages in lower case, by weight and then by name. An absent field differs from an empty one.
 */
const normalised = (name: string, value: string | null): string => {
  if (value === null) return "-";
  if (name === "accept-language") {
    return `+${languages(value)
      .map(({ range, quality }) => `${range};${quality}`)
      .join(",")}`;
  }
  const compact = value.replaceAll(/[ \t]*([,;])[ \t]*/g, "$1");
  return `+${compact.replaceAll(/[ \t]+/g, " ")}`;
};

/** Whether an answer's only language is the one that Accept-Language wants above all others (RFC 9110, 12.5.4). */
const prefersLanguage = (acceptLanguage: string | null, contentLanguage: string | null): boolean => {
  if (acceptLanguage === null || contentLanguage === null) return false;
  const [first, second] = languages(acceptLanguage);
  return first !== undefined && first.quality > (second?.quality ?? 0) && first.range === contentLanguage.toLowerCase();
};

const languages = (acceptLanguage: string): ReadonlyArray<{ readonly range: string; readonly quality: number }> =>
  splitList(acceptLanguage.toLowerCase())
    .map((element) => {
      const [range = "", weight = "q=1"] = element.split(";").map((part) => part.trim());
      const quality = Number(weight.startsWith("q=") ? weight.slice(2) : Number.NaN);
      return { range, quality: quality >= 0 && quality <= 1 ? quality : 1 };
    })
    .toSorted((a, b) => b.quality - a.quality || (a.range < b.range ? -1 : 1));

/** Adds names to a Vary value, keeping what is there; `*` stays alone. */
export const withVary = (vary: string | null, names: ReadonlyArray<string>): string => {
  const present = splitList(vary ?? "");
  if (present.includes("*")) return "*";
  const lower = new Set(present.map((name) => name.toLowerCase()));
  return [...present, ...names.filter((name) => !lower.has(name.toLowerCase()))].join(", ");
};
