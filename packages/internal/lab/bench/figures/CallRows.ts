// Rows of timed figures: microseconds, and the ratio to a peer.
import type { FigureRow } from "../Figure.ts";
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

/** The columns of the rows below. */
export const cpuColumns = ["cpu µs", "ratio", "range"];

/** Processor time of each contender of a figure as a ratio to the peer's. `limits` are the largest promised ratios, by name. */
export const cpuRows = (
  samples: ReadonlyMap<string, ReadonlyArray<Sample>>,
  peer: string,
  limits: Readonly<Record<string, number>>,
): ReadonlyArray<FigureRow> => {
  const cpuOf = (name: string): ReadonlyArray<number> => (samples.get(name) ?? []).map(({ cpuUs }) => cpuUs);
  const row = (name: string): FigureRow => {
    const { median, lower, upper } = ratioOf(cpuOf(name), cpuOf(peer));
    const limit = limits[name];
    return {
      name,
      cells: {
        "cpu µs": spreadOf(cpuOf(name)).median.toFixed(1),
        ratio: ratio(median),
        range: `${ratio(lower)}-${ratio(upper)}`,
      },
      ...(limit === undefined ? {} : { promised: { excess: median / limit, reference: cpuOf(peer) } }),
    };
  };
  return [...samples.keys()].map(row);
};
