import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { manPages } from "./ManPage.ts";
import { reference } from "./Reference.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const hasMandoc = spawnSync("mandoc", ["-h"]).error === undefined;

test("the man pages are those that the table of commands makes", () => {
  const pages = manPages();
  expect(readdirSync(`${root}man`).toSorted()).toEqual([...pages.keys()].toSorted());
  for (const [name, text] of pages) expect([name, readFileSync(`${root}man/${name}`, "utf8")]).toEqual([name, text]);
});

test("the reference is the one that the table of commands makes", () => {
  expect(readFileSync(`${root}REFERENCE.md`, "utf8")).toBe(reference());
});

test.skipIf(!hasMandoc)("mandoc finds nothing wrong with the man pages", () => {
  const files = [...manPages().keys()].map((name) => `${root}man/${name}`);
  const { stdout } = spawnSync("mandoc", ["-T", "lint", "-W", "warning", ...files], { encoding: "utf8" });
  // A date would make the pages change without a change of the commands.
  expect(stdout.split("\n").filter((line) => line !== "" && !line.includes("missing date"))).toEqual([]);
});
