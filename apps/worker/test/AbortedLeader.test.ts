// A client that disconnects while others wait for its request.
import { startRegistry } from "@bytenite-engines/registry/testing";
import { compatibilityDate, directSocket, emulate, moduleOf, originOf } from "@bytenite-engines/test-kit";
import { startServer } from "@bytenite-engines/test-kit/ports";
import { expect, onTestFinished, test } from "vitest";
import { builtWorker } from "../scripts/built.ts";
import { cacheResult } from "./served.ts";

/** Aborts its request as soon as the given URL answers. */
const front = `export default {
  async fetch(request, env) {
    const controller = new AbortController();
    const answer = env.EDGE.fetch(request, { signal: controller.signal }).then((response) => response.text());
    await fetch(request.headers.get("x-abort-when"));
    controller.abort();
    return new Response(await answer.then(() => "answered", () => "aborted"));
  },
};`;

/** Stands before a registry: lets requests through, and the leader be aborted, when the test says so. */
const startGate = async (upstream: string) => {
  const asked = Promise.withResolvers<void>();
  const abort = Promise.withResolvers<void>();
  const open = Promise.withResolvers<void>();
  const server = await startServer((request, response) => {
    void (async () => {
      if (request.url === "/abort") {
        await abort.promise;
        response.end();
        return;
      }
      asked.resolve();
      await open.promise;
      const { authorization = "", accept = "" } = request.headers;
      const answer = await fetch(`${new URL(upstream).origin}${request.url}`, { headers: { authorization, accept } });
      response.writeHead(answer.status, { "content-type": answer.headers.get("content-type") ?? "" });
      response.end(new Uint8Array(await answer.arrayBuffer()));
    })();
  });
  onTestFinished(() => server[Symbol.asyncDispose]());
  return { origin: server.origin, asked: asked.promise, abort: abort.resolve, open: open.resolve };
};

test("a leader that is aborted takes no follower down and poisons nothing", async () => {
  await using registry = await startRegistry();
  const gate = await startGate(registry.url);
  const upstream = { type: "text", value: `${gate.origin}${new URL(registry.url).pathname}` } as const;
  const miniflare = await emulate([
    {
      config: {
        name: "front",
        compatibilityDate,
        manifest: moduleOf(front),
        env: { EDGE: { type: "worker", worker: "edge" } },
      },
      dev: directSocket,
    },
    {
      config: {
        name: "edge",
        compatibilityDate,
        manifest: moduleOf(await builtWorker()),
        env: { UPSTREAM_URL: upstream },
      },
      dev: directSocket,
    },
  ]);
  onTestFinished(() => miniflare.dispose());
  const at = async (worker: string) => `${await originOf(miniflare, worker)}/v1/dev/engines`;
  const headers = { authorization: registry.tokens["alice"] ?? "" };

  const leader = fetch(await at("front"), { headers: { ...headers, "x-abort-when": `${gate.origin}/abort` } });
  await gate.asked;
  const edge = await at("edge");
  const followers = Array.from({ length: 20 }, () => fetch(edge, { headers }));
  gate.abort();
  expect(await (await leader).text()).toBe("aborted");
  gate.open();
  const answers = await Promise.all(followers);
  expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]));
  expect(cacheResult(await fetch(edge, { headers }))).toBe("hit");
  expect(registry.requests).toHaveLength(1);
});
