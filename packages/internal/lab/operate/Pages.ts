// Code blocks of the operators' pages.
import { readFileSync } from "node:fs";
import { root } from "@bytenite-engines/test-kit";
import { join } from "node:path";

/** A code block, by its language and the line that it begins at. */
export interface Block {
  readonly language: string;
  readonly text: string;
  readonly line: number;
}

/** The path of an operators' page or file. */
export const operations = (name: string): string => join(root, "docs/operations", name);

/** The code blocks of a page, those in lists without their indentation. */
export const blocksOf = (page: string): ReadonlyArray<Block> => {
  const blocks: Array<Block> = [];
  let open: { indent: string; language: string; line: number; lines: Array<string> } | undefined;
  for (const [index, line] of readFileSync(operations(page), "utf8").split("\n").entries()) {
    const [, indent = "", language = ""] = /^(\s*)```(\w*)$/.exec(line) ?? [];
    const isFence = /^\s*```\w*$/.test(line);
    if (open === undefined) {
      if (isFence) open = { indent, language, line: index + 1, lines: [] };
      continue;
    }
    if (isFence) {
      blocks.push({ language: open.language, text: open.lines.join("\n"), line: open.line });
      open = undefined;
    } else open.lines.push(line.slice(open.indent.length));
  }
  return blocks;
};
