import { getEventListeners } from "node:events";
import { expect, test } from "vitest";
import { createRawClient, errorOf, type RawClientOptions } from "../src/exchange.ts";
import type { EngineEvent } from "../src/index.ts";
import { json, startServer } from "@bytenite-engines/test-kit/ports";

const quick: RawClientOptions = { retry: { baseDelayMs: 0, throttledBaseDelayMs: 0 } };
const headers = { accept: "application/json", authorization: "exchanger-token-0123456789" };

test("a final answer is given as it came, whatever its status", async () => {
  await using server = await startServer((_request, response) => json(response, 404, { code: 5 }));
  const events: Array<string> = [];
  const client = createRawClient({ ...quick, onEvent: ({ type }) => events.push(type) });
  const answer = await client.send({ url: `${server.baseUrl}/engines/a`, headers, endpoint: "get" });
  expect(answer).toMatchObject({ status: 404, attempts: 1, url: `${server.baseUrl}/engines/a` });
  expect(new TextDecoder().decode(answer.bytes)).toBe('{"code":5}');
  expect(server.requests[0]?.headers).toMatchObject(headers);
  // It is an answer, not the failure of a call.
  expect(events).toEqual(["response"]);
});

test("a passing failure is tried again, and the last one is given as it came", async () => {
  await using server = await startServer((_request, response, count) =>
    json(response, count === 2 ? 200 : 503, { count }),
  );
  const exchanger = createRawClient(quick);
  const good = await exchanger.send({ url: `${server.baseUrl}/engines`, headers, endpoint: "list" });
  expect(good).toMatchObject({ status: 200, attempts: 2 });
  const bad = await exchanger.send({ url: `${server.baseUrl}/engines`, headers, endpoint: "list" });
  expect(bad).toMatchObject({ status: 503, attempts: 4 });
  expect(new TextDecoder().decode(bad.bytes)).toBe('{"count":6}');
});

test("a body is sent with its method, and a POST that may have been carried out is not sent again", async () => {
  await using server = await startServer((_request, response) => json(response, 503, {}));
  const body = new TextEncoder().encode("{}");
  const request = { url: `${server.baseUrl}/engines`, headers, endpoint: "list", body } as const;
  expect(await createRawClient(quick).send({ ...request, method: "POST" })).toMatchObject({ status: 503, requests: 1 });
  expect(server.requests.map(({ method }) => method)).toEqual(["POST"]);
  expect(await createRawClient(quick).send({ ...request, method: "PUT" })).toMatchObject({ status: 503, requests: 4 });
});

test("a POST does not follow a 302 with its body; the error names the method", async () => {
  await using server = await startServer((_request, response) =>
    response.writeHead(302, { location: "/elsewhere" }).end(),
  );
  const request = { url: `${server.baseUrl}/engines`, headers, endpoint: "list", method: "POST" } as const;
  const called = createRawClient(quick).send({ ...request, body: new TextEncoder().encode("{}") });
  await expect(called).rejects.toMatchObject({ method: "POST", reason: { _tag: "RedirectRefused" } });
  expect(server.requests.length).toBe(1);
});

test.for(["Content-Length", "host", "Transfer-Encoding", "connection", "a b"])(
  "the header %j of a request is refused, and nothing is sent",
  async (name) => {
    await using server = await startServer((_request, response) => json(response, 200, {}));
    const request = { url: `${server.baseUrl}/engines`, headers: { [name]: "s3cr3t" }, endpoint: "list" } as const;
    const error: unknown = await createRawClient(quick)
      .send(request)
      .catch((cause: unknown) => cause);
    expect(error).toMatchObject({ reason: { _tag: "InvalidArgument" }, attempts: 0 });
    expect(String(error)).toContain(name.toLowerCase());
    expect(String(error)).not.toContain("s3cr3t");
    expect(server.requests).toHaveLength(0);
  },
);

test("without an answer it rejects with the error of the last attempt", async () => {
  const closed = await startServer(() => {});
  await closed[Symbol.asyncDispose]();
  const called = createRawClient(quick).send({ url: `${closed.baseUrl}/engines`, headers, endpoint: "list" });
  await expect(called).rejects.toMatchObject({ reason: { _tag: "Unreachable", problem: "refused" }, attempts: 4 });
});

test("a listener that throws does no harm, and no event shows the token", async () => {
  await using server = await startServer((_request, response, count) => json(response, count === 1 ? 503 : 200, {}));
  const events: Array<EngineEvent> = [];
  const exchanger = createRawClient({
    ...quick,
    onEvent: (event) => {
      events.push(event);
      throw new Error("a bug of the listener");
    },
  });
  const answer = await exchanger.send({ url: `${server.baseUrl}/engines`, headers, endpoint: "list" });
  expect(answer).toMatchObject({ status: 200, attempts: 2 });
  expect(events.map(({ type }) => type)).toEqual(["response", "retry", "response"]);
  expect(JSON.stringify(events)).not.toContain("exchanger-token");
});

test("events of a GET name no method, and a 401 is an answer like others: nothing renews its token", async () => {
  const url = "http://a.example/engines";
  const events: Array<EngineEvent> = [];
  let count = 0;
  const fetch = () => Promise.resolve(new Response("", { status: ++count === 1 ? 503 : 401 }));
  const client = createRawClient({ ...quick, fetch, onEvent: (event) => events.push(event) });
  const answer = await client.send({ url, headers, endpoint: "list" });
  expect(answer).toMatchObject({ status: 401, attempts: 2, requests: 2 });
  expect(events.filter(({ type }) => type === "retry")).toEqual([
    {
      type: "retry",
      endpoint: "list",
      url,
      attempt: 1,
      delayMs: 0,
      reason: "Unavailable",
      status: 503,
      hinted: false,
      budgetTokens: 486,
    },
  ]);
});

test("an answer is an error without the token that was sent", async () => {
  const message = "exchanger-token-0123456789 may not";
  await using server = await startServer((_request, response) => json(response, 403, { code: 7, message }));
  const answer = await createRawClient().send({ url: server.baseUrl, headers, endpoint: "list" });
  expect(errorOf(answer, headers.authorization)).toMatchObject({ status: 403, serverMessage: "<redacted> may not" });
  expect(errorOf(answer).serverMessage).toBe(message);
});

test("every origin has a budget of its own", async () => {
  await using first = await startServer((_request, response) => json(response, 503, {}));
  await using second = await startServer((_request, response) => json(response, 503, {}));
  const exchanger = createRawClient({ ...quick, retryBudget: 14 });
  const attempts = async (baseUrl: string): Promise<number> =>
    (await exchanger.send({ url: `${baseUrl}/engines`, headers, endpoint: "list" })).attempts;
  expect([await attempts(first.baseUrl), await attempts(first.baseUrl)]).toEqual([2, 1]);
  expect(await attempts(second.baseUrl)).toBe(2);
});

test("the signal ends it with its reason, and keeps no listener", async () => {
  await using server = await startServer(() => {});
  const controller = new AbortController();
  const { signal } = controller;
  const called = createRawClient(quick).send({ url: `${server.baseUrl}/engines`, headers, endpoint: "list", signal });
  await expect.poll(() => server.requests.length).toBe(1);
  controller.abort("no longer wanted");
  await expect(called).rejects.toBe("no longer wanted");
  expect(getEventListeners(signal, "abort")).toEqual([]);
});

type Option = Exclude<keyof RawClientOptions, "onEvent">;
const tag = (_tag: string, fields: object = {}) => ({ reason: { _tag, ...fields } });

/** What each option changes; the listener has a test of its own. One that changes nothing is not offered: it has no row. */
const effects: Record<Option, readonly [path: string, options: RawClientOptions, outcome: object]> = {
  attemptTimeoutMs: ["/hang", { attemptTimeoutMs: 20, retry: { maxAttempts: 1 } }, tag("TimedOut", { limitMs: 20 })],
  breaker: [
    "/good",
    { breaker: { admit: () => ({ retryAfterMs: 7, changed: undefined }), record: () => undefined } },
    tag("CircuitOpen", { retryAfterMs: 7 }),
  ],
  deadlineMs: ["/hang", { deadlineMs: 20 }, tag("TimedOut", { limitMs: 20, scope: "deadline" })],
  fetch: ["/good", { fetch: () => Promise.resolve(new Response("", { status: 299 })) }, { status: 299 }],
  hedging: [
    "/good",
    { hedging: { around: (send, { signal }) => send(signal).then(() => send(signal)) } },
    { status: 200, attempts: 1, requests: 2 },
  ],
  limits: ["/good", { limits: { maxDecodedBodyBytes: 1 } }, tag("TooLarge", { value: 1 })],
  middleware: [
    "/good",
    { middleware: [async (request, next) => ({ ...(await next(request)), status: 299 })] },
    { status: 299 },
  ],
  retry: ["/busy", { retry: { maxAttempts: 1 } }, { status: 503, attempts: 1 }],
  retryBudget: ["/busy", { ...quick, retryBudget: 1 }, { status: 503, attempts: 1 }],
};

test.for(Object.entries(effects))("%s has its effect", async ([_option, [path, options, outcome]]) => {
  await using server = await startServer((request, response) => {
    if (request.url?.endsWith("/hang") !== true)
      json(response, request.url?.endsWith("/busy") === true ? 503 : 200, {});
  });
  const called = createRawClient(options).send({ url: `${server.baseUrl}${path}`, headers, endpoint: "list" });
  expect(await called.catch((error: unknown) => error)).toMatchObject(outcome);
});
