// Plain words in file headers and help texts.
import { expect, test } from "vitest";
import { manPages } from "../packages/cli/scripts/ManPage.ts";
import { headerOf, oddWords, sources, textOf } from "./Prose.ts";

/** Most words of a file header, without code in backticks. */
const maxHeaderWords = 12;

const oddIn = (text: string): ReadonlyArray<string> =>
  Object.entries(oddWords).flatMap(([name, word]) => (text.match(word) === null ? [] : [name]));

const headers = sources().map((path) => [path, headerOf(textOf(path))] as const);

const isOdd = (header: string): boolean =>
  header
    .replaceAll(/`[^`]*`/g, "")
    .split(/\s+/)
    .filter(Boolean).length > maxHeaderWords ||
  header.includes("?") ||
  header.startsWith("Decides") ||
  oddIn(header).length > 0;

test("a file header has at most a dozen words, is not a question and uses no odd word", () => {
  expect(headers.filter(([, header]) => header !== "").length).toBeGreaterThan(300);
  expect(headers.filter(([, header]) => isOdd(header))).toEqual([]);
});

test("the help of bne uses no odd word", () => {
  expect(oddIn([...manPages().values()].join("\n"))).toEqual([]);
});

test("odd words, long headers and questions are noticed", () => {
  expect(headerOf("#!/usr/bin/env node\n// Decides: what\n// is told.\nimport x;\n")).toBe("Decides: what is told.");
  expect(oddIn("who is told of the room beside, that is none")).toEqual(["told", "beside", "room", "that is no"]);
  const twelve = "one two three four five six seven eight nine ten eleven twelve";
  expect([twelve, `${twelve} \`code\``, `${twelve} thirteen`, "Which file?", "Decides: it"].map(isOdd)).toEqual([
    false,
    false,
    true,
    true,
    true,
  ]);
});
