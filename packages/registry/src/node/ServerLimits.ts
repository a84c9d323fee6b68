// Limits of what one client can take of the server.

/** Limits per client and of the server. */
export interface ServerLimits {
  /** Bytes of all headers of a request; more is 431. */
  readonly headerBytes: number;
  /** Milliseconds until all headers of a request must have arrived; longer is 408. */
  readonly headersTimeoutMs: number;
  /** Milliseconds until a whole request must have arrived, or in an upload the next bytes of it; longer is 408. */
  readonly requestTimeoutMs: number;
  /** Milliseconds until a whole request without `Authorization` must have arrived, if shorter; longer is 408. */
  readonly anonymousTimeoutMs: number;
  /** Milliseconds until a whole upload must have arrived; longer is 408. */
  readonly uploadTimeoutMs: number;
  /** Milliseconds until an idle connection is closed. Above the 60 s of common proxies, which must close first. */
  readonly keepAliveTimeoutMs: number;
  /** Open connections; one more is closed at once, or takes the place of one of the address that has most. */
  readonly connections: number;
  /** Open connections of one address (IPv6: one /64), unless it is a trusted proxy's; one more is closed at once. */
  readonly connectionsPerAddress: number;
  /** Requests of one connection that wait while another of it is answered; one more closes the connection. */
  readonly pipelinedRequests: number;
  /** Milliseconds until the client must have read a whole answer; then the connection is closed. */
  readonly responseTimeoutMs: number;
  /** Bytes of one answer; a longer one is 400. Archives are streamed, and may be longer. */
  readonly answerBytes: number;
  /** Bytes of all unread answers and of the requests queued behind them; beyond, connections are closed. */
  readonly bytesInFlight: number;
  /** Milliseconds between the signal to stop, from which on `/readyz` is 503, and the port being closed: 0 closes it at once. */
  readonly drainDelayMs: number;
  /** Milliseconds for running answers when the server stops. */
  readonly drainMs: number;
}

/** The limits when none are given. */
export const defaultLimits: ServerLimits = {
  headerBytes: 16 * 1_024,
  headersTimeoutMs: 10_000,
  requestTimeoutMs: 15_000,
  anonymousTimeoutMs: 5_000,
  uploadTimeoutMs: 600_000,
  keepAliveTimeoutMs: 75_000,
  connections: 1_000,
  connectionsPerAddress: 256,
  pipelinedRequests: 32,
  responseTimeoutMs: 30_000,
  answerBytes: 16 * 1_024 * 1_024,
  bytesInFlight: 32 * 1_024 * 1_024,
  drainDelayMs: 0,
  drainMs: 10_000,
};
