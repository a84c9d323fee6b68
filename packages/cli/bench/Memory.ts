// Peak memory of `bne list --all --output ndjson`.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { TestRegistry } from "@bytenite-engines/registry/testing";

const bin = fileURLToPath(new URL("../bin/bne.js", import.meta.url));

/** Prints the peak RSS in kB as the last of stderr: VmHWM of proc(5), since getrusage counts what the parent had, too. */
const reporter = `data:text/javascript,${encodeURIComponent(
  'import fs from "node:fs"; process.on("exit", () => fs.writeSync(2, /VmHWM:\\s*(\\d+)/.exec(fs.readFileSync("/proc/self/status", "utf8"))[1]));',
)}`;

const perBatch = 5_000;

/** Publishes so many engines of a user, with descriptions of a usual length. */
export const fill = async (registry: TestRegistry, user: string, count: number): Promise<void> => {
  for (let start = 0; start < count; start += perBatch) {
    const engines = Array.from({ length: Math.min(perBatch, count - start) }, (_, index) => ({
      name: `engine-${start + index}`,
      version: "1.0",
      type: "assembler",
      status: "active",
      description: "Packs the results of all tasks into one zip archive. ".repeat(3),
      hash: "9T4P4O3WPa+oy3s0o5dsnonJ4DXY+JhPQQi9K2rucpA=",
    }));
    await registry.publish(user, ...engines);
  }
};

/** What a list took. */
export interface MemoryFigure {
  readonly lines: number;
  readonly peakMb: number;
  readonly seconds: number;
}

/** Runs the list of a user and counts its lines, as `wc -l` would. */
export const measureList = async (registry: TestRegistry, user: string): Promise<MemoryFigure> => {
  const home = mkdtempSync(join(tmpdir(), "bne-bench-"));
  const env = {
    PATH: process.env["PATH"],
    HOME: home,
    XDG_CONFIG_HOME: home,
    BYTENITE_BASE_URL: registry.url,
    BYTENITE_TOKEN: registry.tokens[user],
  };
  const began = performance.now();
  const child = spawn(process.execPath, ["--import", reporter, bin, "list", "--all", "--output", "ndjson"], {
    env,
    stdio: ["ignore", "pipe", "pipe"],
  });
  let lines = 0;
  let stderr = "";
  child.stdout.on("data", (chunk: Buffer) => {
    for (const byte of chunk) if (byte === 10) lines++;
  });
  child.stderr.setEncoding("utf8").on("data", (chunk: string) => (stderr += chunk));
  await once(child, "close");
  rmSync(home, { recursive: true, force: true });
  return { lines, peakMb: Number(stderr) / 1_024, seconds: (performance.now() - began) / 1_000 };
};
