// Decides: what is written down of each request: one line of JSON, and nothing secret in it.
import { createWriteStream } from "node:fs";
import { finished } from "node:stream/promises";
import type { Answer, RequestHead } from "../api/Routes.ts";
import { pathIn } from "../api/Site.ts";

/** Longest path that is written, in characters. */
const maxPathCharacters = 200;

/** Where lines go. `close` resolves when they are written. */
export interface AccessLog {
  readonly write: (head: RequestHead, answer: Answer | "torn" | "left", ms: number) => void;
  readonly close: () => Promise<void>;
}

/** Opens a log: `stderr`, or a file that is appended to (mode 0600). */
export const openAccessLog = (target: string): AccessLog => {
  const stream = target === "stderr" ? process.stderr : createWriteStream(target, { flags: "a", mode: 0o600 });
  // A log that cannot be written is said once, and does not end the service. Standard error fails again at every line.
  let isSaid = false;
  const onError = (error: Error): void => {
    if (!isSaid) console.error(`access log: ${error.message}`);
    isSaid = true;
  };
  stream.on("error", onError);
  return {
    write: (head, answer, ms) => void stream.write(`${JSON.stringify(lineOf(head, answer, ms))}\n`),
    close: async () => {
      if (stream === process.stderr) {
        stream.off("error", onError);
        return;
      }
      stream.end();
      await finished(stream).catch(() => undefined);
    },
  };
};

/** The query is left out: parameters can carry data. So are all headers but the request id. */
export const lineOf = (
  head: RequestHead,
  answer: Answer | "torn" | "left",
  ms: number,
): Readonly<Record<string, unknown>> => ({
  time: new Date().toISOString(),
  method: head.method.slice(0, 20),
  path: pathIn(head.target).slice(0, maxPathCharacters),
  ...(typeof answer === "string"
    ? { outcome: answer }
    : {
        status: answer.status,
        endpoint: answer.about.endpoint,
        user: answer.about.user,
        type: answer.headers["Content-Type"],
        bytes: Buffer.byteLength(answer.body),
        requestId: answer.headers["X-Request-Id"],
      }),
  ms: Math.round(ms * 1_000) / 1_000,
  trace: traceIdIn(head.header("traceparent")),
});

/** The trace id of a `traceparent` header (W3C Trace Context, 3.2). */
const traceIdIn = (value: string | null): string | undefined =>
  /^[0-9a-f]{2}-([0-9a-f]{32})-[0-9a-f]{16}-[0-9a-f]{2}$/.exec(value ?? "")?.[1];
