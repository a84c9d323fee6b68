import { afterAll, beforeAll, expect, test } from "vitest";
import { orders } from "../src/api/OrderBy.ts";
import { byId, bySelector, onlyIfGood, statements as single } from "../src/api/Statements.ts";
import { listStatements, tagStatement } from "../src/api/EngineStore.ts";
import { migrate } from "../src/api/Migrations.ts";
import type { Statement } from "../src/api/SqlDriver.ts";
import { openSqlite, type SqliteFile } from "../src/node/SqliteFile.ts";
import { createCredential, ensureUser } from "../src/manage/Accounts.ts";
import { publishAll } from "../src/manage/Engines.ts";

/** Databases by which statistics they have: none, those of all rows, or those of the first few, which may mislead. */
const files = new Map<string, SqliteFile>();

const fill = async (file: SqliteFile, names: ReadonlyArray<string>, from: number, to: number): Promise<void> => {
  for (const name of names) {
    const engines = Array.from({ length: to - from }, (_, index) => ({
      name: `e-${(from + index) % 50}`,
      version: `0.${from + index}`,
      isPublic: (from + index) % 10 === 0,
    }));
    const user = ensureUser(file, name, 0);
    await publishAll(file, user, engines, undefined, 0);
    await createCredential(file, user, "token", "", 0);
  }
};

beforeAll(async () => {
  for (const first of [undefined, 1, 2, 3, 20, 200]) {
    const file = openSqlite(":memory:");
    await migrate(file.port, 0);
    if (first !== undefined) {
      await fill(file, ["alice"], 0, first);
      file.database.exec("ANALYZE");
    }
    await fill(file, ["alice", "bob"], first ?? 0, 200);
    files.set(first === undefined ? "without statistics" : `with those of ${first} engines`, file);
  }
});

afterAll(() => {
  for (const file of files.values()) file.close();
});

const planOf = (file: SqliteFile, { sql, values }: Statement): ReadonlyArray<string> =>
  file.rows({ sql: `EXPLAIN QUERY PLAN ${sql}`, values }).map((row) => String(row["detail"]));

const user = { number: 1, id: "x", name: "alice" };

const statements: ReadonlyArray<readonly [string, Statement]> = [
  ...orders.flatMap((order) =>
    [{ isPublic: true }, { isPublic: false }].flatMap((filter) =>
      (["json", "protobuf"] as const).flatMap((form) => {
        const { rows, total, place } = listStatements(user, filter, order, { limit: 20, offset: 900 }, form);
        const name = `${JSON.stringify(filter)} by ${order.field}${order.descending ? " desc" : ""} in ${form}`;
        const from = order.field === "name" ? ["e-1", 0, 1, 5] : [0, 5];
        return [
          [`rows ${name}`, rows(20, 1_000)] as const,
          [`rows from a place ${name}`, rows(20, 1_000, from)] as const,
          [`place ${name}`, place(undefined, 256)] as const,
          [`place from a place ${name}`, place(from, 256)] as const,
          [`total ${name}`, total] as const,
        ];
      }),
    ),
  ),
  ...[{ name: "a" }, { name: "a", major: 1 }, { name: "a", major: 1, minor: 2 }].flatMap((tag) =>
    (["json", "protobuf", "hex", "status"] as const).map(
      (what) => [`tag ${JSON.stringify(tag)} ${what}`, tagStatement(user, tag, what)] as const,
    ),
  ),
  ["credential by selector", bySelector("0123456789abcdef", 0)],
  ["credential by id", byId("x", 0)],
  ["valid credential", onlyIfGood("x", 0)],
  ["the version that an import overwrites", { sql: single.version, values: [1, "a", 1, 2] }],
  ["the version that a change means", { sql: single.newest, values: [1, "a", 1, 1, null, null] }],
];

// Going through a partial index in its order is not a table scan: it holds exactly the rows that are asked for.
const served =
  /^SEARCH|^SCAN \w+ USING (?:COVERING )?INDEX public_by_|^(?:CORRELATED )?SCALAR|^CO-ROUTINE|^SCAN \(subquery|^COMPOUND QUERY|^LEFT-MOST|^UNION ALL|^SCAN CONSTANT ROW/;

test.for(statements)("%s is served by an index alone: no scan, no sort", ([, statement]) => {
  for (const [which, file] of files) {
    const others = planOf(file, statement).filter((line) => !served.test(line) || line.includes("AUTOMATIC"));
    expect([which, others]).toEqual([which, []]);
  }
});
