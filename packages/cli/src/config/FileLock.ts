// Locks between processes that change the same file.
import {
  closeSync,
  constants,
  fstatSync,
  lstatSync,
  openSync,
  readSync,
  unlinkSync,
  writeSync,
  type Stats,
} from "node:fs";
import { hostname } from "node:os";
import { setTimeout } from "node:timers/promises";

/** A lock that stays the same for so long is of a process that was stopped, or killed elsewhere: a change takes milliseconds. */
const staleMs = 5_000;

/** The same where its process has ended. Not at once: one in another container of this host name only seems to have. */
const leftMs = 200;

/** Shortest time between two attempts, in milliseconds. */
const pollMs = 5;

/** Most bytes of what a lock says: a number, and the name of a host. */
const maxHolderBytes = 300;

/** A lock that this process has taken. */
export interface FileLock {
  /** Whether no other process has taken it for a stale one. */
  readonly isHeld: () => boolean;
  readonly release: () => void;
}

/** Takes the lock of a file, `PATH.lock`, when it is free, stale, or of a process that has ended. Rejects with system errors. */
export const lockFile = async (path: string): Promise<FileLock> => {
  const lock = `${path}.lock`;
  let [seen, sinceMs]: [string | undefined, number] = [undefined, Infinity];
  for (;;) {
    const own = make(lock);
    const isHeld = (): boolean => identityIn(lock) === own;
    if (own !== undefined) return { isHeld, release: () => void (isHeld() && remove(lock)) };
    const found = identityIn(lock);
    if (found !== seen) [seen, sinceMs] = [found, performance.now()];
    const sameMs = performance.now() - sinceMs;
    const isStale = sameMs > staleMs || (sameMs > leftMs && isLeft(lock));
    // Another process that found the same may have taken it meanwhile.
    if (isStale && identityIn(lock) === found) remove(lock);
    await setTimeout(pollMs * (1 + Math.random()));
  }
};

const make = (lock: string): string | undefined => {
  let descriptor: number;
  try {
    descriptor = openSync(lock, "wx", 0o600);
  } catch (error) {
    if ((error as { code?: string }).code === "EEXIST") return undefined;
    throw error;
  }
  try {
    writeSync(descriptor, holder(process.pid));
  } catch {
    // Without room it says nothing: what only removes a file needs none.
  }
  const identity = identityOf(fstatSync(descriptor));
  closeSync(descriptor);
  return identity;
};

/** What a lock says of its process. */
const holder = (pid: number): string => `${pid} ${hostname()}`;

/** Whether the process of a lock was on this host and is no more. */
const isLeft = (lock: string): boolean => {
  let descriptor: number | undefined;
  try {
    // Not blocked by a FIFO in its place.
    descriptor = openSync(lock, constants.O_RDONLY | constants.O_NONBLOCK);
    const bytes = Buffer.alloc(maxHolderBytes);
    const text = bytes.toString("utf8", 0, readSync(descriptor, bytes));
    const pid = Number.parseInt(text, 10);
    if (text === holder(pid)) process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as { code?: string }).code === "ESRCH";
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
};

const identityOf = ({ ino, mtimeMs }: Stats): string => `${ino} ${mtimeMs}`;

const identityIn = (lock: string): string | undefined => {
  const stats = lstatSync(lock, { throwIfNoEntry: false });
  return stats === undefined ? undefined : identityOf(stats);
};

const remove = (lock: string): void => {
  try {
    unlinkSync(lock);
  } catch (error) {
    if ((error as { code?: string }).code !== "ENOENT") throw error;
  }
};
