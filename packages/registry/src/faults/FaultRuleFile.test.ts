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

const day = 86_400_000;

test.for<[string, ReadonlyArray<unknown>, ReadonlyArray<unknown>]>([
  [
    "latencyMs",
    [0, day, { uniform: [0, day] }, { exponential: 0 }],
    [-1, day + 1, { uniform: [1] }, { normal: [1, 2, 3] }, { uniform: [1, 2], x: 1 }, {}],
  ],
  ["slow", [{}, { headersMs: 0, bodyMs: day }], [{ bodyMs: -1 }, { ms: 1 }]],
  ["status", [200, 599], [199, 600, 200.5]],
  ["cutBodyAfterBytes", [0], [-1, 0.5]],
  ["contentLength", [0], [-1]],
  [
    "body",
    ["empty", { text: "" }, { base64: "QQ==" }, { bytes: 0 }],
    ["x", { base64: "QQ===" }, { bytes: -1 }, { text: "a", bytes: 1 }, {}],
  ],
  [
    "hint",
    [[], { kind: "retry-after", seconds: 0 }],
    [{}, { kind: "x" }, { kind: "retry-after", seconds: -1 }, { kind: "retry-after-ms", ms: 1, x: 1 }],
  ],
  ["headers", [{ "X-A": "\t ~", B: null }], [{ "X A": "a" }, { A: 1 }]],
  ["fieldNumbers", [{}], [{ "bytenite.engine.Engine": { id: 0.5 } }, { "bytenite.engine.Engine": 1 }]],
])("%s has its bounds", ([name, valid, invalid]) => {
  const rulesOf = (value: unknown) => parseFaultRules(JSON.stringify([{ fault: { [name]: value } }]));
  for (const value of valid) expect(rulesOf(value)).toEqual([{ fault: { [name]: value } }]);
  for (const value of invalid) expect(() => rulesOf(value)).toThrow("fault rules: /0/fault");
});

const read = (rules: ReadonlyArray<unknown>) => parseFaultRules(JSON.stringify(rules));

test("a rule has its bounds, and a list of rules", () => {
  const rule = { fault: {} };
  for (const more of [{ probability: 0 }, { probability: 1 }, { skip: 0 }, { times: 0 }, { fault: [{}] }]) {
    expect(read([{ ...rule, ...more }])).toHaveLength(1);
  }
  for (const more of [{ probability: -0.1 }, { skip: -1 }, { times: -1 }, { fault: [] }, { fault: [1] }, { x: 1 }]) {
    expect(() => read([{ ...rule, ...more }])).toThrow("fault rules: /0");
  }
  expect(read(Array.from({ length: 1_000 }, () => rule))).toHaveLength(1_000);
  expect(() => read(Array.from({ length: 1_001 }, () => rule))).toThrow("/ must NOT have more than 1000 items");
  expect(() => read([{}])).toThrow("/0 must have required property 'fault'");
  expect(() => read([{ fault: { fieldNumbers: { "bytenite.engine.Engine": { x: 5 } } } }])).toThrow("x");
});

test("invalid rules are reported", () => {
  expect(() => parseFaultRules("[1]")).toThrow(FaultRulesError);
});

const drawn = (latency: Parameters<typeof drawLatency>[0], ...numbers: Array<number>): number =>
  drawLatency(latency, () => numbers.shift() ?? Number.NaN);

test("latencies are drawn from the distribution that they name, and never negative", () => {
  const { random } = makeFaults([], 3);
  const mean = (latency: Parameters<typeof drawLatency>[0]): number => {
    const all = Array.from({ length: 5_000 }, () => drawLatency(latency, random));
    expect(Math.min(...all)).toBeGreaterThanOrEqual(0);
    return all.reduce((sum, ms) => sum + ms, 0) / all.length;
  };
  expect(mean(7)).toBe(7);
  expect(mean({ uniform: [10, 20] })).toBeCloseTo(15, 0);
  expect(mean({ exponential: 50 }) / 50).toBeCloseTo(1, 1);
  expect(mean({ normal: [100, 5] }) / 100).toBeCloseTo(1, 2);
  expect([drawn({ uniform: [10, 20] }, 0), drawn({ uniform: [10, 20] }, 0.75)]).toEqual([10, 17.5]);
  expect([drawn({ exponential: 50 }, 0), drawn({ exponential: 50 }, 0.5)]).toEqual([-0, 50 * Math.LN2]);
  expect(drawn({ normal: [10, 2] }, 0.5, 0.125)).toBeCloseTo(10 + 2 * Math.sqrt(Math.LN2), 10);
  expect(drawn({ normal: [1, 2] }, 0.5, 0.5)).toBe(0);
});

test("a seed gives the numbers of mulberry32, so that faults of a run come again in a later version", async () => {
  const { random } = makeFaults([], 1);
  const first = 0.6270739405881613;
  expect([random(), random()]).toEqual([first, 0.002735721180215478]);
  expect(makeFaults().random()).toBe(first);
  const subject = { endpoint: undefined, token: undefined, user: async () => undefined };
  for (const [probability, expected] of [
    [first, undefined],
    [first + 1e-9, { silent: true }],
  ] as const) {
    expect(await makeFaults([{ probability, fault: { silent: true } }]).strike(subject)).toEqual(expected);
  }
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
