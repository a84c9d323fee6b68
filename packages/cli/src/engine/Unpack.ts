// Atomic extraction of an archive into a folder.
import { UserError } from "@bytenite-engines/registry/command";
import { lstatSync, mkdirSync, mkdtempSync, renameSync, rmSync } from "node:fs";
import { open } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { reasonOf } from "../config/Files.ts";
import { FileError, exitCodes } from "../Errors.ts";
import { safeText } from "../terminal/SafeText.ts";
import type { ArchivedFile } from "./Archive.ts";

/** Files that stand in the way and are named, at most. */
const maxNamed = 5;

/**
 * Writes the files below a folder, which is made where it is not there. Files that are there are replaced with `force` only. No link is
 * followed. Rejects with UserError and nothing written when something is in the way, with FileError when the disk refuses, and with
 * the reason of the signal.
 */
export const writeFiles = async (
  folder: string,
  files: ReadonlyArray<ArchivedFile>,
  force: boolean,
  signal: AbortSignal,
): Promise<void> => {
  let temporary: string | undefined;
  try {
    assertFree(folder, files, force);
    mkdirSync(dirname(folder), { recursive: true });
    // Next to the folder, so that the files can be renamed into it.
    temporary = mkdtempSync(join(dirname(folder), `.${basename(folder)}.bne-`));
    for (const file of files) {
      signal.throwIfAborted();
      await writeFile(join(temporary, file.path), file);
    }
    for (const { path } of files) moveInto(folder, temporary, path);
  } catch (error) {
    if (error instanceof UserError || signal.aborted) throw error;
    throw new FileError(`Cannot write below ${folder}: ${reasonOf(error)}`, { cause: error });
  } finally {
    if (temporary !== undefined) rmSync(temporary, { recursive: true });
  }
};

const assertFree = (folder: string, files: ReadonlyArray<ArchivedFile>, force: boolean): void => {
  const top = lstatSync(folder, { throwIfNoEntry: false });
  if (top === undefined) return;
  // The folder itself was named by the user, who may have a link there.
  if (!top.isDirectory() && !top.isSymbolicLink()) throw inTheWay(`${folder} is a file`, "Name another folder.");
  const taken: Array<string> = [];
  for (const { path } of files) {
    assertWay(folder, path);
    const there = lstatSync(join(folder, path), { throwIfNoEntry: false });
    if (there === undefined) continue;
    if (there.isDirectory()) throw inTheWay(`${join(folder, path)} is a folder`, "Name another folder, or remove it.");
    taken.push(path);
  }
  if (taken.length === 0 || force) return;
  const named =
    taken.slice(0, maxNamed).join(", ") + (taken.length > maxNamed ? ` and ${taken.length - maxNamed} more` : "");
  throw inTheWay(`${folder} has ${named} already`, "--force replaces them; or name another folder.");
};

/** Throws when a part of the way to a file is there and is not a folder: a link would lead elsewhere. */
const assertWay = (folder: string, path: string): void => {
  let way = folder;
  for (const part of path.split("/").slice(0, -1)) {
    way = join(way, part);
    const stats = lstatSync(way, { throwIfNoEntry: false });
    if (stats === undefined) return;
    if (stats.isDirectory()) continue;
    throw inTheWay(
      `${way} is ${stats.isSymbolicLink() ? "a link" : "a file"}, not a folder`,
      "Name another folder, or remove it.",
    );
  }
};

const inTheWay = (problem: string, hint: string): UserError =>
  new UserError(safeText(`Nothing was written: ${problem}`), exitCodes.notMet, hint);

const writeFile = async (path: string, { content, isExecutable }: ArchivedFile): Promise<void> => {
  mkdirSync(dirname(path), { recursive: true });
  const file = await open(path, "wx", isExecutable ? 0o777 : 0o666);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
};

const moveInto = (folder: string, temporary: string, path: string): void => {
  // Looked at again: somebody may have put a link there meanwhile.
  assertWay(folder, path);
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  renameSync(join(temporary, path), join(folder, path));
};
