// Rows of call figures: microseconds, and the ratio to bare fetch.
import type { FigureResult, FigureRow } from "../Figure.ts";
import type { Sample } from "../Rounds.ts";
import { ratioOf, spreadOf } from "../Statistics.ts";

const micro = (value: number): string => value.toFixed(0);
const ratio = (value: number): string => value.toFixed(2);

/** The columns of these rows. */
export const callColumns = ["wall µs", "cpu µs", "wall ratio", "cpu ratio", "range of wall", "range of cpu"];

/** The largest ratios to the peer. */
export interface CallLimits {
  readonly wall: number;
  readonly cpu: number;
}

/** One contender compared with its peer. `limits` are the largest promised ratios. */
export const callRow = (
  name: string,
  samples: ReadonlyArray<Sample>,
  peer: ReadonlyArray<Sample>,
  limits?: CallLimits,
): FigureRow => {
  const wall = samples.map(({ wallUs }) => wallUs);
  const cpu = samples.map(({ cpuUs }) => cpuUs);
  const wallRatio = ratioOf(
    wall,
    peer.map(({ wallUs }) => wallUs),
  );
  const cpuRatio = ratioOf(
    cpu,
    peer.map(({ cpuUs }) => cpuUs),
  );
  return {
    name,
    cells: {
      "wall µs": micro(spreadOf(wall).median),
      "cpu µs": micro(spreadOf(cpu).median),
      "wall ratio": ratio(wallRatio.median),
      "cpu ratio": ratio(cpuRatio.median),
      "range of wall": `${ratio(wallRatio.lower)}-${ratio(wallRatio.upper)}`,
      "range of cpu": `${ratio(cpuRatio.lower)}-${ratio(cpuRatio.upper)}`,
    },
    ...(limits === undefined
      ? {}
      : {
          promised: {
            excess: Math.max(wallRatio.median / limits.wall, cpuRatio.median / limits.cpu),
            least: Math.max(wallRatio.lower / limits.wall, cpuRatio.lower / limits.cpu),
            reference: peer.map(({ wallUs }) => wallUs),
          },
        }),
  };
};

/** Rows and notes. */
export const callResult = (rows: ReadonlyArray<FigureRow>, notes: ReadonlyArray<string>): FigureResult => ({
  columns: callColumns,
  rows,
  notes,
});
