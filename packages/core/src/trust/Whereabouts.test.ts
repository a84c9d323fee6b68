import { expect, test } from "vitest";
import { Whereabouts } from "./Whereabouts.ts";

const utf8 = new TextEncoder();

/** Whether an answer with these texts is unfamiliar. */
const looking = (whereabouts: Whereabouts, ...texts: ReadonlyArray<readonly [number, string]>): boolean => {
  const { visit, isUnfamiliar } = whereabouts.look();
  for (const [number, text] of texts) {
    const bytes = utf8.encode(`##${text}##`);
    visit("Engine", number, bytes, 2, bytes.length - 2);
  }
  return isUnfamiliar();
};

test("a text under the number it always had is familiar, under another one it is not", () => {
  const whereabouts = new Whereabouts();
  expect(looking(whereabouts, [2, "zipper"], [6, "active"])).toBe(false);
  expect(looking(whereabouts, [2, "unzipper"], [6, "active"])).toBe(false);
  expect(looking(whereabouts, [6, "zipper"], [2, "active"])).toBe(true);
  expect(looking(whereabouts, [6, "unzipped"], [2, "inactive"])).toBe(false);
});

test("a text that stands twice in one answer is familiar at both numbers", () => {
  const whereabouts = new Whereabouts();
  expect(looking(whereabouts, [2, "main.py"], [10, "main.py"])).toBe(false);
  expect(looking(whereabouts, [10, "main.py"])).toBe(false);
  expect(looking(whereabouts, [11, "main.py"])).toBe(true);
});

test("what a witness confirmed is familiar from then on", () => {
  const whereabouts = new Whereabouts();
  looking(whereabouts, [2, "main.py"]);
  expect(looking(whereabouts, [10, "main.py"])).toBe(true);
  const bytes = utf8.encode("main.py");
  whereabouts.note("Engine", 10, bytes, 0, bytes.length);
  expect(looking(whereabouts, [2, "main.py"], [10, "main.py"])).toBe(false);
});

test("short texts, other message types and what was forgotten tell nothing", () => {
  const whereabouts = new Whereabouts();
  looking(whereabouts, [2, "ab"], [3, "abc"]);
  expect(looking(whereabouts, [3, "ab"])).toBe(false);
  const { visit, isUnfamiliar } = whereabouts.look();
  visit("PlatformConfig", 9, utf8.encode("abc"), 0, 3);
  expect(isUnfamiliar()).toBe(false);
  whereabouts.forget();
  expect(looking(whereabouts, [4, "abc"])).toBe(false);
});

test("it remembers a bounded number of texts", () => {
  const whereabouts = new Whereabouts();
  looking(whereabouts, [2, "first"]);
  for (let count = 0; count < 10_000; count++) looking(whereabouts, [2, `${Math.imul(count, 2_654_435_761)}`]);
  expect(looking(whereabouts, [3, "first"])).toBe(false);
});
