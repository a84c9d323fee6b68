// The packages with the oldest and newest peers in range.
import { globSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, inject, onTestFinished, test } from "vitest";
import { installWith } from "../src/InstalledProject.ts";
import { compiled, ran } from "../src/Ran.ts";

const shared = ["effect", "@bufbuild/protobuf"] as const;

/** The ranges that core says it works with, as packed. */
const ranges = (): Readonly<Record<string, string>> => {
  const manifest = join(inject("projects").npm, "node_modules/@bytenite-engines/core/package.json");
  return (JSON.parse(readFileSync(manifest, "utf8")) as { peerDependencies: Record<string, string> }).peerDependencies;
};

/** A new project with the packages and these versions, by npm. */
const project = async (versions: Readonly<Record<string, string>>, without: ReadonlyArray<string> = []) => {
  const folder = mkdtempSync(join(tmpdir(), "ranges-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  await installWith(folder, inject("tarballs"), versions, without);
  return folder;
};

test("what applications have copies of is a peer, in a caret range", () => {
  expect(ranges()).toEqual({
    effect: expect.stringMatching(/^\^/),
    "@bufbuild/protobuf": expect.stringMatching(/^\^/),
  });
});

test.for(["oldest", "newest"] as const)(
  "core works with the %s versions in range, and there is one copy of each",
  async (age) => {
    const versions = Object.fromEntries(
      Object.entries(ranges()).map(([name, range]) => [name, age === "oldest" ? range.slice(1) : range]),
    );
    const folder = await project(versions);
    for (const name of shared) {
      expect(globSync(`**/node_modules/${name}/package.json`, { cwd: folder })).toEqual([
        `node_modules/${name}/package.json`,
      ]);
    }
    expect(JSON.parse(await ran(process.execPath, ["ranges.js"], folder))).toEqual({
      names: ["zipper", "zipper"],
      sameBytes: true,
      tokens: ["promise-token", "redacted-token"],
    });
    expect(await compiled(folder, "ranges.ts")).toBe("");
  },
);

test("the promise entry's types need neither the DOM library nor effect", async () => {
  const folder = await project({ "@bufbuild/protobuf": ranges()["@bufbuild/protobuf"] ?? "" }, ["effect"]);
  expect(globSync("**/node_modules/effect/package.json", { cwd: folder })).toEqual([]);
  expect(await compiled(folder, "service.ts", { lib: ["es2024"] })).toBe("");
});
