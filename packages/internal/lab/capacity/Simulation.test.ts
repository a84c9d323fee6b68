import { expect, test } from "vitest";
import { base, type Scenario } from "./Scenario.ts";
import { simulate, type Stretch } from "./Simulation.ts";
import { deployedVariables, settingsIn } from "./WorkerSettings.ts";

const settings = settingsIn(deployedVariables());
const small: Scenario = { ...base, perSecond: 20_000, tokens: 100_000, sampled: 1, seconds: 200, warmUpSeconds: 100 };

const only = (scenario: Scenario, seed = 1): Stretch => simulate(scenario, settings, seed).stretches[0] as Stretch;

const load = (scenario: Scenario): number => only(scenario).upstream;

test("the same seed makes the same numbers, another one nearly the same", () => {
  expect(only(small)).toEqual(only(small));
  const [one, other] = [only(small, 1), only(small, 2)];
  expect(one).not.toEqual(other);
  expect(Math.abs(one.upstream / one.requests - other.upstream / other.requests)).toBeLessThan(0.02);
});

test("every request becomes one thing, and what was fetched or validated is what the upstream got", () => {
  const { requests, became, upstream, upstreamBy } = only(small);
  expect(Object.values(became).reduce((sum, one) => sum + one, 0)).toBe(requests);
  expect(upstream).toBe(upstreamBy.list + upstreamBy.get + upstreamBy.status);
  expect(upstream).toBeGreaterThanOrEqual(became.fetched);
  expect(upstream).toBeLessThanOrEqual(became.fetched + became.stale);
});

test("longer lives, fewer tokens and Workers Cache for those who roam take load off the upstream", () => {
  expect(load({ ...small, lifetimesTimes: 5 })).toBeLessThan(load(small));
  expect(load({ ...small, tokens: 10_000 })).toBeLessThan(load(small));
  const roaming = { ...small, roaming: 0.5 };
  expect(load({ ...roaming, workersCache: true })).toBeLessThan(load(roaming));
});

test("in an outage what is stored is served at no cost for the upstream, which gets probes and a request with each", () => {
  const { stretches } = simulate({ ...small, seconds: 220, outage: [160, 180] }, settings, 1);
  const [, during, after] = stretches;
  expect(during?.upstream).toBeGreaterThan(0);
  expect(during?.upstream).toBeLessThan((during?.became.failed ?? 0) / 10);
  expect(during?.became["stale-if-error"]).toBeGreaterThan(0);
  expect(during?.became.fetched).toBe(0);
  expect(after?.became.fetched).toBeGreaterThan(0);
});

test("no isolate keeps more than it may", () => {
  const { isolateBytes } = simulate({ ...small, isolates: 1 }, { ...settings, memoryBytes: 2 ** 20 }, 1);
  expect(isolateBytes.most).toBeLessThanOrEqual(2 ** 20);
  expect(isolateBytes.most).toBeGreaterThan(0.9 * 2 ** 20);
});
