import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { isInstalled, missingProgram } from "./Pager.ts";

test("a program is a file that may be run, in a folder of the path or by its own path", () => {
  const folder = mkdtempSync(join(tmpdir(), "bne-pager-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const [first, second] = [join(folder, "first"), join(folder, "second")];
  for (const name of [first, second, join(first, "folder")]) mkdirSync(name);
  for (const name of ["run", "text"]) writeFileSync(join(second, name), "");
  chmodSync(join(second, "run"), 0o755);
  chmodSync(join(second, "text"), 0o644);
  const path = [first, second].join(":");
  expect(["run", "text", "folder", "nothing"].map((name) => isInstalled(name, path))).toEqual([
    true,
    false,
    false,
    false,
  ]);
  expect([isInstalled(join(second, "run")), isInstalled(join(second, "text"))]).toEqual([true, false]);
  expect([isInstalled("run"), isInstalled("./run", path), isInstalled("run", ".:relative")]).toEqual([
    false,
    false,
    false,
  ]);
  const env = { PATH: path };
  for (const [command, missing] of [
    ["run", undefined],
    ["  run -x | less", undefined],
    ["nothing", "nothing"],
    ["nothing -x; run", "nothing"],
    [`${second}/nothing`, `${second}/nothing`],
    // Only the shell knows these.
    ["exec nothing", undefined],
    ["$PAGER", undefined],
    ["LESS=x nothing", undefined],
  ] as const) {
    expect([command, missingProgram(command, env)]).toEqual([command, missing]);
  }
});
