// Runs a guide as somebody would who follows it: its files written, its commands in one shell, its servers beside them.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { blocksOf, isShown, type Block } from "./Guide.ts";
import { freePort, root } from "@bytenite-engines/test-kit";

/** Ports that guides name. Each is replaced by a free one, because several guides run at once. */
const namedPorts = ["4010", "4011", "8787"];

/** Runs a guide, by its path from `docs/guides`; rejects with the block that did not do what it says. */
export const runGuide = async (name: string): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), "guide-"));
  try {
    const ports = new Map(await Promise.all(namedPorts.map(async (port) => [port, `${await freePort()}`] as const)));
    const here = (text: string): string =>
      text.replaceAll(/(?<![\d.])\d{4}(?!\d)/g, (number) => ports.get(number) ?? number);
    const path = resolve(fileURLToPath(new URL("../../../../../docs/guides", import.meta.url)), name);
    await runBlocks(folder, path, blocksOf(path, here));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const runBlocks = async (folder: string, path: string, blocks: ReadonlyArray<Block>): Promise<void> => {
  const outputs = join(folder, "outputs");
  mkdirSync(outputs);
  const child = spawn("bash", ["-c", scriptOf(outputs, blocks)], {
    cwd: workingFolder(folder),
    env: environment(folder),
    stdio: ["ignore", "ignore", "pipe"],
    // A group of its own, so that its servers end with it.
    detached: true,
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  const [code] = (await once(child, "exit")) as [number | null];
  try {
    process.kill(-(child.pid ?? 0), "SIGKILL");
  } catch {
    // Nothing of it is left.
  }
  const printed = (index: number): string => readFileSync(join(outputs, `${index}.out`), "utf8");
  if (code !== 0) {
    const index = Number(readFileSync(join(outputs, "at"), "utf8"));
    const block = blocks[index];
    throw new Error(`${path}:${block?.line}: ended with ${code}:\n${block?.text}\n${printed(index)}${said}`);
  }
  for (const [index, block] of blocks.entries()) {
    if (block.kind !== "output" || isShown(printed(index - 1), block.text)) continue;
    throw new Error(`${path}:${block.line}: it prints\n${printed(index - 1)}\nand not\n${block.text}`);
  }
};

/** Where a guide is followed: an empty folder in which the packages are installed. */
const workingFolder = (folder: string): string => {
  const working = join(folder, "work");
  mkdirSync(working);
  symlinkSync(fileURLToPath(new URL("../../node_modules", import.meta.url)), join(working, "node_modules"));
  writeFileSync(join(working, "package.json"), '{ "type": "module" }\n');
  return working;
};

/** A home of its own; `bne` and Node on the path, and `pnpm VERB` for the verbs of this repository. */
const environment = (folder: string): NodeJS.ProcessEnv => {
  const bin = join(folder, "bin");
  mkdirSync(bin);
  symlinkSync(join(root, "packages/cli/bin/bne.js"), join(bin, "bne"));
  const pnpm = `#!/bin/sh\nverb=$1\nshift\ncd '${root}' && exec node --run "$verb" -- "$@"\n`;
  writeFileSync(join(bin, "pnpm"), pnpm, { mode: 0o755 });
  const tools = [join(root, "node_modules/.bin"), fileURLToPath(new URL("../../node_modules/.bin", import.meta.url))];
  return {
    HOME: folder,
    TMPDIR: tmpdir(),
    REPOSITORY: root,
    PATH: [bin, dirname(process.execPath), ...tools, process.env["PATH"]].join(":"),
    XDG_CONFIG_HOME: join(folder, "config"),
    XDG_CACHE_HOME: join(folder, "cache"),
    // No keychain.
    DBUS_SESSION_BUS_ADDRESS: `unix:path=${join(folder, "no-bus")}`,
    WRANGLER_SEND_METRICS: "false",
    CI: "1",
  };
};

/** All blocks as one script: a shell keeps its variables and folder from one to the next. */
const scriptOf = (outputs: string, blocks: ReadonlyArray<Block>): string =>
  [
    "set -euo pipefail",
    ...blocks.map((block, index) => {
      const out = quoted(join(outputs, `${index}.out`));
      const at = `echo ${index} > ${quoted(join(outputs, "at"))}`;
      if (block.kind === "run") return `${at}\n{\n${block.text}\n} > ${out} 2>&1 < /dev/null`;
      if (block.kind === "serve") return `${at}\n${serving(block.text, out, quoted(join(outputs, `${index}.ready`)))}`;
      if (block.kind === "file")
        return `${at}\nmkdir -p "$(dirname ${quoted(block.path)})"\ncat > ${quoted(block.path)} <<'END OF FILE'\n${block.text}END OF FILE\n: > ${out}`;
      return "";
    }),
  ].join("\n");

/** Starts a server beside the script, which goes on once it has said that it is ready; it fails when it ends before. */
const serving = (command: string, out: string, ready: string): string =>
  `mkfifo ${ready}
{ ( ${command} ) < /dev/null 2>&1 | { while read -r line; do echo "$line" >> ${out}; case $line in ready\\ *) echo yes > ${ready} ;; esac; done; echo no > ${ready}; } ; } &
: >> ${out}
test "$(cat ${ready})" = yes`;

const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;
