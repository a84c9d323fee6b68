// The user's files: ownership checks, atomic writes, settings as JSON with comments.
import { UsageError } from "@bytenite-engines/registry/command";
import {
  closeSync,
  constants,
  fchmodSync,
  fstatSync,
  fsyncSync,
  lstatSync,
  openSync,
  readdirSync,
  readSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  unlinkSync,
  writeFileSync,
  type Stats,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { FileError } from "../Errors.ts";
import { foreignPart, isOpenToOthers, isOwned, makeDirectory } from "./Directories.ts";
import type { ParseError } from "jsonc-parser";

/** Messages of system errors. */
export const reasonOf = (error: unknown, doing: "read" | "write" = "write"): string => {
  const { code, message } = error as { code?: string; message?: string };
  const reasons: Readonly<Record<string, string>> = {
    ENOSPC: "the disk is full",
    EDQUOT: "your quota is used up",
    EACCES: `you may not ${doing} there`,
    EPERM: `you may not ${doing} there`,
    EROFS: "it is on a read-only file system",
    ENOTDIR: "a part of the path is not a directory",
    EISDIR: "it is a directory",
    ENOENT: "it does not exist",
  };
  return reasons[code ?? ""] ?? code ?? message ?? "unknown";
};

/** Largest file of settings, credentials or kept data, in bytes. */
export const maxFileBytes = 1_048_576;

/**
 * Who may have written a file that is read: `any`: anybody; `own`: the user or root, and nobody else can write it; `secret`: the
 * same, and nobody else can read it.
 */
export type Trust = "any" | "own" | "secret";

/** The text of a regular file, or undefined when there is none. Throws UsageError for what cannot be read or trusted. */
export const readText = (path: string, trust: Trust, maxBytes = maxFileBytes): string | undefined => {
  let descriptor: number | undefined;
  try {
    const kind = statSync(path);
    if (!kind.isFile()) throw unusable(path, kind.isDirectory() ? "it is a directory" : "it is not a regular file");
    // Not blocked by a FIFO that has taken its place meanwhile; on Windows, which has none, undefined, or 0.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    if (trust !== "any") assertOwn(path, trust, descriptor);
    const bytes = readUpTo(descriptor, maxBytes);
    if (bytes === undefined) throw unusable(path, `it is larger than ${maxBytes} bytes`);
    return bytes.toString("utf8").replace(/^\ufeff/, "");
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const { code } = error as { code?: string };
    if (code === "ENOENT" || code === "ENOTDIR") return undefined;
    throw unusable(path, code === "EACCES" ? "you may not" : reasonOf(error));
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
};

/** Bytes read at once: most files are smaller. */
const pieceBytes = 65_536;

/** All bytes, undefined for more than `most`. Not by the reported size: that of a file in /proc is 0. */
const readUpTo = (descriptor: number, most: number): Buffer | undefined => {
  const pieces: Array<Buffer> = [];
  for (let length = 0; length <= most;) {
    const piece = Buffer.allocUnsafe(pieceBytes);
    const read = readSync(descriptor, piece);
    if (read === 0) return Buffer.concat(pieces);
    pieces.push(piece.subarray(0, read));
    length += read;
  }
  return undefined;
};

const unusable = (path: string, reason: string): UsageError => new UsageError(`Cannot read ${path}: ${reason}`);

/** Throws UsageError for a file that others could have written, or lead to by a link or a directory of theirs. */
const assertOwn = (path: string, trust: "own" | "secret", descriptor: number): void => {
  if (process.getuid === undefined) return;
  assertOwnWay(path);
  const stats = fstatSync(descriptor);
  if (!isOwned(stats)) throw foreign(path, stats);
  if (trust === "secret" && (stats.mode & 0o077) !== 0) throw open(path, "read or write", "chmod 600");
  if (isOpenToOthers(stats)) throw open(path, "write", "chmod go-w");
};

/** Throws UsageError when others could lead the path elsewhere. */
const assertOwnWay = (path: string): void => {
  const part = foreignPart(path);
  if (part === undefined) return;
  if (part.stats.isSymbolicLink()) throw foreignLink(part.path, part.stats);
  throw isOwned(part.stats) ? open(part.path, "write", "chmod go-w") : foreign(part.path, part.stats);
};

const foreign = (path: string, { uid }: Stats): UsageError =>
  new UsageError(
    `${path} belongs to another user (uid ${uid}), so it is not used`,
    "Make it your own (chown) or remove it; XDG_CONFIG_HOME names another place.",
  );

const open = (path: string, what: string, command: string): UsageError =>
  new UsageError(`Others can ${what} ${path}, so it is not used`, `Close it: ${command} ${path}`);

const foreignLink = (path: string, { uid }: Stats): UsageError =>
  new UsageError(`${path} is a link of another user (uid ${uid}), so it is not followed`, "Remove it.");

/** Throws UsageError when the path is a link that somebody else has made. */
const assertOwnLink = (path: string): void => {
  const stats = lstatSync(path, { throwIfNoEntry: false });
  if (stats !== undefined && stats.isSymbolicLink() && !isOwned(stats)) throw foreignLink(path, stats);
};

/**
 * Writes next to the file, then puts it in its place; a link of the user's own is followed. Others may read it, unless the file that was
 * there says otherwise. Throws FileError, with nothing changed, also where the folder does not exist.
 */
export const writeAtomically = (path: string, content: string): void =>
  void finish(beginAtomically(path, 0o644, true), content);

/**
 * The same for a file that is read with trust: the user's alone, and nobody else may be able to lead it elsewhere. Directories on the way
 * are made for the user alone. Throws FileError.
 */
export const writeOwn = (path: string, content: string): void => {
  makeOwnWay(path);
  finish(beginAtomically(path, 0o600, false), content);
};

const makeOwnWay = (path: string): void =>
  attempt(path, () => {
    makeDirectory(dirname(path));
    assertOwnWay(path);
  });

const finish = (file: PendingFile, content: string, isWanted?: () => boolean): boolean => {
  file.write(content);
  return file.commit(isWanted);
};

const notWritten = (path: string, error: unknown): FileError =>
  new FileError(
    `Cannot write ${path}: ${
      error instanceof UsageError
        ? error.message
        : (error as { code?: string }).code === "ENOENT"
          ? `there is no folder ${dirname(path)}`
          : reasonOf(error)
    }`,
    { cause: error },
  );

/** A file that is being written. */
export interface PendingFile {
  readonly write: (content: string | Uint8Array) => void;
  /** Moves it to its final path, unless it is not wanted once it is on the disk. Returns whether it did. */
  readonly commit: (isWanted?: () => boolean) => boolean;
  /** Removes it. */
  readonly discard: () => void;
}

/**
 * Begins a file that appears when it is committed, with the mode of the one that was there if `keepsMode`. Only a regular file is
 * replaced, never a pipe or a device. Every failure discards it and throws FileError.
 */
export const beginAtomically = (path: string, mode: number, keepsMode: boolean): PendingFile => {
  const { target, existing, temporary, descriptor } = attempt(path, () => {
    assertOwnLink(path);
    const target = realPath(path);
    const existing = statSync(target, { throwIfNoEntry: false });
    if (existing?.isDirectory() === false && !existing.isFile()) throw notRegular();
    const temporary = `${target}.${process.pid}.${Math.random()}.tmp`;
    return { target, existing, temporary, descriptor: openSync(temporary, "wx", mode) };
  });
  let isOpen = true;
  const discard = (): void => {
    if (isOpen) closeSync(descriptor);
    isOpen = false;
    rmSync(temporary, { force: true });
  };
  attempt(
    path,
    () => {
      if (keepsMode && existing !== undefined) fchmodSync(descriptor, existing.mode & 0o777);
    },
    discard,
  );
  return {
    write: (content) => attempt(path, () => writeFileSync(descriptor, content), discard),
    commit: (isWanted = () => true) =>
      attempt(
        path,
        () => {
          fsyncSync(descriptor);
          isOpen = false;
          closeSync(descriptor);
          const wanted = isWanted();
          if (wanted) renameSync(temporary, target);
          else discard();
          return wanted;
        },
        discard,
      ),
    discard,
  };
};

const attempt = <T>(path: string, action: () => T, discard = (): void => {}): T => {
  try {
    return action();
  } catch (error) {
    discard();
    throw notWritten(path, error);
  }
};

const notRegular = (): UsageError =>
  new UsageError("it is a pipe, a device or a socket, which a file would replace", "Name a regular file.");

const realPath = (path: string): string => {
  try {
    return realpathSync(path);
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return path;
    throw error;
  }
};

/** The pending files of a file: with its lock, those that killed processes left. */
const pendingOf = (path: string): ReadonlyArray<string> => {
  try {
    const target = realPath(path);
    const [folder, name] = [dirname(target), basename(target)];
    return readdirSync(folder)
      .filter((each) => each.startsWith(name) && /^\.\d+\.[\d.e-]+\.tmp$/.test(each.slice(name.length)))
      .map((each) => join(folder, each));
  } catch {
    return [];
  }
};

/**
 * Replaces the text of a file (undefined: none) by what is made of it, with the trust with which it is read. Of several processes
 * that do so, one after the other does, each with the text that the last one left, and removes what killed ones left. Rejects with
 * UsageError for what cannot be read or trusted, with FileError for what cannot be written.
 */
export const rewrite = async (
  path: string,
  trust: Trust,
  change: (text: string | undefined) => Promise<string | undefined>,
): Promise<void> => {
  const before = readText(path, trust);
  if ((await change(before)) === before && pendingOf(path).length === 0) return;
  if (trust !== "any") makeOwnWay(path);
  // Commands that only read do not load it.
  const { lockFile } = await import("./FileLock.ts");
  for (let isDone = false; !isDone;) {
    const target = attempt(path, () => realPath(path));
    const lock = await lockFile(target).catch((error: unknown) => {
      throw notWritten(path, error);
    });
    try {
      attempt(path, () => pendingOf(path).forEach((each) => rmSync(each, { force: true })));
      const text = readText(path, trust);
      const next = await change(text);
      if (next === text) isDone = true;
      else if (next !== undefined) {
        isDone = finish(beginAtomically(path, trust === "any" ? 0o644 : 0o600, trust === "any"), next, lock.isHeld);
      } else if (lock.isHeld()) {
        attempt(path, () => unlinkSync(target));
        isDone = true;
      }
    } finally {
      lock.release();
    }
  }
};

/** The content of a file; an empty object without one. */
export type ConfigValues = Readonly<Record<string, unknown>>;

/** The values in a file. One that is broken, or not to be trusted, throws UsageError; a broken one with line and column. */
export const readConfig = async (path: string, trust: Trust = "own", maxBytes = maxFileBytes): Promise<ConfigValues> =>
  valuesIn(path, readText(path, trust, maxBytes));

/** The same of the text of a file that was read. */
export const valuesIn = async (path: string, text: string | undefined): Promise<ConfigValues> => {
  if (text === undefined || text.trim() === "") return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    value = await parseWithComments(path, text);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw broken(`${path}:1:1: must be a JSON object`);
  return value as ConfigValues;
};

const broken = (message: string): UsageError =>
  new UsageError(message, "It was left as it is; correct it or remove it.");

const parseWithComments = async (path: string, text: string): Promise<unknown> => {
  const { parse, printParseErrorCode } = await import("jsonc-parser");
  const problems: Array<ParseError> = [];
  let value: unknown;
  try {
    value = parse(text, problems, { allowTrailingComma: true });
  } catch (error) {
    // The parser calls itself for each level.
    if (error instanceof RangeError) throw broken(`${path}:1:1: nested too deep`);
    throw error;
  }
  const [first] = problems;
  if (first === undefined) return value;
  const before = text.slice(0, first.offset);
  const said = printParseErrorCode(first.error).replaceAll(/(?!^)[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
  throw broken(`${path}:${before.split("\n").length}:${before.length - before.lastIndexOf("\n")}: ${said}`);
};

/** Values by their paths; undefined takes one back. */
type Changes = ReadonlyArray<readonly [path: ReadonlyArray<string>, value: unknown]>;

/**
 * Sets values, which may depend on those that are there, and keeps the rest of the text as it is. Writes atomically. A file with
 * trust `any` is one that others may read, and work on.
 */
export const changeConfig = async (
  path: string,
  changes: Changes | ((values: ConfigValues) => Changes),
  trust: "any" | "own" = "own",
): Promise<void> => {
  const { applyEdits, modify } = await import("jsonc-parser");
  await rewrite(path, trust, async (before = "") => {
    const values = await valuesIn(path, before);
    let text = before.trim() === "" ? "{}\n" : before;
    for (const [at, value] of typeof changes === "function" ? changes(values) : changes) {
      const formattingOptions = { insertSpaces: true, tabSize: 2, eol: "\n" };
      text = applyEdits(text, modify(text, [...at], value, { formattingOptions }));
    }
    return text.endsWith("\n") ? text : `${text}\n`;
  });
};
