import { expect, test } from "vitest";
import { updateFields, withDate, withoutWithheld } from "./StoredFields.ts";

const now = Date.UTC(2026, 10, 24, 12);
const nowDate = "Tue, 24 Nov 2026 12:00:00 GMT";

test.each([
  // RFC 9110, 6.6.1: "A recipient with a clock that receives a response message without a Date header field MUST record
  // the time it was received and append a corresponding Date header field to the message's header section if it is cached
  // or forwarded downstream. A recipient with a clock that receives a response with an invalid Date header field value MAY
  // replace that value with the time that response was received."
  [null, nowDate],
  ["yesterday", nowDate],
  ["Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT"],
])("the Date %s becomes %s", (date, expected) => {
  const headers = new Headers(date === null ? {} : { date });
  expect(withDate(headers, now).get("date")).toBe(expected);
  expect(headers.get("date")).toBe(date);
});

test("fields that no-cache or private names are not stored (RFC 9111, 3.1)", () => {
  const headers = new Headers({ a: "1", b: "2", "set-cookie": "c=1" });
  expect([...withoutWithheld(headers, ["set-cookie", "b", "z"])]).toEqual([["a", "1"]]);
  expect(headers.has("b")).toBe(true);
});

const stored = (): Headers =>
  new Headers({
    "content-type": "text/plain",
    "content-length": "3",
    "content-encoding": "br",
    "content-range": "bytes 0-2/9",
    date: "Sun, 06 Nov 1994 08:49:37 GMT",
    a: "1",
    b: "1",
    age: "50",
  });

// RFC 9111, 3.2: "the cache MUST add each header field in the provided response to the stored response, replacing field
// values that are already present, with the following exceptions: [...] Header fields that are automatically processed and
// removed by the recipient [...] The Content-Length header field."
test("a 304 updates all fields but those that describe the stored content", () => {
  const update = new Headers({
    "content-type": "x/y",
    "content-length": "0",
    "content-encoding": "gzip",
    "content-range": "bytes 1-1/1",
    date: nowDate,
    a: "2",
    c: "2",
  });
  update.append("set-cookie", "p=1");
  update.append("set-cookie", "q=2");
  expect([...updateFields(stored(), update)]).toEqual([
    ["a", "2"],
    ["b", "1"],
    ["c", "2"],
    ["content-encoding", "br"],
    ["content-length", "3"],
    ["content-range", "bytes 0-2/9"],
    ["content-type", "x/y"],
    ["date", nowDate],
    ["set-cookie", "p=1"],
    ["set-cookie", "q=2"],
  ]);
});

// RFC 9111, 3.2: "caches [...] store the results of processing the received response, rather than the response itself, and
// updating header fields that affect that processing can result in inconsistent behavior and security issues. Caches in
// this situation MAY omit these header fields from updating stored responses".
test("fields that were applied to the stored body stay", () => {
  const update = new Headers({ "content-type": "x/y", "content-encoding": "gzip", a: "2" });
  expect(Object.fromEntries(updateFields(stored(), update, ["Content-Type"]))).toMatchObject({
    "content-type": "text/plain",
    "content-encoding": "gzip",
    a: "2",
  });
});

test("the Age of the stored response goes, that of the 304 comes", () => {
  expect(updateFields(stored(), new Headers()).has("age")).toBe(false);
  expect(updateFields(stored(), new Headers({ age: "4" })).get("age")).toBe("4");
});
