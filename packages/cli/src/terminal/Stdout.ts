// The stream of data: written in order, as fast as it is read; a pager on a terminal; a closed pipe ends quietly.
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import type { Writable } from "node:stream";
import { reasonOf } from "../config/Files.ts";
import { startPager } from "./Pager.ts";
import type { Environment } from "./Terminal.ts";
import { FileError } from "../Errors.ts";

/** Whoever read our output has gone; nothing more is to be written. */
export class ClosedPipe extends Error {
  readonly _tag = "ClosedPipe";
}

/** How a long text is shown a screen at a time. */
export interface PagerOptions {
  /** Shell command. */
  readonly command: string;
  /** Lines of the terminal: less than these need no pager. */
  readonly height: number;
  readonly env: Environment;
}

/** Data on stdout. */
export class Stdout {
  readonly #stream: Writable;
  readonly #before: () => void;
  readonly #onPager: (isOpen: boolean) => void;
  #pager: PagerOptions | undefined;
  #child: ChildProcess | undefined;
  #begun = false;

  /** Applied to text, for a terminal that cannot show all of it. */
  shown: (text: string) => string = (text) => text;

  /**
   * `before` is called before each write, so that a progress line is out of the way; `onPager` when a pager takes the terminal,
   * and when it is left.
   */
  constructor(stream: Writable, before: () => void, onPager: (isOpen: boolean) => void) {
    this.#stream = stream;
    this.#before = before;
    this.#onPager = onPager;
    // Errors are told by the write that meets them; without a listener they would end the process.
    stream.on("error", () => {});
  }

  /** From the first write on, text that is longer than the screen goes through a pager. */
  usePager(options: PagerOptions): void {
    if (!this.#begun) this.#pager = options;
  }

  /** Resolves when it is handed on. Rejects with ClosedPipe when nobody reads any more. */
  readonly write = async (chunk: string | Uint8Array): Promise<void> => {
    if (chunk.length === 0) return;
    if (!this.#begun) {
      this.#begun = true;
      if (this.#pager !== undefined && linesIn(chunk) >= this.#pager.height) {
        const { command, env } = this.#pager;
        this.#child = await startPager(command, env);
        if (this.#child !== undefined) this.#onPager(true);
      }
    }
    this.#before();
    const stream = this.#child?.stdin ?? this.#stream;
    await new Promise<void>((resolve, reject) => {
      stream.write(typeof chunk === "string" ? this.shown(chunk) : chunk, (error) => {
        if (error === null || error === undefined) resolve();
        else if (isClosed(error)) reject(new ClosedPipe("nobody reads stdout"));
        else reject(new FileError(`Cannot write to stdout: ${reasonOf(error)}`, { cause: error }));
      });
    });
  };

  /** Waits until the pager is left. */
  async end(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    if (child.exitCode === null && child.signalCode === null) {
      const left = once(child, "exit");
      child.stdin?.end();
      await left;
    }
    this.#onPager(false);
  }
}

const linesIn = (chunk: string | Uint8Array): number => (typeof chunk === "string" ? chunk.split("\n").length - 1 : 0);

const isClosed = (error: Error & { code?: string }): boolean =>
  ["EPIPE", "ERR_STREAM_DESTROYED", "ERR_STREAM_WRITE_AFTER_END", "EOF"].includes(error.code ?? "");
