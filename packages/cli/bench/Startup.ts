// Start-up time of bne as a multiple of `node -e 0`. Linux only.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const bin = fileURLToPath(new URL("../bin/bne.js", import.meta.url));
/** A command line for another API, as people know it from npm. */
const wrangler = fileURLToPath(new URL("../node_modules/wrangler/bin/wrangler.js", import.meta.url));

/** CPU seconds of all children so far (proc(5): cutime and cstime, in ticks of 1/100 s). */
const childrenSeconds = (): number => {
  const fields = readFileSync("/proc/self/stat", "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[13]) + Number(fields[14])) / 100;
};

/** Starts of each line in a round: the kernel counts in steps of 10 ms. */
const runsOfRound = 5;

/** One measured command line: how many times the CPU of `node -e 0`, and what is promised. */
export interface StartupFigure {
  readonly line: string;
  readonly cpuMs: number;
  readonly ratio: number;
  /** The ratio of each round of starts. */
  readonly rounds: ReadonlyArray<number>;
  /** Largest ratio; undefined for others'. */
  readonly promised: number | undefined;
}

const sum = (values: ReadonlyArray<number>): number => values.reduce((total, value) => total + value, 0);

/** Measures starts against a registry at `baseUrl`. Rounds are interleaved, so that a busy machine hits all alike. */
export const measureStartup = async (
  baseUrl: string,
  token: string,
  { runs, peers }: { readonly runs: number; readonly peers: boolean },
): Promise<ReadonlyArray<StartupFigure>> => {
  const home = mkdtempSync(join(tmpdir(), "bne-bench-"));
  const env = {
    PATH: process.env["PATH"],
    HOME: home,
    XDG_CONFIG_HOME: home,
    XDG_CACHE_HOME: home,
    NODE_COMPILE_CACHE: join(home, "compiled"),
    BYTENITE_BASE_URL: baseUrl,
    BYTENITE_TOKEN: token,
    WRANGLER_SEND_METRICS: "false",
  };
  const lines: ReadonlyArray<readonly [line: string, args: ReadonlyArray<string>, promised?: number]> = [
    ["node -e 0", ["-e", "0"], 1],
    ["bne --version", [bin, "--version"], 1.4],
    ["bne completion bash", [bin, "completion", "bash"], 1.4],
    ["bne --help", [bin, "--help"], 2.2],
    ["bne list --help", [bin, "list", "--help"], 2.2],
    ["bne list", [bin, "list"], 3.7],
    ["bne get", [bin, "get", "engine-0"], 3.7],
    ...(peers
      ? ([
          ["wrangler --version", [wrangler, "--version"]],
          ["wrangler --help", [wrangler, "--help"]],
        ] as const)
      : []),
  ];
  const costOf = async (args: ReadonlyArray<string>): Promise<number> => {
    const before = childrenSeconds();
    const child = spawn(process.execPath, args, { env, stdio: ["ignore", "ignore", "inherit"] });
    const [status] = (await once(child, "exit")) as [number];
    if (status !== 0) throw new Error(`${args.join(" ")} ended with ${status}`);
    return childrenSeconds() - before;
  };
  try {
    for (const [, args] of lines) for (let warm = 0; warm < 2; warm++) await costOf(args);
    /** Seconds of each line, round by round. */
    const seconds: Array<Array<number>> = lines.map(() => []);
    for (let run = 0; run < runs; run++) {
      const round = Math.floor(run / runsOfRound);
      for (const [index, [, args]] of lines.entries()) {
        const own = (seconds[index] ??= []);
        own[round] = (own[round] ?? 0) + (await costOf(args));
      }
    }
    const [base = []] = seconds;
    return lines.map(([line, , promised], index) => {
      const own = seconds[index] ?? [];
      const rounds = own.map((value, round) => value / (base[round] ?? Number.NaN));
      return { line, cpuMs: (sum(own) / runs) * 1_000, ratio: sum(own) / sum(base), rounds, promised };
    });
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
};
