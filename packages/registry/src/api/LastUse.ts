// Last use of credentials, written in batches.
import type { SqlDriver } from "./SqlDriver.ts";
import { statements } from "./Statements.ts";

/** Milliseconds between two batches: how old a time of last use can be. */
export const lastUseMs = 60_000;

/** Credentials of one batch; what is used beyond it is noted the next time. */
const maxNoted = 1_000;

/** Collects uses until `flush`. */
export interface LastUse {
  readonly note: (credential: string, nowMs: number) => void;
  /** Writes what was noted since. Resolves when it is written, or cannot be: then it is noted again with the next use. */
  readonly flush: () => Promise<void>;
  /** Whether something waits for longer than `lastUseMs`. */
  readonly isDue: (nowMs: number) => boolean;
}

/** Nothing noted yet. */
export const makeLastUse = (sql: SqlDriver): LastUse => {
  let noted = new Map<string, number>();
  let sinceMs = Infinity;
  return {
    note: (credential, nowMs) => {
      if (noted.size === 0) sinceMs = nowMs;
      if (noted.size < maxNoted || noted.has(credential)) noted.set(credential, nowMs);
    },
    isDue: (nowMs) => nowMs - sinceMs >= lastUseMs,
    flush: async () => {
      if (noted.size === 0 || sql.readOnly === true) return;
      const uses = [...noted].map(([credential, atMs]) => ({ sql: statements.used, values: [atMs, credential] }));
      noted = new Map();
      sinceMs = Infinity;
      await sql.write(uses).catch(() => {});
    },
  };
};
