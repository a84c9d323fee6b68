// Decides: which files an import reads: files, trees, globs.
import { glob, readdir, stat } from "node:fs/promises";
import { join } from "node:path";

/** The name of a manifest in a tree. */
const manifestName = "manifest.json";

/** Directories that are never looked into. */
const skipped = new Set(["node_modules", ".git"]);

/** A path that leads to nothing. */
export class ImportSourceError extends Error {
  constructor(problem: string) {
    super(problem);
    this.name = "ImportSourceError";
  }
}

/** The files that paths mean, each once, in a stable order. Symbolic links in trees are not followed. */
export const filesOf = async (paths: ReadonlyArray<string>): Promise<ReadonlyArray<string>> => {
  const files = new Set<string>();
  for (const path of paths) {
    const found = await filesAt(path);
    if (found.length === 0) throw new ImportSourceError(`${path}: no ${manifestName} there`);
    for (const file of found) files.add(file);
  }
  return [...files];
};

const filesAt = async (path: string): Promise<ReadonlyArray<string>> => {
  const found = await stat(path).catch(() => undefined);
  if (found?.isDirectory() === true) return manifestsIn(path);
  if (found !== undefined) return [path];
  const matches: Array<string> = [];
  for await (const match of glob(path)) {
    if ((await stat(match)).isDirectory()) matches.push(...(await manifestsIn(match)));
    else matches.push(match);
  }
  return matches.toSorted();
};

const manifestsIn = async (directory: string): Promise<ReadonlyArray<string>> => {
  const files: Array<string> = [];
  const entries = await readdir(directory, { withFileTypes: true });
  for (const entry of entries.toSorted((a, b) => (a.name < b.name ? -1 : 1))) {
    const path = join(directory, entry.name);
    if (entry.isDirectory() && !skipped.has(entry.name)) files.push(...(await manifestsIn(path)));
    else if (entry.isFile() && entry.name === manifestName) files.push(path);
  }
  return files;
};
