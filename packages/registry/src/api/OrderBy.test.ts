import { expect, test } from "vitest";
import { orders, parseOrder } from "./OrderBy.ts";

test.for<[text: string, field: "createdAt" | "name", descending: boolean]>([
  ["", "createdAt", false],
  ["createdAt", "createdAt", false],
  ["created_at desc", "createdAt", true],
  ["name", "name", false],
  ["name asc", "name", false],
  ["name desc", "name", true],
])('orderBy "%s" is by %s', ([text, field, descending]) => {
  expect(parseOrder(text)).toEqual({ field, descending });
});

test("there are two fields and two directions", () => {
  expect(orders.map(({ field, descending }) => `${field} ${descending}`)).toEqual([
    "createdAt false",
    "createdAt true",
    "name false",
    "name true",
  ]);
});

test.for([" ", "id", "constructor", "name up", "name asc x", "name asc ", "name  desc", "desc"])(
  'orderBy "%s" is refused',
  (text) => {
    expect(() => parseOrder(text)).toThrow(
      "orderBy must be one of createdAt, name, optionally followed by asc or desc",
    );
  },
);
