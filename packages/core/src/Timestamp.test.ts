import { create, toJson } from "@bufbuild/protobuf";
import { TimestampSchema, type Timestamp } from "@bufbuild/protobuf/wkt";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { timestamps } from "../test/ArbitraryMessages.ts";
import { parseTimestamp, timestampText } from "./Timestamp.ts";

const parts = (timestamp: Timestamp | undefined): string | undefined =>
  timestamp && `${timestamp.seconds}.${String(timestamp.nanos).padStart(9, "0")}`;

test("every moment from year 1 to 9999 is read as it was written, to the nanosecond", () => {
  fc.assert(
    fc.property(timestamps, (init) => {
      const text = toJson(TimestampSchema, create(TimestampSchema, init));
      expect(parts(parseTimestamp(text))).toBe(`${init.seconds}.${String(init.nanos).padStart(9, "0")}`);
      expect(timestampText(create(TimestampSchema, init))).toBe(text);
    }),
    { numRuns: 1_000 },
  );
});

test.for([
  { seconds: -62_135_596_801n, nanos: 0 },
  { seconds: 253_402_300_800n, nanos: 0 },
  { seconds: 0n, nanos: -1 },
  { seconds: 0n, nanos: 1_000_000_000 },
])("a time outside the years 1 to 9999 has no text: %o", (init) => {
  expect(() => timestampText(create(TimestampSchema, init))).toThrow(RangeError);
});

test("an offset names the same moment", () => {
  const minutes = fc.integer({ min: -23 * 60 - 59, max: 23 * 60 + 59 });
  const moments = fc.integer({ min: Date.UTC(2, 0), max: Date.UTC(9998, 0) });
  fc.assert(
    fc.property(moments, minutes, (ms, offset) => {
      const local = new Date(ms + offset * 60_000).toISOString().slice(0, -1);
      const size = Math.abs(offset);
      const zone = [Math.floor(size / 60), size % 60].map((part) => String(part).padStart(2, "0")).join(":");
      const read = parseTimestamp(`${local}${offset < 0 ? "-" : "+"}${zone}`);
      expect(read).toBeDefined();
      expect(Number(read?.seconds) * 1000 + (read?.nanos ?? 0) / 1e6).toBe(ms);
    }),
  );
});

test.for<[text: string, moment: string]>([
  ["1970-01-01T00:00:00Z", "0.000000000"],
  ["1970-01-01t00:00:00z", "0.000000000"],
  ["1970-01-01T00:00:00.1Z", "0.100000000"],
  ["1970-01-01T00:00:00.000000001Z", "0.000000001"],
  ["1969-12-31T23:59:59.999999999Z", "-1.999999999"],
  ["0001-01-01T00:00:00Z", "-62135596800.000000000"],
  ["9999-12-31T23:59:59.999999999Z", "253402300799.999999999"],
  ["2024-02-29T12:00:00+05:30", "1709188200.000000000"],
])("%s is %s", ([text, moment]) => {
  expect(parts(parseTimestamp(text))).toBe(moment);
});

test.for([
  "",
  "2024-01-01",
  "2024-01-01T00:00:00",
  "2024-01-01 00:00:00Z",
  "2024-13-01T00:00:00Z",
  "2023-02-29T00:00:00Z",
  "2024-01-01T24:00:00Z",
  "2024-01-01T00:60:00Z",
  "2024-01-01T00:00:60Z",
  "2024-01-01T00:00:00.Z",
  "2024-01-01T00:00:00.0000000000Z",
  "2024-01-01T00:00:00+24:00",
  "2024-01-01T00:00:00+01:60",
  "0000-12-31T23:59:59Z",
  "0001-01-01T00:00:00+00:01",
  "9999-12-31T23:59:59-00:01",
  "+12024-01-01T00:00:00Z",
])("%j is not a moment", (text) => {
  expect(parseTimestamp(text)).toBeUndefined();
});
