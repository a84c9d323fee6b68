import * as fc from "fast-check";
import stringWidth from "string-width";
import { expect, test } from "vitest";
import { cut, padded, widthOf, widthUpTo, wrapped } from "./Width.ts";

const text = fc.oneof(
  fc.string({ unit: "grapheme", maxLength: 60 }),
  fc.string({ unit: "grapheme-ascii", maxLength: 60 }),
  fc.constant("説明👩‍👩‍👧 ● active …"),
);

test("the characters that are taken for one cell are one cell", () => {
  const taken = Array.from({ length: 0x2800 }, (_, code) => String.fromCharCode(code)).filter((char) =>
    /[\u0020-\u007e\u00a1-\u00ac\u00ae-\u02ff…·●○◆✓✗≠]/.test(char),
  );
  expect(taken.length).toBeGreaterThan(400);
  expect(taken.filter((char) => stringWidth(char) !== 1)).toEqual([]);
});

test("what is cut fits, and what fits is not cut", () => {
  fc.assert(
    fc.property(text, fc.nat(80), (text, cells) => {
      expect(widthOf(cut(text, cells))).toBeLessThanOrEqual(cells);
      expect(cut(text, widthOf(text))).toBe(text);
    }),
  );
});

test("an escape is cut as a whole", () => {
  const cuts = Array.from({ length: 12 }, (_, cells) => cut("\\u001b[31m\\nred", cells));
  expect(cuts.slice(2, 8)).toEqual(["…", "…", "…", "…", "…", "\\u001b…"]);
  expect([3, 2, 1, 0].map((cells) => cut("abc", cells))).toEqual(["abc", "a…", "…", ""]);
  expect([4, 3, 2, 1, 0].map((cells) => cut("説明", cells))).toEqual(["説明", "説…", "…", "…", ""]);
  expect(cut("説明\\u001b[0m", 8)).toBe("説明…");
  expect(cut("説明\\nmore", 6)).toBe("説明…");
});

test("what is filled up has the width that was asked for", () => {
  fc.assert(
    fc.property(text, fc.nat(80), (text, cells) => {
      expect(widthOf(padded(text, cells, "right"))).toBe(Math.max(cells, widthOf(text)));
      expect(padded(text, cells, "left").trimEnd()).toBe(text.trimEnd());
    }),
  );
});

test("a width up to a limit is the width or the limit, also of endless text", () => {
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 80 }), (text, most) => {
      expect(widthUpTo(text, most)).toBe(Math.min(most, widthOf(text)));
    }),
  );
  expect(widthUpTo("説".repeat(1_000_000), 20)).toBe(20);
});

test("lines are broken between words, and a word that is longer has a line of its own", () => {
  expect(wrapped("one two three", 7)).toEqual(["one two", "three"]);
  expect(wrapped("one two three", 6)).toEqual(["one", "two", "three"]);
  expect(wrapped("a longer-than-that b", 5)).toEqual(["a", "longer-than-that", "b"]);
  expect(wrapped("説明 b", 6)).toEqual(["説明 b"]);
  expect(wrapped("説明 b", 5)).toEqual(["説明", "b"]);
});
