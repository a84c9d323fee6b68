import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { manPages } from "./ManPage.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const hasMandoc = spawnSync("mandoc", ["-h"]).error === undefined;

test("package.json lists every man page", () => {
  const { man } = JSON.parse(readFileSync(`${root}package.json`, "utf8")) as { man: ReadonlyArray<string> };
  expect(man).toEqual([...manPages().keys()].map((name) => `./dist/man/${name}`));
});

test.skipIf(!hasMandoc)("mandoc finds nothing wrong with the man pages", () => {
  const folder = mkdtempSync(join(tmpdir(), "man-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const files = [...manPages()].map(([name, text]) => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  });
  const { stdout } = spawnSync("mandoc", ["-T", "lint", "-W", "warning", ...files], { encoding: "utf8" });
  // A date would make the pages change without a change of the commands.
  expect(stdout.split("\n").filter((line) => line !== "" && !line.includes("missing date"))).toEqual([]);
});
