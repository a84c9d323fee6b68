// If-Match and If-None-Match of changes, such as `"revision-7"` (RFC 9110, 13.1).
import type { RequestHead } from "../api/Answer.ts";
import { ApiError } from "../api/ApiError.ts";

/** What must be true of the engine before a call changes it: the revision, or undefined where there is none. */
export type Condition = (revision: number | undefined) => boolean;

const revisionTag = /^"revision-(0|[1-9]\d{0,9})"$/;

/** The condition of a request. `mayBeNew`: `If-None-Match: *` is taken, too. Refuses what else these fields can say. */
export const conditionIn = (head: RequestHead, mayBeNew: boolean): Condition => {
  const match = head.header("if-match");
  const noneMatch = head.header("if-none-match");
  if (noneMatch !== null) {
    if (!mayBeNew || match !== null || noneMatch.trim() !== "*") {
      throw new ApiError("INVALID_ARGUMENT", "If-None-Match is * in an upload, without If-Match, and nothing else");
    }
    return (revision) => revision === undefined;
  }
  if (match === null) return () => true;
  if (match.trim() === "*") return (revision) => revision !== undefined;
  const [, wanted] = revisionTag.exec(match.trim()) ?? [];
  if (wanted === undefined) throw new ApiError("INVALID_ARGUMENT", 'If-Match is * or one revision, as "revision-7"');
  return (revision) => revision === Number(wanted);
};

/** Refuses a call whose condition does not hold. */
export const assertCondition = (holds: Condition, revision: number | undefined): void => {
  if (holds(revision)) return;
  const found = revision === undefined ? "there is no such engine" : `the engine has revision ${revision}`;
  throw new ApiError("ABORTED", `the condition of the request does not hold: ${found}`, { status: 412 });
};
