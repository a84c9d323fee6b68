import { afterAll, beforeAll, expect, test } from "vitest";
import { orders } from "../src/api/OrderBy.ts";
import { byId, bySelector } from "../src/api/Authentication.ts";
import { listStatements, tagStatements } from "../src/api/EngineStore.ts";
import { migrate } from "../src/api/Migrations.ts";
import type { Statement } from "../src/api/SqlPort.ts";
import { openSqlite, type SqliteFile } from "../src/node/SqliteFile.ts";
import { ensureUser } from "../src/manage/Accounts.ts";
import { publishAll } from "../src/manage/Engines.ts";

let file: SqliteFile;

beforeAll(async () => {
  file = openSqlite(":memory:");
  await migrate(file.port, 0);
  for (const name of ["alice", "bob"]) {
    const engines = Array.from({ length: 200 }, (_, index) => ({
      name: `e-${index % 50}`,
      version: `0.${index}`,
      isPublic: index % 10 === 0,
    }));
    await publishAll(file, ensureUser(file, name, 0), engines, undefined, 0);
  }
});

afterAll(() => file.close());

const planOf = ({ sql, values }: Statement): string =>
  file
    .rows({ sql: `EXPLAIN QUERY PLAN ${sql}`, values })
    .map((row) => String(row["detail"]))
    .join("\n");

const user = { number: 1, id: "x", name: "alice" };

const statements: ReadonlyArray<readonly [string, Statement]> = [
  ...orders.flatMap((order) =>
    [true, false].flatMap((isPublic) =>
      (["json", "protobuf"] as const).flatMap((form) => {
        const { rows, total } = listStatements(user, isPublic, order, { limit: 20, offset: 900 }, form);
        const name = `${isPublic ? "public" : "own"} by ${order.field}${order.descending ? " desc" : ""} in ${form}`;
        return [[`rows ${name}`, rows] as const, [`total ${name}`, total] as const];
      }),
    ),
  ),
  ...[{ name: "a" }, { name: "a", major: 1 }, { name: "a", major: 1, minor: 2 }].flatMap((tag) =>
    (["json", "protobuf", "status"] as const).flatMap((what) =>
      tagStatements(user, tag, what).map(
        (statement, index) => [`tag ${JSON.stringify(tag)} ${what} ${index}`, statement] as const,
      ),
    ),
  ),
  ["credential by selector", bySelector("0123456789abcdef", 0)],
  ["credential by id", byId("x", 0)],
];

test.for(statements)("%s is served by an index alone: no scan, no sort", ([, statement]) => {
  for (const analysed of [false, true]) {
    if (analysed) file.database.exec("ANALYZE");
    const plan = planOf(statement);
    expect(plan).not.toMatch(/TEMP B-TREE|AUTOMATIC/);
    // Going through a partial index in its order is no table scan: it holds exactly the rows that are asked for.
    for (const line of plan.split("\n")) expect(line).toMatch(/^SEARCH|USING (?:COVERING )?INDEX public_by_|^SCALAR/);
  }
});
