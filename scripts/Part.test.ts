import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { startPart, type Part } from "./Part.ts";

let folder: string;
let log: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "part-"));
  log = join(folder, "part.log");
});

afterEach(() => rmSync(folder, { recursive: true }));

const start = (script: string, signal = new AbortController().signal): Promise<Part> =>
  startPart("part", ["-e", script], log, signal);

/** Whether a process still runs; one that ended and was not collected by its parent yet (a zombie) does not. */
const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
  } catch {
    return false;
  }
  const stat = `/proc/${pid}/stat`;
  return !existsSync(stat) || !/\) Z /.test(readFileSync(stat, "utf8"));
};

const stayAlive = "setInterval(() => {}, 1000);";

test("a part is started once it says that it is ready, and its output is in the log", async () => {
  const part = await start(`console.log("hello"); console.log("ready http://127.0.0.1:1"); ${stayAlive}`);
  await part.end();
  expect(readFileSync(log, "utf8")).toBe("hello\nready http://127.0.0.1:1\n");
});

test("what a part has started itself ends with it", async () => {
  const script = `
    const { spawn } = require("node:child_process");
    const child = spawn(process.execPath, ["-e", "process.on('SIGTERM', () => {}); ${stayAlive}"], { stdio: "ignore" });
    console.log("child " + child.pid + " of " + process.pid);
    console.log("ready now");
    ${stayAlive}`;
  const part = await start(script);
  await vi.waitFor(() => expect(readFileSync(log, "utf8")).toContain("ready now"));
  const [, child, parent] = /child (\d+) of (\d+)/.exec(readFileSync(log, "utf8")) ?? [];
  expect([child, parent].map(Number).map(isAlive)).toEqual([true, true]);
  await part.end();
  await vi.waitFor(() => expect([child, parent].map(Number).map(isAlive)).toEqual([false, false]));
  expect(await part.ended).toBe("SIGTERM");
});

test("a part that ends before it is ready is an error with its exit and last output", async () => {
  const script = `console.error("no such database"); process.exitCode = 3;`;
  await expect(start(script)).rejects.toThrow("The part ended before it was ready (exit code 3).\n  no such database");
});

test("a part that is stopped while it starts is gone", async () => {
  const controller = new AbortController();
  const started = start(`console.log("pid " + process.pid); ${stayAlive}`, controller.signal);
  const outcome = started.then(
    () => "it started",
    (error: Error) => error.message,
  );
  await vi.waitFor(() => expect(readFileSync(log, "utf8")).toContain("pid "));
  const pid = Number(/pid (\d+)/.exec(readFileSync(log, "utf8"))?.[1]);
  controller.abort();
  expect(await outcome).toContain("The part was stopped.");
  expect(isAlive(pid)).toBe(false);
});

test("a part that dies by itself says how", async () => {
  const part = await start(`console.log("ready now"); process.exitCode = 7;`);
  expect(await part.ended).toBe("exit code 7");
});
