// Data stream to stdout: order, backpressure, pager, closed pipes.
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Writable } from "node:stream";
import { reasonOf } from "../config/Files.ts";
import { startPager } from "./Pager.ts";
import type { Environment } from "./Terminal.ts";
import { FileError } from "../Errors.ts";

/** The reader has closed the pipe; further output is pointless. */
export class ClosedPipe extends Error {
  readonly _tag = "ClosedPipe";
}

/** Pager of long output. */
export interface PagerOptions {
  /** Shell command. */
  readonly command: string;
  /** Lines of the terminal; shorter output needs no pager. */
  readonly height: number;
  readonly env: Environment;
}

/** Bytes kept of the output sent to a pager: a pipe holds less, so after more the pager has read some. */
const maxKeptBytes = 262_144;

/** Listener for the pager; clears the progress line before data. */
export interface StdoutEvents {
  /** Called before each write, so that a progress line is out of the way. */
  readonly before: () => void;
  /** Called when a pager starts and when it ends. */
  readonly onPager: (isOpen: boolean) => void;
  /** Called when a pager failed before it showed anything; the text is then written directly. */
  readonly onPagerFailure: (command: string, how: string) => void;
}

/** Data on stdout. */
export class Stdout {
  readonly #stream: Writable;
  readonly #events: StdoutEvents;
  /** Output sent to the pager; undefined once it must have read some. */
  #kept: Array<string | Uint8Array> | undefined = [];
  #keptBytes = 0;
  #pager: PagerOptions | undefined;
  #child: ChildProcess | undefined;
  #begun = false;
  #isLeft = false;

  /** Applied to text, for a terminal without UTF-8. */
  shown: (text: string) => string = (text) => text;

  constructor(stream: Writable, events: StdoutEvents) {
    this.#stream = stream;
    this.#events = events;
    // The failing write reports its error; without a listener it would end the process.
    stream.on("error", () => {});
  }

  /** Sends output longer than the screen through a pager. Call it before the first write. */
  usePager(options: PagerOptions): void {
    if (!this.#begun) this.#pager = options;
  }

  /** Resolves when the chunk is written. Rejects with ClosedPipe after the reader has closed the pipe. */
  readonly write = async (chunk: string | Uint8Array): Promise<void> => {
    if (chunk.length === 0) return;
    if (!this.#begun) {
      this.#begun = true;
      if (this.#pager !== undefined && linesIn(chunk) >= this.#pager.height) {
        const { command, env } = this.#pager;
        this.#child = await startPager(command, env);
        if (this.#child !== undefined) this.#events.onPager(true);
      }
    }
    this.#events.before();
    const text = typeof chunk === "string" ? this.shown(chunk) : chunk;
    if (this.#child === undefined) return this.#send(this.#stream, text);
    this.#keep(text);
    try {
      await this.#send(this.#child.stdin ?? this.#stream, text);
    } catch (error) {
      // The kept output includes this chunk.
      if (!(error instanceof ClosedPipe) || !(await this.#withoutPager(this.#child))) throw error;
    }
  };

  #send(stream: Writable, text: string | Uint8Array): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      stream.write(text, (error) => {
        if (error === null || error === undefined) resolve();
        else if (isClosed(error)) reject(new ClosedPipe("nobody reads stdout"));
        else reject(new FileError(`Cannot write to stdout: ${reasonOf(error)}`, { cause: error }));
      });
    });
  }

  #keep(text: string | Uint8Array): void {
    this.#keptBytes += text.length;
    if (this.#keptBytes > maxKeptBytes) this.#kept = undefined;
    this.#kept?.push(text);
  }

  /** Whether the pager failed, so that its output was written directly. */
  async #withoutPager(child: ChildProcess): Promise<boolean> {
    if (child.exitCode === null && child.signalCode === null) {
      const left = once(child, "exit");
      child.stdin?.end();
      await left;
    }
    this.#child = undefined;
    this.#events.onPager(false);
    if (child.exitCode === 0 || this.#isLeft || this.#kept === undefined) return false;
    const how = child.exitCode === null ? `was ended by ${child.signalCode}` : `ended with ${child.exitCode}`;
    this.#events.onPagerFailure(this.#pager?.command ?? "", how);
    for (const text of this.#kept) await this.#send(this.#stream, text);
    return true;
  }

  /** Ends the pager, as a SIGTERM of its own would. Returns whether there was one. */
  leavePager(): boolean {
    this.#isLeft = true;
    return this.#child?.kill("SIGTERM") ?? false;
  }

  /** Waits until the pager ends. */
  async end(): Promise<void> {
    if (this.#child !== undefined) await this.#withoutPager(this.#child);
  }
}

const linesIn = (chunk: string | Uint8Array): number => (typeof chunk === "string" ? chunk.split("\n").length - 1 : 0);

const isClosed = (error: Error & { code?: string }): boolean =>
  ["EPIPE", "ERR_STREAM_DESTROYED", "ERR_STREAM_WRITE_AFTER_END", "EOF"].includes(error.code ?? "");
