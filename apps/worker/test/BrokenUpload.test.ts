// Uploads that a client breaks off, over a socket of its own.
import { once } from "node:events";
import { createServer } from "node:http";
import { connect } from "node:net";
import type { AddressInfo } from "node:net";
import { serve } from "@bytenite-engines/test-kit";
import { expect, onTestFinished, test } from "vitest";
import { builtWorker } from "../scripts/built.ts";
import { adminSecret } from "./served.ts";

test.each([
  ["in a chunk, with FIN", "transfer-encoding: chunked", "4\r\nabcd\r\n4\r\nef", false],
  ["between chunks, with FIN", "transfer-encoding: chunked", "4\r\nabcd\r\n", false],
  ["between chunks, with RST", "transfer-encoding: chunked", "4\r\nabcd\r\n", true],
  ["before its length, with FIN", "content-length: 100", "abcd", false],
] as const)("an upload that ends %s reaches the upstream as a broken one", async (_where, field, sent, isReset) => {
  const { promise: isComplete, resolve } = Promise.withResolvers<boolean>();
  const { promise: arrived, resolve: arrive } = Promise.withResolvers<void>();
  const upstream = createServer((request, response) => {
    if (request.method !== "POST") return response.end();
    request.once("data", () => arrive());
    request.once("end", () => response.end());
    request.on("error", () => {});
    request.once("close", () => resolve(request.complete));
    return undefined;
  }).listen(0, "127.0.0.1");
  await once(upstream, "listening");
  const { port } = upstream.address() as AddressInfo;
  const variables = { UPSTREAM_URL: `http://127.0.0.1:${port}/v1/dev`, ADMIN_SECRET: adminSecret, LOG: "off" };
  const running = await serve({ name: "worker", code: await builtWorker(), port: 0, variables });
  onTestFinished(async () => {
    await running.stop();
    upstream.close();
  });
  const client = connect(Number(new URL(running.url).port), "127.0.0.1").on("error", () => {});
  client.write(`POST /v1/dev/engines HTTP/1.1\r\nhost: a\r\nauthorization: alice\r\n${field}\r\n\r\n${sent}`);
  await arrived;
  if (isReset) client.resetAndDestroy();
  else client.end();
  expect(await isComplete).toBe(false);
  const admin = { headers: { authorization: adminSecret } };
  await expect
    .poll(async () => (await fetch(`${running.url}/-/metrics`, admin)).text())
    .toContain('upstream_requests_total{outcome="broken-off"} 1');
  // That says nothing about the upstream.
  const { upstream: known } = (await (await fetch(`${running.url}/-/health`)).json()) as { upstream: object };
  expect(known).toEqual({ state: "unknown", breaker: "closed", lastAnswer: null, lastFailure: null });
  client.destroy();
});
