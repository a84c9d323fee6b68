// Process of one part of the stack: start, readiness, end.
import { spawn, type ChildProcess } from "node:child_process";
import { createWriteStream } from "node:fs";
import { killGroup } from "./Step.ts";

/** Longest time from the start of a part to its `ready` line, in milliseconds. */
const readyTimeoutMs = 60_000;

/** Longest time a part may take to end by itself before it is killed, in milliseconds. */
const endTimeoutMs = 5_000;

/** Lines of output that are shown when a part fails. */
const shownLines = 20;

/** A part that accepts requests. */
export interface Part {
  readonly name: string;
  /** Resolves with the exit when the process has ended. */
  readonly ended: Promise<string>;
  /** Ends the process and all that it started; resolves when they are gone, and their output is in the log. */
  readonly end: () => Promise<void>;
}

/** A part that did not start, or that ended by itself; the message is for people. */
export class PartError extends Error {
  override readonly name = "PartError";
}

/**
 * Starts one part, resolves once it has printed `ready URL`. Its output goes to the log file. It gets a process group of
 * its own, so that whatever it starts can be ended with it, and a Ctrl-C reaches it through us, in order.
 */
export const startPart = (
  name: string,
  args: ReadonlyArray<string>,
  log: string,
  signal: AbortSignal,
): Promise<Part> => {
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "pipe"], detached: true });
  const output = createWriteStream(log);
  const lines: Array<string> = [];
  const ended = new Promise<string>((resolve) => {
    child.once("error", (error) => resolve(`did not start: ${error.message}`));
    child.once("close", (code, by) => resolve(by === null ? `exit code ${code}` : by));
  });
  const logged = new Promise<void>((resolve) => output.once("close", () => resolve()));
  void ended.then(() => output.end());
  const end = async (): Promise<void> => {
    await endGroup(child, ended);
    await logged;
  };
  const part: Part = { name, ended, end };
  process.once("exit", () => killGroup(child, "SIGKILL"));
  return new Promise<Part>((resolve, reject) => {
    let settled = false;
    const settle = (problem?: string): void => {
      if (settled) return;
      settled = true;
      clearTimeout(timer);
      if (problem === undefined) return resolve(part);
      const shown = lines.map((line) => `\n  ${line}`);
      void part.end().then(() => reject(new PartError(`The ${name} ${problem}.${shown.join("")}`)));
    };
    const timer = setTimeout(() => settle(`was not ready after ${readyTimeoutMs / 1000} seconds`), readyTimeoutMs);
    for (const stream of [child.stdout, child.stderr]) {
      stream.pipe(output, { end: false });
      eachLine(stream, (line) => {
        lines.push(line);
        if (lines.length > shownLines) lines.shift();
        if (line.startsWith("ready ")) settle();
      });
    }
    signal.addEventListener("abort", () => settle("was stopped"), { once: true });
    void ended.then((how) => settle(`ended before it was ready (${how})`));
  });
};

const eachLine = (stream: NodeJS.ReadableStream, read: (line: string) => void): void => {
  let rest = "";
  stream.setEncoding("utf8").on("data", (text: string) => {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) read(line);
  });
};

const endGroup = async (child: ChildProcess, ended: Promise<string>): Promise<void> => {
  killGroup(child, "SIGTERM");
  const timer = setTimeout(() => killGroup(child, "SIGKILL"), endTimeoutMs);
  await ended;
  clearTimeout(timer);
  // Whatever the part started and left behind.
  killGroup(child, "SIGKILL");
};
