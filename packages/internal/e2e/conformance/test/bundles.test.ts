// Bundles of every entry of core for browsers and Workers.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";
import { expect, test } from "vitest";

const folder = new URL("../../../../core/", import.meta.url);
const { exports } = JSON.parse(readFileSync(new URL("package.json", folder), "utf8")) as {
  readonly exports: Readonly<Record<string, string>>;
};

const conditions = { browser: ["browser", "import"], workers: ["workerd", "worker", "import"] };

/** The entries for Node only: one of users, one of tests in this repository. */
const nodeEntries = new Set(["./node", "./test/lifecycle"]);

const portable = Object.entries(exports).filter(([name]) => !nodeEntries.has(name));

const cases = portable.flatMap(([name, path]) =>
  (Object.keys(conditions) as ReadonlyArray<keyof typeof conditions>).map((runtime) => ({ name, path, runtime })),
);

/** Bundles an entry point. Returns its remaining imports and its number of modules. */
const bundled = async (input: string, runtime: keyof typeof conditions) => {
  const bundle = await rolldown({
    input,
    platform: "neutral",
    logLevel: "silent",
    resolve: { conditionNames: conditions[runtime], mainFields: ["module", "main"] },
  });
  const { output } = await bundle.generate({ format: "esm", codeSplitting: false });
  await bundle.close();
  const [{ code, imports, dynamicImports, moduleIds }] = output;
  const named = code.match(/(?:from|import|require)\s*\(?\s*["']node:[^"']*/g) ?? [];
  return { left: [...imports, ...dynamicImports, ...named], modules: moduleIds.length };
};

test.for(cases)("core's $name bundles for $runtime with nothing left to import", async ({ path, runtime }) => {
  const { left, modules } = await bundled(fileURLToPath(new URL(path, folder)), runtime);
  expect(left).toEqual([]);
  expect(modules).toBeGreaterThan(0);
});

test("an import of Node, and one that cannot be resolved, would be seen", async () => {
  const temporary = mkdtempSync(join(tmpdir(), "bundles-"));
  try {
    const entry = join(temporary, "entry.js");
    writeFileSync(
      entry,
      `import { readFileSync } from "node:fs";\nimport { x } from "no-such-package";\nx(readFileSync);`,
    );
    expect((await bundled(entry, "workers")).left).toEqual(expect.arrayContaining(["node:fs", "no-such-package"]));
  } finally {
    rmSync(temporary, { recursive: true });
  }
});
