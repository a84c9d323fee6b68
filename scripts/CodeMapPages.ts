// Decides: how the map of the code is drawn: the page docs/map.md, and the parts of ARCHITECTURE.md between its markers.
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { decidesOf, readPackages, readScripts, type Package, type SourceFile } from "./CodeMap.ts";

const architecture = "ARCHITECTURE.md";
const page = "docs/map.md";

type Row = ReadonlyArray<string>;

/** A table as the formatter leaves it: columns as wide as their widest cell. */
const table = (head: Row, rows: ReadonlyArray<Row>): string => {
  const widths = head.map((_, column) => Math.max(3, ...[head, ...rows].map((row) => row[column]?.length ?? 0)));
  const line = (row: Row): string =>
    `| ${widths.map((width, column) => (row[column] ?? "").padEnd(width)).join(" | ")} |`;
  return [line(head), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join("\n");
};

/** What would be taken for a tag or for the end of a cell is escaped. */
const cell = (text: string): string => text.replaceAll("|", "\\|").replaceAll(/<(?=[\w/!])/g, "\\<");

const codes = (names: ReadonlyArray<string>): string => names.map((name) => `\`${name}\``).join(", ");

const packagesTable = (packages: ReadonlyArray<Package>): string =>
  table(
    ["folder", "package", "what it is", "knows", "in tests also"],
    packages.map(({ folder, name, description, isPublished, knows, knowsInTests }) => [
      `\`${folder}\``,
      isPublished ? `\`@bytenite-engines/${name}\`` : `private: \`${name}\``,
      cell(description),
      codes(knows),
      codes(knowsInTests),
    ]),
  );

/** What is published or deployed, with what each needs of the others to do its work. */
const graph = (packages: ReadonlyArray<Package>): string => {
  const drawn = packages.filter(({ isPublished, folder }) => isPublished || folder.startsWith("apps/"));
  return [
    "```mermaid",
    "graph RL",
    ...drawn.map(({ name, folder }) => `  ${name}["${folder.startsWith("apps/") ? folder : name}"]`),
    ...drawn.flatMap(({ name, knows }) => knows.map((other) => `  ${name} --> ${other}`)),
    "```",
  ].join("\n");
};

/** The files that a table names in its first column, with what each says of itself. */
const renewed = (root: string, drawn: string): string =>
  table(
    ["file", "decides"],
    [...drawn.matchAll(/^\| `(\S+)`/gm)].map(([, path = ""]) => [
      `\`${path}\``,
      cell(decidesOf(readFileSync(join(root, path), "utf8")) ?? ""),
    ]),
  );

/** ARCHITECTURE.md with everything between `<!-- drawn: NAME -->` and `<!-- end -->` drawn anew. */
const drawArchitecture = (root: string, packages: ReadonlyArray<Package>): string =>
  readFileSync(join(root, architecture), "utf8").replaceAll(
    /(<!-- drawn: (\w+) -->)([^]*?)(<!-- end -->)/g,
    (_, start: string, name: string, body: string, end: string) => {
      const parts: Readonly<Record<string, () => string>> = {
        packages: () => packagesTable(packages),
        graph: () => graph(packages),
        files: () => renewed(root, body),
      };
      const part = parts[name];
      if (part === undefined) throw new Error(`${architecture}: nothing is known of the drawing ${name}`);
      return `${start}\n\n${part()}\n\n${end}`;
    },
  );

const filesTable = (folder: string, files: ReadonlyArray<SourceFile>): string =>
  table(
    ["file", "decides"],
    files.flatMap(({ path, decides }) =>
      decides === undefined ? [] : [[`[${path}](../${folder}/${path})`, cell(decides)]],
    ),
  );

const drawPage = (root: string, packages: ReadonlyArray<Package>): string =>
  [
    "# The map of the code",
    "Every file and what it decides, or does, in its own words: the comment that it begins with. Tests that lie beside the\nfile they test, and generated code, are left out. Drawn by `pnpm generate`; `pnpm check` compares.",
    ...packages
      .filter(({ files }) => files.some(({ decides }) => decides !== undefined))
      .flatMap(({ folder, description, files }) => [`## ${folder}`, `${description}.`, filesTable(folder, files)]),
    "## scripts",
    "The verbs of the root.",
    filesTable("scripts", readScripts(root)),
  ].join("\n\n") + "\n";

/** The drawn documents as they should be, by their paths. */
export const drawCodeMap = (root: string): ReadonlyMap<string, string> => {
  const packages = readPackages(root);
  return new Map([
    [architecture, drawArchitecture(root, packages)],
    [page, drawPage(root, packages)],
  ]);
};

/** Draws the map, and returns which documents were not as they should be. */
export const writeCodeMap = (root: string): ReadonlyArray<string> => {
  const stale: Array<string> = [];
  for (const [path, text] of drawCodeMap(root)) {
    const file = join(root, path);
    if (existsSync(file) && readFileSync(file, "utf8") === text) continue;
    writeFileSync(file, text);
    stale.push(path);
  }
  return stale;
};
