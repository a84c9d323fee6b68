// Files of an import: paths, trees, globs.
import { existsSync } from "node:fs";
import { glob, readdir, stat } from "node:fs/promises";
import { join } from "node:path";

/** The name of a manifest in a tree. */
const manifestName = "manifest.json";

/** Skipped directories. */
const skipped = new Set(["node_modules", ".git"]);

/** A path without a file. */
export class ImportSourceError extends Error {
  override readonly name = "ImportSourceError";
}

/** The files that paths mean, each once, in a stable order. Symbolic links in trees are not followed. */
export const filesOf = async (paths: ReadonlyArray<string>): Promise<ReadonlyArray<string>> => {
  const files = new Set<string>();
  for (const path of paths) {
    for (const file of await filesAt(path)) files.add(file);
  }
  return [...files];
};

const filesAt = async (path: string): Promise<ReadonlyArray<string>> => {
  const matches = existsSync(path) ? [path] : await matchesOf(path);
  if (matches.length === 0)
    throw new ImportSourceError(`${path}: no such file or directory, nor a glob that matches one`);
  const files: Array<string> = [];
  for (const match of matches) {
    if ((await stat(match)).isDirectory()) files.push(...(await manifestsIn(match)));
    else files.push(match);
  }
  if (files.length === 0) throw new ImportSourceError(`${path}: no ${manifestName} there`);
  return files.toSorted();
};

const matchesOf = async (pattern: string): Promise<ReadonlyArray<string>> => {
  const matches: Array<string> = [];
  for await (const match of glob(pattern)) matches.push(match);
  return matches;
};

const manifestsIn = async (directory: string): Promise<ReadonlyArray<string>> => {
  const files: Array<string> = [];
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const path = join(directory, entry.name);
    if (entry.isDirectory() && !skipped.has(entry.name)) files.push(...(await manifestsIn(path)));
    else if (entry.isFile() && entry.name === manifestName) files.push(path);
  }
  return files;
};
