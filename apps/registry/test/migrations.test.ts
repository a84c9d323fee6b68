// The tracked migrations of D1, and what a database lacks without them.
import { env } from "cloudflare:workers";
import { migrationFiles } from "@bytenite-engines/registry/api";
import { expect, test } from "vitest";
import worker from "../src/worker.ts";

const ready = async (): Promise<readonly [number, string]> => {
  const answer = await worker.fetch(new Request("https://registry.example/readyz"), env);
  return [answer.status, await answer.text()];
};

test("the tracked migrations are those of the registry: node apps/registry/scripts/migrations.ts writes them", () => {
  expect(env.MIGRATIONS).toEqual(Object.fromEntries(migrationFiles()));
});

test("a database that lacks migrations is not ready, and no request makes tables", async () => {
  expect(await ready()).toEqual([
    503,
    expect.stringMatching(/has schema version 0, .*: wrangler d1 migrations apply\n$/),
  ]);
  const asked = await worker.fetch(
    new Request("https://registry.example/v1/dev/engines", { headers: { Authorization: "a-token" } }),
    env,
  );
  expect([asked.status, asked.headers.get("retry-after")]).toEqual([503, "5"]);
  const { results } = await env.DB.prepare(
    "SELECT name FROM sqlite_master WHERE name NOT LIKE '\\_cf%' ESCAPE '\\'",
  ).all();
  expect(results).toEqual([]);
});
