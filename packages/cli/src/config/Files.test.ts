import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { writeOwn } from "./Files.ts";

test("directories on the way are made for the user alone", () => {
  const root = mkdtempSync(join(tmpdir(), "bne-atomic-"));
  writeOwn(join(root, "a", "b", "file"), "text");
  expect(readFileSync(join(root, "a", "b", "file"), "utf8")).toBe("text");
  expect(statSync(join(root, "a")).mode & 0o777).toBe(0o700);
  rmSync(root, { recursive: true });
});

test.skipIf(!existsSync("/proc/self"))("where the system makes no directories it ends with a sentence", () => {
  // In a process of its own, because the failure to fear is one that never ends.
  const module = new URL("./Files.ts", import.meta.url).href;
  const script = `import(${JSON.stringify(module)}).then((m) => m.writeOwn("/proc/none/at/all", "x")).catch((e) => console.log(e.message))`;
  const { stdout } = spawnSync(process.execPath, ["-e", script], { encoding: "utf8", timeout: 10_000 });
  expect(stdout).toMatch(/^Cannot write \/proc\/none\/at\/all: /);
});
