import { expect, test } from "vitest";
import { missingIn } from "./Rehearsal.ts";

const manifest = {
  version: "0.1.0",
  repository: { url: "git+https://github.com/bytenite-engines/bytenite-engines.git", directory: "packages/core" },
  engines: { node: ">=20" },
};
const files = ["package/package.json", "package/dist/a.js", "package/dist/a.js.map", "package/dist/a.d.ts"];

test("a package with its repository, its engines and a source map of each module lacks nothing", () => {
  expect(missingIn(manifest, "core", files)).toEqual([]);
});

test("what a package lacks is named", () => {
  expect(missingIn({ version: "0.1.0" }, "core", files)).toEqual(["repository", "engines.node"]);
  expect(missingIn(manifest, "cli", files)).toEqual(["repository"]);
  expect(missingIn(manifest, "core", [...files, "package/dist/b/c.js"])).toEqual(["package/dist/b/c.js.map"]);
});
