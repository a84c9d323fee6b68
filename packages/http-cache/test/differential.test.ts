import { readFileSync } from "node:fs";
import { seeded } from "@bytenite-engines/test-kit/random";
import { expect, test } from "vitest";
import { behaviour, compare, Ours, Theirs } from "./compare.ts";
import { differences } from "./differences.ts";
import { generateCase } from "./generateCase.ts";

const cases = 100_000;
const seed = 19;
/** Number of cases for which a row must account; more are not looked for. */
const enough = 3;

const explained = differences.filter((difference) => difference.without !== undefined);

test("every difference from http-cache-semantics is one of the table: it is gone without what the rows are about", () => {
  const random = seeded(seed).next;
  const failures: Array<unknown> = [];
  const counts = new Map(explained.map(({ here }) => [here, 0]));
  for (let index = 0; index < cases; index++) {
    const given = generateCase(random);
    const properties = compare(given);
    if (properties.length === 0) continue;
    let plain = given;
    for (const { here, without } of explained) {
      if (without === undefined) continue;
      const next = without(plain);
      // A row accounts for a case where what differs changes without it.
      const count = counts.get(here) ?? 0;
      if (next !== plain && count < enough && compare(next).join() !== compare(plain).join())
        counts.set(here, count + 1);
      plain = next;
    }
    const unexplained = compare(plain);
    if (unexplained.length > 0 && failures.length < 3) {
      failures.push({ unexplained, ours: behaviour(Ours, plain), theirs: behaviour(Theirs, plain), plain, given });
    }
  }
  expect(failures).toEqual([]);
  expect([...counts].filter(([, count]) => count < enough)).toEqual([]);
}, 600_000);

test("the README states how many differences there are", () => {
  const readme = readFileSync(new URL("../README.md", import.meta.url), "utf8");
  expect(readme).toContain(`in ${differences.length} points`);
});
