import { expect, test } from "vitest";
import type { RequestHead } from "../api/Answer.ts";
import { makeAdmin } from "../node/AdminEndpoints.ts";
import { FaultRulesError, parseFaultRules } from "./FaultRuleFile.ts";
import { drawLatency } from "./FaultyAnswer.ts";
import { makeFaults } from "./Faults.ts";

test("every kind of fault and hint is read as it was written", () => {
  const rules = [
    {
      on: { endpoint: "auth", user: "a", token: "b" },
      probability: 0.5,
      skip: 1,
      times: 2,
      fault: [{}, { silent: true }],
    },
    { fault: { latencyMs: { normal: [10, 2] }, reset: "in-body", slow: { headersMs: 1 } } },
    {
      fault: {
        status: 429,
        code: "ABORTED",
        hint: [
          { kind: "retry-after", seconds: 1 },
          { kind: "retry-after-date", seconds: -5, form: "asctime" },
          { kind: "grpc-metadata-retry-after", seconds: 1 },
          { kind: "retry-after-ms", ms: 1 },
          { kind: "retry-info", ms: 1 },
        ],
      },
    },
    {
      fault: {
        body: { bytes: 5 },
        cutBodyAfterBytes: 1,
        contentLength: 2,
        contentType: "x/y",
        headers: { A: null, B: "c" },
      },
    },
    {
      fault: {
        jsonOnly: true,
        schemaDigest: "x",
        fieldNumbers: { "bytenite.engine.Engine": { id: 50 } },
        clockSkewMs: -1,
      },
    },
  ];
  expect(parseFaultRules(JSON.stringify(rules))).toEqual(rules);
});

test.for<[string, string]>([
  ["{", "not JSON"],
  ["{}", "/ must be array"],
  ['[{"fault":{},"on":{"endpoint":"put"}}]', "/0/on/endpoint must be equal to one of the allowed values"],
  ['[{"fault":{"satus":1}}]', "(satus)"],
  ['[{"fault":{"status":99}}]', "/0/fault/status must be >= 200"],
  ['[{"fault":{"hint":{"kind":"retry-after","ms":1}}}]', "/0/fault/hint"],
  ['[{"fault":{"headers":{"A":"x\\r\\nB: y"}}}]', "/0/fault/headers"],
  ['[{"fault":{"contentType":"x\\ny"}}]', "/0/fault/contentType"],
  ['[{"probability":2,"fault":{}}]', "/0/probability must be <= 1"],
  ['[{"fault":{"fieldNumbers":{"a.B":{}}}}]', "no message a.B"],
])("%s is refused with its place", ([text, says]) => {
  expect(() => parseFaultRules(text)).toThrow(says);
});

test("invalid rules are reported", () => {
  expect(() => parseFaultRules("[1]")).toThrow(FaultRulesError);
});

test("latencies are drawn from the distribution that they name, and never negative", () => {
  const { random } = makeFaults([], 3);
  const mean = (latency: Parameters<typeof drawLatency>[0]): number => {
    const drawn = Array.from({ length: 5_000 }, () => drawLatency(latency, random));
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(0);
    return drawn.reduce((sum, ms) => sum + ms, 0) / drawn.length;
  };
  expect(mean(7)).toBe(7);
  expect(mean({ uniform: [10, 20] })).toBeCloseTo(15, 0);
  expect(mean({ exponential: 50 }) / 50).toBeCloseTo(1, 1);
  expect(mean({ normal: [100, 5] }) / 100).toBeCloseTo(1, 2);
});

test("a seed gives the numbers of mulberry32, so that faults of a run come again in a later version", () => {
  const { random } = makeFaults([], 1);
  expect([random(), random()]).toEqual([0.6270739405881613, 0.002735721180215478]);
});

test("over HTTP, PUT replaces the rules, POST adds some, DELETE removes all", async () => {
  const faults = makeFaults();
  const endpoint = makeAdmin({ metrics: () => Promise.resolve(""), faults }).get("/faults");
  for (const [method, status, listed] of [
    ["POST", 503, [503]],
    ["POST", 500, [503, 500]],
    ["PUT", 429, [429]],
    ["GET", 0, [429]],
    ["DELETE", 0, []],
    ["PATCH", 0, []],
  ] as const) {
    const body = new TextEncoder().encode(JSON.stringify([{ fault: { status } }]));
    const head = { method, header: () => "application/json", body: () => Promise.resolve(body) };
    const answer = await endpoint?.(head as unknown as RequestHead);
    expect([method, answer?.status]).toEqual([method, method === "PATCH" ? 405 : 200]);
    expect(faults.list().map(({ rule: { fault } }) => (fault as { status: number }).status)).toEqual(listed);
  }
});
