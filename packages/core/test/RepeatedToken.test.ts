import { inspect } from "node:util";
import type { ServerResponse } from "node:http";
import { expect, test } from "vitest";
import { createEngineClient, type EngineEvent } from "../src/promise.ts";
import { json, startServer } from "./LocalServer.ts";

// Has a character that is another one in a URL.
const token = "secret+0123456789";

/** Places where a server may repeat the token that it was sent, beside its message. */
const repeated: Readonly<Record<string, (response: ServerResponse, url: string) => void>> = {
  "the request id": (response) => json(response, 404, {}, { "x-request-id": `id-${token}` }),
  "the type of a detail": (response) => json(response, 404, { code: 5, details: [{ "@type": `t/${token}` }] }),
  "the Content-Type": (response) => void response.writeHead(200, { "content-type": `text/${token}` }).end("hello"),
  "the Cache-Status": (response) => json(response, 404, {}, { "cache-status": `${token}; hit` }),
  "the name of a field": (response) => json(response, 200, { [token]: 1 }),
  "where it redirects to, and says no": (response, url) =>
    url.includes("?") ? json(response, 404, {}) : redirect(response, `?token=${encodeURIComponent(token)}`),
  "where it redirects to, and breaks off": (response, url) =>
    url.includes("?") ? response.destroy() : redirect(response, `?token=${encodeURIComponent(token)}`),
  "where it redirects to, and says what is no JSON": (response, url) =>
    url.includes("?") ? void response.end("hello") : redirect(response, `?token=${token}`),
};

const redirect = (response: ServerResponse, location: string): void => void response.writeHead(302, { location }).end();

test.for(Object.entries(repeated))("a token that is repeated in %s is in no error and no event", async ([, act]) => {
  await using server = await startServer((request, response) => act(response, request.url ?? ""));
  const events: Array<EngineEvent> = [];
  const client = createEngineClient({
    baseUrl: server.baseUrl,
    token: `Bearer ${token}`,
    format: "json",
    retry: { maxAttempts: 1 },
    onEvent: (event) => void events.push(event),
  });
  const error: unknown = await client.get("a").catch((cause: unknown) => cause);
  expect(server.requests.map(({ headers }) => headers.authorization)).toContain(`Bearer ${token}`);
  // What is handed out as data is the server's own.
  const shown = error instanceof Error ? [String(error), JSON.stringify(error), inspect(error, { depth: 20 })] : [];
  const told = [...shown, JSON.stringify(events)];
  for (const secret of [token, encodeURIComponent(token)]) {
    expect(told.filter((text) => text.includes(secret))).toEqual([]);
  }
});
