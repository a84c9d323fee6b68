// Decides: how engines are imported from a command line.
import { importFiles, importStream, type Imported, type ImportOptions } from "../manage/Import.ts";
import { filesOf, ImportSourceError } from "../manage/ImportSource.ts";
import { flagsOf, withDatabase } from "./Database.ts";
import { ToldError, UsageError } from "./Told.ts";

/** A line per engine once it is on disk; problems by file, line and column on stderr. 1 when there were any. */
export const importAll = async (args: ReadonlyArray<string>): Promise<number> => {
  const flags = flagsOf(args, ["user", "archive"], ["activate", "public"], Infinity);
  const { positionals } = flags;
  if (positionals.length === 0) throw new UsageError("import what? name files, directories or globs, or - for stdin");
  const fromStdin = positionals.includes("-");
  if (fromStdin && positionals.length > 1) throw new UsageError("- stands alone");
  const paths = fromStdin ? [] : await filesOf(positionals).catch(toldOf);
  const archive = flags.text("archive");
  if (archive !== undefined && paths.length > 1) throw new UsageError("--archive goes with one manifest");
  return withDatabase(flags, "make", async (file, box) => {
    const options: ImportOptions = {
      file,
      box,
      user: flags.text("user"),
      activate: flags.isOn("activate"),
      makePublic: flags.isOn("public"),
      archive,
      onPublished: ({ tag, revision }, path) =>
        void process.stdout.write(`imported ${tag} revision ${revision} from ${path}\n`),
    };
    const result = fromStdin ? await importStream(process.stdin, options) : await importFiles(paths, options);
    return report(result, fromStdin);
  });
};

const toldOf = (error: unknown): never => {
  throw error instanceof ImportSourceError ? new ToldError(error.message) : error;
};

const report = ({ engines, problems }: Imported, fromStdin: boolean): number => {
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  if (fromStdin) process.stdout.write(`imported ${engines} ${engines === 1 ? "engine" : "engines"}\n`);
  return problems.length === 0 ? 0 : 1;
};
