// Fetches one answer from the upstream, within its limits. The only place that talks to it.
import type { Config } from "./Config.ts";

/** A complete answer. */
export interface UpstreamAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly requestTimeMs: number;
  readonly responseTimeMs: number;
  /** Number of requests that it took. */
  readonly attempts: number;
}

/** Why no answer came. */
export type UpstreamProblem = "unreachable" | "timed-out" | "too-large";

/** No answer came. */
export class UpstreamFailure extends Error {
  readonly _tag = "UpstreamFailure";
  readonly problem: UpstreamProblem;
  readonly attempts: number;
  constructor(problem: UpstreamProblem, attempts: number) {
    super(`the upstream gave no answer: ${problem}`);
    this.name = "UpstreamFailure";
    this.problem = problem;
    this.attempts = attempts;
  }
}

/** Asks the upstream for a path below its base URL. Rejects with UpstreamFailure. */
export type AskUpstream = (target: string, headers: Headers) => Promise<UpstreamAnswer>;

/** Longest body that is read, in bytes. */
export const maxBodyBytes = 16 * 1024 * 1024;

/** `fetcher` is the global fetch, or that of a service binding. */
export const createUpstream = (
  config: Pick<Config, "upstreamUrl" | "attemptTimeoutMs">,
  fetcher: typeof fetch,
  now: () => number,
): AskUpstream => {
  return async (target, headers) => {
    const requestTimeMs = now();
    try {
      const response = await fetcher(`${config.upstreamUrl}${target}`, {
        headers,
        // A redirect is the upstream's answer like any other; following it could carry the token elsewhere.
        redirect: "manual",
        signal: AbortSignal.timeout(config.attemptTimeoutMs),
      });
      const responseTimeMs = now();
      const bytes = await readBounded(response);
      return { status: response.status, headers: response.headers, bytes, requestTimeMs, responseTimeMs, attempts: 1 };
    } catch (error) {
      if (error instanceof UpstreamFailure) throw error;
      const timedOut = error instanceof Error && error.name === "TimeoutError";
      throw new UpstreamFailure(timedOut ? "timed-out" : "unreachable", 1);
    }
  };
};

const readBounded = async (response: Response): Promise<Uint8Array<ArrayBuffer>> => {
  if (response.body === null) return new Uint8Array();
  const chunks: Array<Uint8Array> = [];
  let length = 0;
  for await (const chunk of response.body) {
    length += chunk.byteLength;
    if (length > maxBodyBytes) throw new UpstreamFailure("too-large", 1);
    chunks.push(chunk);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
};
