// The proxy bound to the registry on D1 in one workerd.
import { fileURLToPath } from "node:url";
import { decode, type Format } from "@bytenite-engines/core/wire";
import { EngineListResponseSchema } from "@bytenite-engines/proto";
import { bundled, compatibilityDate, emulate, moduleOf } from "@bytenite-engines/test-kit";
import type { Miniflare } from "miniflare";
import { afterAll, beforeAll, expect, test } from "vitest";
import { tokenOf, type UserName } from "../src/Engines.ts";
import { startTableRegistry } from "../src/World.ts";

/** A host that no resolver knows: an answer can only have come over the binding. */
const upstreamUrl = "https://registry.invalid/v1/dev";

const mediaTypes = { json: "application/json", protobuf: "application/x-protobuf" } as const;

let miniflare: Miniflare;

/** An app's Worker as one ES module, as it is deployed. */
const manifestOf = async (app: "registry" | "worker") =>
  moduleOf(await bundled(fileURLToPath(new URL(`../../../../../apps/${app}/src/worker.ts`, import.meta.url))));

beforeAll(async () => {
  const seed = await startTableRegistry();
  const sql = seed.exportSql();
  await seed.stop();
  const [proxy, registry] = [await manifestOf("worker"), await manifestOf("registry")];
  const settings = {
    UPSTREAM_URL: { type: "text" as const, value: upstreamUrl },
    DEADLINE_MS: { type: "text" as const, value: "3000" },
    LOG: { type: "text" as const, value: "off" },
  };
  const binding = { type: "worker" as const, worker: "registry" };
  miniflare = await emulate([
    { config: { name: "bound", compatibilityDate, manifest: proxy, env: { ...settings, UPSTREAM: binding } } },
    { config: { name: "unbound", compatibilityDate, manifest: proxy, env: settings } },
    {
      config: {
        name: "registry",
        compatibilityDate,
        manifest: registry,
        env: { DB: { type: "d1", id: "engines" }, BYTENITE_REGISTRY_KEY: { type: "text", value: seed.key } },
      },
    },
  ]);
  const database = await miniflare.getD1Database("DB", "registry");
  for (const statement of sql.split("\n")) if (statement !== "") await database.prepare(statement).run();
});

afterAll(() => miniflare.dispose());

const ask = async (worker: string, user: UserName, format: Format, path = "/engines"): Promise<Response> => {
  // The emulator's type of a Worker lacks its one method.
  const { fetch: send } = (await miniflare.getWorker(worker)) as unknown as { readonly fetch: typeof fetch };
  const headers = { Authorization: tokenOf(user), Accept: mediaTypes[format] };
  return send(`https://edge.example/v1/dev${path}`, { headers });
};

const bodyOf = async (answer: Response): Promise<Uint8Array> => new Uint8Array(await answer.arrayBuffer());

test("the proxy answers from the registry that it is bound to, and then from its cache", async () => {
  const [direct, first, second] = [
    await ask("registry", "alice", "json"),
    await ask("bound", "alice", "json"),
    await ask("bound", "alice", "json"),
  ];
  expect([direct.status, first.status, second.status]).toEqual([200, 200, 200]);
  expect(first.headers.get("cache-status")).toContain("fwd=uri-miss");
  expect(second.headers.get("cache-status")).toContain("; hit");
  const body = await bodyOf(direct);
  expect(await bodyOf(first)).toEqual(body);
  expect(await bodyOf(second)).toEqual(body);
});

test("over the binding too each user sees their own, in the form that was asked for", async () => {
  for (const user of ["alice", "bob"] as const) {
    const direct = decode(EngineListResponseSchema, await bodyOf(await ask("registry", user, "json")), "json");
    const answer = await ask("bound", user, "protobuf");
    expect(answer.headers.get("content-type")).toBe(mediaTypes.protobuf);
    expect(decode(EngineListResponseSchema, await bodyOf(answer), "protobuf")).toEqual(direct);
  }
  expect((await ask("bound", "alice", "json", "/engines/nowhere")).status).toBe(404);
});

test("without the binding the same proxy reaches nobody", async () => {
  // Both have one data centre's cache: asked first is the one that must have nothing to say.
  expect((await ask("unbound", "carol", "json")).status).toBe(502);
  expect((await ask("bound", "carol", "json")).status).toBe(200);
});
