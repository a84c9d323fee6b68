// Decides: what the map of the code says: which packages there are, what each knows of the others, and what each file decides,
// read from manifests, imports and the comment that each file begins with.
import { globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";

const scope = "@bytenite-engines/";

/** What is written by a machine, brought from elsewhere, or left over by a build. */
const foreign = /(?:^|\/)(?:node_modules|dist|gen|coverage|\.[^/]+)\//;

/** Files whose name says what they are: settings of the test runner, and types of modules that bring none. */
const selfExplaining = /(?:\.d\.ts|vitest(?:\.\w+)?\.config\.ts)$/;

/** A source file, relative to the folder of its package. */
export interface SourceFile {
  readonly path: string;
  /** First sentence of the comment at its top, without "Decides:"; undefined where it begins with code. */
  readonly decides: string | undefined;
}

export interface Package {
  /** Without the scope. */
  readonly name: string;
  /** Relative to the root, such as `packages/core`. */
  readonly folder: string;
  /** As in its manifest; where that has none, what its Worker says of itself. */
  readonly description: string;
  readonly isPublished: boolean;
  /** Names of the packages that it imports to do its work, and those that only its tests and scripts import. */
  readonly knows: ReadonlyArray<string>;
  readonly knowsInTests: ReadonlyArray<string>;
  readonly files: ReadonlyArray<SourceFile>;
}

interface Manifest {
  readonly name: string;
  readonly description?: string;
  readonly private?: boolean;
}

/** The comment at the top of a file up to its first blank line, as one line; empty where the file begins with code. */
export const headOf = (source: string): string => {
  const lines = source.replace(/^#!.*\n/, "").split("\n");
  const end = lines.findIndex((line) => !/^\/\/ *\S/.test(line));
  return lines
    .slice(0, end)
    .map((line) => line.slice(2).trim())
    .join(" ");
};

/** The first sentence of that comment, without the word "Decides:" and without its full stop. */
export const decidesOf = (source: string): string | undefined => {
  const head = headOf(source).replace(/^Decides: /, "");
  const sentence = /^.+?[.:](?= \p{Lu}|$)|^.+$/u.exec(head)?.[0];
  return sentence?.replace(/[.:]$/, "");
};

/** Whether a file must begin by saying what it decides: all but tests beside the file they test, and what says it by name. */
export const mustSay = (path: string): boolean => !path.endsWith(".test.ts") && !selfExplaining.test(path);

const isProduct = (path: string): boolean => /^(?:src|bin|rfc)\//.test(path) && !path.endsWith(".test.ts");

const importsOf = (source: string): ReadonlyArray<string> =>
  [...source.matchAll(/(?:from|import|import\()\s*"@bytenite-engines\/([a-z-]+)/g)].map(([, name = ""]) => name);

const sourcesIn = (folder: string): ReadonlyArray<string> =>
  globSync("**/*.{ts,js}", { cwd: folder, exclude: (name) => /^(?:node_modules|dist|gen|coverage|\..+)$/.test(name) })
    .map((path) => path.replaceAll("\\", "/"))
    .filter((path) => !foreign.test(path))
    .toSorted();

const packageIn = (root: string, folder: string): Package => {
  const manifest = JSON.parse(readFileSync(join(root, folder, "package.json"), "utf8")) as Manifest;
  const name = manifest.name.slice(scope.length);
  const sources = sourcesIn(join(root, folder)).map(
    (path) => [path, readFileSync(join(root, folder, path), "utf8")] as const,
  );
  const known = (isWanted: (path: string) => boolean): ReadonlyArray<string> =>
    [...new Set(sources.filter(([path]) => isWanted(path)).flatMap(([, source]) => importsOf(source)))]
      .filter((other) => other !== name)
      .toSorted();
  const knows = known(isProduct);
  const files = sources.map(([path, source]) => ({ path, decides: decidesOf(source) }));
  return {
    name,
    folder,
    description: manifest.description ?? files.find(({ path }) => path === "src/worker.ts")?.decides ?? "",
    isPublished: manifest.private !== true,
    knows,
    knowsInTests: known((path) => !isProduct(path)).filter((other) => !knows.includes(other)),
    files,
  };
};

/** All packages of the workspace, by folder. */
export const readPackages = (root: string): ReadonlyArray<Package> =>
  globSync(["{proto,docs}/package.json", "{packages,apps}/*/package.json"], { cwd: root })
    .map((path) => dirname(path).replaceAll("\\", "/"))
    .toSorted()
    .map((folder) => packageIn(root, folder));

/** The verbs of the root, which belong to no package. */
export const readScripts = (root: string): ReadonlyArray<SourceFile> =>
  sourcesIn(join(root, "scripts")).map((path) => ({
    path,
    decides: decidesOf(readFileSync(join(root, "scripts", path), "utf8")),
  }));
