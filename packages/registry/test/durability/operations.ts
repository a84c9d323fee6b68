// Numbered writes for kill tests, and their expected results.
import { join } from "node:path";
import { Readable } from "node:stream";
import { backUp } from "../../src/manage/Backup.ts";
import { ensureUser } from "../../src/manage/Accounts.ts";
import { change } from "../../src/manage/Engines.ts";
import { importStream } from "../../src/manage/Import.ts";
import type { SqliteFile } from "../../src/node/SqliteFile.ts";

/** Engines that every import overwrites together. */
export const engineCount = 40;

/** What a database holds after some number of operations. */
export interface State {
  /** The number of the last import: in the description of every engine. */
  readonly batch: number;
  readonly active: ReadonlySet<string>;
}

const nameOf = (index: number): string => `engine-${index}`;

/** Where operation `number` leaves its backup, if it is one that makes one. */
export const backupPath = (directory: string, number: number): string => join(directory, `backup-${number % 9}.sqlite`);

/** Does operation `number`; it is acknowledged when the promise resolves. */
export const operate = async (file: SqliteFile, directory: string, number: number): Promise<void> => {
  const user = ensureUser(file, "carol", 0);
  if (number % 3 === 0) {
    const lines = Array.from({ length: engineCount }, (_, index) =>
      JSON.stringify({ name: nameOf(index), version: "0.1", description: String(number) }),
    );
    const { problems } = await importStream(Readable.from([`${lines.join("\n")}\n`]), {
      file,
      box: undefined,
      user: "carol",
    });
    if (problems.length > 0) throw new Error(problems.join("\n"));
  } else if (number % 3 === 1) change(file, user, nameOf(number % engineCount), toggleOf(number), number);
  else await backUp(file.database, backupPath(directory, number));
};

const toggleOf = (number: number): "activate" | "deactivate" =>
  Math.floor(number / 120) % 2 === 0 ? "activate" : "deactivate";

/** What must hold after operations 0 to `last`. */
export const stateAfter = (last: number): State => {
  const active = new Set<string>();
  for (let number = 1; number <= last; number += 3) {
    const name = nameOf(number % engineCount);
    if (toggleOf(number) === "activate") active.add(name);
    else active.delete(name);
  }
  return { batch: last - (last % 3), active };
};

/** What does hold. Throws when engines disagree about the batch, when forms disagree, or totals are wrong. */
export const stateOf = (file: SqliteFile): State => {
  const rows = file.rows({ sql: "SELECT name, status, json FROM engines WHERE deleted_at IS NULL", values: [] });
  const batches = new Set(rows.map((row) => (JSON.parse(String(row["json"])) as { description: string }).description));
  const [total] = file.rows({ sql: "SELECT live_engines FROM users", values: [] });
  const [verdict] = file.rows({ sql: "PRAGMA integrity_check", values: [] });
  if (rows.length !== engineCount) throw new Error(`${rows.length} engines`);
  if (batches.size !== 1) throw new Error(`half an import: ${[...batches].join(", ")}`);
  if (total?.["live_engines"] !== engineCount) throw new Error(`a total of ${String(total?.["live_engines"])}`);
  if (verdict?.["integrity_check"] !== "ok") throw new Error(`integrity: ${String(verdict?.["integrity_check"])}`);
  const active = new Set(rows.filter((row) => row["status"] === "active").map((row) => String(row["name"])));
  return { batch: Number([...batches][0]), active };
};
