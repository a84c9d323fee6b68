// Allowed age of a response by its Cache-Status, in milliseconds.
import { readNames, type ReadName } from "@bytenite-engines/core/wire";

/** Lifetimes of an endpoint in the run, in seconds: fresh, stale while it is validated, stale when the upstream fails. */
const seconds = { list: [2, 3, 20], get: [3, 4, 20], status: [1, 1, 10] } as const satisfies Record<
  ReadName,
  readonly [number, number, number]
>;

/** Longest that one request to the upstream may take, and all for one answer, in milliseconds. */
const attemptTimeoutMs = 3_000;
const deadlineMs = 8_000;

/** Short lives, so that a run sees all of them many times. */
export const edgeVariables: Readonly<Record<string, string>> = {
  ATTEMPT_TIMEOUT_MS: `${attemptTimeoutMs}`,
  DEADLINE_MS: `${deadlineMs}`,
  ...Object.fromEntries(
    Object.entries(seconds).flatMap(([endpoint, [fresh, revalidate, onError]]) => {
      const prefix = endpoint.toUpperCase();
      return [
        [`${prefix}_FRESH_SECONDS`, `${fresh}`],
        [`${prefix}_STALE_WHILE_REVALIDATE_SECONDS`, `${revalidate}`],
        [`${prefix}_STALE_IF_ERROR_SECONDS`, `${onError}`],
      ];
    }),
  ),
};

/** Handling by the edge, as far as it limits the age of the answer. */
export type Outcome = "stored" | "missed" | "validated" | "collapsed" | "stale-if-error" | "other";

/** Cache headers of an answer. */
export const outcomeOf = (cacheStatus: string | null): Outcome => {
  const own = cacheStatus?.split(",").at(-1) ?? "";
  if (own.includes("detail=stale-if-error")) return "stale-if-error";
  if (own.includes("; collapsed")) return "collapsed";
  if (own.includes("; hit")) return "stored";
  if (own.includes("fwd=uri-miss")) return "missed";
  return own.includes("fwd=stale") || own.includes("fwd=request") ? "validated" : "other";
};

/** An answer is dated when it has come; what it says was read before, while it was under way. */
export const underWayMs = attemptTimeoutMs + 500;

/** Time of the upstream request before the client's request, at most. */
export const mayBeOldMs = (endpoint: ReadName, outcome: Outcome): number => {
  const [fresh, revalidate, onError] = seconds[endpoint];
  switch (outcome) {
    case "stored":
      return (fresh + revalidate) * 1_000 + underWayMs;
    case "stale-if-error":
      return (fresh + Math.max(revalidate, onError)) * 1_000 + underWayMs;
    case "collapsed":
      return Math.max(deadlineMs + 1_000, fresh * 1_000 + underWayMs);
    default:
      return 0;
  }
};

/** The oldest that any answer may be. */
export const maxOldMs = Math.max(...readNames.map((endpoint) => mayBeOldMs(endpoint, "stale-if-error")));

/** A body that nobody can read is kept like any other: for so long after the last one, calls may fail for it. */
export const spoiledForMs =
  Math.max(...Object.values(seconds).map(([fresh, revalidate]) => fresh + revalidate)) * 1_000;
