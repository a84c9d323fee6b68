// All wire cases.
import type { WireCase } from "./Case.ts";
import { lists } from "./cases/lists.ts";
import { refusals } from "./cases/refusals.ts";
import { singleEngines } from "./cases/engines.ts";

export const wireCases: ReadonlyArray<WireCase> = [...lists, ...singleEngines, ...refusals];
