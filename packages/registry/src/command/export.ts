// `registry export`.
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { userOf } from "../manage/Accounts.ts";
import { ExportError, exportLines, exportRows } from "../manage/Export.ts";
import { flagsOf, withDatabase } from "./Database.ts";
import { UsageError } from "./UserError.ts";

/** Writes the export to stdout, as fast as it is read. A reader that has had enough ends it quietly. */
export const exportAll = async (args: ReadonlyArray<string>): Promise<number> => {
  const flags = flagsOf(args, ["user", "format"], ["with-secrets"], 0);
  const format = flags.text("format") ?? "ndjson";
  if (format !== "ndjson" && format !== "sql") throw new UsageError("--format is ndjson or sql");
  return withDatabase(flags, "read", async (file, box) => {
    const withSecrets = flags.isOn("with-secrets");
    if (withSecrets && box === undefined) throw new ExportError("--with-secrets needs BYTENITE_REGISTRY_KEY");
    const name = flags.text("user");
    const user = name === undefined ? undefined : userOf(file, name);
    const lines = format === "sql" ? exportRows(file) : exportLines(file, user, withSecrets ? box : undefined);
    try {
      await pipeline(Readable.from(lines), process.stdout, { end: false });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EPIPE") throw error;
    }
    return 0;
  });
};
