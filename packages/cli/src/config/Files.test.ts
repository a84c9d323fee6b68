import { chmodSync, existsSync, mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readText, writeAtomically, writeOwn } from "./Files.ts";

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

test("a file is read up to its limit, without the mark of its encoding", () => {
  const root = mkdtempSync(join(tmpdir(), "bne-read-"));
  const path = join(root, "file");
  writeAtomically(path, "12345");
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(readText(path, "secret", 5)).toBe("12345");
  expect(() => readText(path, "any", 4)).toThrow(`Cannot read ${path}: it is larger than 4 bytes`);
  // More than one piece, and not all of it ASCII.
  const long = "é".repeat(100_000);
  writeAtomically(path, `\ufeff${long}`);
  expect(readText(path, "own")).toBe(long);
  chmodSync(path, 0o640);
  expect(() => readText(path, "secret")).toThrow(`Others can read or write ${path}, so it is not used`);
  expect(readText(path, "own")).toBe(long);
  writeAtomically(path, "kept mode");
  expect(statSync(path).mode & 0o777).toBe(0o640);
  writeAtomically(path, "own mode", 0o600, false);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  chmodSync(path, 0o620);
  expect(() => readText(path, "own")).toThrow(`Others can write ${path}, so it is not used`);
  expect(readText(path, "any")).toBe("own mode");
  expect(readText(join(root, "nothing"), "own")).toBeUndefined();
  expect(readText(join(path, "below"), "own")).toBeUndefined();
  expect(() => readText(root, "any")).toThrow("it is a directory");
  expect(() => writeAtomically(root, "x")).toThrow(`Cannot write ${root}: it is a directory`);
  expect(() => writeAtomically(join(root, "no", "file"), "x")).toThrow(`there is no folder ${root}/no`);
  rmSync(root, { recursive: true });
});
