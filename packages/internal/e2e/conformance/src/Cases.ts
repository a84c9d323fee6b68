// The table: every wire case there is. A new endpoint brings at least one row.
import type { WireCase } from "./Case.ts";
import { lists } from "./cases/lists.ts";
import { refusals } from "./cases/refusals.ts";
import { singleEngines } from "./cases/engines.ts";

export const wireCases: ReadonlyArray<WireCase> = [...lists, ...singleEngines, ...refusals];
