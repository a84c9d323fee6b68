// A Worker with another key than the one that encrypted its data.
import { env } from "cloudflare:workers";
import { expect, test, vi } from "vitest";
import worker, { settingsIn } from "../src/worker.ts";

const asked = (settings: object, path = "/v1/dev/engines", isolate = worker): Promise<Response> =>
  isolate.fetch(new Request(`https://registry.example${path}`, { headers: { Authorization: "token-of-alice" } }), {
    ...env,
    ...settings,
  });

test("it answers nobody under another key, says so when asked whether it is ready, and answers under the right one", async () => {
  for (const statement of env.SEED_SQL.split("\n").filter((line) => line !== "")) {
    await env.DB.prepare(statement).all();
  }
  const another = { BYTENITE_REGISTRY_KEY: "another-key".repeat(4) };
  for (const path of ["/v1/dev/engines", "/v1/dev/engines/zipper"]) {
    const refused = await asked(another, path);
    expect([refused.status, await refused.json()]).toMatchObject([500, { code: 13 }]);
  }
  const ready = await asked(another, "/readyz");
  expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining("is not the key of this database")]);
  vi.resetModules();
  const { default: anew } = await import("../src/worker.ts");
  expect((await asked({}, "/readyz", anew)).status).toBe(200);
  expect((await asked({}, "/v1/dev/engines", anew)).status).toBe(200);
});

test.for([
  [{ ACCESS_LOG: "maybe" }, /ACCESS_LOG is "on" or "off"/],
  [{ CORS_ORIGINS: "https://app.example, app.example/" }, /"app\.example\/" is not an origin/],
  [{ PUBLIC_URL: "registry.example" }, /^PUBLIC_URL: /],
] as const)("settings %j are refused at the deploy, and answer nobody", async ([settings, problem]) => {
  expect(() => settingsIn(settings)).toThrow(problem);
  vi.resetModules();
  const { default: anew } = await import("../src/worker.ts");
  const refused = await asked(settings, "/v1/dev/engines", anew);
  expect([refused.status, await refused.json()]).toMatchObject([500, { message: "the registry cannot start" }]);
  const ready = await asked(settings, "/readyz", anew);
  expect(ready.status).toBe(503);
  expect((await ready.text()).replace("the registry cannot start: ", "")).toMatch(problem);
});
