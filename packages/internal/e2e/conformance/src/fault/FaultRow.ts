// Type of a row of the fault table.
import { defaultRetryPolicy, type ClientOptions, type EngineErrorTag } from "@bytenite-engines/core";
import type { Act, FaultServer } from "@bytenite-engines/test-kit";

/** The token of the table: nothing that a caller can see may show it. */
export const theToken = "fault-table-secret-0123456789";

const { baseDelayMs, throttledBaseDelayMs, factor } = defaultRetryPolicy;

/** The waits before so many retries, in milliseconds; `throttled`: after 429. Half of each bound, since chance is always 0.5. */
export const waitsMs = (retries: number, after?: "throttled"): number =>
  ((after === undefined ? baseDelayMs : throttledBaseDelayMs) / 2) * ((factor ** retries - 1) / (factor - 1));

/** Attempts and waits of calls: without retries; with one, as for corrupt bodies; with all three. */
export const once = { attempts: 1, waitedMs: 0 } as const;
export const twice = { attempts: 2, waitedMs: waitsMs(1) } as const;
export const fourTimes = { attempts: 4, waitedMs: waitsMs(3) } as const;
/** An answer at once. */
export const data = { ends: "data", ...once } as const;

/** Expected outcome of one call. */
export interface Expected {
  /** `data`: the engine of the table. */
  readonly ends: EngineErrorTag | "data";
  /** In the message of the error. */
  readonly says?: RegExp;
  /** Requests that the call counts. */
  readonly attempts: number;
  /** Requests that reached the server; default: as many. */
  readonly arrived?: number;
  /** Time that passed on the call's clock, in milliseconds: timeouts and waits. */
  readonly waitedMs: number;
  /** The server's retry hint, as in the error. */
  readonly retryAfterMs?: number;
}

/** One way of going wrong. */
export interface FaultRow {
  readonly name: string;
  /** Behaviour of the server per request. */
  readonly act: Act;
  /** URL of the call, if not the server's. Deferred functions run at the end of the row. */
  readonly baseUrl?: (server: FaultServer, defer: (end: () => Promise<void>) => void) => string | Promise<string>;
  readonly options?: Omit<ClientOptions, "baseUrl">;
  /**
   * Attempts end only by their timeout: once the request is at the server, or once the head of its answer is here.
   */
  readonly hangs?: "in-request" | "in-body";
  readonly expected: Expected;
  /** The server says how long to wait, and the call does. */
  readonly hinted?: boolean;
  /** Conditions on the server after the call. */
  readonly afterwards?: (server: FaultServer) => void | Promise<void>;
}
