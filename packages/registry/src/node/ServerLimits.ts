// Decides: how much one client can take of the server.

/** Bounds on what one client can take of this server. */
export interface ServerLimits {
  /** Bytes of all headers of a request; more is 431. */
  readonly headerBytes: number;
  /** Milliseconds until all headers of a request must have arrived; longer is 408. */
  readonly headersTimeoutMs: number;
  /** Milliseconds until a whole request must have arrived; longer is 408. */
  readonly requestTimeoutMs: number;
  /** Milliseconds an idle connection is kept. Above the 60 s of common proxies, which must be the ones to close. */
  readonly keepAliveTimeoutMs: number;
  /** Open connections; one more is closed at once. */
  readonly connections: number;
  /** Milliseconds that answers under way have when the server stops. */
  readonly drainMs: number;
}

/** The limits when none are given. */
export const defaultLimits: ServerLimits = {
  headerBytes: 16 * 1_024,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 15_000,
  keepAliveTimeoutMs: 75_000,
  connections: 1_000,
  drainMs: 10_000,
};
