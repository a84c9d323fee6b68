// Locks between processes that change the same file.
import { closeSync, fstatSync, lstatSync, openSync, unlinkSync, type Stats } from "node:fs";
import { setTimeout } from "node:timers/promises";

/** A lock that stays the same for so long is of a process that was killed or stopped: a change takes milliseconds. */
const staleMs = 5_000;

/** Shortest time between two attempts, in milliseconds. */
const pollMs = 5;

/** A lock that this process has taken. */
export interface FileLock {
  /** Whether no other process has taken it for a stale one. */
  readonly isHeld: () => boolean;
  readonly release: () => void;
}

/** Takes the lock of a file, `PATH.lock`, when it is free or stale. Rejects with system errors. */
export const lockFile = async (path: string): Promise<FileLock> => {
  const lock = `${path}.lock`;
  let [seen, sinceMs]: [string | undefined, number] = [undefined, 0];
  for (;;) {
    const own = make(lock);
    const isHeld = (): boolean => identityIn(lock) === own;
    if (own !== undefined) return { isHeld, release: () => void (isHeld() && remove(lock)) };
    const found = identityIn(lock);
    if (found !== seen) [seen, sinceMs] = [found, performance.now()];
    else if (performance.now() - sinceMs > staleMs) remove(lock);
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
    return identityOf(fstatSync(descriptor));
  } finally {
    closeSync(descriptor);
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
