// The figures of the edge proxy, in the order in which they are measured.
import type { Figure } from "../Figure.ts";
import { edgeHits, edgeLatency } from "./EdgeHits.ts";
import { edgeMemory, edgeOutage, edgeSize, edgeStampede } from "./EdgeLimits.ts";

export const edgeFigures: ReadonlyArray<Figure> = [
  edgeHits,
  edgeLatency,
  edgeStampede,
  edgeOutage,
  edgeMemory,
  edgeSize,
];
