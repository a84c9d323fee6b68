// Files that are read whole: regular ones, up to a length.
import { constants, statSync, type Stats } from "node:fs";
import { open, stat, type FileHandle } from "node:fs/promises";

/** A file of a kind or length that is not read; the message is for the operator and does not name the file. */
export class UnreadableFileError extends Error {
  override readonly name = "UnreadableFileError";
  /** Like errors of the file system, so it is shown as one. */
  readonly code = "ERR_UNREADABLE_FILE";
}

const kindOf = (stats: Stats): string | undefined => {
  if (stats.isDirectory()) return "a directory";
  if (stats.isFIFO()) return "a FIFO";
  if (stats.isSocket()) return "a socket";
  return stats.isFile() ? undefined : "a device";
};

const assertRegular = (stats: Stats): void => {
  const kind = kindOf(stats);
  if (kind !== undefined) throw new UnreadableFileError(`is ${kind}, not a regular file`);
};

/** Whether there is a regular file. Throws UnreadableFileError for anything else, such as a folder. */
export const regularFileExists = (path: string): boolean => {
  const stats = statSync(path, { throwIfNoEntry: false });
  if (stats !== undefined) assertRegular(stats);
  return stats !== undefined;
};

/** Opens a regular file to read it. Opening a FIFO would wait for a writer; some devices act when opened. */
export const openRegular = async (path: string): Promise<FileHandle> => {
  assertRegular(await stat(path));
  const handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    assertRegular(await handle.stat());
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
};

/** The bytes of a regular file. Rejects with UnreadableFileError, before reading, when it is longer. */
export const readBounded = async (path: string, maxBytes: number): Promise<Buffer> => {
  const tooLong = new UnreadableFileError(`is longer than ${maxBytes} bytes`);
  const handle = await openRegular(path);
  try {
    if ((await handle.stat()).size > maxBytes) throw tooLong;
    const parts: Array<Buffer> = [];
    let length = 0;
    // It may have grown. `end` is the last byte to read.
    for await (const part of handle.createReadStream({ end: maxBytes }) as AsyncIterable<Buffer>) {
      parts.push(part);
      length += part.length;
    }
    if (length > maxBytes) throw tooLong;
    return Buffer.concat(parts);
  } finally {
    await handle.close();
  }
};

/** Longest file of settings, tokens, fault rules or field numbers, in bytes. */
export const maxSettingsBytes = 8 * 1_024 * 1_024;
