// Messages for databases that cannot be used.
import { DatabaseUnavailable } from "../api/SqlDriver.ts";

/** SQLite's primary result codes that an operator can do something about (https://sqlite.org/rescode.html). */
const problems: Readonly<Record<number, string>> = {
  5: "another process has been writing to it for too long: try again",
  8: "it, or its directory, may not be written by this user",
  10: "the disk failed to read or write",
  11: "it is damaged: registry check names where; move it away and restore a backup",
  13: "the disk is full: nothing of this was kept, all that was there before is",
  14: "it cannot be opened: does its directory exist, and may this user write there?",
  26: "it is not a SQLite file",
};

/** A sentence for an error; names the file where SQLite is the one that complains. Never an engine's data. */
export const databaseProblem = (error: unknown, database: string): string => {
  if (error instanceof DatabaseUnavailable) return databaseProblem(error.cause, database);
  const { code, errcode, message } = error as { code?: string; errcode?: number; message?: string };
  if (code !== "ERR_SQLITE_ERROR") return message ?? String(error);
  // Extended codes carry the primary one in their low byte.
  const known = errcode === undefined ? undefined : problems[errcode & 0xff];
  return `cannot use the database ${database}: ${known ?? message ?? "unknown error"}`;
};
