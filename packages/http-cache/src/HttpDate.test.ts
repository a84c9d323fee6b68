import * as fc from "fast-check";
import { httpDateForms } from "@bytenite-engines/test-kit/http-dates";
import { expect, test } from "vitest";
import { formatHttpDate, parseHttpDate } from "./HttpDate.ts";

const now = Date.UTC(2026, 10, 24);

test.each([
  // The three forms of RFC 9110, 5.6.7, all of the same moment.
  ["Sun, 06 Nov 1994 08:49:37 GMT", Date.UTC(1994, 10, 6, 8, 49, 37)],
  ["Sunday, 06-Nov-94 08:49:37 GMT", Date.UTC(1994, 10, 6, 8, 49, 37)],
  ["Sun Nov  6 08:49:37 1994", Date.UTC(1994, 10, 6, 8, 49, 37)],
  ["SUN, 06 NOV 1994 08:49:37 gmt", Date.UTC(1994, 10, 6, 8, 49, 37)],
  // A two-digit year more than 50 years ahead is in the past.
  ["Thursday, 18-Aug-50 02:01:18 GMT", Date.UTC(2050, 7, 18, 2, 1, 18)],
  ["Thursday, 18-Aug-77 02:01:18 GMT", Date.UTC(1977, 7, 18, 2, 1, 18)],
  ["Thursday, 18-Aug-76 02:01:18 GMT", Date.UTC(2076, 7, 18, 2, 1, 18)],
  ["0", undefined],
  ["", undefined],
  [null, undefined],
  ["Thu, 18 Aug 2050 02:01:18 UTC", undefined],
  ["Thu, 18 Aug 50 02:01:18 GMT", undefined],
  ["Thu 18 Aug 2050 02:01:18 GMT", undefined],
  ["Thu, 18  Aug  2050 02:01:18 GMT", undefined],
  ["Thu, 18-Aug-2050 02:01:18 GMT", undefined],
  ["Thu, 18 Aug 2050 2:01:18 GMT", undefined],
  ["Thu, 18 Aug 2050 24:01:18 GMT", undefined],
  ["Thu, 18 Foo 2050 02:01:18 GMT", undefined],
  ["Thu, 00 Aug 2050 02:01:18 GMT", undefined],
  ["Thu, 32 Aug 2050 02:01:18 GMT", undefined],
  ["Thu, 31 Apr 2050 02:01:18 GMT", undefined],
  ["Thu, 29 Feb 2050 02:01:18 GMT", undefined],
  ["Thu, 29 Feb 2048 02:01:18 GMT", Date.UTC(2048, 1, 29, 2, 1, 18)],
  ["Thu, 18 Aug 2050 02:60:18 GMT", undefined],
  ["Thu, 18 Aug 2050 02:59:18 GMT", Date.UTC(2050, 7, 18, 2, 59, 18)],
  ["Thu, 18 Aug 2050 02:01:61 GMT", undefined],
  // A leap second.
  ["Sat, 31 Dec 2016 23:59:60 GMT", Date.UTC(2017, 0, 1)],
  ["Sat, 01 Jan 0000 00:00:00 GMT", undefined],
  ["Thu, 01 Jan 0099 00:00:00 GMT", undefined],
  ["Fri, 01 Jan 0100 00:00:00 GMT", Date.UTC(100, 0, 1)],
  ["  Sun, 06 Nov 1994 08:49:37 GMT ", Date.UTC(1994, 10, 6, 8, 49, 37)],
  [undefined, undefined],
])("reads %s", (text, expected) => {
  expect(parseHttpDate(text, now)).toBe(expected);
});

test("reads back every second that it writes", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 253_402_300_799 }), (seconds) => {
      expect(parseHttpDate(formatHttpDate(seconds * 1000), now)).toBe(seconds * 1000);
    }),
  );
});

const seconds = fc.integer({ min: Date.UTC(1980, 0) / 1000, max: Date.UTC(2070, 0) / 1000 });

test("a date in any of the three forms is the same moment", () => {
  fc.assert(
    fc.property(seconds, (second) => {
      for (const text of Object.values(httpDateForms(second * 1000)))
        expect(parseHttpDate(text, now)).toBe(second * 1000);
    }),
    { examples: [[784_111_777], [951_782_400]] },
  );
});
