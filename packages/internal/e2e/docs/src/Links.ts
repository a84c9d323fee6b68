// Link checks of Markdown files: files, headings, form of addresses.
import { spawn } from "node:child_process";
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import remarkGfm from "remark-gfm";
import remarkParse from "remark-parse";
import { unified } from "unified";
import { root } from "@bytenite-engines/test-kit";
import { resultOf } from "@bytenite-engines/test-kit/process";

const remark = join(root, "packages/internal/e2e/node_modules/.bin/remark");
const anchors = fileURLToPath(new URL("./remarkHtmlAnchors.ts", import.meta.url));
const plugin = (name: string): string => fileURLToPath(import.meta.resolve(name));

/** Every Markdown file that is ours, below a folder. */
export const markdownFiles = (folder: string): ReadonlyArray<string> =>
  globSync("**/*.md", {
    cwd: folder,
    exclude: (name) => /(?:^|\/)(?:node_modules|dist|\.[^/.][^/]*|CHANGELOG\.md)$/.test(name),
  }).toSorted();

/** Remark's messages on broken links to files and headings. */
export const brokenLinks = async (folder: string): Promise<string> => {
  const links = `${plugin("remark-validate-links")}=repository:false`;
  const args = ["--quiet", "--frail", "--no-stdout", "--no-config", "--no-ignore", "--no-color"];
  const uses = [plugin("remark-gfm"), anchors, links].flatMap((use) => ["--use", use]);
  const child = spawn(remark, [...args, ...uses, ...markdownFiles(folder)], { cwd: folder });
  const { code, stdout, stderr } = await resultOf(child);
  return code === 0 ? "" : stdout + stderr || `remark ended with ${code}`;
};

interface Node {
  readonly type: string;
  readonly url?: string;
  readonly children?: ReadonlyArray<Node>;
}

const urlsIn = ({ url, children = [] }: Node): ReadonlyArray<string> => [
  ...(url === undefined ? [] : [url]),
  ...children.flatMap(urlsIn),
];

/** Invalid addresses in a file, and those without HTTPS; this machine's are. */
export const oddAddresses = (path: string): ReadonlyArray<string> =>
  urlsIn(unified().use(remarkParse).use(remarkGfm).parse(readFileSync(path, "utf8")) as Node).filter(
    (url) =>
      /^[a-z][a-z+.-]*:/i.test(url) && !(URL.canParse(url) && /^(?:https:|http:\/\/127\.0\.0\.1:|mailto:)/.test(url)),
  );
