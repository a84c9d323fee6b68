// File headers and words that prose here avoids.
import { globSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("..", import.meta.url));

const isOurs = (path: string): boolean =>
  !/(?:^|[\\/])(?:node_modules|dist|gen|\.[^\\/.][^\\/]*|seeds)(?:[\\/]|$)|\.d\.ts$/.test(path);

/** Our sources: programs, tests, scripts; no generated code. */
export const sources = (): ReadonlyArray<string> =>
  globSync("{apps,packages,scripts}/**/*.{ts,js}", { cwd: root, exclude: (path) => !isOurs(path) })
    .filter(isOurs)
    .toSorted();

/** Our documents, without generated API reports. */
export const documents = (): ReadonlyArray<string> =>
  globSync(["*.md", "{apps,docs,packages}/**/*.md"], { cwd: root, exclude: (path) => !isOurs(path) })
    .filter((path) => isOurs(path) && !/\.api\.md$|CHANGELOG\.md$/.test(path))
    .toSorted();

/** Metaphors, and words that have a plainer synonym. */
export const oddWords: Readonly<Record<string, RegExp>> = {
  Decides: /^\/\/ Decides:/gm,
  told: /\b(?:told|tells?)\b/gi,
  witness: /\bwitness(?:es)?\b/gi,
  beside: /\bbeside\b/gi,
  errand: /\berrands?\b/gi,
  room: /\brooms?\b/gi,
  door: /\bdoors?\b/gi,
  house: /\bhouses?\b/gi,
  walk: /\bwalks?\b/gi,
  visit: /\bvisits?\b/gi,
  believe: /\bbelie(?:ve[sd]?|f)\b/gi,
  blame: /\bblame[sd]?\b/gi,
  teach: /\bt(?:each(?:es)?|aught)\b/gi,
  knock: /\bknocks?\b/gi,
  "that is no": /\bthat (?:is|are) no(?:ne)?\b/gi,
};

/** The text of a file, by its path from the root. */
export const textOf = (path: string): string => readFileSync(join(root, path), "utf8");

/** The first paragraph of the comment at the begin of a source; empty where there is none. */
export const headerOf = (text: string): string => {
  const lines = text.replace(/^#!.*\n/, "").split("\n");
  const end = lines.findIndex((line) => !line.startsWith("// "));
  return lines
    .slice(0, end)
    .map((line) => line.slice(2).trim())
    .join(" ");
};
