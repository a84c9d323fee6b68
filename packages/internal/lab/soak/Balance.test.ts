import { expect, test } from "vitest";
import { imbalances, undisturbed } from "./Balance.ts";
import type { Counts } from "./Ledger.ts";

const by = (stored: number, missed: number) =>
  ({ stored, missed, validated: 0, collapsed: 0, "stale-if-error": 0, other: 0 }) as const;

const nothing: Counts = {
  sent: 0,
  answered: 0,
  answeredBy: by(0, 0),
  edge: 0,
  edgeBy: by(0, 0),
  upstream: 0,
  upstreamAnswered: 0,
  registry: 0,
  torn: 0,
};

const good: Counts = {
  sent: 10,
  answered: 10,
  answeredBy: by(7, 3),
  edge: 10,
  edgeBy: by(7, 3),
  upstream: 4,
  upstreamAnswered: 3,
  registry: 4,
  torn: 0,
};

test("counts that agree add up", () => {
  expect(imbalances(nothing, good, undisturbed)).toEqual([]);
});

test.each<[string, Partial<Counts>]>([
  ["the edge counts more than was sent", { edge: 11 }],
  ["the edge counts fewer than were answered", { edge: 9 }],
  ["an answer says what the edge did not count", { answeredBy: by(6, 4) }],
  ["the registry takes more than the edge sends", { registry: 5 }],
  ["the registry takes fewer than the edge sends", { registry: 3 }],
])("%s: they do not", (_what, changed) => {
  expect(imbalances(nothing, { ...good, ...changed }, undisturbed)).not.toEqual([]);
});

test("what can be lost with a process that was killed may be missing, and no more", () => {
  const registryKilled = { ...undisturbed, registry: true, registryLost: 1 };
  expect(imbalances(nothing, { ...good, registry: 2 }, registryKilled)).toEqual([]);
  expect(imbalances(nothing, { ...good, registry: 1 }, registryKilled)).toHaveLength(1);
  const edgeKilled = { ...undisturbed, edge: true, edgeLost: 2, upstreamLost: 1 };
  const lost = { ...good, edge: 8, edgeBy: by(6, 2), registry: 5 };
  expect(imbalances(nothing, lost, edgeKilled)).toEqual([]);
  expect(imbalances(nothing, { ...lost, edge: 7 }, edgeKilled)).toHaveLength(1);
  expect(imbalances(nothing, { ...lost, registry: 6 }, edgeKilled)).toHaveLength(1);
});

test("a request whose connection was torn may have been sent twice, or may have reached nobody", () => {
  expect(imbalances(nothing, { ...good, registry: 3, torn: 1 }, undisturbed)).toEqual([]);
  expect(imbalances(nothing, { ...good, registry: 2, torn: 2 }, undisturbed)).toHaveLength(1);
  expect(imbalances(nothing, { ...good, registry: 5, torn: 1 }, undisturbed)).toEqual([]);
  expect(imbalances(nothing, { ...good, registry: 6, torn: 1 }, undisturbed)).toHaveLength(1);
});

test("a request that nobody waited for may be counted or not", () => {
  const given = { ...good, sent: 12, edge: 11, edgeBy: by(8, 3) };
  expect(imbalances(nothing, given, undisturbed)).toEqual([]);
});
