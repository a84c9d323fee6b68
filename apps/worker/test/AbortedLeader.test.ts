// A leader whose client goes away, as it happens behind another Worker: there an abort really cancels the request.
import { readFileSync } from "node:fs";
import { startRegistry } from "@bytenite-engines/registry/testing";
import { Log, LogLevel, Miniflare } from "miniflare";
import { expect, onTestFinished, test } from "vitest";
import { compatibilityDate } from "../scripts/serve.ts";
import { builtWorker, cacheResult } from "./served.ts";

/** Gives up the request that it makes after as many milliseconds as it is told. */
const front = `export default {
  async fetch(request, env) {
    const controller = new AbortController();
    const answer = env.EDGE.fetch(request, { signal: controller.signal }).then((response) => response.text());
    await scheduler.wait(Number(request.headers.get("x-abort-after-ms")));
    controller.abort();
    return new Response(await answer.then(() => "answered", () => "aborted"));
  },
};`;

const esm = (contents: string) => ({
  mainModule: "worker.js",
  modules: { "worker.js": { type: "esm" as const, contents } },
});

test("a leader that is aborted takes no follower down and poisons nothing", async () => {
  await using registry = await startRegistry({ faults: [{ fault: { latencyMs: 600 } }] });
  const miniflare = new Miniflare({
    host: "127.0.0.1",
    port: 0,
    cf: false,
    log: new Log(LogLevel.NONE),
    workers: [
      {
        config: {
          name: "front",
          compatibilityDate,
          manifest: esm(front),
          env: { EDGE: { type: "worker", worker: "edge" } },
        },
        dev: { unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }] },
      },
      {
        config: {
          name: "edge",
          compatibilityDate,
          manifest: esm(readFileSync(builtWorker, "utf8")),
          env: { UPSTREAM_URL: { type: "text", value: registry.url } },
        },
        dev: { unsafeDirectSockets: [{ host: "127.0.0.1", port: 0 }] },
      },
    ],
  });
  onTestFinished(() => miniflare.dispose());
  await miniflare.ready;
  const at = async (worker: string) =>
    `${String(await miniflare.unsafeGetDirectURL(worker)).replace(/\/$/, "")}/v1/dev/engines`;
  const headers = { authorization: registry.tokens["alice"] ?? "" };

  const leader = fetch(await at("front"), { headers: { ...headers, "x-abort-after-ms": "200" } });
  while (registry.requests.length === 0) await new Promise((resolve) => setTimeout(resolve, 10));
  const edge = await at("edge");
  const followers = Array.from({ length: 20 }, () => fetch(edge, { headers }));
  expect(await (await leader).text()).toBe("aborted");
  const answers = await Promise.all(followers);
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  expect(cacheResult(await fetch(edge, { headers }))).toBe("hit");
  expect(registry.requests).toHaveLength(1);
});
