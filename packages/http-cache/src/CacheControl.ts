// Syntax of Cache-Control (RFC 9111, 5.2).

/** Largest delta-seconds value, in seconds; greater ones are read as this one (RFC 9111, 1.2.2). */
export const maxDeltaSeconds = 2_147_483_648;

/**
 * Directives by lower-case name: the argument, `true` without one, and the empty string where the directive is
 * malformed.
 */
export type Directives = ReadonlyMap<string, string | true>;

/** `cache-directive` of RFC 9111, 5.2: a name, and perhaps a token or a quoted string as its argument. */
const directive = /^([\w!#$%&'*+.^`|~-]+)(?:=(?:([\w!#$%&'*+.^`|~-]+)|"((?:[^"\\]|\\.)*)"))?$/;
/**
 * A quoted string, perhaps with the end of the name whose argument it is; or the rest of the text where the closing quote is
 * missing, so that every text is read once.
 */
const quotedStrings = /([\w!#$%&'*+.^`|~-]\s*=\s*)?"((?:[^"\\]|\\[^])*)("|\\?$)/g;
const tokens = /[\w!#$%&'*+.^`|~-]+/g;

/** Directives that count even when they are malformed, because they only restrict a cache. */
const restrictive: ReadonlySet<string> = new Set([
  "max-age",
  "min-fresh",
  "must-revalidate",
  "no-cache",
  "no-store",
  "no-transform",
  "private",
  "proxy-revalidate",
  "s-maxage",
  "stale-if-error",
  "stale-while-revalidate",
]);

/**
 * The directives of a Cache-Control field. A malformed list element such as `max-age = 0`, `no-store;max-age=0` or
 * `"no-store"` grants nothing: the restrictive directives in it count, without an argument. The first of repeated directives counts
 * (RFC 9111, 4.2.1), unless a later one is malformed or has no argument; without one, `max-stale` grants most.
 */
export const parseDirectives = (field: string | null | undefined): Directives => {
  const directives = new Map<string, string | true>();
  for (const element of splitList(field ?? "")) {
    const match = directive.exec(element);
    if (match === null) {
      for (const [token] of withoutArguments(element).matchAll(tokens)) {
        const name = token.toLowerCase();
        if (restrictive.has(name)) directives.set(name, "");
      }
      continue;
    }
    const [, name = "", token, quoted] = match;
    add(directives, name.toLowerCase(), token ?? (quoted === undefined || unescaped(quoted)));
  }
  return directives;
};

const unescaped = (quoted: string): string => quoted.replaceAll(/\\(.)/g, "$1");

/** A text without quoted arguments, and without the quotes of other quoted strings. */
const withoutArguments = (text: string): string =>
  text.replaceAll(quotedStrings, (all, name: string | undefined, quoted: string, end) =>
    end === '"' ? (name ?? ` ${unescaped(quoted)} `) : all,
  );

const add = (directives: Map<string, string | true>, name: string, argument: string | true): void => {
  const first = directives.get(name);
  const isStricter = argument === "" || (argument === true && name !== "max-stale");
  if (first === undefined || (first !== "" && isStricter)) directives.set(name, argument);
  // Repeated lists of field names are one list.
  else if (first !== "" && first !== true && /^(?:no-cache|private)$/.test(name)) {
    directives.set(name, `${first},${argument}`);
  }
};

/** The elements of a comma-separated list, trimmed and without empty ones. Commas in quoted strings do not separate. */
export const splitList = (field: string): ReadonlyArray<string> => {
  const elements: Array<string> = [];
  let start = 0;
  let quoted = false;
  for (let index = 0; index < field.length; index++) {
    const char = field[index];
    if (char === '"') quoted = !quoted;
    else if (quoted && char === "\\") index += 1;
    else if (char === "," && !quoted) {
      elements.push(field.slice(start, index));
      start = index + 1;
    }
  }
  elements.push(field.slice(start));
  return elements.map((element) => element.trim()).filter((element) => element !== "");
};

/** Whether an argument is a number of seconds. */
export const isDeltaSeconds = (argument: string | true | undefined): argument is string =>
  typeof argument === "string" && /^[0-9]+$/.test(argument);

/**
 * The argument of a directive, in seconds. Undefined: the directive is absent. 0: the argument is missing or invalid, so
 * that the response counts as stale (RFC 9111, 4.2.1).
 */
export const deltaSeconds = (directives: Directives, name: string): number | undefined => {
  const argument = directives.get(name);
  if (argument === undefined) return undefined;
  return isDeltaSeconds(argument) ? Math.min(Number(argument), maxDeltaSeconds) : 0;
};

/** What a field name consists of (RFC 9110, 5.6.2). */
export const fieldName = /^[\w!#$%&'*+.^`|~-]+$/;

/**
 * The field names in a directive's argument, lower case (`no-cache="a, b"`). Undefined: the directive is absent or
 * unqualified, or one of the names is invalid, which makes it unqualified.
 */
export const fieldNames = (directives: Directives, name: string): ReadonlyArray<string> | undefined => {
  const argument = directives.get(name);
  if (argument === undefined || argument === true) return undefined;
  const names = splitList(argument).map((field) => field.toLowerCase());
  return names.length > 0 && names.every((field) => fieldName.test(field)) ? names : undefined;
};
