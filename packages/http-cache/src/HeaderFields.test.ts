import { expect, test } from "vitest";
import { fieldValue, toHeaders, type HeaderFields } from "./HeaderFields.ts";

test.each<[HeaderFields, string | null]>([
  [new Headers({ "X-A": "1" }), "1"],
  [{ "x-a": "1" }, "1"],
  [{ "X-A": "1" }, "1"],
  [{ "x-a": ["1", "2"] }, "1, 2"],
  [{ "x-a": "1", "X-A": "2" }, "1, 2"],
  [{ "x-a": 1 }, "1"],
  [{ "x-a": "" }, ""],
  [{ "x-a": undefined }, null],
  [{ "x-b": "1" }, null],
  [{ "x-ab": "1" }, null],
  [{}, null],
  [Object.create({ "x-a": "1" }) as HeaderFields, null],
])("the value of x-a in %j is %j", (fields, expected) => {
  expect(fieldValue(fields, "x-a")).toBe(expected);
});

test("names of the prototype are not fields", () => {
  expect(fieldValue({}, "constructor")).toBeNull();
  expect(fieldValue({}, "__proto__")).toBeNull();
});

test("a record becomes Headers", () => {
  const headers = toHeaders({ A: "1", "set-cookie": ["b=1", "c=2"], d: undefined, e: 5 });
  expect([...headers]).toEqual([
    ["a", "1"],
    ["e", "5"],
    ["set-cookie", "b=1"],
    ["set-cookie", "c=2"],
  ]);
});

test("Headers are copied", () => {
  const original = new Headers({ a: "1" });
  toHeaders(original).set("a", "2");
  expect(original.get("a")).toBe("1");
});

// RFC 9113, 8.3: "Pseudo-header fields are not HTTP header fields."
test("the pseudo-header fields of HTTP/2 in Node are not fields", () => {
  expect([...toHeaders({ ":status": 200, ":path": "/", a: "1" })]).toEqual([["a", "1"]]);
});
