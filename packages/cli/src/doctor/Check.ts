// One finding of the doctor.
import type { JsonObject } from "@bufbuild/protobuf";
import type { Shape } from "../output/Shape.ts";
import { textAt } from "../output/Shape.ts";

/**
 * `ok`: as it should be. `unknown`: could not be found out, which is no fault. `different`: it works, but not as the contract
 * says. `failed`: it does not work. `skipped`: what it needs has failed.
 */
export type CheckState = "ok" | "unknown" | "different" | "failed" | "skipped";

/** One finding. */
export interface Check {
  readonly check: string;
  /** What of it, e.g. a media type or a field. */
  readonly subject: string;
  readonly state: CheckState;
  readonly detail: string;
}

/** A finding; `subject` is empty where there is nothing to tell apart. */
export const found = (check: string, state: CheckState, detail: string, subject = ""): Check => ({
  check,
  subject,
  state,
  detail,
});

/** Whether all is well. What is unknown is not held against anybody. */
export const isWell = (checks: ReadonlyArray<Check>): boolean =>
  checks.every(({ state }) => state === "ok" || state === "unknown");

/** How findings look; the document tells the address, too, and whether all is well. */
export const checkShape = (rest: () => JsonObject): Shape => ({
  columns: [
    { path: "check", kind: "text" },
    { path: "subject", kind: "text", leastCells: 12 },
    { path: "state", kind: "status" },
    { path: "detail", kind: "text", leastCells: 12 },
  ],
  known: ["check", "subject", "state", "detail"],
  nameOf: (record) => `${textAt(record, "check")} ${textAt(record, "subject")}`.trimEnd(),
  document: { key: "checks", rest },
});
