import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

test("there are no import cycles, and a command and a hit load no more files than they may", () => {
  const cwd = fileURLToPath(new URL("..", import.meta.url));
  const { status, stderr } = spawnSync(process.execPath, ["scripts/structure.ts"], { cwd, encoding: "utf8" });
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
});
