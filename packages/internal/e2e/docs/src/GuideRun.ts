// Runner for guides: writes files, runs commands in one shell, starts servers.
import { execFileSync, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { blocksOf, isShown, type Block } from "./Guide.ts";
import { freePort, root } from "@bytenite-engines/test-kit";

/** Ports that guides name. Each is replaced by a free one, because several guides run at once. */
const namedPorts = ["4010", "4011", "8080", "8787"];

/** Runs a guide, by its path from `docs/guides`, until the signal aborts; rejects with the block that failed or printed something else. */
export const runGuide = async (name: string, signal?: AbortSignal): Promise<void> => {
  const folder = mkdtempSync(join(tmpdir(), "guide-"));
  try {
    const ports = new Map(await Promise.all(namedPorts.map(async (port) => [port, `${await freePort()}`] as const)));
    const here = (text: string): string =>
      text.replaceAll(/(?<![\d.])\d{4}(?!\d)/g, (number) => ports.get(number) ?? number);
    const path = resolve(fileURLToPath(new URL("../../../../../docs/guides", import.meta.url)), name);
    await runBlocks(folder, path, blocksOf(path, here), signal);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

const runBlocks = async (
  folder: string,
  path: string,
  blocks: ReadonlyArray<Block>,
  signal?: AbortSignal,
): Promise<void> => {
  const outputs = join(folder, "outputs");
  const working = join(folder, "work");
  mkdirSync(outputs);
  mkdirSync(working);
  const child = spawn("bash", ["-c", scriptOf(outputs, blocks)], {
    cwd: working,
    env: environment(folder),
    stdio: ["ignore", "ignore", "pipe"],
    // A group of its own, so that its servers end with it.
    detached: true,
  });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => (said += text));
  const end = (): void => killGroup(child.pid);
  signal?.addEventListener("abort", end, { once: true });
  const [code] = (await once(child, "exit")) as [number | null];
  end();
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

const killGroup = (pid = 0): void => {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // The group has ended.
  }
};

const npmSetting = (name: string): string => execFileSync("npm", ["config", "get", name], { encoding: "utf8" }).trim();

/** How npm reaches its registry on this machine: its settings and cache, proxies, certificates. */
const network = {
  npm_config_cache: npmSetting("cache"),
  npm_config_userconfig: npmSetting("userconfig"),
  ...Object.fromEntries(
    Object.entries(process.env).filter(([name]) =>
      /^(?:npm_config_registry|https?_proxy|no_proxy|node_extra_ca_certs)$/i.test(name),
    ),
  ),
};

/** A new home with its own global packages. The path has Node and what is installed on this machine. */
const environment = (folder: string): NodeJS.ProcessEnv => ({
  HOME: folder,
  TMPDIR: tmpdir(),
  REPOSITORY: root,
  PATH: [join(folder, "npm/bin"), dirname(process.execPath), systemPath()].join(":"),
  XDG_CONFIG_HOME: join(folder, "config"),
  XDG_CACHE_HOME: join(folder, "cache"),
  npm_config_prefix: join(folder, "npm"),
  ...network,
  npm_config_prefer_offline: "true",
  npm_config_audit: "false",
  npm_config_fund: "false",
  npm_config_update_notifier: "false",
  // The repository is installed; pnpm would install it again into this home.
  pnpm_config_verify_deps_before_run: "false",
  // No keychain.
  DBUS_SESSION_BUS_ADDRESS: `unix:path=${join(folder, "no-bus")}`,
  WRANGLER_SEND_METRICS: "false",
  CI: "1",
});

/** The path without the programs of this repository, which a reader does not have. */
const systemPath = (): string =>
  (process.env["PATH"] ?? "")
    .split(":")
    .filter((folder) => !folder.includes("node_modules"))
    .join(":");

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

/** Starts a server and waits for a line that says it is ready; fails when the server ends before. */
const serving = (command: string, out: string, ready: string): string =>
  `mkfifo ${ready}
{ ( ${command} ) < /dev/null 2>&1 | { while read -r line; do echo "$line" >> ${out}; case $line in ready\\ *|*Ready\\ on\\ *|*Local:*) echo yes > ${ready} ;; esac; done; echo no > ${ready}; } ; } &
: >> ${out}
test "$(cat ${ready})" = yes`;

const quoted = (text: string): string => `'${text.replaceAll("'", String.raw`'\''`)}'`;
