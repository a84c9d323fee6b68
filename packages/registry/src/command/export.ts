// `registry export`.
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { userOf } from "../manage/Accounts.ts";
import { ExportError, exportLines, exportRows } from "../manage/Export.ts";
import { copyArchives, holdArchives } from "../manage/ArchiveFiles.ts";
import { exportArchives } from "../manage/ArchiveTransfer.ts";
import { archivesPath, flagsOf, withDatabase } from "./Database.ts";
import { UsageError } from "./UserError.ts";

/**
 * Writes the export to stdout, as fast as it is read; before that, archives into the folder that `--with-archives` names. A reader that
 * has had enough ends it quietly.
 */
export const exportAll = async (args: ReadonlyArray<string>): Promise<number> => {
  const flags = flagsOf(args, ["user", "format", "archives", "with-archives"], ["with-secrets"], 0);
  const format = flags.text("format") ?? "ndjson";
  if (format !== "ndjson" && format !== "sql") throw new UsageError("--format is ndjson or sql");
  return withDatabase(flags, "read", async (file, box) => {
    const withSecrets = flags.isOn("with-secrets");
    if (withSecrets && box === undefined) throw new ExportError("--with-secrets needs BYTENITE_REGISTRY_KEY");
    const name = flags.text("user");
    const user = name === undefined ? undefined : userOf(file, name);
    const secrets = withSecrets ? box : undefined;
    const folder = flags.text("with-archives");
    const release = folder === undefined ? undefined : holdArchives(file.database);
    try {
      // Rows and archives are of one moment.
      if (folder !== undefined) file.database.exec("BEGIN");
      if (folder !== undefined && format === "sql") {
        const [problem] = await copyArchives(file, { folder: archivesPath(flags), box }, folder);
        if (problem !== undefined) throw new ExportError(problem);
      } else if (folder !== undefined) {
        const withheld = await exportArchives(file, { folder, archives: archivesPath(flags) }, user, secrets);
        for (const engine of withheld) {
          process.stderr.write(`registry: the archive of ${engine} holds a secret: --with-secrets exports it\n`);
        }
      }
      const lines = format === "sql" ? exportRows(file) : exportLines(file, user, secrets);
      await pipeline(Readable.from(lines), process.stdout, { end: false });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EPIPE") throw error;
    } finally {
      if (file.database.isTransaction) file.database.exec("COMMIT");
      release?.();
    }
    return 0;
  });
};
