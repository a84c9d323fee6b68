// Run of one fuzz target under Jazzer.js.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { rolldown } from "rolldown";

/** Longest input, in bytes. */
const maxInputBytes = 16_384;
/** One input may take this long, in seconds: a hundred times what the slowest should. */
const inputTimeoutSeconds = 5;
/** Memory of the whole process, in MiB. */
const memoryLimitMib = 1_536;
/** Longest report, in characters. */
const maxReport = 4_000;
/** Jazzer's exit code for a finding of a target; libFuzzer's own are 70 (too long), 71 (too much memory) and 77. */
const findingCodes = new Set([70, 71, 77]);

/** Options of fuzzing. */
export interface FuzzOptions {
  /** The module that exports `fuzz`. */
  readonly module: string;
  /** The folder of its seeds; need not exist. */
  readonly seeds: string;
  readonly seconds: number;
  /** The same seed takes the same way, as long as the seeds, the code and the number of runs are the same. From 1 on. */
  readonly seed: number;
  /** Ends after so many inputs, even when there is time left. */
  readonly runs?: number | undefined;
}

/** Result. */
export interface Fuzzed {
  /** Inputs that were tried. */
  readonly runs: number;
  /** Branches and comparisons that were reached. */
  readonly coverage: number;
  /** Inputs that are worth keeping, each for something that no other reaches. */
  readonly corpus: number;
  /** The failing input and its message. */
  readonly finding: { readonly path: string; readonly report: string } | undefined;
}

const require = createRequire(import.meta.url);
const jazzer = join(dirname(require.resolve("@jazzer.js/core/package.json")), "dist/cli.js");
const bneSources = fileURLToPath(new URL("../../../cli/src", import.meta.url));

/** Fuzzes one target. An input that does not hold is written to `keepIn`. */
export const fuzzTarget = async (options: FuzzOptions, keepIn: string): Promise<Fuzzed> => {
  const { module, seeds, seconds, seed, runs } = options;
  const folder = mkdtempSync(join(tmpdir(), "fuzz-"));
  try {
    await bundle(module, join(folder, "target.mjs"));
    const corpus = join(folder, "corpus");
    const found = join(folder, "found");
    mkdirSync(corpus);
    mkdirSync(found);
    if (existsSync(seeds)) cpSync(seeds, corpus, { recursive: true });
    const { code, output } = await jazzed(folder, isAsync(module), [
      `-seed=${seed}`,
      `-max_total_time=${seconds}`,
      ...(runs === undefined ? [] : [`-runs=${runs}`]),
      `-max_len=${maxInputBytes}`,
      `-timeout=${inputTimeoutSeconds}`,
      `-rss_limit_mb=${memoryLimitMib}`,
      `-artifact_prefix=${found}/`,
    ]);
    const [input] = readdirSync(found);
    if (code !== 0 && (input === undefined || !findingCodes.has(code ?? -1))) {
      throw new Error(`the fuzzer of ${module} ended with ${code}\n${output}`);
    }
    if (input !== undefined) {
      mkdirSync(keepIn, { recursive: true });
      cpSync(join(found, input), join(keepIn, input));
    }
    return {
      ...countsIn(output),
      finding: input === undefined ? undefined : { path: join(keepIn, input), report: reportIn(output) },
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

/** Whether a target is asynchronous, which costs half the speed. */
const isAsync = (module: string): boolean => /\bfuzz: Target = async\b/.test(readFileSync(module, "utf8"));

const bundle = async (module: string, file: string): Promise<void> => {
  const build = await rolldown({
    input: module,
    platform: "node",
    logLevel: "silent",
    resolve: { alias: { "#bne": bneSources } },
  });
  await build.write({ file, format: "esm", codeSplitting: false, sourcemap: true });
  await build.close();
};

/** Runs Jazzer.js over what lies in a folder. Its own detectors stay on: prototypes, paths, commands, code. */
const jazzed = async (folder: string, waits: boolean, fuzzerOptions: ReadonlyArray<string>) => {
  const mode = waits ? [] : ["--sync"];
  const args = [jazzer, join(folder, "target.mjs"), join(folder, "corpus"), ...mode, "--", ...fuzzerOptions];
  const child = spawn(process.execPath, args, { cwd: folder, stdio: ["ignore", "pipe", "pipe"] });
  const parts: Array<string> = [];
  for (const stream of [child.stdout, child.stderr])
    stream.setEncoding("utf8").on("data", (text: string) => parts.push(text));
  const [code] = (await once(child, "close")) as [number | null];
  return { code, output: parts.join("") };
};

/** The last line of libFuzzer that counts: `#123 DONE cov: 45 ft: 67 corp: 8/90b ...`. */
const countsIn = (output: string): Pick<Fuzzed, "runs" | "coverage" | "corpus"> => {
  const all = [...output.matchAll(/^#(\d+)\s+\w+\s+cov: (\d+) ft: \d+ corp: (\d+)\//gm)];
  const [, runs = "0", coverage = "0", corpus = "0"] = all.at(-1) ?? [];
  const [, done = runs] = /Done (\d+) runs/.exec(output) ?? [];
  return { runs: Number(done), coverage: Number(coverage), corpus: Number(corpus) };
};

/** Output from the finding on, without the statistics before it. */
const reportIn = (output: string): string => {
  const start = output.search(/^==\d+== /m);
  return start === -1 ? output.slice(-maxReport).trim() : output.slice(start).trim().slice(0, maxReport);
};
