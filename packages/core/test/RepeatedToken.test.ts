import { inspect } from "node:util";
import type { ServerResponse } from "node:http";
import { expect, test } from "vitest";
import { createEngineClient, EngineError, type ClientOptions, type EngineEvent } from "../src/promise.ts";
import { json, startServer } from "@bytenite-engines/test-kit/ports";

// Has a character that is another one in a URL.
const token = "secret+0123456789";

/** Places where a server may repeat the token that it was sent, besides its message. */
const repeated: Readonly<Record<string, (response: ServerResponse, url: string) => void>> = {
  "the request id": (response) => json(response, 404, {}, { "x-request-id": `id-${token}` }),
  "the type of a detail": (response) => json(response, 404, { code: 5, details: [{ "@type": `t/${token}` }] }),
  "the Content-Type": (response) => void response.writeHead(200, { "content-type": `text/${token}` }).end("hello"),
  "the Cache-Status": (response) => json(response, 404, {}, { "cache-status": `${token}; hit` }),
  "the name of a field": (response) => json(response, 200, { [token]: 1 }),
  "where it redirects to, and says no": (response, url) =>
    url.includes("?token") ? json(response, 404, {}) : redirect(response, `?token=${encodeURIComponent(token)}`),
  "where it redirects to, and breaks off": (response, url) =>
    url.includes("?token") ? response.destroy() : redirect(response, `?token=${encodeURIComponent(token)}`),
  "where it redirects to, and says what is not JSON": (response, url) =>
    url.includes("?token") ? void response.end("hello") : redirect(response, `?token=${token}`),
};

const redirect = (response: ServerResponse, location: string): void => void response.writeHead(302, { location }).end();

/** Ways in which a request gets the token. */
const given: Readonly<Record<string, ClientOptions>> = {
  "by the option token": { token: `Bearer ${token}` },
  "as a header": { headers: { AUTHORIZATION: `Bearer ${token}` } },
  "by a middleware": adding({ Authorization: `Bearer ${token}` }),
  "by a middleware, in lower case": adding({ authorization: token }),
  "by a middleware, under another name": adding({ "X-Api-Key": token }),
  "by a middleware, as a cookie": adding({ Cookie: `theme=dark; session=${token}` }),
  "by a middleware, in the query": {
    middleware: [
      (request, next) => next({ ...request, url: `${request.url}?access_token=${encodeURIComponent(token)}` }),
    ],
  },
};

function adding(headers: Readonly<Record<string, string>>): ClientOptions {
  return { middleware: [(request, next) => next({ ...request, headers: { ...request.headers, ...headers } })] };
}

const cases = Object.entries(given).flatMap(([how, options]) =>
  Object.entries(repeated).map(([where, act]) => ({ how, options, where, act })),
);

test.for(cases)(
  "a token given $how that is repeated in $where is in no error and no event",
  async ({ options, act }) => {
    await using server = await startServer((request, response) => act(response, request.url ?? ""));
    const events: Array<EngineEvent> = [];
    const client = createEngineClient({
      baseUrl: server.baseUrl,
      ...options,
      format: "json",
      retry: { maxAttempts: 1 },
      onEvent: (event) => void events.push(event),
    });
    const error: unknown = await client.get("a").catch((cause: unknown) => cause);
    expect(server.requests.length).toBeGreaterThan(0);
    // What is handed out as data is the server's own.
    expect(shownOf(error, events).filter((text) => secrets.some((secret) => text.includes(secret)))).toEqual([]);
  },
);

const secrets = [token, encodeURIComponent(token)];
const shownOf = (error: unknown, events: ReadonlyArray<EngineEvent>): ReadonlyArray<string> => [
  ...(error instanceof Error ? [String(error), JSON.stringify(error), inspect(error, { depth: 20 })] : []),
  JSON.stringify(events),
];

test("a token with characters that JSON and URLs escape is redacted in either form", async () => {
  const odd = 'odd"secret\\0123#45';
  const answers = [
    { code: 5, message: odd, details: [{ "@type": "t/google.rpc.ErrorInfo", reason: odd, metadata: { [odd]: odd } }] },
    undefined,
  ];
  for (const answer of answers) {
    await using server = await startServer((_request, response) =>
      answer === undefined ? redirect(response, `?token=${odd.replace("#", "%23")}`) : json(response, 404, answer),
    );
    const client = createEngineClient({
      baseUrl: server.baseUrl,
      token: odd,
      format: "json",
      retry: { maxAttempts: 1 },
    });
    const error: unknown = await client.get("a").catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(EngineError);
    expect(inspect(error, { depth: 20 })).not.toContain("secret");
  }
});

test("what the runtime says of a header that cannot be sent does not show it", async () => {
  const client = createEngineClient({
    baseUrl: "http://127.0.0.1:1/v1/dev",
    ...adding({ Authorization: `${token}\n` }),
    retry: { maxAttempts: 1 },
  });
  const error: unknown = await client.get("a").catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(EngineError);
  expect(shownOf(error, []).filter((text) => text.includes(token))).toEqual([]);
});

test.for(["", "a", "ab"])("a token that is repeated in base64, behind %j, is in no error", async (before) => {
  const text = btoa(`${before}${token}?>`);
  for (const repeatedAs of [text, text.replaceAll("+", "-").replaceAll("/", "_")]) {
    await using server = await startServer((_request, response) =>
      json(response, 404, { code: 5, message: `Basic ${repeatedAs} is unknown` }),
    );
    const client = createEngineClient({ baseUrl: server.baseUrl, token, format: "json", retry: { maxAttempts: 1 } });
    const error: unknown = await client.get("a").catch((cause: unknown) => cause);
    expect(String(error)).toContain("is unknown");
    expect(String(error)).not.toContain(repeatedAs.slice(4, -8));
  }
});
