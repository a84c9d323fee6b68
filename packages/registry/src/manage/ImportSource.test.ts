import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, relative } from "node:path";
import { afterAll, expect, test } from "vitest";
import { filesOf } from "./ImportSource.ts";

const directory = mkdtempSync(join(tmpdir(), "registry-sources-"));
afterAll(() => rmSync(directory, { recursive: true }));

for (const path of [
  "tree/b/manifest.json",
  "tree/b/a/manifest.json",
  "tree/b/z/manifest.json",
  "tree/b/manifest.json.bak",
  "tree/a/other.json",
  "tree/c/manifest.json/manifest.json",
  "tree/node_modules/x/manifest.json",
  "tree/.git/manifest.json",
  "two.json",
  "one.json",
  "none/other.json",
]) {
  mkdirSync(dirname(join(directory, path)), { recursive: true });
  writeFileSync(join(directory, path), "");
}
symlinkSync(join(directory, "tree/b"), join(directory, "tree/link"));
symlinkSync(join(directory, "tree/b"), join(directory, "link"));

const missing = "no such file or directory, nor a glob that matches one";
const ofB = ["tree/b/a/manifest.json", "tree/b/manifest.json", "tree/b/z/manifest.json"];

test.for<[ReadonlyArray<string>, ReadonlyArray<string> | string]>([
  [["one.json"], ["one.json"]],
  [
    ["two.json", "one.json", "two.json"],
    ["two.json", "one.json"],
  ],
  [["tree"], [...ofB, "tree/c/manifest.json/manifest.json"]],
  [
    ["tree/b/manifest.json", "tree/b"],
    ["tree/b/manifest.json", ofB[0] ?? "", ofB[2] ?? ""],
  ],
  [["link"], ["link/a/manifest.json", "link/manifest.json", "link/z/manifest.json"]],
  [["*.json"], ["one.json", "two.json"]],
  [["tree/[ab]"], ofB],
  [["one.json", "three.json"], `three.json: ${missing}`],
  [["*.yaml"], `*.yaml: ${missing}`],
  [["none"], "none: no manifest.json there"],
  [["tree/a*"], "tree/a*: no manifest.json there"],
])("%j means the files %j", async ([paths, expected]) => {
  const found = await filesOf(paths.map((path) => join(directory, path))).then(
    (files) => files.map((path) => relative(directory, path)),
    (error: Error) => error.message.replace(`${directory}/`, ""),
  );
  expect(found).toEqual(expected);
});
