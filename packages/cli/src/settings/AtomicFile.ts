// Writes a file as a whole or not at all.
import {
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  writeSync,
} from "node:fs";
import { dirname } from "node:path";

/** A file that could not be written, said in a sentence. */
export class FileError extends Error {
  readonly _tag = "FileError";
}

/** Why the system refused, for people. */
export const reasonOf = (error: unknown): string => {
  const { code, message } = error as { code?: string; message?: string };
  const reasons: Readonly<Record<string, string>> = {
    ENOSPC: "the disk is full",
    EDQUOT: "your quota is used up",
    EACCES: "you may not write there",
    EPERM: "you may not write there",
    EROFS: "it is on a read-only file system",
    ENOTDIR: "a part of the path is no directory",
    EISDIR: "it is a directory",
    ENOENT: "it does not exist",
  };
  return reasons[code ?? ""] ?? code ?? message ?? "unknown";
};

/**
 * Writes next to the file, then puts it in its place; a link is followed. Directories on the way are made for the user
 * alone. Throws FileError, with nothing changed.
 */
export const writeAtomically = (path: string, content: string | Uint8Array, mode = 0o600): void => {
  const file = beginAtomically(path, mode);
  file.write(content);
  file.commit();
};

/** A file that is being written. */
export interface PendingFile {
  readonly write: (content: string | Uint8Array) => void;
  /** Puts it in its place. */
  readonly commit: () => void;
  /** Takes it away, as if nothing had been. */
  readonly discard: () => void;
}

/** Begins a file that appears when it is committed. Every failure discards it and throws FileError. */
export const beginAtomically = (path: string, mode = 0o600): PendingFile => {
  let temporary: string | undefined;
  let descriptor: number | undefined;
  const discard = (): void => {
    if (descriptor !== undefined) closeSync(descriptor);
    descriptor = undefined;
    if (temporary !== undefined) rmSync(temporary, { force: true });
    temporary = undefined;
  };
  const attempt = <T>(action: () => T): T => {
    try {
      return action();
    } catch (error) {
      discard();
      throw new FileError(`Cannot write ${path}: ${reasonOf(error)}`, { cause: error });
    }
  };
  const target = attempt(() => {
    makeDirectory(dirname(path));
    return realPath(path);
  });
  attempt(() => {
    temporary = `${target}.${process.pid}.${Math.random().toString(36).slice(2, 10)}.tmp`;
    descriptor = openSync(temporary, "wx", mode);
  });
  return {
    write: (content) =>
      attempt(() => {
        const bytes = typeof content === "string" ? Buffer.from(content) : content;
        for (let written = 0; written < bytes.length;) written += writeSync(descriptor ?? -1, bytes, written);
      }),
    commit: () =>
      attempt(() => {
        fsyncSync(descriptor ?? -1);
        closeSync(descriptor ?? -1);
        descriptor = undefined;
        renameSync(temporary ?? "", target);
        temporary = undefined;
      }),
    discard,
  };
};

/** Not the recursive `mkdirSync`: that one never ends where the system makes no directories, e.g. under /proc. */
const makeDirectory = (path: string): void => {
  if (existsSync(path)) return;
  if (dirname(path) !== path) makeDirectory(dirname(path));
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    // Somebody else may have made it meanwhile.
    if ((error as { code?: string }).code !== "EEXIST") throw error;
  }
};

const realPath = (path: string): string => {
  try {
    return realpathSync(path);
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return path;
    throw error;
  }
};
