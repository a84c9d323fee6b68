// RFC 3339 timestamps, to the nanosecond.
import type { Timestamp } from "@bufbuild/protobuf/wkt";

/** Seconds since 1970 of 0001-01-01T00:00:00Z and of 9999-12-31T23:59:59Z, the ends of what a Timestamp may be. */
const minSeconds = -62_135_596_800;
const maxSeconds = 253_402_300_799;

const pattern = /^(\d{4}-\d{2}-(\d{2}))[Tt](\d{2}:\d{2}:\d{2})(?:\.(\d{1,9}))?(?:[Zz]|([+-])(\d{2}):(\d{2}))$/;

/** The moment that a text of RFC 3339 names: with 0 to 9 digits of a second, in any offset. Undefined for any other text. */
export const parseTimestamp = (text: string): Timestamp | undefined => {
  const [, date, day, time, fraction = "", sign, hours = "0", minutes = "0"] = pattern.exec(text) ?? [];
  const local = Date.parse(`${date}T${time}Z`);
  if (Number.isNaN(local) || new Date(local).getUTCDate() !== Number(day) || Number(hours) > 23 || Number(minutes) > 59)
    return undefined;
  const offset = Number(hours) * 3600 + Number(minutes) * 60;
  const seconds = local / 1000 + (sign === "-" ? offset : -offset);
  if (seconds < minSeconds || seconds > maxSeconds) return undefined;
  return { $typeName: "google.protobuf.Timestamp", seconds: BigInt(seconds), nanos: Number(fraction.padEnd(9, "0")) };
};

/** The text of a moment in UTC, with 0, 3, 6 or 9 digits of a second. Throws RangeError outside of the years 1 to 9999. */
export const timestampText = ({ seconds, nanos }: Timestamp): string => {
  if (seconds < minSeconds || seconds > maxSeconds || nanos < 0 || nanos > maxNanos)
    throw new RangeError("a Timestamp must be from 0001-01-01T00:00:00Z to 9999-12-31T23:59:59.999999999Z");
  const digits = nanos === 0 ? "" : `.${String(nanos).padStart(9, "0")}`.replace(/(?:000){1,2}$/, "");
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, 19)}${digits}Z`;
};

const maxNanos = 999_999_999;
