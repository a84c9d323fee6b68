// What the map of the code says is so: every package and file is there, and every file begins by saying what it decides.
import { cpSync, existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { decidesOf, headOf, mustSay, readPackages, readScripts } from "./CodeMap.ts";
import { writeCodeMap } from "./CodeMapPages.ts";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The longest a file may be without a reason, in lines. */
const maxLines = 200;

const packages = readPackages(root);
const files = [...packages, { folder: "scripts", files: readScripts(root) }].flatMap(({ folder, files }) =>
  files.map(({ path, decides }) => ({ path: join(folder, path), decides })),
);

test("every package of the workspace is on the map, with what it is", () => {
  const folders = packages.map(({ folder }) => folder);
  expect(folders).toEqual(expect.arrayContaining(["apps/worker", "packages/core", "packages/registry", "proto"]));
  expect(packages.filter(({ description }) => description === "").map(({ folder }) => folder)).toEqual([]);
});

test("every file but tests begins by saying what it decides", () => {
  expect(files.length).toBeGreaterThan(600);
  expect(files.filter(({ path, decides }) => mustSay(path) && decides === undefined)).toEqual([]);
});

test(`a file of more than ${maxLines} lines says why at its top`, () => {
  const long = files.filter(({ path }) => {
    const source = readFileSync(join(root, path), "utf8");
    return source.split("\n").length - 1 > maxLines && !/More than 200 lines: \S/.test(headOf(source));
  });
  expect(long.map(({ path }) => path)).toEqual([]);
});

test("what ARCHITECTURE.md calls a room of core is a file there", () => {
  const text = readFileSync(join(root, "ARCHITECTURE.md"), "utf8");
  const rooms =
    text
      .split("## The rooms of a call in core")[1]
      ?.split("\n\n")[1]
      ?.match(/^\| `.*?(?= \|)/gm) ?? [];
  const names = rooms.flatMap((row) => row.match(/(?<=`)[\w/]+(?=`)/g) ?? []);
  expect(names.length).toBeGreaterThan(20);
  const core = join(root, "packages/core/src");
  expect(names.filter((name) => !existsSync(join(core, name.endsWith("/") ? name : `${name}.ts`)))).toEqual([]);
});

test("every step of the walk in ARCHITECTURE.md is a file", () => {
  const walk = readFileSync(join(root, "ARCHITECTURE.md"), "utf8")
    .split(/^## The walk of .*$/m)[1]
    ?.split("; back:")[0];
  const steps = walk?.match(/(?<=`)[A-Z]\w+(?=`)/g) ?? [];
  expect(steps.length).toBeGreaterThan(8);
  const found = steps.filter((step) => globSync(`{packages,apps}/*/src/{,api/}${step}.ts`, { cwd: root }).length === 0);
  expect(found).toEqual([]);
});

test.for([
  ["// Decides: how long a thing lasts.\nimport x;", "how long a thing lasts"],
  [
    "// Decides: what goes in, and\n// what comes out (RFC 9110, 5.1). Never more.\n\ncode",
    "what goes in, and what comes out (RFC 9110, 5.1)",
  ],
  ["#!/usr/bin/env node\n// Starts it. Slowly.\ncode", "Starts it"],
  ["// Writes a file.\n//\n// More about that.\ncode", "Writes a file"],
  ["code // Decides: nothing", undefined],
] as const)("the first sentence of %j is what the file decides", ([source, decides]) => {
  expect(decidesOf(source)).toBe(decides);
});

test("a new package, its imports and its files come into the drawings, generated code does not", () => {
  const folder = mkdtempSync(join(tmpdir(), "map-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const write = (path: string, text: string): void => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  cpSync(join(root, "scripts/run.ts"), join(folder, "scripts/run.ts"));
  write("docs/README.md", "");
  write(
    "ARCHITECTURE.md",
    "Before\n\n<!-- drawn: packages -->\n<!-- end -->\n\n<!-- drawn: graph -->\n<!-- end -->\n\nAfter\n",
  );
  write("packages/lamp/package.json", '{ "name": "@bytenite-engines/lamp", "description": "Light | shade" }');
  write(
    "packages/lamp/src/Bulb.ts",
    '// Decides: when it is on. Or off.\nimport { x } from "@bytenite-engines/wire";\n',
  );
  write("packages/lamp/src/Bulb.test.ts", 'import { x } from "@bytenite-engines/meter/testing";\n');
  write("packages/lamp/src/gen/all.ts", "// Decides: nothing.\n");
  expect(writeCodeMap(folder)).toEqual(["ARCHITECTURE.md", "docs/map.md"]);
  expect(writeCodeMap(folder)).toEqual([]);
  const architecture = readFileSync(join(folder, "ARCHITECTURE.md"), "utf8");
  expect(architecture).toContain(
    "| `packages/lamp` | `@bytenite-engines/lamp` | Light \\| shade | `wire` | `meter`       |",
  );
  expect(architecture).toContain('  lamp["lamp"]\n  lamp --> wire\n');
  expect(architecture).toMatch(/^Before\n[^]*\nAfter\n$/);
  const map = readFileSync(join(folder, "docs/map.md"), "utf8");
  expect(map).toContain("| [src/Bulb.ts](../packages/lamp/src/Bulb.ts) | when it is on |");
  expect(map).not.toContain("all.ts");
  write("packages/lamp/src/Switch.ts", "// Decides: who turns it.\n");
  expect(writeCodeMap(folder)).toEqual(["docs/map.md"]);
});
