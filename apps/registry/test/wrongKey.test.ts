// A Worker with another key than the one that encrypted its data.
import { env } from "cloudflare:workers";
import { defaultUploadLimits } from "@bytenite-engines/registry/api";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
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

/** What the Worker has written to its log. */
let logged: ReadonlyArray<ReadonlyArray<unknown>> = [];

beforeEach(() => {
  logged = vi.spyOn(console, "log").mockImplementation(() => {}).mock.calls;
});

afterEach(() => void vi.restoreAllMocks());

const bucket = { BUCKET_URL: "https://account.example/bucket", R2_ACCESS_KEY_ID: "id", R2_SECRET_ACCESS_KEY: "secret" };

test.for([
  [{ ACCESS_LOG: "maybe" }, /ACCESS_LOG is "on" or "off"/],
  [{ CORS_ORIGINS: "https://app.example, app.example/" }, /"app\.example\/" is not an origin/],
  [{ PUBLIC_URL: "registry.example" }, /^PUBLIC_URL: /],
  [{ MAX_ARCHIVE_BYTES: "0" }, /^MAX_ARCHIVE_BYTES is a whole number of bytes/],
  [{ MAX_LINKED_ARCHIVE_BYTES: "1.5" }, /^MAX_LINKED_ARCHIVE_BYTES is a whole number of bytes/],
  [{ ...bucket, BUCKET_URL: "" }, /^BUCKET_URL, R2_ACCESS_KEY_ID and R2_SECRET_ACCESS_KEY go together/],
  [{ R2_SECRET_ACCESS_KEY: "secret" }, /^BUCKET_URL, R2_ACCESS_KEY_ID and R2_SECRET_ACCESS_KEY go together/],
  [{ ...bucket, BUCKET_URL: "account.example" }, /^BUCKET_URL: /],
] as const)("settings %j are refused at the deploy, and answer nobody", async ([settings, problem]) => {
  expect(() => settingsIn(settings)).toThrow(problem);
  const errors = vi.spyOn(console, "error").mockImplementation(() => {});
  vi.resetModules();
  const { default: anew } = await import("../src/worker.ts");
  const refused = await asked(settings, "/v1/dev/engines", anew);
  expect([refused.status, await refused.json()]).toMatchObject([
    500,
    { code: 13, message: "the registry cannot start" },
  ]);
  const ready = await asked(settings, "/readyz", anew);
  expect(ready.status).toBe(503);
  expect((await ready.text()).replace("the registry cannot start: ", "")).toMatch(problem);
  const causes = errors.mock.calls.map(([text, error]) => [text, (error as Error).message]);
  expect(causes).toEqual(Array.from({ length: 2 }, () => ["cannot start:", expect.stringMatching(problem)]));
});

test("settings are those of the variables, or the defaults", () => {
  const { archiveBytes, unpackedBytes } = defaultUploadLimits;
  expect(settingsIn({})).toMatchObject({ key: undefined, archiveBytes, staging: undefined });
  const staging = { url: bucket.BUCKET_URL, accessKeyId: "id", secretAccessKey: "secret" };
  expect(settingsIn({ ...bucket, BYTENITE_REGISTRY_KEY: "" })).toMatchObject({
    key: undefined,
    staging: { ...staging, maxBytes: unpackedBytes },
  });
  const given = {
    ...bucket,
    ACCESS_LOG: "on",
    BYTENITE_REGISTRY_KEY: "key",
    MAX_ARCHIVE_BYTES: "1",
    MAX_LINKED_ARCHIVE_BYTES: "2",
  };
  expect(settingsIn(given)).toMatchObject({ key: "key", archiveBytes: 1, staging: { ...staging, maxBytes: 2 } });
});

test("with ACCESS_LOG each request is a line of JSON, without its query, and otherwise none", async () => {
  for (const path of ["/v1/dev/engines?name=a-secret", "/readyz"]) await asked({}, path);
  expect(logged).toEqual([]);
  const answer = await asked({ ACCESS_LOG: "on" }, "/v1/dev/engines?name=a-secret");
  expect(logged.map(([line]) => JSON.parse(String(line)) as unknown)).toEqual([
    {
      method: "GET",
      path: "/v1/dev/engines",
      status: answer.status,
      type: answer.headers.get("content-type"),
      requestId: expect.stringMatching(/^[0-9a-f-]{36}$/),
      ms: expect.toSatisfy((ms: number) => ms >= 0 && ms < 60_000),
    },
  ]);
});
