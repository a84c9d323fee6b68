import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { openSqlite } from "../node/SqliteFile.ts";
import { DatabaseUnavailable, type SqlDriver, type Statement } from "./SqlDriver.ts";
import { migrate, migrationFiles, migrations, NewerDatabaseError, schemaProblem } from "./Migrations.ts";

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

test("a schema that is older is a problem, and a newer one where it lacks what requests need", async () => {
  const file = openSqlite(":memory:");
  const needed = `the database has schema version 0, this registry needs ${migrations.length}: wrangler`;
  expect(await schemaProblem(file.port)).toContain(needed);
  await migrate(file.port, 0);
  expect(await schemaProblem(file.port)).toBeUndefined();
  file.close();
  for (const index of ["engines_by_creation", "engines_by_tag", "public_by_creation", "public_by_tag"]) {
    const newer = openSqlite(":memory:");
    await migrate(newer.port, 0);
    // As a database that says why it refuses a statement.
    const plain = { ...newer.port, read: async (asked: ReadonlyArray<Statement>) => asked.map(newer.rows) };
    newer.transaction((run) => run("INSERT INTO migrations (version, applied_at) VALUES (999, 0)"));
    expect(await schemaProblem(plain)).toBeUndefined();
    newer.transaction((run) => run(`DROP INDEX ${index}`));
    expect([index, await schemaProblem(plain)]).toEqual([index, new NewerDatabaseError(999).message]);
    newer.transaction((run) => run("DELETE FROM migrations WHERE version = 999"));
    expect(await schemaProblem(plain)).toBeUndefined();
    newer.close();
  }
});

test("a file of a newer registry is left alone", async () => {
  const file = openSqlite(":memory:");
  await migrate(file.port, 0);
  file.transaction((run) => run("INSERT INTO migrations (version, applied_at) VALUES (999, 0)"));
  await expect(migrate(file.port, 0)).rejects.toThrow(NewerDatabaseError);
  file.close();
});

test("a step that another process has taken is not taken again, and one that fails is an error", async () => {
  const file = openSqlite(":memory:");
  let taken = 0;
  const racing: SqlDriver = {
    ...file.port,
    write: async (statements) => {
      await file.port.write(statements);
      taken += 1;
      throw new Error("taken by somebody else");
    },
  };
  expect(await migrate(racing, 1)).toEqual({ wasNew: true });
  expect(taken).toBe(migrations.length);
  expect(await schemaProblem(file.port)).toBeUndefined();
  const failing = openSqlite(":memory:");
  let left = migrations.length - 1;
  const full: SqlDriver["write"] = (statements) =>
    left-- > 0 ? failing.port.write(statements) : Promise.reject(new Error("full"));
  await expect(migrate({ ...failing.port, write: full }, 1)).rejects.toThrow("full");
  file.close();
  failing.close();
});

test("a database that cannot be reached is not reported as one with a newer schema", async () => {
  const file = openSqlite(":memory:");
  await migrate(file.port, 0);
  file.transaction((run) => run("INSERT INTO migrations (version, applied_at) VALUES (999, 0)"));
  const read: SqlDriver["read"] = (asked) =>
    asked.length > 1 ? Promise.reject(new DatabaseUnavailable("gone")) : file.port.read(asked);
  await expect(schemaProblem({ ...file.port, read })).rejects.toThrow(DatabaseUnavailable);
  file.close();
});

test("the steps as files make the same database", async () => {
  const file = openSqlite(":memory:");
  const names = [...migrationFiles().keys()];
  expect(names).toEqual(migrations.map((_, index) => `${String(index + 1).padStart(4, "0")}_schema_${index + 1}.sql`));
  for (const text of migrationFiles().values()) file.database.exec(text);
  expect(await schemaProblem(file.port)).toBeUndefined();
  expect(await migrate(file.port, 0)).toEqual({ wasNew: false });
  const [row] = file.rows({ sql: "SELECT min(applied_at) AS at FROM migrations", values: [] });
  expect(Math.abs(Number(row?.["at"]) - Date.now())).toBeLessThan(60_000);
  file.close();
});
