import * as fc from "fast-check";
import { expect, test } from "vitest";
import { asciiText, safeLines, safeText } from "./SafeText.ts";

/** By their Unicode properties: controls, direction and other formats, separators, halves of pairs. */
const acting = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/u;

test("nothing that a terminal acts upon is left, whatever the text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
      expect(safeText(text)).not.toMatch(acting);
      expect(safeLines(text).replaceAll(/[\n\t]/g, "")).not.toMatch(acting);
    }),
  );
});

test("every single character of Unicode that acts is escaped", () => {
  const left: Array<string> = [];
  for (let code = 0; code <= 0x10ffff; code++) {
    const char = code >= 0xd800 && code <= 0xdfff ? String.fromCharCode(code) : String.fromCodePoint(code);
    if (acting.test(char) && acting.test(safeText(char))) left.push(code.toString(16));
  }
  expect(left).toEqual([]);
});

test("JSON that was made safe means the same", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 200 }), (text) => {
      expect(JSON.parse(safeLines(JSON.stringify({ text })))).toEqual({ text });
    }),
  );
});

test("ordinary text of any script stays as it is", () => {
  for (const text of ["plain", "Größe", "説明", "עברית", "👍🏽", "a\u0301"]) expect(safeText(text)).toBe(text);
  expect(safeText("a\nb\tc\u001b[2J")).toBe(String.raw`a\nb\tc\u001b[2J`);
});

test("lines and tabs of a text of several lines stay", () => {
  expect(safeLines("a\nb\tc\rd\u001b[2J")).toBe(String.raw`a${"\n"}b${"\t"}c\rd\u001b[2J`);
});

test("a terminal without UTF-8 gets ASCII for the signs of bne, and escapes for the rest", () => {
  expect(asciiText("● ○ ◆ ✓ ✗ ≠ … · █ ░ ⠋ ⠏ é 😀 ~")).toBe(String.raw`* o # + x ! ~ | # - - - \u00e9 \ud83d\ude00 ~`);
});
