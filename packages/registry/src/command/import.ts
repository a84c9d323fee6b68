// `registry import`.
import { createReadStream, existsSync } from "node:fs";
import type { Readable } from "node:stream";
import { importFiles, importStream, type ImportOptions } from "../manage/Import.ts";
import { filesOf, ImportSourceError } from "../manage/ImportSource.ts";
import { listUsers, UnknownUserError, userOf } from "../manage/Accounts.ts";
import { giveTrialTokens } from "../manage/Trial.ts";
import type { SqliteFile } from "../node/SqliteFile.ts";
import { archivesPath, databasePath, flagsOf, withDatabase } from "./Database.ts";
import { assertWanted } from "./manage.ts";
import type { CommandOutput } from "./Output.ts";
import { UserError, UsageError } from "./UserError.ts";

/** A line per engine once it is on disk; problems by file, line and column on stderr. 1 when there were any. */
export const importAll = async (args: ReadonlyArray<string>, output: CommandOutput): Promise<number> => {
  const flags = flagsOf(
    args,
    ["user", "archive", "archives", "with-archives"],
    ["activate", "public", "create-user"],
    Infinity,
  );
  const { positionals } = flags;
  if (positionals.length === 0) throw new UsageError("import what? name files, directories or globs, or - for stdin");
  const fromStdin = positionals.includes("-");
  if (fromStdin && positionals.length > 1) throw new UsageError("- stands alone");
  const paths = fromStdin ? [] : await filesOf(positionals).catch(userErrorOf);
  const archive = flags.text("archive");
  if (archive !== undefined && paths.length > 1) throw new UsageError("--archive goes with one manifest");
  const folder = flags.text("with-archives");
  if (folder !== undefined && !(fromStdin || paths.every(isLines))) {
    throw new UsageError("--with-archives goes with - and .ndjson files, as exports are");
  }
  const isNew = !existsSync(databasePath(flags));
  const user = flags.text("user");
  return withDatabase(flags, "make", async (file, box) => {
    if (user !== undefined && !flags.isOn("create-user")) await assertUser(file, user);
    const options: ImportOptions = {
      file,
      box,
      user,
      activate: flags.isOn("activate"),
      makePublic: flags.isOn("public"),
      archive,
      transfer: folder === undefined ? undefined : { folder, archives: archivesPath(flags) },
      onPublished: ({ tag, revision }, source) =>
        void output.row({ tag, revision, source }, `imported ${tag} revision ${revision} from ${source}`),
    };
    const problems: Array<string> = [];
    const stream = async (input: Readable, name: string, from: string): Promise<void> => {
      const imported = await importStream(input, options);
      problems.push(...imported.problems.map((problem) => problem.replace(/^stdin/, () => name)));
      for (const source of imported.withoutArchive ?? []) {
        problems.push(
          `${source.replace(/^stdin/, () => name)}: imported without its archive, which is not in ${folder}`,
        );
      }
      const { moreWithoutArchive: more = 0 } = imported;
      if (more > 0) problems.push(`${more} more engines of ${name} imported without their archives`);
      if (imported.problems.length > 0 && !fromStdin) return;
      await output.done(`imported ${imported.engines} ${imported.engines === 1 ? "engine" : "engines"}${from}`);
    };
    if (fromStdin) await stream(process.stdin, "stdin", "");
    for (const path of paths.filter(isLines)) await stream(createReadStream(path), path, ` from ${path}`);
    const manifests = paths.filter((path) => !isLines(path));
    if (manifests.length > 0) problems.push(...(await importFiles(manifests, options)).problems);
    // As `serve` does where it makes the database.
    if (isNew) await giveTrialTokens(file, Date.now());
    for (const problem of problems) output.problem(problem);
    return problems.length === 0 ? 0 : 1;
  });
};

/** Asks whether to make a user who does not exist, unless the database has no users. */
const assertUser = async (file: SqliteFile, name: string): Promise<void> => {
  try {
    userOf(file, name);
  } catch (error) {
    if (!(error instanceof UnknownUserError)) throw error;
    if (listUsers(file).length > 0) await assertWanted(error.message, "Make one?", error);
  }
};

/** Whether each line of a file is an engine, as exports are written. */
const isLines = (path: string): boolean => /\.(?:ndjson|jsonl)$/i.test(path);

const userErrorOf = (error: unknown): never => {
  throw error instanceof ImportSourceError ? new UserError(error.message) : error;
};
