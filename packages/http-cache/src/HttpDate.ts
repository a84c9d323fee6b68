// HTTP-date (RFC 9110, 5.6.7).

const months = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const time = "([0-9]{2}):([0-9]{2}):([0-9]{2})";
const day = "(?:mon|tue|wed|thu|fri|sat|sun)";
const longDay = "(?:mon|tues|wednes|thurs|fri|satur|sun)day";
const imfFixdate = new RegExp(`^${day}, ([0-9]{2}) ([a-z]{3}) ([0-9]{4}) ${time} gmt$`);
const rfc850Date = new RegExp(`^${longDay}, ([0-9]{2})-([a-z]{3})-([0-9]{2}) ${time} gmt$`);
const asctimeDate = new RegExp(`^${day} ([a-z]{3}) ([0-9 ][0-9]) ${time} ([0-9]{4})$`);

/** A two-digit year further in the future than this many years is in the past (RFC 9110, 5.6.7). */
const maxYearsAhead = 50;

/**
 * Milliseconds since the epoch of an HTTP-date in any of its three forms; undefined for an invalid one. Case is ignored
 * (RFC 9111, 4.2). Zones other than GMT, missing commas and extra spaces are invalid.
 */
export const parseHttpDate = (text: string | null | undefined, nowMs: number = Date.now()): number | undefined => {
  if (text === null || text === undefined) return undefined;
  const date = text.trim().toLowerCase();
  let match = imfFixdate.exec(date);
  if (match !== null) return momentOf(match[3], match[2], match[1], match.slice(4));
  match = rfc850Date.exec(date);
  if (match !== null) return momentOf(`${fullYear(Number(match[3]), nowMs)}`, match[2], match[1], match.slice(4));
  match = asctimeDate.exec(date);
  if (match !== null) return momentOf(match[6], match[1], match[2], match.slice(3));
  return undefined;
};

/** An IMF-fixdate from milliseconds since the epoch. */
export const formatHttpDate = (ms: number): string => new Date(ms).toUTCString();

const fullYear = (twoDigits: number, nowMs: number): number => {
  const thisYear = new Date(nowMs).getUTCFullYear();
  const year = thisYear - (thisYear % 100) + twoDigits;
  return year > thisYear + maxYearsAhead ? year - 100 : year;
};

const momentOf = (
  year: string | undefined,
  month: string | undefined,
  dayOfMonth: string | undefined,
  clock: ReadonlyArray<string>,
): number | undefined => {
  const monthIndex = months.indexOf(month ?? "");
  const [hours = Number.NaN, minutes = Number.NaN, seconds = Number.NaN] = clock.map(Number);
  const date = Number(dayOfMonth);
  // 60 is a leap second.
  if (hours > 23 || minutes > 59 || seconds > 60) return undefined;
  const written = new Date(Date.UTC(Number(year), monthIndex, date));
  // Another day: there is no such month or day, or `Date.UTC` takes a year before 100 for one of the last century.
  if (written.getUTCDate() !== date || written.getUTCFullYear() !== Number(year)) return undefined;
  return Date.UTC(Number(year), monthIndex, date, hours, minutes, seconds);
};
