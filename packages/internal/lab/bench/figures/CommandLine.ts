// Figure: start-up of bne, and memory of a long list.
import { execFile } from "node:child_process";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import type { Figure, FigureRow } from "../Figure.ts";

/** One line of the command line's own measurement, which needs its built bin and a registry. */
interface CommandFigure {
  readonly name: string;
  readonly value: string;
  readonly ratio: number;
  /** The ratio round by round; undefined where there is one round, of memory. */
  readonly rounds?: ReadonlyArray<number>;
  /** Only of ours. */
  readonly promised?: number;
}

const measurement = fileURLToPath(new URL("../../../../cli/bench/main.ts", import.meta.url));

const rowOf = ({ name, value, ratio, rounds, promised }: CommandFigure): FigureRow => ({
  name,
  cells: { value, ratio: `${ratio.toFixed(2)}x`, limit: promised === undefined ? "" : `${promised}x` },
  ...(promised === undefined
    ? {}
    : { promised: rounds === undefined ? ratio <= promised : { rounds: rounds.map((one) => one / promised) } }),
});

export const commandLine: Figure = {
  name: "command-line",
  title: "The command line",
  promise:
    "CPU time against `node -e 0`: --version and completion at most 1.4x, --help 2.2x, list and get 3.7x; 100,000 engines in at most 1.3x of the memory for 1,000.",
  charts: [
    {
      name: "startup",
      title: "Starting a command line",
      subtitle: "processor time of the whole process, as a ratio to `node -e 0`, warm; shorter is better",
      column: "ratio",
      barOf: (row) => (row.startsWith("list --all") ? undefined : row),
      isOurs: (bar) => bar.startsWith("bne"),
    },
  ],
  measure: async (effort) => {
    const flags = effort === "quick" ? ["--startup"] : [];
    const { stdout } = await promisify(execFile)(process.execPath, [measurement, ...flags]);
    const figures = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as CommandFigure);
    return {
      columns: ["value", "ratio", "limit"],
      rows: figures.map(rowOf),
      notes: [
        "CPU time of whole processes, means of interleaved starts, warm compile cache. A round is five starts of each.",
        ...(effort === "quick" ? ["The memory of long lists, and wrangler, are left out of a quick run."] : []),
      ],
    };
  },
};
