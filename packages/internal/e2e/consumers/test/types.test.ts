// Types of the installed packages and their dependencies.
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { expect, inject, test } from "vitest";
import { managers } from "../src/InstalledProject.ts";
import { ran } from "../src/Ran.ts";

const require = createRequire(import.meta.url);
const compilers = ["typescript", "typescript-5"] as const;
const resolutions = { node16: "node16", bundler: "esnext" } as const;

const all = managers.flatMap((manager) =>
  compilers.flatMap((compiler) =>
    (Object.keys(resolutions) as ReadonlyArray<keyof typeof resolutions>).map((resolution) => ({
      manager,
      compiler,
      resolution,
    })),
  ),
);

/** The compiler in JavaScript takes eight seconds a time, so all of them are `pnpm consumers` only. */
const cases =
  process.env["CONSUMERS"] === "all"
    ? all
    : all.filter(
        ({ manager, compiler, resolution }) =>
          compiler === "typescript" || (manager === "pnpm" && resolution === "node16"),
      );

/** Compiles one program of the project, with nothing ambient but the named types. */
const compile = async (
  { manager, compiler, resolution }: (typeof cases)[number],
  program: string,
  types: ReadonlyArray<string>,
): Promise<string> => {
  const config = join(inject("projects")[manager], `tsconfig.${compiler}.${resolution}.${program}.json`);
  const compilerOptions = {
    target: "es2022",
    lib: ["es2024", "dom", "dom.iterable", "dom.asynciterable"],
    module: resolutions[resolution],
    moduleResolution: resolution,
    strict: true,
    exactOptionalPropertyTypes: true,
    skipLibCheck: false,
    noEmit: true,
    types,
  };
  writeFileSync(config, JSON.stringify({ compilerOptions, files: [program] }));
  const { bin } = require(`${compiler}/package.json`) as { readonly bin: { readonly tsc: string } };
  const tsc = join(dirname(require.resolve(`${compiler}/package.json`)), bin.tsc);
  return ran(process.execPath, [tsc, "-p", config], dirname(config));
};

test.for(cases)("$compiler takes what $manager has installed, by $resolution resolution", async (each) => {
  expect(await compile(each, "web.ts", [])).toBe("");
  expect(await compile(each, "node.ts", ["node"])).toBe("");
});

test("a program that is wrong does not compile", async () => {
  const [each] = cases;
  if (each === undefined) throw new Error("there is no case");
  writeFileSync(
    join(inject("projects").npm, "wrong.ts"),
    'import { parseTag } from "@bytenite-engines/core/wire";\nparseTag(1);\n',
  );
  await expect(compile(each, "wrong.ts", [])).rejects.toThrow("TS2345");
});
