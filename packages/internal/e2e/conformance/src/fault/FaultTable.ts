// The fault table: what can go wrong between the client and a server, and how the call must end then.
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
