// Figures of the proxy, in order.
import type { Figure } from "../Figure.ts";
import { edgeHits } from "./EdgeHits.ts";
import { edgeLargeBodies } from "./EdgeLargeBodies.ts";
import { edgeLatency } from "./EdgeLatency.ts";
import { edgeMemory } from "./EdgeMemory.ts";
import { edgeOutage } from "./EdgeOutage.ts";
import { edgeSize } from "./EdgeSize.ts";
import { edgeStampede } from "./EdgeStampede.ts";

export const edgeFigures: ReadonlyArray<Figure> = [
  edgeHits,
  edgeLatency,
  edgeStampede,
  edgeOutage,
  edgeMemory,
  edgeLargeBodies,
  edgeSize,
];
