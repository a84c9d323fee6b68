// Identity of an opened file and its path.
import { statSync, type BigIntStats } from "node:fs";

/**
 * Remembers the file at a path. The answer asks whether it is still there: one that was moved, deleted or replaced stays open
 * and is read, but nobody else writes to it any more, a revocation neither. What is no file, as `:memory:`, is always there.
 * One that is read as if nobody changed it (`frozen`) must not have changed either.
 */
export const rememberFile = (path: string, frozen: boolean): (() => boolean) => {
  const opened = found(path);
  if (opened === undefined) return () => true;
  return () => {
    const now = found(path);
    return now !== undefined && now.ino === opened.ino && now.dev === opened.dev && !(frozen && isChanged(now, opened));
  };
};

const isChanged = (now: BigIntStats, before: BigIntStats): boolean =>
  now.mtimeNs !== before.mtimeNs || now.size !== before.size;

const found = (path: string): BigIntStats | undefined => statSync(path, { bigint: true, throwIfNoEntry: false });
