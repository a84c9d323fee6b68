// Fuzz target: streams of manifests and exported engines.
import { Readable } from "node:stream";
import { exportLines, importStream, migrate, openSqlite, type SqliteFile } from "@bytenite-engines/registry";
import { must, textOf, type Target } from "../Target.ts";

const open = async (): Promise<SqliteFile> => {
  const file = openSqlite(":memory:");
  await migrate(file.port, 0);
  return file;
};

export const fuzz: Target = async (data) => {
  const file = await open();
  try {
    const imported = await importStream(Readable.from([textOf(data)]), { file, box: undefined, user: "alice" });
    const stored = (await collect(exportLines(file))).length;
    must(imported.problems.length === 0 || stored === 0, "a stream with problems was stored in part");
    must(imported.problems.length > 0 || stored <= imported.engines, "more is stored than was imported");
  } finally {
    file.close();
  }
};

const collect = async (lines: AsyncIterable<string>): Promise<ReadonlyArray<string>> => {
  const all: Array<string> = [];
  for await (const line of lines) all.push(line);
  return all;
};
