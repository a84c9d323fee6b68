// Selection of stored responses by Vary (RFC 9111, 4.1).
import { fieldName, splitList } from "./CacheControl.ts";
import { fieldValue, type HeaderFields } from "./HeaderFields.ts";

/** The request fields that Vary names, by lower-case name; null for an absent one. Plain JSON. */
export type SelectingFields = ReadonlyArray<readonly [name: string, value: string | null]>;

/** Number of names that are read from Vary: each costs a search in the fields of every later request. */
const maxVaryNames = 64;

/**
 * The names in Vary, lower case, sorted, without repetition. `*` among them matches no request; an invalid name, and more
 * than 64 names, count as `*`.
 */
export const varyNames = (headers: Headers): ReadonlyArray<string> => {
  const names = new Set(
    splitList(headers.get("vary") ?? "").map((name) => (fieldName.test(name) ? name.toLowerCase() : "*")),
  );
  return names.size > maxVaryNames ? ["*"] : [...names].toSorted();
};

/** The selecting fields of a request, which are kept with its response. */
export const selectingFields = (response: Headers, request: HeaderFields): SelectingFields =>
  varyNames(response).map((name) => [name, fieldValue(request, name)]);

/**
 * Whether a request selects a stored response. `contentLanguage` is that of the response: it also matches where
 * Accept-Language prefers it to all others.
 */
export const matchesVary = (
  selecting: SelectingFields,
  request: HeaderFields,
  contentLanguage: string | null,
): boolean =>
  selecting.every(([name, stored]) => {
    if (name === "*") return false;
    const value = fieldValue(request, name);
    return (
      value === stored ||
      normalized(name, stored) === normalized(name, value) ||
      (name === "accept-language" && prefersLanguage(value, contentLanguage))
    );
  });

// Quoted strings, separators and white space. A quoted string without a closing quote ends with the text, and a run of white
// space is one match, so that every text is read once.
const optionalSpace = /"(?:[^"\\]|\\[^])*(?:"|\\?$)|[ \t]*([,;])[ \t]*|[ \t]+/g;

/**
 * A normalized field value (RFC 9111, 4.1): without white space around commas and semicolons that are not quoted; languages
 * in lower case, in one order. An absent field differs from an empty one.
 */
const normalized = (name: string, value: string | null): string => {
  if (value === null) return "-";
  if (name === "accept-language") {
    return `+${languages(value)
      .map(({ range, quality }) => `${range};${quality}`)
      .toSorted()
      .join(",")}`;
  }
  const text = value
    .trim()
    .replaceAll(optionalSpace, (match, separator?: string) => separator ?? (match.startsWith('"') ? match : " "));
  return `+${text}`;
};

/** Whether the language of a response is the one that Accept-Language prefers to all others (RFC 9110, 12.5.4). */
const prefersLanguage = (acceptLanguage: string | null, contentLanguage: string | null): boolean => {
  if (acceptLanguage === null || contentLanguage === null) return false;
  const [first, second] = languages(acceptLanguage).toSorted((a, b) => b.quality - a.quality);
  return first !== undefined && first.quality > (second?.quality ?? 0) && first.range === contentLanguage.toLowerCase();
};

const languages = (acceptLanguage: string): ReadonlyArray<{ readonly range: string; readonly quality: number }> =>
  splitList(acceptLanguage.toLowerCase()).map((element) => {
    const [range = "", weight] = element.split(";").map((part) => part.trim());
    const quality = Number(/^q=(.*)$/s.exec(weight ?? "")?.[1]);
    return { range, quality: quality >= 0 ? Math.min(quality, 1) : 1 };
  });

/** A Vary value with these names added. `*` stays as it is. */
export const withVary = (vary: string | null, names: ReadonlyArray<string>): string => {
  const present = splitList(vary ?? "");
  if (present.includes("*")) return "*";
  const lower = new Set(present.map((name) => name.toLowerCase()));
  return [...present, ...names.filter((name) => !lower.has(name.toLowerCase()))].join(", ");
};
