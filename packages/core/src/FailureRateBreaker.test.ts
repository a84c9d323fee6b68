import { expect, test } from "vitest";
import { breaker } from "./FailureRateBreaker.ts";

const origin = "http://a";
const options = { windowMs: 1_000, minimumRequests: 4, failureRate: 0.5, openMs: 500 };

/** Records so many requests at one moment, and returns what changed. */
const record = (circuit: ReturnType<typeof breaker>, nowMs: number, ...sound: ReadonlyArray<boolean>) =>
  sound.map((each) => circuit.record(origin, nowMs, each, nowMs));

test("stays closed below the minimum volume, and below the failure rate", () => {
  const circuit = breaker(options);
  expect(record(circuit, 0, false, false, false)).toEqual([undefined, undefined, undefined]);
  const other = breaker(options);
  expect(record(other, 0, true, true, true, false, false)).toEqual(Array.from({ length: 5 }).fill(undefined));
  expect(circuit.admit(origin, 1)).toEqual({ retryAfterMs: 0, changed: undefined });
});

test("opens at the failure rate, returns how long to wait, and admits one probe after that", () => {
  const circuit = breaker(options);
  expect(record(circuit, 100, true, true, false, false)).toEqual([undefined, undefined, undefined, "open"]);
  expect(circuit.admit(origin, 200)).toEqual({ retryAfterMs: 400, changed: undefined });
  expect(circuit.admit(origin, 600)).toEqual({ retryAfterMs: 0, changed: "half-open" });
  expect(circuit.admit(origin, 601).retryAfterMs).toBeGreaterThan(0);
});

test("a good probe closes it with a clean slate, a bad one opens it anew", () => {
  const circuit = breaker(options);
  record(circuit, 0, false, false, false, false);
  circuit.admit(origin, 500);
  expect(circuit.record(origin, 510, false, 500)).toBe("open");
  expect(circuit.admit(origin, 600).retryAfterMs).toBe(410);
  circuit.admit(origin, 1_010);
  expect(circuit.record(origin, 1_020, true, 1_010)).toBe("closed");
  expect(record(circuit, 1_030, false, false, false)).toEqual([undefined, undefined, undefined]);
});

test("a probe that is given up or lost frees its place", () => {
  const circuit = breaker(options);
  record(circuit, 0, false, false, false, false);
  circuit.admit(origin, 500);
  circuit.record(origin, 510, undefined, 500);
  expect(circuit.admit(origin, 520).retryAfterMs).toBe(0);
  expect(circuit.admit(origin, 530).retryAfterMs).toBeGreaterThan(0);
  expect(circuit.admit(origin, 1_020).retryAfterMs).toBe(0);
});

test.for([undefined, false, true])(
  "a request from before the outage that ends (%s) during the probe neither frees its place nor decides for it",
  (sound) => {
    const circuit = breaker(options);
    record(circuit, 100, false, false, false, false);
    expect(circuit.admit(origin, 600).changed).toBe("half-open");
    expect(circuit.record(origin, 610, sound, 90)).toBeUndefined();
    expect(circuit.admit(origin, 620).retryAfterMs).toBeGreaterThan(0);
    expect(circuit.record(origin, 630, true, 600)).toBe("closed");
    // Nor do those that were on their way count after it.
    for (let late = 0; late < 4; late++) expect(circuit.record(origin, 640, false, 95)).toBeUndefined();
    expect(circuit.admit(origin, 650).retryAfterMs).toBe(0);
  },
);

test("what lies further back than the window does not count, and origins do not share a circuit", () => {
  const circuit = breaker(options);
  record(circuit, 0, false, false, false);
  expect(record(circuit, 1_100, false)).toEqual([undefined]);
  record(circuit, 1_150, false, false, false);
  expect(circuit.admit(origin, 1_160).retryAfterMs).toBeGreaterThan(0);
  expect(circuit.admit("http://b", 1_160).retryAfterMs).toBe(0);
});

test("a failure counts for ten tenths of the window, its own among them", () => {
  for (const [nowMs, changed] of [
    [999, "open"],
    [1_000, undefined],
  ] as const) {
    const circuit = breaker(options);
    record(circuit, 99, false, false, false);
    expect(record(circuit, nowMs, false)).toEqual([changed]);
  }
});

test("a success never opens the circuit, and counts", () => {
  const circuit = breaker(options);
  expect(record(circuit, 0, false, false, true, true)).toEqual(Array.from({ length: 4 }).fill(undefined));
  expect(record(circuit, 0, true, false)).toEqual([undefined, "open"]);
  const cancelled = breaker(options);
  record(cancelled, 0, false, false, false);
  for (let times = 0; times < 9; times++) expect(cancelled.record(origin, 0, undefined, 0)).toBeUndefined();
  expect(record(cancelled, 0, false)).toEqual(["open"]);
});

test("the circuit is open for its time to the millisecond, and a lost probe keeps its place as long", () => {
  const circuit = breaker(options);
  record(circuit, 100, false, false, false, false);
  expect(circuit.admit(origin, 599)).toEqual({ retryAfterMs: 1, changed: undefined });
  expect(circuit.admit(origin, 600)).toEqual({ retryAfterMs: 0, changed: "half-open" });
  expect(circuit.admit(origin, 1_099)).toEqual({ retryAfterMs: 1, changed: undefined });
  expect(circuit.admit(origin, 1_100)).toEqual({ retryAfterMs: 0, changed: undefined });
  expect(circuit.record(origin, 1_101, true, 1_099)).toBeUndefined();
  expect(circuit.record(origin, 1_101, true, 1_100)).toBe("closed");
});

test("an outcome while the circuit is open changes nothing, even of a request that was admitted then", () => {
  const circuit = breaker(options);
  record(circuit, 100, false, false, false, false);
  expect([true, false, undefined].map((sound) => circuit.record(origin, 150, sound, 120))).toEqual([
    undefined,
    undefined,
    undefined,
  ]);
  expect(circuit.admit(origin, 150).retryAfterMs).toBe(450);
});

test("the defaults are those of the documents: half of 20 requests in 10 seconds, open for 5", () => {
  const circuit = breaker();
  const mixed = Array.from({ length: 19 }, (_, at) => at % 2 === 0);
  record(circuit, 0, ...mixed);
  expect(circuit.admit(origin, 0).retryAfterMs).toBe(0);
  expect(record(circuit, 9_999, false)).toEqual(["open"]);
  expect(circuit.admit(origin, 9_999).retryAfterMs).toBe(5_000);
  const late = breaker();
  record(late, 0, ...mixed);
  expect(record(late, 10_000, false)).toEqual([undefined]);
  const sound = breaker();
  record(sound, 0, ...mixed, true, true);
  expect(record(sound, 0, false)).toEqual([undefined]);
});

test.for<[options: Parameters<typeof breaker>[0], problem: string]>([
  [{ windowMs: 0 }, "windowMs must be above 0, not 0"],
  [{ windowMs: -1 }, "windowMs must be a number from 0, not -1"],
  [{ openMs: 0 }, "openMs must be above 0, not 0"],
  [{ openMs: -1 }, "openMs must be a number from 0, not -1"],
  [{ minimumRequests: 0 }, "minimumRequests must be a number from 1, not 0"],
  [{ failureRate: 0 }, "failureRate must be above 0 and up to 1, not 0"],
  [{ failureRate: -0.1 }, "failureRate must be a number from 0"],
  [{ failureRate: 1.01 }, "failureRate must be above 0 and up to 1, not 1.01"],
])("the options %j are refused: %s", ([given, problem]) => {
  expect(() => breaker(given)).toThrow(problem);
});

test.for([{ windowMs: 0.5 }, { openMs: 0.5 }, { minimumRequests: 1 }, { failureRate: 0.01 }, { failureRate: 1 }])(
  "the options %j are taken",
  (given) => {
    expect(() => breaker(given)).not.toThrow();
  },
);

test("asking before each request does not make a closed circuit half-open", () => {
  const circuit = breaker(options);
  for (const nowMs of [0, 1, 2]) {
    expect(circuit.admit(origin, nowMs)).toEqual({ retryAfterMs: 0, changed: undefined });
    expect(circuit.record(origin, nowMs, false, nowMs)).toBeUndefined();
  }
  expect(circuit.record(origin, 3, false, 3)).toBe("open");
});
