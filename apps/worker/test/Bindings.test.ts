// Another Worker as the upstream, and Analytics Engine: what only bindings give.
import { compatibilityDate } from "@bytenite-engines/test-kit";
import { Log, LogLevel, Miniflare } from "miniflare";
import { expect, onTestFinished, test } from "vitest";
import { builtWorker } from "../scripts/built.ts";
import { cacheResult } from "./served.ts";

const esm = (contents: string) => ({
  mainModule: "worker.js",
  modules: { "worker.js": { type: "esm" as const, contents } },
});

const upstream = `export default {
  fetch(request) {
    const description = request.url + " " + request.headers.get("authorization");
    return Response.json({ name: "zipper", description });
  },
};`;

test("a bound Worker is asked instead of the network, at the configured host and path", async () => {
  const miniflare = new Miniflare({
    host: "127.0.0.1",
    port: 0,
    cf: false,
    log: new Log(LogLevel.NONE),
    workers: [
      {
        config: {
          name: "edge",
          compatibilityDate,
          manifest: esm(await builtWorker()),
          env: {
            UPSTREAM: { type: "worker", worker: "registry" },
            UPSTREAM_URL: { type: "text", value: "https://registry.invalid/v1/dev" },
          },
        },
        dev: { unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }] },
      },
      { config: { name: "registry", compatibilityDate, manifest: esm(upstream) } },
    ],
  });
  onTestFinished(() => miniflare.dispose());
  await miniflare.ready;
  const url = new URL("/v1/dev/engines/zipper", await miniflare.unsafeGetDirectURL("edge"));
  const get = (): Promise<Response> => fetch(url, { headers: { authorization: "alice" } });
  expect(await (await get()).json()).toEqual({
    name: "zipper",
    description: "https://registry.invalid/v1/dev/engines/zipper alice",
  });
  expect(cacheResult(await get())).toBe("hit");
});
