import { expect, test } from "vitest";
import type { Figure } from "./Figure.ts";
import { benchmarksFile, markdownOf } from "./Report.ts";

const figure = (title: string): Figure => ({
  name: title.toLowerCase(),
  title,
  promise: "none.",
  measure: () => Promise.reject(new Error("not measured here")),
});
const figures = ["One", "Two", "Three"].map(figure);

const section = (title: string, cell: string): string =>
  markdownOf(
    { figure: figure(title), result: { columns: ["µs"], rows: [{ name: "a row", cells: { µs: cell } }], notes: [] } },
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
  expect(again).toContain("Written by `pnpm bench two` on a machine.");
});

test("the section of a figure that there is no more goes", () => {
  const written = benchmarksFile(section("Four", "1"), figures, section("One", "1"));
  expect(written).not.toContain("Four");
});
