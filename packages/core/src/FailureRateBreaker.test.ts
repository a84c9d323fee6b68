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
