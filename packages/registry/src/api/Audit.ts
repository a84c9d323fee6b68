// Audit trail, written in the transaction of the change.
import type { Statement } from "./SqlDriver.ts";

const note = "INSERT INTO audit (at, actor, action, subject, detail) VALUES (?, ?, ?, ?, ?)";

/** `changes()` is 0 where the statement before it has met no row: then nothing is noted. */
const noteIfChanged = "INSERT INTO audit (at, actor, action, subject, detail) SELECT ?, ?, ?, ?, ? WHERE changes() > 0";

/** A statement that notes a change in the audit trail, to be run in the transaction of that change. */
export const auditStatement = (
  at: number,
  actor: string,
  action: string,
  subject: string,
  detail: object = {},
  onlyIfChanged = false,
): Statement => ({
  sql: onlyIfChanged ? noteIfChanged : note,
  values: [at, actor, action, subject, JSON.stringify(detail)],
});
