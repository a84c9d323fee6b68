// The database that a command works on, and its key.
import { existsSync, mkdirSync } from "node:fs";
import { dirname } from "node:path";
import { setImmediate } from "node:timers/promises";
import { parseArgs } from "node:util";
import { UnacceptableEngineError } from "../api/EngineRow.ts";
import { assertCurrent, migrate, NewerDatabaseError, OlderDatabaseError } from "../api/Migrations.ts";
import { KeyError, makeSecretBox, type SecretBox } from "../api/SecretBox.ts";
import { DatabaseUnavailable } from "../api/SqlDriver.ts";
import { archivesOf } from "../manage/ArchiveFiles.ts";
import { AccountError, UnknownUserError } from "../manage/Accounts.ts";
import { BackupError } from "../manage/Backup.ts";
import { TransferError } from "../manage/ArchiveTransfer.ts";
import { ExportError } from "../manage/Export.ts";
import { StagingError } from "../manage/Staging.ts";
import { openSqlite, primaryCodeOf, type SqliteFile } from "../node/SqliteFile.ts";
import { exitCodes, flagError, UsageError, UserError } from "./UserError.ts";

/** What stands on a command line. */
export interface Flags {
  readonly positionals: ReadonlyArray<string>;
  readonly text: (name: string) => string | undefined;
  readonly isOn: (name: string) => boolean;
}

/** Reads flags and at most so many positional arguments. Throws UsageError. */
export const flagsOf = (
  args: ReadonlyArray<string>,
  texts: ReadonlyArray<string>,
  switches: ReadonlyArray<string>,
  most: number,
): Flags => {
  try {
    const options = Object.fromEntries([
      ...["database", ...texts].map((name) => [name, { type: "string" as const }]),
      ...switches.map((name) => [name, { type: "boolean" as const }]),
    ]);
    const parsed = parseArgs({ args: [...args], allowPositionals: true, options });
    const extra = parsed.positionals[most];
    if (extra !== undefined) throw oneTooMany(extra);
    const values = parsed.values as Readonly<Record<string, string | boolean | undefined>>;
    return {
      positionals: parsed.positionals,
      text: (name) => values[name] as string | undefined,
      isOn: (name) => values[name] === true,
    };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    throw flagError(error, ["database", ...texts, ...switches]);
  }
};

/** A positional argument that nothing is done with: whoever gave it meant something else. */
export const oneTooMany = (argument: string): UsageError =>
  new UsageError(`${JSON.stringify(argument.slice(0, 100))} is one argument too many`);

/** The database when none is named, below the current directory, so that a trial needs no configuration. */
const defaultDatabase = ".data/registry.sqlite";

/** The path of the database that is meant: what is given, the environment, or the default, whose directory is made. */
export const pathOrDefault = (given: string | undefined): string => {
  const named = given ?? process.env["REGISTRY_DATABASE"];
  if (named !== undefined && named !== "") return named;
  mkdirSync(dirname(defaultDatabase), { recursive: true });
  return defaultDatabase;
};

/** The folder of archives that a command line means. */
export const archivesPath = (flags: Flags): string =>
  flags.text("archives") ?? (process.env["REGISTRY_ARCHIVES"] || archivesOf(databasePath(flags)));

/** The path of the database that a command line means. */
export const databasePath = (flags: Flags): string => pathOrDefault(flags.text("database"));

/** The box of the key in the environment, if there is one. Rejects with KeyError. */
export const environmentBox = async (): Promise<SecretBox | undefined> => {
  const key = process.env["BYTENITE_REGISTRY_KEY"] || undefined;
  return key === undefined ? undefined : makeSecretBox(key);
};

/** Throws UserError where there is no database. */
export const assertDatabase = (path: string): void => {
  if (!existsSync(path)) throw new UserError(`there is no database ${path}`, exitCodes.notFound);
};

/**
 * Works on a database and closes it. `make` makes one that does not exist; the others refuse: a mistyped path must not be an empty
 * database, nor the backup of one. `make` and `change` bring an older one up to date; `read` refuses one
 * of another version; `copy` takes an older one as it is.
 */
export const withDatabase = async <A>(
  flags: Flags,
  how: "make" | "change" | "read" | "copy",
  work: (file: SqliteFile, box: SecretBox | undefined) => Promise<A>,
): Promise<A> => {
  const path = databasePath(flags);
  let file: SqliteFile | undefined;
  try {
    const box = await environmentBox();
    if (how !== "make") assertDatabase(path);
    file = openSqlite(path);
    if (how === "read" || how === "copy") await assertCurrent(file.port, box, { acceptOlder: how === "copy" });
    else await migrate(file.port, Date.now(), box);
    // The snapshot of these reads ends with the turn: work begins one that lasts.
    await setImmediate();
    return await work(file, box);
  } catch (error) {
    throw userErrorOf(error, path);
  } finally {
    file?.close();
  }
};

/** Failures as messages for the operator; those of SQLite name the database. */
export const userErrorOf = (error: unknown, database: string): unknown => {
  if (error instanceof DatabaseUnavailable || (error as NodeJS.ErrnoException).code === "ERR_SQLITE_ERROR") {
    return new UserError(databaseProblem(error, database), 1, undefined, { cause: error });
  }
  if (!(error instanceof Error) || !expected.some((kind) => error instanceof kind)) return error;
  const exitCode = error instanceof UnknownUserError ? exitCodes.notFound : 1;
  return new UserError(error.message, exitCode, undefined, { cause: error });
};

const expected = [
  AccountError,
  BackupError,
  ExportError,
  KeyError,
  NewerDatabaseError,
  OlderDatabaseError,
  StagingError,
  TransferError,
  UnacceptableEngineError,
];

/** A flag that must be given. Throws UsageError. */
export const needed = (flags: Flags, name: string): string => {
  const value = flags.text(name);
  if (value === undefined || value === "") throw new UsageError(`--${name} is missing`);
  return value;
};

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
  const { code, message = String(error) } = error as { code?: string; message?: string };
  if (code !== "ERR_SQLITE_ERROR") return message;
  return `cannot use the database ${database}: ${problems[primaryCodeOf(error)] ?? message}`;
};
