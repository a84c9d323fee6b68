// Selection of stored responses by Vary (RFC 9111, 4.1).
import { fieldName, splitList } from "./CacheControl.ts";

/** A stored response as far as selection depends on it. */
export interface Selected {
  readonly response: Headers;
  /** Values of the fields that Vary names, by lower-case name; null where the request had none. */
  readonly selecting: ReadonlyMap<string, string | null>;
}

/**
 * The names in Vary, lower case, sorted, without repetition. `*` among them matches no request, and an invalid name counts
 * as `*`.
 */
export const varyNames = (headers: Headers): ReadonlyArray<string> =>
  [
    ...new Set(
      splitList(headers.get("vary") ?? "").map((name) => {
        const lower = name.toLowerCase();
        return fieldName.test(lower) ? lower : "*";
      }),
    ),
  ].toSorted();

/** The selecting fields of a request: those that Vary names, with null for an absent one. They are kept with the response. */
export const selectingFields = (response: Headers, request: Headers): ReadonlyMap<string, string | null> =>
  new Map(varyNames(response).map((name) => [name, request.get(name)]));

/** Whether a request selects a stored response. */
export const isSelectedBy = ({ response, selecting }: Selected, request: Headers): boolean => {
  for (const [name, stored] of selecting) {
    if (name === "*") return false;
    const value = request.get(name);
    if (normalized(name, stored) === normalized(name, value)) continue;
    if (name === "accept-language" && prefersLanguage(value, response.get("content-language"))) continue;
    return false;
  }
  return true;
};

/**
 * A normalized field value (RFC 9111, 4.1): without white space around commas and semicolons; languages in lower case, by
 * weight and then by name. An absent field differs from an empty one.
 */
const normalized = (name: string, value: string | null): string => {
  if (value === null) return "-";
  if (name === "accept-language") {
    return `+${languages(value)
      .map(({ range, quality }) => `${range};${quality}`)
      .join(",")}`;
  }
  const compact = value.replaceAll(/[ \t]*([,;])[ \t]*/g, "$1");
  return `+${compact.replaceAll(/[ \t]+/g, " ")}`;
};

/** Whether the language of a response is the one that Accept-Language prefers to all others (RFC 9110, 12.5.4). */
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

/** A Vary value with these names added. `*` stays as it is. */
export const withVary = (vary: string | null, names: ReadonlyArray<string>): string => {
  const present = splitList(vary ?? "");
  if (present.includes("*")) return "*";
  const lower = new Set(present.map((name) => name.toLowerCase()));
  return [...present, ...names.filter((name) => !lower.has(name.toLowerCase()))].join(", ");
};
