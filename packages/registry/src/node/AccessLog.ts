// The log: one line of JSON per request, without anything secret.
import { closeSync, constants, openSync, write } from "node:fs";
import { promisify } from "node:util";
import { pino } from "pino";
import type { Answer, RequestHead } from "../api/Answer.ts";
import { loggedPath } from "../api/App.ts";

/** Bytes of queued lines while the log cannot be written; later lines are dropped and counted. */
const maxQueuedBytes = 1_024 * 1_024;

/** Milliseconds after a failed write before the next one. */
const retryMs = 1_000;

/** File descriptor of standard error. */
const standardError = 2;

/** Levels, the least important first. A request is `info`; one that a limit refuses `warn`; one that we fail `error`. */
export const logLevels = ["info", "warn", "error"] as const;

/** A level of the log. */
export type LogLevel = (typeof logLevels)[number];

/** Where lines go. */
export interface AccessLog {
  readonly write: (head: RequestHead, answer: Answer | "faulted" | "unanswered", ms: number) => void;
  /** Logs a request refused while it was parsed: its target is unknown. */
  readonly refused: (status: number, requestId: string, address: string | undefined) => void;
  /** Reopens the file at its path, after a rotation. */
  readonly reopen: () => void;
  /** Resolves when all lines that can be written are written. */
  readonly close: () => Promise<void>;
}

const writeTo = promisify(write);

/** Opening a FIFO without a reader blocks; O_NONBLOCK makes it an error. */
const opened = (path: string): number => {
  try {
    const { O_APPEND, O_CREAT, O_NONBLOCK, O_WRONLY } = constants;
    return openSync(path, O_APPEND | O_CREAT | O_WRONLY | O_NONBLOCK, 0o600);
  } catch (error) {
    throw new Error(`access log: ${(error as Error).message}`, { cause: error });
  }
};

/**
 * Opens a log: `stderr`, or a file that is appended to (mode 0600). Throws when it cannot be opened. A write that fails later,
 * as on a full disk, is reported once and tried again; requests are served meanwhile.
 */
export const openAccessLog = (target: string, level: LogLevel = "info"): AccessLog => {
  const isFile = target !== "stderr";
  let descriptor: number | undefined = isFile ? opened(target) : standardError;
  let queue: Array<Buffer> = [];
  let queuedBytes = 0;
  let leftOut = 0;
  let failedAtMs: number | undefined;
  let writing: Promise<void> | undefined;
  /** The file that already has the beginning of the first queued line. */
  let begun: number | undefined;

  const add = (line: string): void => {
    const bytes = Buffer.from(line);
    queue.push(bytes);
    queuedBytes += bytes.length;
  };
  const logger = pino(
    {
      base: null,
      level,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    { write: add },
  );

  const flushOnce = async (to: number): Promise<void> => {
    let batch = Buffer.concat(queue);
    // The rest of a line is useless in another file.
    if (begun !== undefined && begun !== to) {
      batch = batch.subarray(batch.indexOf("\n") + 1);
      leftOut += 1;
    }
    begun = undefined;
    queue = [];
    queuedBytes = 0;
    let at = 0;
    try {
      while (at < batch.length) at += (await writeTo(to, batch, at, batch.length - at, null)).bytesWritten;
      if (failedAtMs !== undefined) console.error("access log: written again");
      failedAtMs = undefined;
    } catch (error) {
      queue.unshift(batch.subarray(at));
      queuedBytes += batch.length - at;
      if (at > 0 && batch[at - 1] !== 0x0a) begun = to;
      if (failedAtMs === undefined) console.error(`access log: ${(error as Error).message}; trying again`);
      failedAtMs = performance.now();
    }
  };

  const flush = (): void => {
    if (writing !== undefined || descriptor === undefined || queue.length === 0) return;
    if (failedAtMs !== undefined && performance.now() - failedAtMs < retryMs) return;
    writing = flushOnce(descriptor).finally(() => {
      writing = undefined;
      if (failedAtMs === undefined) flush();
    });
  };

  const idle = async (): Promise<void> => {
    if (writing === undefined) return;
    await writing;
    await idle();
  };

  const log = (of: LogLevel, line: Readonly<Record<string, unknown>>): void => {
    if (queuedBytes >= maxQueuedBytes) leftOut += 1;
    else {
      if (leftOut > 0) logger.warn({ leftOut });
      leftOut = 0;
      logger[of](line);
    }
    flush();
  };

  return {
    write: (head, answer, ms) => log(levelOf(answer), lineOf(head, answer, ms)),
    refused: (status, requestId, address) => log("warn", { status, requestId, address }),
    reopen: () => {
      if (!isFile || descriptor === undefined) return;
      const before = descriptor;
      try {
        descriptor = opened(target);
      } catch (error) {
        console.error((error as Error).message);
        return;
      }
      failedAtMs = undefined;
      void (writing ?? Promise.resolve()).finally(() => {
        closeSync(before);
        flush();
      });
    },
    close: async () => {
      failedAtMs = undefined;
      flush();
      await idle();
      if (isFile && descriptor !== undefined) closeSync(descriptor);
      descriptor = undefined;
    },
  };
};

const levelOf = (answer: Answer | "faulted" | "unanswered"): LogLevel => {
  if (typeof answer === "string") return "info";
  if (answer.status >= 500) return "error";
  return answer.status === 429 ? "warn" : "info";
};

/** Without the query, since parameters can carry data, and without headers but the request id. */
export const lineOf = (
  head: RequestHead,
  answer: Answer | "faulted" | "unanswered",
  ms: number,
): Readonly<Record<string, unknown>> => ({
  address: head.address,
  method: head.method.slice(0, 20),
  path: loggedPath(head.target),
  ...(typeof answer === "string"
    ? { outcome: answer }
    : {
        status: answer.status,
        endpoint: answer.logFields.endpoint,
        user: answer.logFields.user,
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
