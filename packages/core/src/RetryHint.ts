// Retry delays that servers ask for.
import type { JsonValue } from "@bufbuild/protobuf";
import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import type { ErrorDetail } from "./EngineError.ts";

/** Reads a header by its name, in any case; null when absent. */
export interface HeaderReader {
  get(name: string): string | null;
}

/**
 * The wait that a server asks for, in milliseconds, or undefined. The most precise source wins: google.rpc.RetryInfo of the
 * body, then `retry-after-ms`, then `Retry-After`, then `Grpc-Metadata-Retry-After` (grpc-gateway forwards metadata so).
 * Unreadable hints count as absent; a moment that has passed is a wait of 0.
 */
export const retryHintMs = (
  headers: HeaderReader,
  details: ReadonlyArray<ErrorDetail>,
  nowMs: number,
): number | undefined =>
  retryInfoMs(details) ??
  milliseconds(headers.get("retry-after-ms")) ??
  retryAfterMs(headers.get("retry-after"), headers.get("date"), nowMs) ??
  retryAfterMs(headers.get("grpc-metadata-retry-after"), headers.get("date"), nowMs);

const retryInfoMs = (details: ReadonlyArray<ErrorDetail>): number | undefined => {
  for (const { type, binary, json } of details) {
    if (type !== "google.rpc.RetryInfo") continue;
    const delayMs = binary === undefined ? durationTextMs(json?.["retryDelay"]) : retryDelayMs(binary);
    if (delayMs !== undefined) return delayMs;
  }
  return undefined;
};

/** A google.protobuf.Duration in JSON: `1.5s`. */
const durationTextMs = (text: JsonValue | undefined): number | undefined => {
  const seconds = typeof text === "string" ? /^(\d+(?:\.\d{1,9})?)s$/.exec(text)?.[1] : undefined;
  return seconds === undefined ? undefined : millisecondsOf(seconds);
};

/**
 * `retry_delay` of a google.rpc.RetryInfo: field 1, a google.protobuf.Duration of seconds (1) and nanos (2). Read by hand,
 * since the descriptors of all error details would weigh 3 kB in every bundle.
 */
const retryDelayMs = (binary: Uint8Array): number | undefined => {
  try {
    const delay = fieldsOf(binary).get(1);
    if (!(delay instanceof Uint8Array)) return undefined;
    const fields = fieldsOf(delay);
    const seconds = fields.get(1) ?? 0n;
    const nanos = fields.get(2) ?? 0n;
    if (typeof seconds !== "bigint" || typeof nanos !== "bigint") return undefined;
    return Math.max(0, Number(seconds) * 1000 + Math.ceil(Number(nanos) / 1e6));
  } catch {
    // A detail that cannot be read is no hint.
    return undefined;
  }
};

/** The varints and the delimited fields of a message, by number. */
const fieldsOf = (bytes: Uint8Array): Map<number, bigint | Uint8Array> => {
  const reader = new BinaryReader(bytes);
  const fields = new Map<number, bigint | Uint8Array>();
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (wireType === WireType.Varint) fields.set(number, BigInt(reader.int64()));
    else if (wireType === WireType.LengthDelimited) fields.set(number, reader.bytes());
    else reader.skip(wireType, number);
  }
  return fields;
};

/** Whole milliseconds, rounded up, of seconds in decimal. To the nanosecond first: 2.007 * 1000 is a little more than 2007. */
const millisecondsOf = (seconds: string): number => Math.ceil(Number((Number(seconds) * 1000).toFixed(6)));

const milliseconds = (value: string | null): number | undefined =>
  value !== null && /^\d+(?:\.\d+)?$/.test(value.trim()) ? Math.ceil(Number(value)) : undefined;

/**
 * `Retry-After` (RFC 9110, 10.2.3): seconds, or a date in one of the three forms of 5.6.7. A date is held against the
 * server's own `Date`, so that a clock that runs differently here does not matter.
 */
export const retryAfterMs = (value: string | null, date: string | null, nowMs: number): number | undefined => {
  if (value === null) return undefined;
  const text = value.trim();
  if (/^\d+(?:\.\d+)?$/.test(text)) return millisecondsOf(text);
  const until = httpDateMs(text, nowMs);
  if (until === undefined) return undefined;
  const from = (date === null ? undefined : httpDateMs(date.trim(), nowMs)) ?? nowMs;
  return Math.max(0, until - from);
};

const months = "jan feb mar apr may jun jul aug sep oct nov dec".split(" ");
const day = "(?:mon|tue|wed|thu|fri|sat|sun)";
const longDay = "(?:mon|tues|wednes|thurs|fri|satur|sun)day";
const time = "(\\d{2}:\\d{2}:\\d{2})";
const imfFixdate = /* @__PURE__ */ new RegExp(`^${day}, (\\d{2}) ([a-z]{3}) (\\d{4}) ${time} gmt$`, "i");
const rfc850Date = /* @__PURE__ */ new RegExp(`^${longDay}, (\\d{2})-([a-z]{3})-(\\d{2}) ${time} gmt$`, "i");
const asctimeDate = /* @__PURE__ */ new RegExp(`^${day} ([a-z]{3}) ([ \\d]\\d) ${time} (\\d{4})$`, "i");

/** Milliseconds since 1970 of an HTTP-date in any of its three forms (RFC 9110, 5.6.7), or undefined. */
export const httpDateMs = (text: string, nowMs: number): number | undefined => {
  const fixdate = imfFixdate.exec(text);
  if (fixdate !== null) return utc(Number(fixdate[3]), fixdate[2], fixdate[1], fixdate[4]);
  const rfc850 = rfc850Date.exec(text);
  if (rfc850 !== null) return utc(fullYear(Number(rfc850[3]), nowMs), rfc850[2], rfc850[1], rfc850[4]);
  const asctime = asctimeDate.exec(text);
  return asctime === null ? undefined : utc(Number(asctime[4]), asctime[1], asctime[2], asctime[3]);
};

/** A two-digit year that would lie more than 50 years ahead is one of the last century (RFC 9110, 5.6.7). */
const fullYear = (twoDigits: number, nowMs: number): number => {
  const thisYear = new Date(nowMs).getUTCFullYear();
  const year = Math.floor(thisYear / 100) * 100 + twoDigits;
  return year > thisYear + 50 ? year - 100 : year;
};

const utc = (year: number, monthName = "", day = "", time = ""): number | undefined => {
  const [hours = 0, minutes = 0, seconds = 0] = time.split(":").map(Number);
  if (hours > 23 || minutes > 59 || seconds > 60) return undefined;
  const midnight = new Date(Date.UTC(year, months.indexOf(monthName.toLowerCase()), Number(day)));
  // A name that is no month, a day that the month does not have, or a year before 100 would silently be another day.
  if (midnight.getUTCDate() !== Number(day) || midnight.getUTCFullYear() !== year) return undefined;
  return midnight.getTime() + (hours * 3_600 + minutes * 60 + seconds) * 1_000;
};
