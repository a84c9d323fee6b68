import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { ensureUser } from "../manage/Accounts.ts";
import { publishAll } from "../manage/Engines.ts";
import { openSqlite } from "../node/SqliteFile.ts";
import { bytesOf, listStatements, readEngine, readList, readStatus, type User } from "./EngineStore.ts";
import { migrate } from "./Migrations.ts";
import { orders } from "./OrderBy.ts";
import { maxPageBytes } from "./Page.ts";
import type { Snapshot, SqlDriver } from "./SqlDriver.ts";

const refused = { code: "NOT_FOUND", message: "engine not found" };
const order = { field: "createdAt", descending: false } as const;

/** A database with an engine of alice's; every statement that is read counts. */
const database = async () => {
  const file = openSqlite(":memory:");
  await migrate(file.port, 0);
  const alice = ensureUser(file, "alice", 0);
  await publishAll(file, alice, [{ name: "zipper", version: "0.1" }], undefined, 0);
  let statements = 0;
  const port: SqlDriver = {
    ...file.port,
    read: (asked) => {
      statements += asked.length;
      return file.port.read(asked);
    },
  };
  const list = async (user: User, offset: number) => {
    const { total, engines } = await readList(
      port,
      listStatements(user, { isPublic: false }, order, { limit: 5, offset }, "json"),
      user,
    );
    return [total, engines.length] as const;
  };
  return { file, port, alice, list, statements: () => statements, [Symbol.dispose]: () => file.close() };
};

test("a page with rows is one statement, and brings the length of the list", async () => {
  using store = await database();
  expect(await store.list(store.alice, 0)).toEqual([1, 1]);
  expect(store.statements()).toBe(1);
});

test("a page past the end has the length of the list all the same", async () => {
  using store = await database();
  expect(await store.list(store.alice, 1)).toEqual([1, 0]);
  expect(store.statements()).toBe(2);
});

/** Engines with few names and few times of creation. */
const many = (owner: number) =>
  Array.from({ length: 2_700 }, (_, index) => ({
    name: `e-${(index * 7) % 40}`,
    version: `${index % 3}.${owner}${index}`,
    isPublic: index % 5 !== 0,
    createdAt: timestampFromMs(Math.floor(index / 900) * 1_000),
  }));

test("pages from remembered places are those that an offset gives, in every order, before and after changes", async () => {
  using store = await database();
  const bob = ensureUser(store.file, "bob", 0);
  await publishAll(store.file, store.alice, many(1), undefined, 0);
  await publishAll(store.file, bob, many(2), undefined, 0);
  const forgetful: SqlDriver = { ...store.file.port, read: async (asked) => asked.map(store.file.rows) };
  const compared = async (): Promise<void> => {
    for (const each of orders) {
      for (const [isPublic, offsets] of [
        [true, [1_023, 1_024, 1_100, 2_047, 2_048, 2_049, 3_000, 4_315, 4_320, 9_999]],
        [false, [1_024, 1_800, 2_690, 2_705]],
      ] as const) {
        for (const offset of offsets) {
          const statements = listStatements(bob, { isPublic }, each, { limit: 7, offset }, "json");
          const plain = await readList(forgetful, statements, bob);
          expect(await readList(store.file.port, statements, bob)).toEqual(plain);
          expect(plain.engines.length > 0).toBe(offset < (isPublic ? 4_320 : 2_700));
        }
      }
    }
  };
  await compared();
  store.file.transaction((run) =>
    run("UPDATE engines SET name = 'first' WHERE name = 'e-39' AND owner = ?", bob.number),
  );
  await compared();
});

test("a deep page is found without going through what stands before it", async () => {
  using store = await database();
  const engines = Array.from({ length: 4_000 }, (_, index) => ({ name: `e-${index}`, version: "0.1" }));
  await publishAll(store.file, store.alice, engines, undefined, 0);
  let places: object | undefined;
  const remembered: Snapshot["remembered"] = (_, make) => (places ??= make()) as ReturnType<typeof make>;
  const readsOf = (offset: number): number => {
    let reads = 0;
    const rows: Snapshot["rows"] = (statement) => {
      reads += 1;
      return store.file.rows(statement);
    };
    const { rows: rowsOf } = listStatements(store.alice, { isPublic: false }, order, { limit: 5, offset }, "json");
    const statement = rowsOf(5, 10_000);
    expect(rows(statement.faster?.({ rows, remembered }) ?? statement)).toEqual(store.file.rows(statement));
    return reads;
  };
  expect([1_023, 3_900, 3_903, 2_600, 3_072, 1_024].map(readsOf)).toEqual([1, 5, 2, 2, 2, 2]);
  expect([9_999, 9_999].map(readsOf)).toEqual([2, 2]);
});

test("the list of a user who is gone is empty", async () => {
  using store = await database();
  expect(await store.list({ ...store.alice, number: 99 }, 0)).toEqual([0, 0]);
});

test("a status names the engine by its id and its whole tag", async () => {
  using store = await database();
  const [row] = store.file.rows({ sql: "SELECT id FROM engines", values: [] });
  const status = await readStatus(store.port, store.alice, { name: "zipper" });
  expect(status).toMatchObject({ id: row?.["id"], tag: "zipper@0.1", status: "inactive" });
});

test("a tag that means nothing is not found", async () => {
  using store = await database();
  await expect(readEngine(store.port, store.alice, { name: "nothing" }, "json")).rejects.toMatchObject(refused);
});

test("a database that gives no rows holds nothing", async () => {
  const user = { number: 1, id: "00000000-0000-4000-8000-000000000000", name: "alice" };
  const mute: SqlDriver = { read: () => Promise.resolve([]), write: () => Promise.resolve([]) };
  await expect(readEngine(mute, user, { name: "zipper" }, "json")).rejects.toMatchObject(refused);
  const statements = listStatements(user, { isPublic: false }, order, { limit: 5, offset: 0 }, "json");
  expect(await readList(mute, statements, user)).toEqual({ total: 0, engines: [], rows: [] });
});

test("bytes are the same from every database", () => {
  const bytes = new Uint8Array([1, 2, 255]);
  expect(bytesOf(bytes)).toBe(bytes);
  expect(bytesOf(bytes.buffer)).toEqual(bytes);
  expect(bytesOf([1, 2, 255])).toEqual(bytes);
  // What workerd has and Node 24 has not.
  Object.assign(Uint8Array, { fromHex: (text: string) => Buffer.from(text, "hex") });
  expect([...(bytesOf("0102ff") ?? [])]).toEqual([1, 2, 255]);
  expect(bytesOf(null)).toBeUndefined();
  expect(bytesOf(undefined)).toBeUndefined();
});

/** Engines whose JSON has so many bytes, and the bytes of each that a page of so many finds, with the statements that it takes. */
const pageOfSizes = async (sizes: ReadonlyArray<number>, limit: number) => {
  using store = await database();
  store.file.transaction((run) => run("DELETE FROM engines"));
  await publishAll(
    store.file,
    store.alice,
    sizes.map((_, index) => ({ name: `e-${index}`, version: "0.1" })),
    undefined,
    0,
  );
  for (const [index, size] of sizes.entries()) {
    store.file.transaction((run) => run("UPDATE engines SET json = ? WHERE name = ?", "x".repeat(size), `e-${index}`));
  }
  const statements = listStatements(store.alice, { isPublic: false }, order, { limit, offset: 0 }, "json");
  const { engines } = await readList(store.port, statements, store.alice);
  return { found: engines.map(({ json }) => json?.length), statements: store.statements() };
};

test("a page ends before the engine with which it would be too long, but not before its first", async () => {
  const half = maxPageBytes / 2;
  const cases: ReadonlyArray<readonly [sizes: ReadonlyArray<number>, limit: number, count: number, reads?: number]> = [
    [[half, half], 2, 2, 1],
    [[half, half + 1], 2, 1],
    [[half - 1, half + 1], 2, 2],
    [[half + 1, 1, half - 2], 3, 3],
    [[half + 1, 1, half - 1], 3, 2],
    [[maxPageBytes + 1, 1], 2, 1],
    [[1, maxPageBytes], 2, 1],
    [[maxPageBytes + 1], 1, 1],
    // A third of a page has a fraction: three of the next whole size are too many.
    [Array<number>(3).fill(Math.ceil(maxPageBytes / 3)), 3, 2],
  ];
  for (const [sizes, limit, count, statements = 2] of cases) {
    expect([sizes, await pageOfSizes(sizes, limit)]).toEqual([sizes, { found: sizes.slice(0, count), statements }]);
  }
});
