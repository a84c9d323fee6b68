import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openSqlite } from "../node/SqliteFile.ts";
import { migrate, migrations, NewerDatabaseError } from "./Migrations.ts";

test("a new file gets its tables once, however many open it at the same time", async () => {
  const directory = await mkdtemp(join(tmpdir(), "registry-migrations-"));
  const files = Array.from({ length: 4 }, () => openSqlite(join(directory, "x.sqlite")));
  try {
    const outcomes = await Promise.all(files.map(({ port }) => migrate(port, 1)));
    expect(outcomes.some(({ wasNew }) => wasNew)).toBe(true);
    const versions = files[0]?.rows({ sql: "SELECT version FROM migrations", values: [] });
    expect(versions).toHaveLength(migrations.length);
    expect(await migrate(openedAgain(files), 2)).toEqual({ wasNew: false });
  } finally {
    for (const file of files) file.close();
    await rm(directory, { recursive: true, force: true });
  }
});

const openedAgain = (files: ReadonlyArray<ReturnType<typeof openSqlite>>) => (files[3] ?? openSqlite(":memory:")).port;

test("a file of a newer registry is left alone", async () => {
  const file = openSqlite(":memory:");
  await migrate(file.port, 0);
  file.transaction((run) => run("INSERT INTO migrations (version, applied_at) VALUES (999, 0)"));
  await expect(migrate(file.port, 0)).rejects.toThrow(NewerDatabaseError);
  file.close();
});
