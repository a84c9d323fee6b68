import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { EngineSchema } from "@bytenite-engines/proto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { migrate } from "../api/Migrations.ts";
import { openSqlite } from "../node/SqliteFile.ts";
import { ensureUser } from "./Accounts.ts";
import { change, makeQuotas, prepareEngines, publish, publishAll, wholeEngine, type EngineInit } from "./Engines.ts";

const time = { seconds: 1_700_000_000n };

/** Few names and versions, so that engines meet. */
const init: fc.Arbitrary<EngineInit> = fc.record({
  id: fc.constantFrom("one", "two"),
  name: fc.constantFrom("zipper", "ripper"),
  version: fc.constantFrom("0.1", "0.2"),
  status: fc.constantFrom("", "active", "inactive"),
  isPublic: fc.boolean(),
  revision: fc.integer({ min: 0, max: 3 }),
  description: fc.string({ maxLength: 5 }),
  deletedAt: fc.option(fc.constant(timestampFromMs(1)), { nil: undefined, freq: 6 }),
});

/** Contents of a database after publishing the engines one after the other. */
const published = async (engines: ReadonlyArray<EngineInit>, guess: (index: number) => "new" | "known") => {
  const file = openSqlite(":memory:");
  await migrate(file.port, 0);
  const user = ensureUser(file, "carol", 0);
  const whole = engines.map((init, index) =>
    wholeEngine({ ...user, id: "carol" }, create(EngineSchema, init), index * 1_000),
  );
  const prepared = prepareEngines(whole).map((engine) => Object.assign(engine, { sealed: null }));
  const outcomes = file.transaction((run) => {
    const quotas = makeQuotas(run);
    return prepared.map((engine, index) => publish(run, engine, index * 1_000, quotas, guess(index)));
  });
  const rows = file.rows({ sql: "SELECT * FROM engines ORDER BY number", values: [] });
  const totals = file.rows({ sql: "SELECT live_engines FROM users", values: [] });
  file.close();
  return { outcomes, rows, totals };
};

test("the expected revision changes neither what is stored nor what is returned", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.tuple(init, fc.constantFrom("new", "known")), { maxLength: 8 }), async (steps) => {
      const engines = steps.map(([engine]) => engine);
      const known = await published(engines, () => "known");
      expect(await published(engines, () => "new")).toEqual(known);
      expect(await published(engines, (index) => steps[index]?.[1] ?? "new")).toEqual(known);
    }),
    { numRuns: 60 },
  );
});

test("a version that is there is overwritten, and keeps what the new one does not name", async () => {
  const first = { id: "one", name: "zipper", version: "0.1", status: "active", isPublic: true, createdAt: time };
  const { outcomes, rows } = await published(
    [first, { id: "two", name: "zipper", version: "0.1", description: "again" }],
    () => "new",
  );
  expect(outcomes).toEqual([
    { tag: "zipper@0.1", id: "one", revision: 1, created: true },
    { tag: "zipper@0.1", id: "one", revision: 2, created: false },
  ]);
  expect(rows).toHaveLength(1);
  expect(JSON.parse(String(rows[0]?.["json"]))).toMatchObject({
    id: "one",
    status: "active",
    isPublic: true,
    description: "again",
    createdAt: "2023-11-14T22:13:20Z",
    updatedAt: "1970-01-01T00:00:01Z",
  });
});

test("a change of a version is what its name says", async () => {
  const file = openSqlite(":memory:");
  await migrate(file.port, 0);
  const user = ensureUser(file, "carol", 0);
  await publishAll(file, user, [{ name: "zipper", version: "0.1" }], undefined, 1);
  const after = (how: Parameters<typeof change>[3]): ReadonlyArray<unknown> => {
    expect(change(file, user, "zipper", how, 2)).toBe("zipper@0.1");
    const [row] = file.rows({ sql: "SELECT json FROM engines", values: [] });
    const { status, isPublic, deletedAt } = JSON.parse(String(row?.["json"])) as Record<string, unknown>;
    return [status, isPublic ?? false, deletedAt !== undefined && deletedAt !== null];
  };
  expect(after("make-public")).toEqual(["inactive", true, false]);
  expect(after("activate")).toEqual(["active", true, false]);
  expect(after("make-private")).toEqual(["active", false, false]);
  expect(after("deactivate")).toEqual(["inactive", false, false]);
  expect(after("delete")).toEqual(["inactive", false, true]);
  file.close();
});
