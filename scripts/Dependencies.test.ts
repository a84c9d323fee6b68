import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../", import.meta.url));
const read = (path: string): string => readFileSync(root + path, "utf8");

/** The names in the catalog of the workspace, one a line. */
const catalog = (read("pnpm-workspace.yaml").split(/^catalog:$/m)[1] ?? "")
  .split(/^\S/m)[0]
  ?.matchAll(/^ {2}"?([^":\s]+)"?: /gm);

test("docs/dependencies.md says of each dependency why it is there, and of nothing else", () => {
  const named = [...(catalog ?? [])].map(([, name = ""]) => name);
  const rows = read("docs/dependencies.md")
    .split("\n")
    .filter((line) => line.startsWith("- `"));
  const explained = rows.flatMap((row) =>
    [...(/^[^:(]+/.exec(row)?.[0] ?? "").matchAll(/`([^`]+)`/g)].map(([, name = ""]) => name),
  );
  expect(named.length).toBeGreaterThan(40);
  expect(explained.toSorted()).toEqual(named.toSorted());
});

test("the root depends on no package of the workspace, whose files turbo would hash into every task", () => {
  const { dependencies = {}, devDependencies } = JSON.parse(read("package.json")) as {
    readonly dependencies?: Readonly<Record<string, string>>;
    readonly devDependencies: Readonly<Record<string, string>>;
  };
  const versions = Object.entries({ ...dependencies, ...devDependencies });
  expect(versions.filter(([, version]) => version.startsWith("workspace:"))).toEqual([]);
});
