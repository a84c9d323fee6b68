// Types of the installed packages and their dependencies.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, inject, test } from "vitest";
import { managers } from "../src/InstalledProject.ts";
import { compiled } from "../src/Ran.ts";

const compilers = ["typescript", "typescript-5"] as const;
const resolutions = ["node16", "bundler"] as const;

const all = managers.flatMap((manager) =>
  compilers.flatMap((compiler) => resolutions.map((resolution) => ({ manager, compiler, resolution }))),
);

/** The compiler in JavaScript takes eight seconds a time, so all of them are `pnpm consumers` only. */
const cases =
  process.env["CONSUMERS"] === "all"
    ? all
    : all.filter(
        ({ manager, compiler, resolution }) =>
          compiler === "typescript" || (manager === "pnpm" && resolution === "node16"),
      );

const compile = ({ manager, ...how }: (typeof cases)[number], program: string, types: ReadonlyArray<string>) =>
  compiled(inject("projects")[manager], program, { ...how, types });

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
