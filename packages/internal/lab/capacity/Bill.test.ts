import { fileURLToPath } from "node:url";
import { pathOf, readNames } from "@bytenite-engines/core/wire";
import { addCredential, ensureUser, exportSql, migrate, openSqlite, publishAll } from "@bytenite-engines/registry";
import { bundled, compatibilityDate, directSocket, emulate, originOf } from "@bytenite-engines/test-kit";
import { expect, test } from "vitest";
import { rowsRead } from "./Bill.ts";

const now = Date.UTC(2025, 4, 1);
/** More than are used: D1 reads the next row of an index as well, and the last one has none. */
const tokens = Array.from({ length: 12 }, (_, index) => `token-of-alice-${index}`);

/** A user with more engines than a page of a list has, as SQL for D1. */
const seedSql = async (): Promise<ReadonlyArray<string>> => {
  const file = openSqlite(":memory:");
  await migrate(file.port, 0);
  const alice = ensureUser(file, "alice", now);
  for (const token of tokens) await addCredential(file, alice, "token", token, now);
  const engines = Array.from({ length: 45 }, (_, index) => ({ name: `engine-${index}`, version: "0.1" }));
  await publishAll(file, alice, engines, undefined, now);
  const sql = [...exportSql(file, now)].flatMap((text) => text.split("\n"));
  file.close();
  return sql;
};

/** The Worker of the registry, with the rows that D1 has read for a response in a field of it. */
const counting = `import registry from "./registry.js";
let rows = 0;
const counted = (result) => {
  rows += result.meta.rows_read;
  return result;
};
const statement = (inner) => ({
  inner,
  bind: (...values) => statement(inner.bind(...values)),
  all: async () => counted(await inner.all()),
});
const database = (inner) => ({
  prepare: (sql) => statement(inner.prepare(sql)),
  batch: async (statements) => (await inner.batch(statements.map(({ inner }) => inner))).map(counted),
  withSession: (from) => database(inner.withSession(from)),
  getBookmark: () => inner.getBookmark(),
});
let known;
export default {
  async fetch(request, env, context) {
    known ??= { ...env, DB: database(env.DB) };
    rows = 0;
    const response = await registry.fetch(request, known, context);
    return new Response(response.body, { status: response.status, headers: { "x-rows": String(rows) } });
  },
};`;

test("the rows of the bill are those that D1 reads for a response", async () => {
  const code = await bundled(fileURLToPath(new URL("../../../../apps/registry/src/worker.ts", import.meta.url)));
  const modules = {
    "counting.js": { type: "esm" as const, contents: counting },
    "registry.js": { type: "esm" as const, contents: code },
  };
  const config = {
    name: "registry",
    compatibilityDate,
    manifest: { mainModule: "counting.js", modules },
    env: { DB: { type: "d1" as const, id: "DB" } },
  };
  const miniflare = await emulate([{ config, dev: directSocket }]);
  try {
    const d1 = await miniflare.getD1Database("DB");
    for (const sql of await seedSql()) if (sql !== "") await d1.prepare(sql).run();
    const origin = await originOf(miniflare, "registry");
    const rowsOf = async (path: string, token = ""): Promise<number> => {
      const response = await fetch(`${origin}/v1/dev${path}`, { headers: { authorization: token } });
      expect([path, response.status]).toEqual([path, 200]);
      await response.arrayBuffer();
      return Number(response.headers.get("x-rows"));
    };
    // An isolate asks once whether the key is that of the database.
    await rowsOf("/engines", tokens[0]);
    const measured: Record<string, number> = {};
    for (const [index, name] of readNames.entries()) {
      measured[name] = await rowsOf(pathOf(name, name === "list" ? undefined : "engine-7") ?? "", tokens[index + 1]);
    }
    expect(measured).toEqual(rowsRead);
  } finally {
    await miniflare.dispose();
  }
});
