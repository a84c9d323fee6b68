// One finding of the doctor.
import type { JsonObject } from "@bufbuild/protobuf";
import type { Shape } from "../output/Shape.ts";
import { textAt } from "../output/Shape.ts";

/**
 * `ok`: as it should be. `unknown`: could not be found out, which is not a fault. `different`: it works, but not as the contract
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

/** A finding; `subject` is empty where there is only one. */
export const found = (check: string, state: CheckState, detail: string, subject = ""): Check => ({
  check,
  subject,
  state,
  detail,
});

/** Whether no check has failed. An unknown result is not a failure. */
export const isWell = (checks: ReadonlyArray<Check>): boolean =>
  checks.every(({ state }) => state === "ok" || state === "unknown");

/** Shape of the findings, the address, and whether all checks passed. */
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

/** From the worst on: what a summary of several findings is. */
const bySeverity: ReadonlyArray<CheckState> = ["failed", "different", "skipped", "ok", "unknown"];
/** Most findings that a summary names. */
const maxNamed = 3;

/** Checks that are one line of a summary. */
const together: Readonly<Record<string, string>> = { "schema digest": "schema", field: "schema" };

/** One finding for each kind of check: those that are not well are named, the others counted. */
export const summed = (checks: ReadonlyArray<Check>): ReadonlyArray<Check> =>
  [...grouped(checks, ({ check }) => together[check] ?? check)].map(([name, all]) => {
    const [only, ...others] = all;
    if (only !== undefined && others.length === 0) return only;
    const state = bySeverity.find((state) => all.some((one) => one.state === state)) ?? "ok";
    const counts = [...grouped(all, (one) => one.state)].map(([state, ones]) => `${ones.length} ${state}`);
    const bad = all.filter((one) => one.state !== "ok" && one.state !== "unknown");
    const named = bad.slice(0, maxNamed).map(({ subject, detail }) => `${subject}: ${detail}`);
    const more = bad.length > maxNamed ? [`${bad.length - maxNamed} more; --verbose shows each`] : [];
    return found(name, state, [counts.join(", "), ...named, ...more].join("; "));
  });

/** `Map.groupBy`, which Node 20 does not have. */
const grouped = (checks: ReadonlyArray<Check>, keyOf: (check: Check) => string): ReadonlyMap<string, Array<Check>> => {
  const groups = new Map<string, Array<Check>>();
  for (const check of checks) groups.set(keyOf(check), [...(groups.get(keyOf(check)) ?? []), check]);
  return groups;
};

/** Summary, in a sentence. */
export const verdict = (checks: ReadonlyArray<Check>): string => {
  if (isWell(checks)) return "All is well.";
  const bad = checks.filter(({ state }) => state === "failed" || state === "different");
  return `Not well: ${[...new Set(bad.map(({ check }) => check))].join(", ")}.`;
};
