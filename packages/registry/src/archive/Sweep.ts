// Removal of objects that no engine names any more.
import type { SqlDriver } from "../api/SqlDriver.ts";
import { forgetReleased, isHeld, isKnownKey } from "./ArchiveRows.ts";
import type { ObjectStore } from "./ArchiveStore.ts";

/** Milliseconds for which an object stays after the last change of it, or after its engine has let it go: uploads and downloads end in that time. */
export const sweepGraceMs = 60 * 60_000;

/**
 * Removes objects that nothing names for longer than the grace period. A key is never used twice, so that nobody can come to name
 * what nobody names; it is looked up again before each removal. Does nothing while a backup holds objects.
 */
export const sweep = async (
  sql: SqlDriver,
  store: ObjectStore,
  nowMs: number,
  graceMs: number = sweepGraceMs,
): Promise<number> => {
  if (sql.readOnly === true || (await isHeld(sql, nowMs))) return 0;
  let removed = 0;
  for (;;) {
    const keys = await forgetReleased(sql, nowMs - graceMs, nowMs);
    for (const key of keys) await store.remove(key);
    removed += keys.length;
    if (keys.length === 0) break;
  }
  for await (const { key, changedMs } of store.list()) {
    if (changedMs > nowMs - graceMs || (await isKnownKey(sql, key)) || (await isHeld(sql, nowMs))) continue;
    await store.remove(key);
    removed += 1;
  }
  return removed;
};
