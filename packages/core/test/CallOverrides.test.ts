import { expect, test } from "vitest";
import type { Breaker } from "../src/FailureRateBreaker.ts";
import type { Hedging } from "../src/LatencyHedging.ts";
import { memoryServer } from "../src/MemoryServer.ts";
import {
  createEngineClient,
  EngineError,
  type CallOptions,
  type ClientOptions,
  type EngineEvent,
} from "../src/promise.ts";

const home = "http://home.example/v1/dev";
const abroad = "http://abroad.example/v1/dev";
const headerNames = ["accept", "authorization", "x-team"];
const shut: Breaker = { admit: () => ({ retryAfterMs: 1, changed: undefined }), record: () => undefined };
const failing: Hedging = { around: () => Promise.reject(new Error("hedged")) };
const instead = () =>
  Promise.resolve(new Response('{"name":"instead"}', { headers: { "content-type": "application/json" } }));

/** What a client does with these options for it and for one call: the requests that it sends, and how the call ends. */
const done = async (client: ClientOptions, call: CallOptions | undefined, refusals: number, calls = 1) => {
  const events: Array<EngineEvent> = [];
  const server = memoryServer({
    engines: [{ name: "zipper", version: "0.1" }],
    answer: (_request, count) => (count <= refusals ? new Response("{}", { status: 503 }) : undefined),
  });
  const asking = createEngineClient({
    baseUrl: home,
    fetch: server.fetch,
    retry: { baseDelayMs: 0 },
    onEvent: (event) => void events.push(event),
    ...client,
  });
  const ends = await Promise.all(
    Array.from({ length: calls }, () =>
      asking.get("zipper", call).then(
        ({ name }) => name,
        (error: unknown) => (error instanceof EngineError ? error.reason._tag : String(error)),
      ),
    ),
  );
  return {
    ends,
    events: events.length,
    sent: server.requests.map(({ url, headers }) => [url, ...headerNames.map((name) => headers.get(name))].join(" ")),
  };
};

interface Override {
  /** What the client says. */
  readonly client?: ClientOptions;
  /** What the call says instead. */
  readonly call: CallOptions;
  /** Requests that the server refuses at first. */
  readonly refusals?: number;
  readonly calls?: number;
}

const never = () => new Promise<never>(() => {});

/** Of every option, a call that says something else than its client. */
const overrides: Record<keyof CallOptions, Override> = {
  baseUrl: { call: { baseUrl: "http://home.example/v2" } },
  format: { call: { format: "json" } },
  headers: { client: { headers: { "x-team": "a" } }, call: { headers: { "X-Team": "b" } } },
  retry: { call: { retry: { maxAttempts: 1 } }, refusals: 1 },
  attemptTimeoutMs: { client: { fetch: never, attemptTimeoutMs: 1 }, call: { attemptTimeoutMs: 9_000, deadlineMs: 5 } },
  deadlineMs: { client: { fetch: never, deadlineMs: 1, attemptTimeoutMs: 5 }, call: { deadlineMs: 9_000 } },
  retryBudget: { client: { retryBudget: 0 }, call: { retryBudget: 14 }, refusals: 1 },
  limits: { call: { limits: { maxBodyBytes: 1, maxDecodedBodyBytes: 1 } } },
  dedupe: { call: { dedupe: false }, calls: 2 },
  hedging: { client: { hedging: failing }, call: { hedging: null } },
  middleware: { client: { middleware: [() => Promise.reject(new Error("no"))] }, call: { middleware: [] } },
  propagateTrace: { call: { propagateTrace: false } },
  token: { client: { token: "token-1" }, call: { token: "token-2" } },
  fetch: { call: { fetch: instead } },
  onEvent: { call: { onEvent: null } },
  breaker: { client: { breaker: shut }, call: { breaker: null } },
};

test.for(
  // The tests of spans cover the sender of a trace context.
  Object.entries(overrides).filter(([name]) => name !== "propagateTrace"),
)("%s of a call counts, not its client's", async ([, { client = {}, call, refusals = 0, calls = 1 }]) => {
  const alone = await done(client, undefined, refusals, calls);
  expect(await done(client, call, refusals, calls)).not.toEqual(alone);
  // Nothing of the one call stays with the client.
  expect(await done(client, undefined, refusals, calls)).toEqual(alone);
});

test.for<[to: string, own: CallOptions["token"], sent: string | null]>([
  ["http://home.example/v2", undefined, "token-1"],
  [abroad, undefined, null],
  [abroad, "token-2", "token-2"],
  [home, null, null],
])("a call to %s with the token %s sends %s", async ([baseUrl, token, sent]) => {
  for (const client of [{ token: "token-1" }, { headers: { Authorization: "token-1" } }]) {
    if (token === null && client.token === undefined) continue;
    const { sent: requests } = await done(client, token === undefined ? { baseUrl } : { baseUrl, token }, 0);
    expect(requests).toEqual([`${baseUrl}/engines/zipper application/x-protobuf ${sent ?? ""} `]);
  }
});

test("calls to another origin have that one's budget, and what was learned of it", async () => {
  const { fetch, requests } = memoryServer({ answer: () => new Response("{}", { status: 503 }) });
  const client = createEngineClient({
    baseUrl: home,
    fetch,
    retry: { baseDelayMs: 0, maxAttempts: 2 },
    retryBudget: 14,
  });
  for (const baseUrl of [home, abroad, abroad]) await client.get("zipper", { baseUrl }).catch(() => {});
  expect(requests.map(({ url }) => new URL(url).host)).toEqual([
    "home.example",
    "home.example",
    "abroad.example",
    "abroad.example",
    "abroad.example",
  ]);
});
