// Runs of every guide against real servers, and types of their programs.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { blocksOf } from "../src/Guide.ts";
import { runGuide } from "../src/GuideRun.ts";
import { root } from "@bytenite-engines/test-kit";

const folder = fileURLToPath(new URL("../../../../../docs/guides", import.meta.url));
const guides = readdirSync(folder).filter((name) => name.endsWith(".md"));

/** Programs that guides use and this machine lacks; guides that use them are skipped. */
const absent = ["curl", "openssl", "chromium"].filter(
  (program) => spawnSync(program, ["--version"]).error !== undefined,
);

const lacks = (name: string): boolean =>
  blocksOf(join(folder, name)).some(
    ({ kind, text }) => kind === "run" && absent.some((program) => new RegExp(`\\b${program} `).test(text)),
  );

test.concurrent.for(guides)(
  "every command of guides/%s prints what the guide shows",
  async (name, { expect, skip, signal }) => {
    skip(lacks(name), `without ${absent.join(" and ")}`);
    // What it rejects with is reported whole.
    expect(await runGuide(name, signal)).toBeUndefined();
  },
);

const modules = fileURLToPath(new URL("../../node_modules", import.meta.url));

/** Generates the code that a guide's programs import from its proto files. */
const generate = (cwd: string): void => {
  if (!existsSync(join(cwd, "buf.gen.yaml"))) return;
  mkdirSync(join(cwd, "node_modules"));
  symlinkSync(join(modules, "google-proto-files"), join(cwd, "node_modules/google-proto-files"));
  const env = { ...process.env, PATH: `${join(modules, ".bin")}:${process.env["PATH"]}` };
  expect(spawnSync("buf", ["generate", "--path", "tasks"], { cwd, env, encoding: "utf8" }).stderr).toBe("");
};

test("the programs in the guides compile in strict mode", () => {
  // Below this package, whose dependencies they use.
  const programs = mkdtempSync(fileURLToPath(new URL("../../node_modules/guides-", import.meta.url)));
  try {
    for (const guide of guides) {
      for (const block of blocksOf(join(folder, guide))) {
        if (block.kind !== "file" || !/\.(?:ts|proto|yaml)$/.test(block.path)) continue;
        const path = join(programs, guide, block.path);
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, block.text);
      }
    }
    for (const guide of guides) generate(join(programs, guide));
    const compilerOptions = {
      types: ["node"],
      lib: ["ESNext", "DOM", "DOM.Iterable"],
      exactOptionalPropertyTypes: true,
      noEmit: true,
    };
    const tsconfig = { extends: join(root, "tsconfig.base.json"), compilerOptions, include: ["**/*.ts"] };
    writeFileSync(join(programs, "tsconfig.json"), JSON.stringify(tsconfig));
    const { stdout } = spawnSync(join(root, "node_modules/.bin/tsc"), ["-p", programs], { encoding: "utf8" });
    expect(stdout).toBe("");
  } finally {
    rmSync(programs, { recursive: true });
  }
});
