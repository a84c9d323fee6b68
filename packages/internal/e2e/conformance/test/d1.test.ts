// Wire cases against the registry on workerd and D1.
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Format } from "@bytenite-engines/core/wire";
import { startProcess, type ManagedProcess } from "@bytenite-engines/test-kit";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Seeds } from "../src/Case.ts";
import { acceptCases } from "../src/cases/negotiation.ts";
import { wireCases } from "../src/Cases.ts";
import { coreClient, httpClient, type TestClient } from "../src/TestClient.ts";
import { tokenOf } from "../src/Engines.ts";
import { exchange } from "../src/Exchange.ts";
import { seedsOf, startTableRegistry } from "../src/World.ts";

let folder: string;
let worker: ManagedProcess;
let url: string;
let seeds: Seeds;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "conformance-d1-"));
  const registry = await startTableRegistry();
  const seed = join(folder, "engines.sql");
  writeFileSync(seed, registry.exportSql());
  seeds = await seedsOf(registry);
  await registry.stop();
  const args = ["apps/registry/scripts/registry.ts", "--port", "0", "--seed", seed];
  const env = { ...process.env, BYTENITE_REGISTRY_KEY: registry.key };
  worker = await startProcess(args, { env });
  url = `${worker.said}/v1/dev`;
});

afterAll(async () => {
  await worker.stop();
  rmSync(folder, { recursive: true });
});

const forms: ReadonlyArray<Format> = ["protobuf", "json"];

const clients: ReadonlyArray<readonly [name: string, open: () => TestClient]> = forms.flatMap((form) => [
  [`core against the registry on D1, ${form}`, () => coreClient("registry on D1", url, form, false)] as const,
  [`plain HTTP to the registry on D1, ${form}`, () => httpClient("registry on D1", url, form, false)] as const,
]);

describe.for(clients)("%s", ([name, open]) => {
  const sayable = wireCases.filter(({ call, target }) => (name.startsWith("core") ? call : target) !== undefined);
  test.for(sayable)("answers $name", async (wireCase) => {
    const client = open();
    expect(await client.send(wireCase)).toEqual(client.expects(wireCase.expected, seeds));
  });
});

test.for(acceptCases)("the registry on D1 answers Accept: %s with %s", async ([accept, mediaType]) => {
  const answered = await exchange(url, "/engines/full@1.2", {
    authorization: tokenOf("alice"),
    ...(accept === undefined ? {} : { accept }),
  });
  expect(answered.status).toBe(mediaType === undefined ? 406 : 200);
  expect(answered.headers["content-type"]).toBe(mediaType ?? "application/json");
});

test("the registry on D1 ends at SIGTERM as one that has not failed", async () => {
  worker.child.kill("SIGTERM");
  expect(await once(worker.child, "exit")).toEqual([0, null]);
});
