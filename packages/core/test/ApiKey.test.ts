import * as fc from "fast-check";
import { expect, onTestFinished, test, vi } from "vitest";
import { apiKey } from "../src/ApiKey.ts";
import { jwtExpiryMs } from "../src/HttpRules.ts";
import { createEngineClient, type EngineEvent } from "../src/promise.ts";
import { json, startServer } from "@bytenite-engines/test-kit/ports";

const key = "key-0123456789abcdef";
const exchangeUrl = "https://api.bytenite.com/v1/auth/access_token";

/** A server that accepts the token it gave out last, and gives out `token-1`, `token-2` ... */
const startGuarded = (lives: string, revokeAfter = Number.POSITIVE_INFINITY) => {
  let issued = 0;
  let served = 0;
  return startServer((request, response) => {
    if (request.url === "/v1/auth/access_token") {
      issued += 1;
      return json(response, 200, { token: `token-${issued}`, expiresIn: lives, scope: "all" });
    }
    const revoked = served >= revokeAfter && issued === 1;
    if (request.headers.authorization !== `token-${issued}` || revoked)
      return json(response, 401, { code: 16, message: "who?" });
    served += 1;
    return json(response, 200, { id: "1", name: "zipper" });
  });
};

test("exchanges the key once for many concurrent callers, and uses the token until it expires", async () => {
  await using server = await startGuarded("3600");
  const client = createEngineClient({ baseUrl: server.baseUrl, token: apiKey(key), format: "json" });
  await Promise.all(["a", "b", "c", "d"].map((tag) => client.get(tag)));
  await client.get("e");
  const exchanges = server.requests.filter(({ method }) => method === "POST");
  expect(exchanges).toHaveLength(1);
});

test("fetches a new token before the old one expires", async () => {
  await using server = await startGuarded("0.001");
  const client = createEngineClient({ baseUrl: server.baseUrl, token: apiKey(key), format: "json" });
  await client.get("a");
  await client.get("b");
  expect(server.requests.map(({ method }) => method)).toEqual(["POST", "GET", "POST", "GET"]);
});

test("asks for another token after a 401, once", async () => {
  await using server = await startGuarded("3600", 1);
  const events: Array<EngineEvent> = [];
  const onEvent = (event: EngineEvent): void => void events.push(event);
  const client = createEngineClient({ baseUrl: server.baseUrl, token: apiKey(key), format: "json", onEvent });
  await client.get("a");
  await client.get("b");
  expect(server.requests.map(({ method }) => method)).toEqual(["POST", "GET", "GET", "POST", "GET"]);
  expect(events.filter(({ type }) => type === "token-refresh")).toMatchObject([
    { because: "first" },
    { because: "rejected" },
  ]);
  expect(JSON.stringify(events)).not.toMatch(/token-1|token-2|key-/);
});

test("gives up when the new token is refused too", async () => {
  await using server = await startServer((request, response) =>
    request.method === "POST"
      ? json(response, 200, { token: "token-x", expiresIn: "3600" })
      : json(response, 401, { code: 16, message: "no" }),
  );
  const client = createEngineClient({ baseUrl: server.baseUrl, token: apiKey(key), format: "json" });
  await expect(client.get("a")).rejects.toMatchObject({
    reason: { _tag: "Unauthenticated" },
    attempts: 1,
    requests: 2,
    retryStopped: "final",
  });
  expect(server.requests).toHaveLength(4);
});

test("retries an exchange that fails for a moment, and never shows the key in an error", async () => {
  await using server = await startServer((request, response, count) =>
    request.method === "POST" && count < 3
      ? json(response, 503, { code: 14, message: "later" })
      : request.method === "POST"
        ? json(response, 403, { code: 7, message: `the key ${key} is revoked` })
        : json(response, 200, {}),
  );
  const client = createEngineClient({ baseUrl: server.baseUrl, token: apiKey(key), retry: { baseDelayMs: 1 } });
  const error: unknown = await client.get("a").catch((cause: unknown) => cause);
  expect(error).toMatchObject({ reason: { _tag: "PermissionDenied" }, attempts: 3, requests: 3 });
  expect(JSON.stringify(error) + String(error)).not.toContain(key);
});

test("an answer to the token request that is not JSON is an error of that request, with its status", async () => {
  await using server = await startServer((_request, response) => {
    response.writeHead(200, { "x-request-id": "r1" }).end(`<p>${key}</p>`);
  });
  const client = createEngineClient({ baseUrl: server.baseUrl, token: apiKey(key), retry: { baseDelayMs: 1 } });
  const error: unknown = await client.get("a").catch((cause: unknown) => cause);
  const reason = { _tag: "Undecodable", problem: "the answer to the token request is not JSON" };
  expect(error).toMatchObject({ reason, method: "POST", status: 200, requestId: "r1", attempts: 2 });
  expect(JSON.stringify(error) + String(error)).not.toContain(key);
});

test("a key is not posted again to where a 303 leads, and the error names the POST", async () => {
  await using server = await startServer((request, response) => {
    response.writeHead(303, { location: "/v1/auth/elsewhere" }).end();
    request.resume();
  });
  const client = createEngineClient({ baseUrl: server.baseUrl, token: apiKey(key) });
  const error: unknown = await client.get("a").catch((cause: unknown) => cause);
  expect(error).toMatchObject({ reason: { _tag: "RedirectRefused" }, method: "POST", attempts: 1 });
  expect(String(error)).toMatch(/\[POST http:.*\/v1\/auth\/access_token\]/);
  expect(server.requests).toHaveLength(1);
});

const jwt = (claims: unknown): string =>
  ["e30", btoa(JSON.stringify(claims)).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", ""), "sig"].join(".");

test.for([{}, { expiresIn: 0 }])("the exp of the token counts where the exchange says %j", async (said) => {
  let issued = 0;
  await using server = await startServer((request, response) =>
    request.method === "POST"
      ? json(response, 200, { token: jwt({ exp: 9_999_999_999, n: (issued += 1) }), ...said })
      : json(response, 200, {}),
  );
  const client = createEngineClient({ baseUrl: server.baseUrl, token: apiKey(key), format: "json" });
  for (const tag of ["a", "b", "c"]) await client.get(tag);
  expect(issued).toBe(1);
});

test("each caller of a key function has the token of their own key, which is exchanged once", async () => {
  await using server = await startServer((request, response) => {
    if (request.method !== "POST") return json(response, 200, { owner: request.headers.authorization });
    let body = "";
    request.on("data", (part: Buffer) => (body += part.toString()));
    return void request.on("end", () =>
      json(response, 200, { token: `token-of-${(JSON.parse(body) as { apiKey: string }).apiKey}`, expiresIn: "60" }),
    );
  });
  let user = "";
  const client = createEngineClient({ baseUrl: server.baseUrl, token: apiKey(() => user), format: "json" });
  const as = (name: string) => {
    user = `key-${name}`;
    return client.get("a");
  };
  const engines = await Promise.all(["alice", "bob", "alice", "bob"].map(as));
  expect(engines.map(({ owner }) => owner)).toEqual(
    ["alice", "bob", "alice", "bob"].map((name) => `token-of-key-${name}`),
  );
  expect((await as("bob")).owner).toBe("token-of-key-bob");
  expect(server.requests.filter(({ method }) => method === "POST")).toHaveLength(2);
});

test.for([
  ["throws", () => raise()],
  ["rejects", async () => raise()],
] as const)("a key function that %s fails the call, and nothing is sent", async ([, key]) => {
  await using server = await startServer((_request, response) => json(response, 200, {}));
  const client = createEngineClient({ baseUrl: server.baseUrl, token: apiKey(key) });
  const reason = { _tag: "CredentialsFailed", problem: "no key at hand" };
  await expect(client.get("a")).rejects.toMatchObject({ reason, attempts: 0 });
  expect(server.requests).toEqual([]);
});

const raise = (): never => {
  throw new Error("no key at hand");
};

test("any exp in seconds is read from a JWT, whatever its other claims", () => {
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 1e10 }), fc.string({ maxLength: 20 }), (exp, filler) => {
      const claims = encodeURIComponent(filler);
      expect(jwtExpiryMs(jwt({ claims, exp }))).toBe(exp * 1000);
    }),
  );
});

test.for(["", "opaque", "a.b.c", "..", jwt({}), jwt(null), jwt({ exp: "soon" }), jwt([1])])(
  "%j has no expiry",
  (token) => {
    expect(jwtExpiryMs(token)).toBeUndefined();
  },
);

const none = {
  reason: { _tag: "CredentialsFailed", problem: `the answer of ${exchangeUrl} carries no token` },
};

test.for<[status: number, body: unknown, outcome: object]>([
  [200, { token: "t" }, { name: "a" }],
  [299, { token: "t" }, { name: "a" }],
  [300, { token: "t" }, { reason: { _tag: "Rejected" } }],
  [200, { token: "" }, none],
  [200, { token: 7 }, none],
  [200, {}, none],
  [200, null, none],
])("with %i and %j from the exchange a call ends with %j", async ([status, body, expected]) => {
  const client = createEngineClient({
    token: apiKey(key),
    format: "json",
    retry: { maxAttempts: 1 },
    fetch: (url) =>
      Promise.resolve(url.includes("/auth/") ? Response.json(body, { status }) : Response.json({ name: "a" })),
  });
  expect(await client.get("a").catch((cause: unknown) => cause)).toMatchObject(expected);
});

test.for<[expiresIn: unknown, exchanges: number]>([
  [undefined, 2],
  [0, 2],
  [-1, 2],
  ["soon", 2],
  [1, 1],
  ["3600", 1],
])("a token with expiresIn %j is fetched for two calls in a row %i times", async ([expiresIn, expected]) => {
  let exchanges = 0;
  const client = createEngineClient({
    token: apiKey(key),
    format: "json",
    fetch: (url) =>
      Promise.resolve(
        url.includes("/auth/")
          ? Response.json({ token: `token-${(exchanges += 1)}`, expiresIn })
          : Response.json({ name: "a" }),
      ),
  });
  for (const tag of ["a", "b"]) await client.get(tag);
  expect(exchanges).toBe(expected);
});

test("a token is fetched anew a minute before the seconds of its expiresIn are over", async () => {
  vi.useFakeTimers({ toFake: ["Date"], now: 0 });
  onTestFinished(() => void vi.useRealTimers());
  let exchanges = 0;
  const token = () => Response.json({ token: `token-${(exchanges += 1)}`, expiresIn: "3600" });
  const client = createEngineClient({
    token: apiKey(key),
    format: "json",
    fetch: (url) => Promise.resolve(url.includes("/auth/") ? token() : Response.json({ name: "a" })),
  });
  const counts: Array<number> = [];
  for (const nowMs of [0, 3_539_999, 3_540_000]) {
    vi.setSystemTime(nowMs);
    await client.get("a");
    counts.push(exchanges);
  }
  expect(counts).toEqual([1, 1, 2]);
});
