// Decides: which form an origin is asked for, by what it answered last.
import type { Format } from "./MediaType.ts";

/** How long an origin that answered in JSON is asked for JSON before protobuf is tried again, in milliseconds. */
export const jsonOnlyTtlMs = 5 * 60_000;

/** What is remembered of origins. */
export class NegotiationMemory {
  readonly #jsonUntilMs = new Map<string, number>();

  /** The form to ask for when either would do. */
  preferred(origin: string, nowMs: number): Format {
    return nowMs < (this.#jsonUntilMs.get(origin) ?? 0) ? "json" : "protobuf";
  }

  /** Notes what an origin answered when it was asked for protobuf. True when that is news. */
  note(origin: string, answered: Format, nowMs: number): boolean {
    if (answered === "protobuf") return this.#jsonUntilMs.delete(origin);
    const known = nowMs < (this.#jsonUntilMs.get(origin) ?? 0);
    this.#jsonUntilMs.set(origin, nowMs + jsonOnlyTtlMs);
    return !known;
  }
}
