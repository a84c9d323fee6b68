// Rows of timed figures: microseconds, and the ratio to a peer.
import type { FigureRow } from "../Figure.ts";
import type { Sample } from "../Rounds.ts";
import { ratioOf, ratios, spreadOf } from "../Statistics.ts";

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
  const peerWall = peer.map(({ wallUs }) => wallUs);
  const peerCpu = peer.map(({ cpuUs }) => cpuUs);
  const wallRatio = ratioOf(wall, peerWall);
  const cpuRatio = ratioOf(cpu, peerCpu);
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
            // Both must keep their limit: the one that is nearer to it decides.
            rounds: worse(
              ratios(wall, peerWall).map((one) => one / limits.wall),
              ratios(cpu, peerCpu).map((one) => one / limits.cpu),
            ),
            reference: peerWall,
          },
        }),
  };
};

const worse = (a: ReadonlyArray<number>, b: ReadonlyArray<number>): ReadonlyArray<number> =>
  spreadOf(a).median > spreadOf(b).median ? a : b;

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
      ...(limit === undefined
        ? {}
        : {
            promised: { rounds: ratios(cpuOf(name), cpuOf(peer)).map((one) => one / limit), reference: cpuOf(peer) },
          }),
    };
  };
  return [...samples.keys()].map(row);
};
