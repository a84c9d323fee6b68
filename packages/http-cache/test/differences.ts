// How CachePolicy differs from http-cache-semantics 4.3, and which sentence says so.
import { heuristicStatuses } from "../src/Freshness.ts";
import { parseHttpDate, formatHttpDate } from "../src/HttpDate.ts";
import type { PolicyOptions } from "../src/compat/index.ts";

export type Fields = Readonly<Record<string, string>>;

/** A response is stored for a request; later comes another request, and a response to its validation. */
export interface Case {
  readonly options: PolicyOptions;
  readonly request: { readonly url: string; readonly method: string; readonly headers: Fields };
  readonly response: { readonly status: number; readonly headers: Fields };
  readonly elapsedMs: number;
  readonly second: { readonly url: string; readonly method: string; readonly headers: Fields };
  readonly validation: { readonly status: number; readonly headers: Fields };
}

/** One difference, and the sentence of the RFC that demands it. */
export interface Difference {
  readonly here: string;
  readonly there: string;
  readonly source: string;
  /** The same case without what this difference is about; the case itself where it is not about it. */
  readonly without?: (given: Case) => Case;
}

type Message = "request" | "response" | "second" | "validation";

const withField = (given: Case, message: Message, name: string, value: string | undefined): Case => {
  if (given[message].headers[name] === value) return given;
  const { [name]: _, ...headers } = given[message].headers;
  return {
    ...given,
    [message]: { ...given[message], headers: value === undefined ? headers : { ...headers, [name]: value } },
  };
};

const fieldOf = (given: Case, message: Message, name: string): string | undefined => given[message].headers[name];

/** Members of Cache-Control in generated cases: no quoted commas but in what `quoted` removes. */
const members = (given: Case, message: Message): ReadonlyArray<string> =>
  (fieldOf(given, message, "cache-control") ?? "").split(/,\s*/).filter((member) => member !== "");

const withMembers = (given: Case, message: Message, change: (all: ReadonlyArray<string>) => ReadonlyArray<string>) => {
  const before = fieldOf(given, message, "cache-control");
  if (before === undefined) return given;
  const after = change(members(given, message)).join(", ");
  return after === members(given, message).join(", ") ? given : withField(given, message, "cache-control", after);
};

const has = (given: Case, message: Message, name: string): boolean =>
  members(given, message).some((member) => member.toLowerCase().split("=")[0] === name);

const withoutMembers = (given: Case, message: Message, ...names: ReadonlyArray<string>): Case =>
  withMembers(given, message, (all) => all.filter((member) => !names.includes(member.split("=")[0] ?? "")));

const controls: ReadonlyArray<Message> = ["request", "response", "second"];
const everyControl = (given: Case, change: (given: Case, message: Message) => Case): Case =>
  controls.reduce((changed, message) => change(changed, message), given);

const isShared = (given: Case): boolean => given.options.shared !== false;

const durations = ["max-age", "s-maxage", "stale-while-revalidate", "stale-if-error", "min-fresh", "max-stale"];

/** A well-formed member in place of a malformed one, with its most restrictive sense; `"": it grants nothing. */
const wellFormed = (member: string): string => {
  const match = /^([\w-]+)(?:=("?)([^"]*)\2)?$/.exec(member);
  const words = member.split(/[^\w-]+/);
  const names = words.filter((word) => restrictive.has(word.toLowerCase()));
  if (match === null || / |;/.test(member))
    return names.map((name) => (durations.includes(name) ? `${name}=0` : name)).join(", ");
  const [, name = "", , argument] = match;
  if (["public", "must-understand"].includes(name) && argument !== undefined) return "";
  if (!durations.includes(name)) return member;
  if (argument === undefined) return name === "max-stale" ? name : `${name}=${name === "min-fresh" ? 2 ** 31 : 0}`;
  if (/^[0-9]+$/.test(argument)) return `${name}=${Math.min(Number(argument), 2 ** 31)}`;
  return `${name}=${name === "min-fresh" ? 2 ** 31 : 0}`;
};
const restrictive = new Set([
  ...durations.filter((name) => name !== "max-stale"),
  "no-cache",
  "no-store",
  "private",
  "must-revalidate",
  "proxy-revalidate",
]);

const understoodThere = new Set([200, 203, 204, 300, 301, 302, 303, 307, 308, 404, 405, 410, 414, 501]);

const validators = ["etag", "last-modified"];
const opaque = (tag: string | undefined): string | undefined => tag?.replace(/^W\//, "");
const isWeak = (tag: string | undefined): boolean => tag?.startsWith("W/") === true;

/** A date as an IMF-fixdate; undefined for what is not an HTTP-date. */
const imf = (date: string): string | undefined => {
  const ms = parseHttpDate(date);
  return ms === undefined ? undefined : formatHttpDate(ms);
};

export const differences: ReadonlyArray<Difference> = [
  {
    here: "names of directives in any case: `No-Store` is obeyed",
    there: "only lower case",
    source: 'RFC 9111, 5.2: "identified by a token, to be compared case-insensitively"',
    without: (given) =>
      everyControl(given, (changed, message) =>
        withMembers(changed, message, (all) => all.map((member) => member.toLowerCase())),
      ),
  },
  {
    here: "nothing inside a quoted argument is a directive",
    there: "commas in quotes separate",
    source: 'RFC 9111, 5.2: "an optional argument that can use both token and quoted-string syntax"',
    without: (given) =>
      everyControl(given, (changed, message) => {
        const field = fieldOf(changed, message, "cache-control");
        return field === undefined
          ? changed
          : withField(changed, message, "cache-control", field.replaceAll(/ext="[^"]*",? ?/g, ""));
      }),
  },
  {
    here: 'malformed directives have their most restrictive sense: `max-age = 60`, `max-age=1.5`, `max-age=` and `"max-age=60"` are stale, `no-store;max-age=60` and `"no-store"` are `no-store`, `public=1` grants nothing',
    there:
      "leading digits count, spaces are ignored, `max-age=` is absent, semicolons and quotes make another directive",
    source:
      'RFC 9111, 4.2.1: "Caches are encouraged to consider responses that have invalid freshness information [...] to be stale."',
    without: (given) =>
      everyControl(given, (changed, message) =>
        withMembers(changed, message, (all) => all.map(wellFormed).filter((member) => member !== "")),
      ),
  },
  {
    here: "of repeated directives the first counts",
    there: "the last",
    source: 'RFC 9111, 4.2.1: "either the first occurrence should be used or the response should be considered stale"',
    without: (given) =>
      everyControl(given, (changed, message) =>
        withMembers(changed, message, (all) =>
          all.filter(
            (member, index) => all.findIndex((other) => other.split("=")[0] === member.split("=")[0]) === index,
          ),
        ),
      ),
  },
  {
    here: 'with field names, `private="x"` and `no-cache="x"` withhold the fields and allow the rest',
    there: "as without field names",
    source:
      'RFC 9111, 5.2.2.7: "MAY store the remainder of the response message without those header fields"; likewise 5.2.2.4',
    without: (given) =>
      withMembers(given, "response", (all) => all.map((member) => member.replace(/^(private|no-cache)=.+$/, "$1"))),
  },
  {
    here: "`must-revalidate` and, in a shared cache, `proxy-revalidate` allow fresh use",
    there: "they forbid every use",
    source: 'RFC 9111, 5.2.2.2: "once the response has become stale"; likewise 5.2.2.8',
    without: (given) => {
      if (!has(given, "response", "must-revalidate") && !has(given, "response", "proxy-revalidate")) return given;
      // Permission to store with Authorization stays.
      const permits =
        has(given, "response", "must-revalidate") && fieldOf(given, "request", "authorization") !== undefined;
      const changed = withoutStaleUse(withoutMembers(given, "response", "must-revalidate", "proxy-revalidate"));
      return permits ? withField(changed, "request", "authorization", undefined) : changed;
    },
  },
  {
    here: "`max-stale`, `stale-while-revalidate` and `stale-if-error` do not override `no-cache`, `no-store`, `private`, `s-maxage`, `must-revalidate` and `proxy-revalidate`",
    there: "they do, and `timeToLive` counts them",
    source:
      'RFC 9111, 4.2.4: "A cache MUST NOT generate a stale response if it is prohibited by an explicit in-protocol directive"',
    without: (given) => {
      const forbids =
        ["no-cache", "no-store", "private", "must-revalidate", "proxy-revalidate"].some((name) =>
          has(given, "response", name),
        ) ||
        (isShared(given) && has(given, "response", "s-maxage")) ||
        has(given, "request", "no-store") ||
        fieldOf(given, "request", "authorization") !== undefined ||
        fieldOf(given, "response", "pragma") !== undefined ||
        (isShared(given) && fieldOf(given, "response", "set-cookie") !== undefined) ||
        fieldOf(given, "response", "vary")?.includes("*") === true ||
        !heuristicStatuses.has(given.response.status) ||
        given.request.method === "POST";
      return forbids ? withoutStaleUse(given) : given;
    },
  },
  {
    here: "`max-age` without `max-stale` in a request takes nothing stale",
    there: "`stale-while-revalidate` applies",
    source:
      'RFC 9111, 5.2.1.1: "Unless the max-stale request directive is also present, the client does not wish to receive a stale response."',
    without: (given) =>
      has(given, "second", "max-age") && !has(given, "second", "max-stale")
        ? withoutMembers(given, "response", "stale-while-revalidate")
        : given,
  },
  {
    here: "within `stale-while-revalidate`, `max-stale` does not prevent the validation in the background",
    there: "it does",
    source: 'RFC 5861, 3: "the cache SHOULD attempt to revalidate it while still serving stale responses"',
    without: (given) =>
      has(given, "second", "max-stale") ? withoutMembers(given, "response", "stale-while-revalidate") : given,
  },
  {
    here: "a response that is stale for exactly `max-stale` is accepted",
    there: "it is not",
    source: 'RFC 9111, 5.2.1.2: "exceeded its freshness lifetime by no more than the specified number of seconds"',
    without: (given) =>
      has(given, "second", "max-stale") && given.elapsedMs % 1000 === 0
        ? { ...given, elapsedMs: given.elapsedMs + 250 }
        : given,
  },
  {
    here: "`must-understand` overrides `no-store` where the status is known, and forbids to store others",
    there: "it is ignored",
    source:
      'RFC 9111, 5.2.2.3: "SHOULD ignore the no-store directive if it understands the status code\'s caching requirements"',
    without: (given) =>
      has(given, "response", "must-understand")
        ? withoutMembers(given, "response", "must-understand", "no-store")
        : given,
  },
  {
    here: "`public`, `max-age`, `s-maxage` and Expires make any final status cacheable, but 206, 304, 412 and 416",
    there: "only statuses of a list",
    source:
      'RFC 9111, 3: "if the response status code is 206 or 304, or the must-understand cache directive is present: the cache understands the response status code"',
    without: (given) =>
      understoodThere.has(given.response.status) || [206, 304, 412, 416].includes(given.response.status)
        ? given
        : { ...given, response: { ...given.response, status: 302 } },
  },
  {
    here: "`private` makes a response cacheable in a private cache",
    there: "it does not",
    source: 'RFC 9111, 3: "a private response directive, if the cache is not shared"',
    without: (given) => (isShared(given) ? given : withoutMembers(given, "response", "private")),
  },
  {
    here: "responses to POST are not stored",
    there: "they serve other POST requests",
    source:
      'RFC 9110, 9.3.3: "a POST request cannot be satisfied by a cached POST response because POST is potentially unsafe"',
    without: (given) =>
      given.request.method === "POST"
        ? { ...given, request: { ...given.request, method: "GET" }, second: { ...given.second, method: "GET" } }
        : given,
  },
  {
    here: "`Vary: X, *` matches no request and is never fresh",
    there: "`*` counts only alone for freshness",
    source:
      'RFC 9111, 4.1: "A stored response with a Vary header field value containing a member \\"*\\" always fails to match."',
    without: (given) =>
      fieldOf(given, "response", "vary")?.includes("*") === true ? withField(given, "response", "vary", "*") : given,
  },
  {
    here: "fields that Vary names are compared without optional white space outside quoted strings, and languages without case and order",
    there: "character by character",
    source: 'RFC 9111, 4.1: "adding or removing whitespace, where allowed in the header field\'s syntax"',
    without: (given) =>
      (["request", "second"] as const).reduce((changed, message) => {
        const value = fieldOf(changed, message, "accept-language");
        return withField(changed, message, "accept-language", value?.replaceAll(/\s/g, "").toLowerCase());
      }, given),
  },
  {
    here: "`Pragma: no-cache` of a request counts only without Cache-Control",
    there: "always",
    source: 'RFC 9111, 5.4: "When the Cache-Control header field is not present in a request"',
    without: (given) =>
      fieldOf(given, "second", "cache-control") === undefined ? given : withField(given, "second", "pragma", undefined),
  },
  {
    here: "dates are HTTP-dates: an Expires of another form is in the past, two-digit years are at most 50 years ahead",
    there: "whatever `Date.parse` takes",
    source:
      'RFC 9111, 5.3: "MUST interpret invalid date formats, especially the value \\"0\\", as representing a time in the past"; RFC 9110, 5.6.7',
    without: (given) =>
      [
        ["expires", "0"],
        ["date", undefined],
        ["last-modified", undefined],
      ].reduce((changed, [name = "", otherwise]) => {
        const value = fieldOf(changed, "response", name);
        return value === undefined ? changed : withField(changed, "response", name, imf(value) ?? otherwise);
      }, given),
  },
  {
    here: "an invalid Age is ignored",
    there: "leading digits and signs count",
    source:
      'RFC 9111, 5.1: "If the field value [...] is invalid (e.g., it contains something other than a non-negative integer), a cache SHOULD ignore the field."',
    without: (given) =>
      /^\d+(,|$)/.test(fieldOf(given, "response", "age") ?? "0")
        ? given
        : withField(given, "response", "age", undefined),
  },
  {
    here: "all names in Connection, in any case, and Proxy-Authentication-Info are removed from what is served",
    there: "lower-case names, and without Proxy-Authentication-Info",
    source:
      'RFC 9111, 3.1: "Header fields that are specific to the proxy that a cache uses when forwarding a request MUST NOT be stored"; RFC 9110, 7.6.1',
    without: (given) =>
      withField(
        withField(given, "response", "proxy-authentication-info", undefined),
        "response",
        "connection",
        fieldOf(given, "response", "connection")?.toLowerCase(),
      ),
  },
  {
    here: "conditions of the client are never sent with those of the stored response: If-None-Match and If-Modified-Since are replaced, and with If-Match or If-Unmodified-Since ours are not sent",
    there: "they are merged",
    source:
      'RFC 9111, 4.3.1: "precondition header fields [...] contain validator metadata sourced from a stored response"',
    without: (given) =>
      ["if-none-match", "if-modified-since", "if-match", "if-unmodified-since"].reduce(
        (changed, name) => withField(changed, "second", name, undefined),
        given,
      ),
  },
  {
    here: "HEAD is validated like GET, with weak entity tags and Last-Modified",
    there: "not with those",
    source:
      'RFC 9110, 13.1.2: "A recipient MUST use the weak comparison function when comparing entity tags for If-None-Match"; 13.1.3',
    without: (given) =>
      given.request.method === "HEAD"
        ? { ...given, request: { ...given.request, method: "GET" }, second: { ...given.second, method: "GET" } }
        : given,
  },
  {
    here: "a 304 with a strong entity tag updates only a response with that strong tag",
    there: "also one with the weak tag",
    source:
      'RFC 9111, 4.3.4: "If none of the stored responses contains at least one of the same strong validators, then the cache MUST NOT use the new response to update any stored responses."',
    without: (given) => {
      const tag = fieldOf(given, "validation", "etag");
      const stored = fieldOf(given, "response", "etag");
      return tag !== undefined && !isWeak(tag) && isWeak(stored)
        ? withField(given, "response", "etag", opaque(stored))
        : given;
    },
  },
  {
    here: "a 304 with weak validators needs all of them to be the stored ones",
    there: "one is enough, and Last-Modified is compared as text",
    source: 'RFC 9111, 4.3.4: "and those validators correspond to one of the stored responses"',
    without: (given) => {
      const tag = fieldOf(given, "validation", "etag");
      if (given.validation.status !== 304 || (tag !== undefined && !isWeak(tag))) return given;
      const modified = fieldOf(given, "validation", "last-modified");
      const changed = withField(
        given,
        "validation",
        "last-modified",
        modified === undefined ? modified : (imf(modified) ?? modified),
      );
      const stored = fieldOf(given, "response", "last-modified");
      const storedForm = withField(
        changed,
        "response",
        "last-modified",
        stored === undefined ? stored : (imf(stored) ?? stored),
      );
      if (tag === undefined || fieldOf(storedForm, "validation", "last-modified") === undefined) {
        return tag !== undefined && fieldOf(given, "response", "etag") === undefined
          ? withField(storedForm, "validation", "etag", undefined)
          : storedForm;
      }
      // One of the two, the one that both look at.
      return withField(
        storedForm,
        "validation",
        fieldOf(given, "response", "etag") === undefined ? "etag" : "last-modified",
        undefined,
      );
    },
  },
  {
    here: "a 304 without validators updates the response whose validators were sent, and no other",
    there: "only one that has no validators",
    source:
      'RFC 9110, 15.4.5: "indicates that [...] the server is redirecting the client to make use of that stored representation"',
    without: (given) => {
      if (
        given.validation.status !== 304 ||
        validators.some((name) => fieldOf(given, "validation", name) !== undefined)
      )
        return given;
      if (validators.every((name) => fieldOf(given, "response", name) === undefined)) {
        return withField(withField(given, "response", "etag", '"n"'), "validation", "etag", '"n"');
      }
      return validators.reduce(
        (changed, name) => withField(changed, "validation", name, fieldOf(given, "response", name)),
        given,
      );
    },
  },
  {
    here: "a 304 adds fields that were not stored",
    there: "only stored fields are replaced",
    source: 'RFC 9111, 3.2: "the cache MUST add each header field in the provided response to the stored response"',
    without: (given) =>
      Object.keys(given.validation.headers)
        .filter((name) => name !== "etag" && !(name in given.response.headers))
        // With a strong entity tag, Last-Modified is such a field.
        .filter((name) => name !== "last-modified" || "etag" in given.validation.headers)
        .reduce((changed, name) => withField(changed, "validation", name, undefined), given),
  },
  {
    here: "`immutableMinTimeToLive` is in milliseconds",
    there: "documented so, and counted in seconds",
    source: 'RFC 8246, 2: `immutable` has a meaning only "during its freshness lifetime"',
    without: (given) => withoutMembers(given, "response", "immutable"),
  },
  {
    here: "the Date of the origin is served",
    there: "Date is the time of serving, so that the next cache counts the age twice",
    source: 'RFC 9110, 6.6.1: "the date and time at which the message was originated"',
  },
  {
    here: "Warning is removed",
    there: "`1xx` is removed, and `113` added after a day of heuristic freshness",
    source: "RFC 9111, 5.5: the field is obsolete",
  },
];

const withoutStaleUse = (given: Case): Case =>
  withoutMembers(withoutMembers(given, "response", "stale-while-revalidate", "stale-if-error"), "second", "max-stale");
