// The table of figures, in the order in which they are measured.
import type { Figure } from "./Figure.ts";
import { edgeFigures } from "./edge/EdgeFigures.ts";
import { cachePolicy } from "./figures/CachePolicy.ts";
import { calls } from "./figures/Calls.ts";
import { commandLine } from "./figures/CommandLine.ts";
import { decoding } from "./figures/Decoding.ts";
import { heap } from "./figures/Heap.ts";
import { overhead } from "./figures/Overhead.ts";
import { registryScale } from "./figures/RegistryScale.ts";
import { registryThroughput } from "./figures/RegistryThroughput.ts";
import { sizes } from "./figures/Sizes.ts";

export const figures: ReadonlyArray<Figure> = [
  calls,
  overhead,
  decoding,
  cachePolicy,
  sizes,
  heap,
  registryThroughput,
  registryScale,
  ...edgeFigures,
  commandLine,
];
