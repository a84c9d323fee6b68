// Decides: which directives a Cache-Control field holds (RFC 9111, 5.2).

/** Largest delta in seconds that is told apart; greater ones mean this (RFC 9111, 1.2.2). */
export const maxDeltaSeconds = 2_147_483_648;

/** Directives by lower-case name. A directive without an argument has the value true. */
export type Directives = ReadonlyMap<string, string | true>;

const token = /^[!#$%&'*+.^_`|~0-9a-z-]+$/;

/**
 * The directives of a Cache-Control field. Names are case-insensitive; arguments may be tokens or quoted strings; what
 * is neither is passed over. Of a directive that is given twice the first counts (RFC 9111, 4.2.1).
 */
export const parseDirectives = (field: string | null | undefined): Directives => {
  const directives = new Map<string, string | true>();
  for (const element of splitList(field ?? "")) {
    const equals = element.indexOf("=");
    const name = (equals < 0 ? element : element.slice(0, equals)).toLowerCase();
    if (!token.test(name) || directives.has(name)) continue;
    directives.set(name, equals < 0 ? true : unquoted(element.slice(equals + 1)));
  }
  return directives;
};

/** The elements of a comma-separated list, trimmed, empty ones left out; commas in quoted strings do not separate. */
export const splitList = (field: string): ReadonlyArray<string> => {
  const elements: Array<string> = [];
  let start = 0;
  let quoted = false;
  for (let index = 0; index <= field.length; index++) {
    const char = field[index];
    if (quoted && char === "\\") index += 1;
    else if (char === '"') quoted = !quoted;
    else if (char === undefined || (char === "," && !quoted)) {
      const element = field.slice(start, index).trim();
      if (element !== "") elements.push(element);
      start = index + 1;
    }
  }
  return elements;
};

const unquoted = (argument: string): string =>
  argument.length >= 2 && argument.startsWith('"') && argument.endsWith('"')
    ? argument.slice(1, -1).replaceAll(/\\(.)/g, "$1")
    : argument;

/**
 * Seconds that a directive's argument names. Undefined: the directive is absent. An argument that is no whole number
 * gives 0: freshness that cannot be read is no freshness (RFC 9111, 4.2.1).
 */
export const deltaSeconds = (directives: Directives, name: string): number | undefined => {
  const argument = directives.get(name);
  if (argument === undefined) return undefined;
  if (argument === true || !/^[0-9]+$/.test(argument)) return 0;
  return Math.min(Number(argument), maxDeltaSeconds);
};

/** The field names in a directive's argument, lower case (`no-cache="a, b"`). Empty: no argument, or no directive. */
export const fieldNames = (directives: Directives, name: string): ReadonlyArray<string> => {
  const argument = directives.get(name);
  if (argument === undefined || argument === true) return [];
  return splitList(argument).map((field) => field.toLowerCase());
};
