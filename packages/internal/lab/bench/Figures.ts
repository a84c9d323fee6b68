// The table of figures, in the order in which they are measured.
import type { Figure } from "./Figure.ts";
import { edgeHits } from "./edge/EdgeHits.ts";
import { edgeLargeBodies } from "./edge/EdgeLargeBodies.ts";
import { edgeLatency } from "./edge/EdgeLatency.ts";
import { edgeMemory } from "./edge/EdgeMemory.ts";
import { edgeOutage } from "./edge/EdgeOutage.ts";
import { edgeStampede } from "./edge/EdgeStampede.ts";
import { cachePolicy } from "./figures/CachePolicy.ts";
import { calls } from "./figures/Calls.ts";
import { commandLine } from "./figures/CommandLine.ts";
import { decoding } from "./figures/Decoding.ts";
import { heap } from "./figures/Heap.ts";
import { overhead } from "./figures/Overhead.ts";
import { registryScale } from "./figures/RegistryScale.ts";
import { registryThroughput } from "./figures/RegistryThroughput.ts";
import { edgeSize, sizes } from "./figures/Sizes.ts";

export const figures: ReadonlyArray<Figure> = [
  calls,
  overhead,
  decoding,
  cachePolicy,
  sizes,
  heap,
  registryThroughput,
  registryScale,
  edgeHits,
  edgeLatency,
  edgeStampede,
  edgeOutage,
  edgeMemory,
  edgeLargeBodies,
  edgeSize,
  commandLine,
];
