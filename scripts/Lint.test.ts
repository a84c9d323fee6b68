// Lint rules on files that break them.
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

/** Messages of the linter for these files, with this repository's settings. */
const lint = (files: Readonly<Record<string, string>>): string => {
  const folder = mkdtempSync(join(tmpdir(), "lint-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  for (const [name, text] of Object.entries(files)) writeFileSync(join(folder, name), text);
  const args = ["-c", join(root, ".oxlintrc.json"), folder];
  return spawnSync(join(root, "node_modules/.bin/oxlint"), args, { encoding: "utf8" }).stdout;
};

test("an import cycle is an error, also one of types alone", () => {
  const types = lint({
    "a.ts": 'import type { B } from "./b.ts";\nexport interface A {\n  readonly b: B;\n}\n',
    "b.ts": 'import type { A } from "./a.ts";\nexport interface B {\n  readonly a: A;\n}\n',
  });
  expect(types).toContain("no-cycle");
  const values = lint({
    "a.ts": 'import { b } from "./b.ts";\nexport const a = (): unknown => b;\n',
    "b.ts": 'export { a as b } from "./a.ts";\n',
  });
  expect(values).toContain("no-cycle");
});

test("imports without a cycle are fine", () => {
  expect(
    lint({
      "a.ts": 'import type { B } from "./b.ts";\nexport type A = B;\n',
      "b.ts": "export type B = 1;\n",
    }),
  ).not.toContain("no-cycle");
});
