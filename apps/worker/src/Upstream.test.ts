import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { createAdmission } from "./Admission.ts";
import { createBodyBudget, type Bytes } from "./Body.ts";
import { createMetrics } from "./Log.ts";
import { createUpstream, isOutage, proxyStatusOf, unavailable } from "./Upstream.ts";
import type { RateLimiter, UpstreamProblem, UpstreamRequest } from "./Upstream.ts";

beforeEach(() => {
  vi.useFakeTimers();
  vi.advanceTimersByTime(1_000);
});
afterEach(() => void vi.useRealTimers());

const base = "https://upstream.example/v1/dev";
const resource = `${base}/engines/a`;

/** An answer as the runtime may give it, of any status. */
const answerOf = (status: number, fields: Record<string, string> = {}, body: BodyInit | null = null): Response =>
  Object.defineProperty(new Response(body, { headers: fields }), "status", { value: status });

const start = (
  answer: (url: string, init: RequestInit) => Response | Promise<Response>,
  { deadlineMs = 8_000, limits = {} }: { deadlineMs?: number; limits?: Record<string, RateLimiter> } = {},
) => {
  const asked: Array<string> = [];
  const admission = createAdmission(deadlineMs, Date.now, () => {}, false);
  const metrics = createMetrics();
  const budget = createBodyBudget(Date.now);
  let sequence = 0;
  const { send, last } = createUpstream({
    config: { upstreamUrl: base, attemptTimeoutMs: 3_000, deadlineMs },
    fetch: async (url, init) => {
      asked.push(url.replace(base, ""));
      return answer(url, init);
    },
    admission,
    budget,
    limits,
    metrics,
    ask: () => ({ sequence: ++sequence, atMs: Date.now() }),
    now: Date.now,
  });
  const left: Array<Promise<unknown>> = [];
  const applicant = { owner: "alice", client: "192.0.2.7", resource, orStale: false };
  const request = (changes: Partial<UpstreamRequest> = {}): UpstreamRequest => ({
    ...applicant,
    method: "GET",
    headers: new Headers(),
    body: null,
    length: null,
    isEndpoint: true,
    isBuffered: () => true,
    waitUntil: (work) => void left.push(work),
    ...changes,
  });
  /** What comes of a request, and after how many milliseconds. */
  const sent = async (changes: Partial<UpstreamRequest> = {}) => {
    const startMs = Date.now();
    const ended: Array<number> = [];
    const result = send(request(changes)).finally(() => ended.push(Date.now() - startMs));
    while (ended.length === 0) await vi.advanceTimersByTimeAsync(1);
    return { result: await result, tookMs: ended[0] ?? 0 };
  };
  const what = async (changes: Partial<UpstreamRequest> = {}) => {
    const { result } = await sent(changes);
    return "problem" in result ? result.problem : result.status;
  };
  return { admission, applicant, asked, budget, last, metrics, sent, what };
};

const refused = (): never => {
  throw new TypeError("refused");
};
/** Five bytes of a body, and no more. */
const brokenOff = (): ReadableStream => {
  let pulls = 0;
  return new ReadableStream({
    pull: (controller) =>
      pulls++ === 0 ? controller.enqueue(new Uint8Array(5)) : controller.error(new Error("broken")),
  });
};
const hanging = (): Promise<Response> => new Promise(() => {});

test.each<[UpstreamProblem, number, string, string, string, boolean]>([
  [
    "unreachable",
    502,
    "connection_terminated",
    "UNAVAILABLE",
    "the upstream sent no valid response (unreachable)",
    true,
  ],
  [
    "timed-out",
    504,
    "http_response_timeout",
    "DEADLINE_EXCEEDED",
    "the upstream did not respond in time (timed-out)",
    true,
  ],
  [
    "cut-short",
    502,
    "http_response_incomplete",
    "UNAVAILABLE",
    "the upstream sent no valid response (cut-short)",
    true,
  ],
  ["redirected", 502, "http_protocol_error", "UNAVAILABLE", "the upstream sent no valid response (redirected)", false],
  ["unusable", 502, "http_protocol_error", "UNAVAILABLE", "the upstream sent no valid response (unusable)", false],
  [
    "known-to-be-down",
    503,
    "destination_unavailable",
    "UNAVAILABLE",
    "the upstream is unavailable (known-to-be-down)",
    true,
  ],
  [
    "busy",
    429,
    "connection_limit_reached",
    "RESOURCE_EXHAUSTED",
    "this client has 64 requests at the upstream, and more waiting; wait for some to end",
    true,
  ],
  ["crowded", 503, "connection_limit_reached", "UNAVAILABLE", "the upstream is unavailable (crowded)", true],
  ["limited", 429, "http_request_denied", "RESOURCE_EXHAUSTED", "too many requests; wait before you send more", false],
])("%s is %i %s", (problem, status, error, code, message, mayBeStale) => {
  const proxyStatus = { "proxy-status": `bytenite-edge; error=${error}` };
  const expected = { status, code, message };
  expect(unavailable({ problem })).toEqual({ ...expected, headers: { "retry-after": "5", ...proxyStatus } });
  expect(unavailable({ problem, retryAfterMs: 1_001 }).headers).toEqual({ "retry-after": "2", ...proxyStatus });
  expect([isOutage(problem), proxyStatusOf(problem)]).toEqual([mayBeStale, proxyStatus]);
});

test("a body that its client breaks off is 400, and tells nothing of the upstream", () => {
  expect(unavailable({ problem: "broken-off" })).toEqual({
    status: 400,
    code: "INVALID_ARGUMENT",
    message: "the body of the request was broken off",
    headers: {},
  });
});

test.each([
  ["does not answer", hanging, "timed-out", 3, 8_000],
  ["refuses", refused, "unreachable", 3, 300],
  ["answers 503", () => answerOf(503, {}, "a"), 503, 3, 300],
  ["breaks off its answer", () => answerOf(200, {}, brokenOff()), "cut-short", 2, 100],
  ["answers 404", () => answerOf(404), 404, 1, 0],
  ["answers 199", () => answerOf(199), "unusable", 1, 0],
  ["answers 599", () => answerOf(599), 599, 1, 0],
  ["answers 600", () => answerOf(600, {}, "a"), "unusable", 1, 0],
])("an upstream that %s gives %s, by %i attempts in %i ms", async (_, answer, outcome, attempts, ms) => {
  vi.spyOn(Math, "random").mockReturnValue(1);
  onTestFinished(() => void vi.restoreAllMocks());
  const { asked, sent, metrics, admission, applicant, budget } = start(answer);
  const { result, tookMs } = await sent();
  expect(["problem" in result ? result.problem : result.status, result.attempts, tookMs]).toEqual([
    outcome,
    attempts,
    ms,
  ]);
  // The connection is probed where there is no answer.
  const probes = outcome === "timed-out" || outcome === "unreachable" ? 1 : 0;
  expect(asked).toEqual([
    ...Array.from({ length: attempts }, () => "/engines/a"),
    ...Array.from({ length: probes }, () => "/engines"),
  ]);
  expect(metrics.text([])).toContain(`upstream_requests_total{outcome="${outcome}"} ${attempts}\n`);
  expect(metrics.text([]).includes("upstream_probes_total 1\n")).toBe(probes === 1);
  expect([budget.bytes(), vi.getTimerCount()]).toEqual([outcome === 503 ? 1 : 0, 0]);
  expect(admission.isFailing(applicant)).toBe(["timed-out", "unreachable", "cut-short", 503].includes(outcome));
  expect(admission.knows("alice")).toBe(false);
});

test("no attempt begins after the deadline", async () => {
  const { result, tookMs } = await start(hanging, { deadlineMs: 3_100 }).sent();
  expect([result.attempts, tookMs <= 3_100]).toEqual([2, true]);
});

test("what is not used of an answer is cancelled", async () => {
  let cancelled = 0;
  const unused = () => new ReadableStream({ cancel: () => void (cancelled += 1) });
  expect(await start(() => answerOf(600, {}, unused())).what()).toBe("unusable");
  expect(await start(() => answerOf(302, { location: "/" }, unused())).what()).toBe("redirected");
  expect(cancelled).toBe(2);
});

test("while the upstream is down each request probes it, and one that may be stale is not sent", async () => {
  const { sent, asked } = start(refused);
  await sent();
  vi.advanceTimersByTime(500);
  const before = asked.length;
  expect(await sent({ orStale: true, resource: `${base}/b` })).toEqual({
    result: { problem: "known-to-be-down", retryAfterMs: 500, attempts: 0, durationMs: 0 },
    tookMs: 0,
  });
  expect(asked.slice(before)).toEqual(["/engines"]);
});

const answersProbes = (url: string): Response => (url.endsWith("/engines") ? answerOf(401) : refused());

test("only who has nothing stored, and whose resource has not failed, waits for more attempts", async () => {
  const { sent } = start(answersProbes);
  expect((await sent({ isEndpoint: false })).result.attempts).toBe(1);
  expect((await sent({ resource: `${base}/b`, orStale: true })).result.attempts).toBe(1);
  const { sent: again } = start(answersProbes);
  expect((await again()).result.attempts).toBe(3);
  expect((await again()).result.attempts).toBe(1);
});

test("attempts and their time are counted, retries by their reason, and when the upstream last answered", async () => {
  let attempts = 0;
  const { sent, last, metrics } = start(async () => {
    attempts += 1;
    await new Promise((resolve) => setTimeout(resolve, 10));
    return attempts === 1 ? refused() : answerOf(attempts === 2 ? 503 : 200);
  });
  const { result } = await sent();
  expect(result).toMatchObject({ status: 200, attempts: 3, durationMs: 10, asked: { sequence: 3 } });
  expect(last.answerMs).toBe(Date.now());
  expect(last.failureMs).toBeLessThan(last.answerMs);
  const counted = metrics
    .text([])
    .replaceAll("bytenite_edge_", "")
    .split("\n")
    .filter((line) => line.startsWith("upstream"));
  expect(counted).toEqual([
    'upstream_requests_total{outcome="unreachable"} 1',
    'upstream_requests_total{outcome="503"} 1',
    'upstream_requests_total{outcome="200"} 1',
    'upstream_retries_total{reason="Unreachable"} 1',
    'upstream_retries_total{reason="Unavailable"} 1',
    "upstream_milliseconds_total 30",
  ]);
});

test("retries are paid for by what they achieve", async () => {
  let calls = 0;
  const { sent } = start(() => answerOf(calls++ % 2 === 0 ? 503 : 200));
  for (let index = 0; index < 40; index++) expect((await sent()).result.attempts).toBe(2);
  // No retry of another resource achieves anything: of a budget for 35 there are 34 more.
  const failing = start(() => answerOf(503));
  let attempts = 0;
  for (let index = 0; index < 30; index++) {
    attempts += (await failing.sent({ resource: `${base}/engines/e${index}` })).result.attempts;
  }
  expect(attempts).toBe(30 + 35);
  // Success at once does not say that they achieve anything.
  const mixed = start((url) => answerOf(url.endsWith("/good") ? 200 : 503));
  for (let index = 0; index < 30; index++) await mixed.sent({ resource: `${base}/engines/e${index}` });
  for (let index = 0; index < 10; index++) await mixed.sent({ owner: undefined, resource: `${base}/engines/good` });
  expect((await mixed.sent({ resource: `${base}/engines/another` })).result.attempts).toBe(1);
});

test.each([301, 302, 303, 307, 308])("three redirects with %i are followed, and no fourth", async (status) => {
  const chain = (length: number) => (url: string) => {
    const step = Number(/\d+$/.exec(url)?.[0] ?? 0);
    return step < length ? answerOf(status, { location: `/v1/dev/engines/${step + 1}` }) : answerOf(200);
  };
  const three = start(chain(3));
  expect([await three.what(), three.asked]).toEqual([200, ["/engines/a", "/engines/1", "/engines/2", "/engines/3"]]);
  const four = start(chain(4));
  expect([await four.what(), four.asked.length]).toEqual(["redirected", 4]);
  expect(await start(chain(1)).what({ isEndpoint: false })).toBe(status);
});

test.each([
  [300, { location: "/v1/dev/engines/b" }, 300],
  [302, {}, 302],
  [302, { location: "//" }, "redirected"],
  [302, { location: "https://other.example/v1/dev/a" }, "redirected"],
  [302, { location: "/v1/devil" }, "redirected"],
  [206, {}, "unusable"],
  [302, { location: "/v1/dev/a%2Fb" }, "redirected"],
])("%i with %j is %s", async (status, fields, expected) => {
  expect(await start(() => answerOf(status, fields as Record<string, string>)).what()).toBe(expected);
});

test("of an error up to 64 kB are kept, and otherwise nothing that describes them; it is waited for half as long", async () => {
  const fields = { "content-type": "text/plain", "content-language": "en" };
  const bodyOf = async (status: number, body: BodyInit, changes: Partial<UpstreamRequest> = {}) => {
    const { budget, sent } = start(() => answerOf(status, fields, body));
    const { result, tookMs } = await sent(changes);
    if (!("body" in result)) return [result.problem, tookMs];
    const counted = budget.bytes();
    result.lease.release();
    return [
      result.body.bytes.byteLength,
      result.headers.get("content-type"),
      result.headers.get("content-language"),
      tookMs,
      counted - budget.bytes(),
    ];
  };
  const longest = 65_536;
  const rest = ["text/plain", "en", 0];
  for (const status of [400, 499]) {
    expect(await bodyOf(status, "a".repeat(longest))).toEqual([longest, ...rest, longest]);
    expect((await bodyOf(status, "a".repeat(longest + 1))).slice(0, 3)).toEqual([0, null, "en"]);
    const never = new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(5)) });
    expect(await bodyOf(status, never)).toEqual([0, null, "en", 1_500, 5]);
  }
  for (const [status, changes] of [
    [399, {}],
    [500, { orStale: true }],
    [404, { isEndpoint: false }],
  ] as const) {
    expect(await bodyOf(status, "a".repeat(longest + 1), changes)).toEqual([longest + 1, ...rest, longest + 1]);
  }
});

test("a request body may take longer than an attempt while a kilobyte a second arrives", async () => {
  for (const [bytes, expected] of [
    [3_000, 200],
    [2_999, "timed-out"],
  ] as const) {
    let chunks = 0;
    const body = new ReadableStream<Bytes>(
      {
        pull: async (controller) => {
          await new Promise((resolve) => setTimeout(resolve, 2_999));
          controller.enqueue(new Uint8Array(bytes));
          if (++chunks === 4) controller.close();
        },
      },
      { highWaterMark: 0 },
    );
    const upstream = start(async (_url, init) => {
      for await (const _ of init.body as unknown as ReadableStream<Bytes>) continue;
      // After its end an attempt's time begins anew.
      await new Promise((resolve) => setTimeout(resolve, 2_999));
      return answerOf(200);
    });
    expect(await upstream.what({ method: "POST", isEndpoint: false, isWrite: true, body })).toBe(expected);
  }
});

test("a body that its client breaks off ends the attempt, and says nothing of the upstream", async () => {
  const upstream = start(async (_url, init) => {
    for await (const _ of init.body as unknown as ReadableStream<Bytes>) continue;
    return answerOf(200);
  });
  const body = new ReadableStream<Bytes>({ pull: (controller) => controller.error(new Error("gone")) });
  expect(await upstream.what({ method: "POST", isEndpoint: false, isWrite: true, body })).toBe("broken-off");
  expect([upstream.last, upstream.asked]).toEqual([{ answerMs: 0, failureMs: 0 }, ["/engines/a"]]);
});

test("limits are those of the token, or of the client, and what they refuse is not sent", async () => {
  const keys: Array<string> = [];
  const limiter = (name: string): RateLimiter => ({
    limit: async ({ key }) => ({ success: keys.push(`${name} ${key}`) % 2 === 1 }),
  });
  const { sent, asked } = start(() => answerOf(200), {
    limits: { token: limiter("token"), anonymous: limiter("anonymous") },
  });
  const limited = { problem: "limited", attempts: 0, durationMs: 0 };
  for (const owner of ["alice", undefined]) {
    expect((await sent({ owner })).result).toMatchObject({ status: 200 });
    expect((await sent({ owner })).result).toEqual(limited);
  }
  expect(keys).toEqual(["token alice", "token alice", "anonymous 192.0.2.7", "anonymous 192.0.2.7"]);
  expect(asked).toHaveLength(2);
});

test.each([
  [200, true, false],
  [399, true, false],
  [400, false, true],
  [429, false, true],
  [503, false, true],
])(
  "an answer %i with Retry-After accepts its token: %s, and is not asked for again until then: %s",
  async (status, isKnown, isBackingOff) => {
    const { admission, applicant, what } = start(() => answerOf(status, { "retry-after": "7" }));
    expect(await what()).toBe(status);
    expect([admission.knows("alice"), admission.isBackingOff(applicant)]).toEqual([isKnown, isBackingOff]);
    vi.advanceTimersByTime(6_998);
    expect(admission.isBackingOff(applicant)).toBe(isBackingOff);
    vi.advanceTimersByTime(2);
    expect(admission.isBackingOff(applicant)).toBe(false);
  },
);
