import { expect, test } from "vitest";
import type { Figure } from "./Figure.ts";
import { readFileSync } from "node:fs";
import { benchmarksFile, isCitable, markdownOf, verdictsOf, type Measured } from "./Report.ts";

const figure = (title: string): Figure => ({
  name: title.toLowerCase(),
  title,
  promise: "none.",
  measure: () => Promise.reject(new Error("not measured here")),
});
const figures = ["One", "Two", "Three"].map(figure);

const measured = (promised: boolean | number, busyShare = 0): Measured => ({
  figure: figure("One"),
  result: {
    columns: ["µs"],
    rows: [
      {
        name: "a row",
        cells: { µs: "1" },
        promised: typeof promised === "boolean" ? promised : { rounds: [promised, promised] },
      },
    ],
    notes: [],
  },
  effort: "full",
  busyShare,
});

const section = (title: string, cell: string): string =>
  markdownOf(
    {
      ...measured(1),
      figure: figure(title),
      result: { columns: ["µs"], rows: [{ name: "a row", cells: { µs: cell } }], notes: [] },
    },
    `pnpm bench ${title.toLowerCase()}`,
    "a machine",
  );

test("a figure's section takes the place of its old one; the others stay, in the order of the figures", () => {
  const written = ["Three", "One", "Two"].reduce(
    (file, title) => benchmarksFile(file, figures, section(title, "1")),
    "# Something else\n",
  );
  expect(written.match(/^#+ .*$/gm)).toEqual(["# Benchmarks", "## One", "## Two", "## Three"]);
  const again = benchmarksFile(written, figures, section("Two", "2"));
  expect(again.match(/^\| a row \| .*$/gm)).toEqual(["| a row | 1 |", "| a row | 2 |", "| a row | 1 |"]);
  expect(again).toContain("`pnpm bench two`, a machine.");
});

test("the section of a figure that there is no more goes", () => {
  const written = benchmarksFile(section("Four", "1"), figures, section("One", "1"));
  expect(written).not.toContain("Four");
});

test("on a busy machine a row of times says that it is too noisy to tell, is not red and is not written", () => {
  const slow = measured(3, 0.9);
  expect([verdictsOf(slow), isCitable(slow)]).toEqual([["noisy"], false]);
  expect(markdownOf(slow, "pnpm bench one", "a machine")).toContain("| a row (too noisy to tell) | 1 |");
  expect([verdictsOf(measured(3)), isCitable(measured(3))]).toEqual([["fails"], true]);
  expect([verdictsOf(measured(false, 0.9)), isCitable(measured(false, 0.9))]).toEqual([["fails"], true]);
});

test("BENCHMARKS.md cites no row that was too noisy", () => {
  const page = readFileSync(new URL("../../../../BENCHMARKS.md", import.meta.url), "utf8");
  expect(page.split("\n").filter((line) => /too (?:noisy|short)/.test(line))).toEqual([]);
});
