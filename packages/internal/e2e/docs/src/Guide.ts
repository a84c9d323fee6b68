// Code blocks of a guide: commands, servers, files, outputs.
import { readFileSync } from "node:fs";
import remarkParse from "remark-parse";
import { unified } from "unified";

/**
 * A code block of a guide:
 *
 * - ` ```sh ` is run, one block after the other in one shell; it must end with 0.
 * - ` ```sh server ` keeps running; the next block waits until it has printed `ready `, `Ready on ` or `Local:`.
 * - ` ```sh elsewhere ` needs an account or another machine, and is not run.
 * - ` ```ts list.ts ` and any other language with a file name is a file, written before the next block is run.
 * - ` ```text ` behind a ` ```sh ` is what that prints: whole, with `…` for what differs.
 */
export type Block =
  | { readonly kind: "run" | "serve" | "elsewhere"; readonly text: string; readonly line: number }
  | { readonly kind: "file"; readonly path: string; readonly text: string; readonly line: number }
  | { readonly kind: "output"; readonly text: string; readonly line: number };

const shellKinds: Readonly<Record<string, "run" | "serve" | "elsewhere">> = {
  "": "run",
  server: "serve",
  elsewhere: "elsewhere",
};

/** The blocks of a guide, their text changed where it is to be run elsewhere. Throws on one that nobody would run, so that none is left out by mistake. */
export const blocksOf = (path: string, change: (text: string) => string = (text) => text): ReadonlyArray<Block> => {
  const tree = unified().use(remarkParse).parse(readFileSync(path, "utf8"));
  return tree.children.flatMap((node): ReadonlyArray<Block> => {
    if (node.type !== "code") return [];
    const { lang } = node;
    const text = change(node.value);
    const meta = node.meta ?? "";
    const line = node.position?.start.line ?? 0;
    if (lang === "sh" && meta in shellKinds) return [{ kind: shellKinds[meta] ?? "run", text, line }];
    if (lang === "text" && meta === "") return [{ kind: "output", text, line }];
    if (/^[\w./-]+\.\w+$/.test(meta)) return [{ kind: "file", path: meta, text: `${text}\n`, line }];
    throw new Error(`${path}:${line}: \`\`\`${lang ?? ""} ${meta} is neither run, nor a file, nor an output`);
  });
};

/** Whether what was printed is what the guide shows: `…` stands for anything within a line, a line of it for any lines. */
export const isShown = (printed: string, shown: string): boolean => {
  const lines = shown.trimEnd().split("\n");
  const source = lines
    .map((line) => (line.trim() === "…" ? "(?:.*\n)*?" : `${line.split("…").map(literal).join(".*")}\n`))
    .join("");
  return new RegExp(`^${source}$`).test(`${printed.trimEnd()}\n`);
};

const literal = (text: string): string => text.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`);
