import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { EngineSchema } from "@bytenite-engines/proto";
import * as fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { UnacceptableEngineError } from "../api/EngineRow.ts";
import { migrate } from "../api/Migrations.ts";
import { makeSecretBox } from "../api/SecretBox.ts";
import { openSqlite, type SqliteFile } from "../node/SqliteFile.ts";
import { ensureUser } from "./Accounts.ts";
import {
  change,
  makeQuotas,
  prepareEngines,
  publish,
  publishAll,
  sealEngine,
  wholeEngine,
  type EngineInit,
} from "./Engines.ts";

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

test("a change of a version is what its name says, and is noted in the audit trail", async () => {
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
  const trail = file.rows({ sql: "SELECT at, action, subject FROM audit ORDER BY number", values: [] });
  expect(trail).toEqual(
    ["make-public", "activate", "make-private", "deactivate", "delete"].map((how) => ({
      at: 2,
      action: `${how} engine`,
      subject: "carol/zipper@0.1",
    })),
  );
  file.close();
});

const opened = async () => {
  const file = openSqlite(":memory:");
  await migrate(file.port, 0);
  onTestFinished(() => file.close());
  return { file, user: ensureUser(file, "carol", 0) };
};

const storedIn = (file: SqliteFile): ReadonlyArray<Record<string, unknown>> =>
  file
    .rows({ sql: "SELECT json FROM engines ORDER BY number", values: [] })
    .map(({ json }) => JSON.parse(String(json)) as Record<string, unknown>);

test("what an engine does not name is filled in, and what it names is kept", async () => {
  const { file, user } = await opened();
  const named = { id: "x", revision: 7, status: "active", createdAt: time, updatedAt: { seconds: 1_700_000_001n } };
  const requirements = { minCpu: 0.1, minMemory: 1e-50 };
  const given = { name: "b", version: "0.1", ...named, deviceRequirements: requirements };
  expect(await publishAll(file, user, [{ name: "a", version: "0.1" }, given], undefined, 5_000)).toEqual([
    { tag: "a@0.1", id: expect.stringMatching(/^[0-9a-f-]{36}$/) as unknown, revision: 1, created: true },
    { tag: "b@0.1", id: "x", revision: 7, created: true },
  ]);
  expect(given.deviceRequirements).toBe(requirements);
  const [a, b] = storedIn(file);
  expect(a).toMatchObject({
    owner: user.id,
    userName: "carol",
    status: "inactive",
    createdAt: "1970-01-01T00:00:05Z",
    updatedAt: "1970-01-01T00:00:05Z",
  });
  expect(b).toMatchObject({
    status: "active",
    createdAt: "2023-11-14T22:13:20Z",
    updatedAt: "2023-11-14T22:13:21Z",
    deviceRequirements: { minCpu: 0.1 },
  });
  const { minMemory = 0 } = (b?.["deviceRequirements"] ?? {}) as { readonly minMemory?: number };
  expect(minMemory).toBe(0);
});

const plain = (name: string) => ({ name, version: "0.1" });

test("a quota is of live engines, and refuses the first that is too many, and with it all", async () => {
  const { file, user } = await opened();
  file.transaction((run) => run("UPDATE users SET max_engines = 4"));
  await publishAll(file, user, [plain("a"), plain("b"), plain("e")], undefined, 0);
  const problem = "d@0.1: carol has as many engines as the quota allows: delete some, or raise it";
  await expect(publishAll(file, user, [plain("c"), plain("d")], undefined, 0)).rejects.toThrow(problem);
  expect(storedIn(file)).toHaveLength(3);
  const deleted = { ...plain("d"), deletedAt: time };
  await publishAll(file, user, [plain("c"), deleted, plain("a"), plain("b")], undefined, 0);
  await expect(publishAll(file, user, [plain("d")], undefined, 0)).rejects.toThrow(problem);
  const [prepared] = prepareEngines([wholeEngine(user, create(EngineSchema, plain("d")), 0)]);
  const guessed = (guess: "new" | "known") =>
    file.transaction((run) => prepared && publish(run, { ...prepared, sealed: null }, 0, makeQuotas(run), guess));
  for (const guess of ["new", "known"] as const) expect(() => guessed(guess)).toThrow(problem);
  change(file, user, "a", "delete", 0);
  await publishAll(file, user, [plain("d")], undefined, 0);
  expect(storedIn(file)).toHaveLength(6);
});

test("a public engine has no secret, whichever of them came first; samples may", async () => {
  const { file, user } = await opened();
  const box = await makeSecretBox("k".repeat(32));
  const secret = { name: "a", version: "0.1", platformConfig: { token: "hush", container: "c" } };
  const sealedOf = async (init: EngineInit) => {
    const [prepared] = prepareEngines([wholeEngine(user, create(EngineSchema, init), 0)]);
    if (prepared === undefined) throw new Error("nothing was prepared");
    return sealEngine(prepared, box);
  };
  const problem = "a@0.1 has a platform_config.token, and cannot be public";
  await expect(sealedOf({ ...secret, isPublic: true })).rejects.toThrow(problem);
  expect(await sealedOf({ name: "a", version: "0.1", isPublic: true })).toMatchObject({ sealed: null });
  await publishAll(file, user, [{ name: "a", version: "0.1", isPublic: true }], box, 0);
  const sealed = await sealedOf(secret);
  expect(() => file.transaction((run) => publish(run, sealed, 0, makeQuotas(run)))).toThrow(problem);
  change(file, user, "a", "make-private", 0);
  file.transaction((run) => publish(run, sealed, 0, makeQuotas(run)));
  expect(() => change(file, user, "a", "make-public", 0)).toThrow("a has a platform_config.token");
  expect(change(file, user, "a", "activate", 0)).toBe("a@0.1");
  const [row] = file.rows({ sql: "SELECT json, secret FROM engines", values: [] });
  expect(String(row?.["json"])).not.toContain("hush");
  expect(await box.open(row?.["secret"] as Uint8Array, `${user.id}/a@0.1`)).toBe("hush");
  await publishAll(file, user, [{ ...secret, name: "b", isPublic: true }], box, 0);
  await expect(publishAll(file, user, [secret], undefined, 0)).rejects.toThrow(UnacceptableEngineError);
});

test("an id is of one engine, and the largest revision is the last", async () => {
  const { file, user } = await opened();
  await publishAll(file, user, [{ id: "x", name: "a", version: "0.1", revision: 2_147_483_646 }], undefined, 0);
  const importing = (name: string, namesId: boolean) => {
    const whole = { ...wholeEngine(user, create(EngineSchema, { id: "x", name, version: "0.1" }), 0), namesId };
    const [prepared] = prepareEngines([whole]);
    if (prepared === undefined) throw new Error("nothing was prepared");
    return file.transaction((run) => publish(run, { ...prepared, sealed: null }, 0, makeQuotas(run)));
  };
  expect(() => importing("b", true)).toThrow("b@0.1 of carol: its id x is the one of a@0.1");
  expect(importing("a", true)).toMatchObject({ id: "x", revision: 2_147_483_647 });
  expect(() => importing("a", false)).toThrow("a@0.1 of carol has the largest revision there is: delete it first");
});

test("a tag that is none, or that no engine has, is an error", async () => {
  const { file, user } = await opened();
  expect(() => change(file, user, "a b", "delete", 0)).toThrow('"a b" is not a tag');
  expect(() => change(file, user, "a", "delete", 0)).toThrow("carol has no engine a");
});
