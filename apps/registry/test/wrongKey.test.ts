// A Worker whose key is not that of the machine that the data comes from.
import { env } from "cloudflare:workers";
import { expect, test } from "vitest";
import worker from "../src/worker.ts";

const asked = (settings: object): Promise<Response> =>
  worker.fetch(
    new Request("https://registry.example/v1/dev/engines", { headers: { Authorization: "token-of-alice" } }),
    { ...env, ...settings },
  );

test("it does not start under another key, and does under the right one", async () => {
  for (const statement of env.SEED_SQL.split("\n").filter((line) => line !== "")) {
    await env.DB.prepare(statement).all();
  }
  const refused = await asked({ BYTENITE_REGISTRY_KEY: "another-key".repeat(4) });
  expect([refused.status, await refused.json()]).toMatchObject([500, { message: "the registry cannot start" }]);
  expect((await asked({})).status).toBe(200);
});
