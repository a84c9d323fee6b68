// Fault table: server faults and expected outcomes.
import type { FaultRow } from "./FaultRow.ts";
import { bodies } from "./rows/bodies.ts";
import { connections } from "./rows/connections.ts";
import { elsewhere } from "./rows/elsewhere.ts";
import { hints } from "./rows/hints.ts";
import { largeBodies } from "./rows/largeBodies.ts";
import { refusals } from "./rows/refusals.ts";
import { tls } from "./rows/tls.ts";

export const faultRows: ReadonlyArray<FaultRow> = [
  ...connections,
  ...bodies,
  ...largeBodies,
  ...refusals,
  ...hints,
  ...elsewhere,
  ...tls,
];
