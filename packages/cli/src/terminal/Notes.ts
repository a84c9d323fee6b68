// Progress, notes, warnings and events, on stderr.
import type { EngineEvent } from "@bytenite-engines/core/promise";
import { sayDuration } from "../parse/Units.ts";
import { safeText } from "./SafeText.ts";
import { styled, type Terminal } from "./Terminal.ts";
import { cut, wrapped } from "./Width.ts";

/** How much is printed. */
export interface Verbosity {
  readonly verbose: boolean;
  readonly trace: boolean;
  readonly quiet: boolean;
  /** Each line is one JSON object: with --trace, and where output is JSON. */
  readonly json: boolean;
  /** Attempts of a call, at most. */
  readonly attempts: () => number;
}

/** Milliseconds have three digits behind the point, microseconds. */
const rounded = (_: string, value: unknown): unknown =>
  typeof value === "number" ? Math.round(value * 1_000) / 1_000 : value;

/** Fields of a note for programs, in addition to its text. */
export type Facts = Readonly<Record<string, string | number | boolean | ReadonlyArray<string>>>;

/** Work shorter than this shows no progress, in milliseconds. */
const progressAfterMs = 400;
/** Time between two frames of the progress line, in milliseconds. */
const progressEveryMs = 100;
/** Width of a bar, in cells, and the least bytes that it is shown for. */
const barCells = 20;
const leastBarBytes = 100_000;
const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/** Notes of one run. */
export class Notes {
  readonly terminal: Terminal;
  readonly verbosity: Verbosity;
  readonly #write: (text: string) => void;
  #progress: string | undefined;
  #bar = "";
  #timer: NodeJS.Timeout | undefined;
  #shown = false;
  #frame = 0;
  /** Lines held back until the pager ends; undefined without a pager. */
  #held: Array<string> | undefined;
  #oldestSeconds = 0;

  constructor(terminal: Terminal, verbosity: Verbosity, write: (text: string) => void) {
    this.terminal = terminal;
    this.verbosity = verbosity;
    this.#write = write;
  }

  /** A line for people; `facts` are for programs. Not with --quiet. */
  note(message: string, facts: Facts = {}): void {
    this.#print("note", message, message, facts);
  }

  /** A line about something that may be wrong. Not with --quiet. */
  warn(message: string): void {
    this.#print("warning", message, `${styled("warning:", "warning", this.terminal.colour)} ${message}`, {});
  }

  #print(type: string, message: string, text: string, facts: Facts): void {
    if (this.verbosity.quiet) return;
    if (this.verbosity.json) return this.line(safeText(JSON.stringify({ type, message, ...facts })));
    const { width } = this.terminal;
    this.line(width === undefined ? text : wrapped(text, width).join("\n"));
  }

  /** A line that is always printed. */
  line(text: string): void {
    if (this.#held !== undefined) return void this.#held.push(text);
    this.hide();
    this.#write(`${text}\n`);
  }

  /** Keeps lines while a pager has the terminal, and prints them afterwards. */
  hold(isHeld: boolean): void {
    const lines = this.#held ?? [];
    this.#held = isHeld ? lines : undefined;
    if (!isHeld) for (const line of lines) this.line(line);
  }

  /** Records the age of a cached response. */
  sawAge(seconds: number): void {
    this.#oldestSeconds = Math.max(this.#oldestSeconds, seconds);
  }

  /** Prints the age of the oldest response, for people and with --verbose. */
  reportAge(): void {
    const ageSeconds = this.#oldestSeconds;
    if (ageSeconds === 0 || !(this.terminal.isTTY || this.verbosity.verbose)) return;
    this.note(`As it was ${sayDuration(ageSeconds * 1_000)} ago, from a cache; --fresh asks past it.`, { ageSeconds });
  }

  /** Sets the current activity, shown on a terminal when it takes a while; undefined ends it. */
  progress(text: string | undefined): void {
    this.#progress = text;
    this.#bar = "";
    if (text === undefined) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      this.hide();
    } else if (this.#timer === undefined && this.terminal.live && !this.verbosity.quiet && !this.verbosity.json) {
      const since = performance.now();
      this.#timer = setInterval(() => {
        if (performance.now() - since >= progressAfterMs) this.#show();
      }, progressEveryMs).unref();
    }
  }

  /** Clears the progress line before other output. */
  hide(): void {
    if (this.#shown) this.#write("\r\u001b[K");
    this.#shown = false;
  }

  #show(): void {
    if (this.#progress === undefined || this.#held !== undefined) return;
    this.#frame = (this.#frame + 1) % frames.length;
    const available = (this.terminal.width ?? 80) - 1 - this.#bar.length;
    const text = cut(`${frames[this.#frame]} ${safeText(this.#progress)}`, available) + this.#bar;
    this.#write(`\r\u001b[K${text}`);
    this.#shown = true;
  }

  /** Prints an event of the client at the requested verbosity. */
  readonly event = (event: EngineEvent): void => {
    const { trace, verbose, quiet, json } = this.verbosity;
    if (event.type === "progress" && event.direction === "download") {
      this.transfer(event.bytes, event.totalBytes);
    }
    const isShown = (verbose && event.type !== "progress") || (event.type === "retry" && !quiet);
    if (trace || (json && isShown))
      this.line(safeText(JSON.stringify({ time: new Date().toISOString(), ...event }, rounded)));
    else if (isShown) this.line(safeText(event.type === "retry" ? this.#retryLine(event) : exchangeLine(event)));
  };

  /** `cannot reach 127.0.0.1:4010; retrying in 1.2 s (attempt 2 of 4)` */
  #retryLine({ attempt, delayMs, status, reason, url, hinted }: EventOf<"retry">): string {
    const { host } = new URL(url);
    const what =
      status !== undefined
        ? `${host} answered ${status}${reason === "Undecodable" ? ", which cannot be read" : ""}`
        : reason === "Unreachable"
          ? `cannot reach ${host}`
          : reason === "TimedOut"
            ? `no answer from ${host}`
            : `${host}: ${words(reason)}`;
    const asked = hinted ? ", as the server asks" : "";
    return `${what}; retrying in ${sayDuration(delayMs)}${asked} (attempt ${attempt + 1} of ${this.verbosity.attempts()})`;
  }

  /** Shows how much of a body was sent or received, as a bar after the activity. */
  transfer(bytes: number, totalBytes: number | undefined): void {
    if (totalBytes === undefined || totalBytes < leastBarBytes) return;
    const part = Math.min(1, bytes / totalBytes);
    const full = Math.round(part * barCells);
    this.#bar = ` ${"█".repeat(full)}${"░".repeat(barCells - full)} ${Math.floor(part * 100)}%`;
  }

  /** Waiting, as progress. */
  waiting(what: string, leftMs: number): void {
    this.progress(`${what}, ${sayDuration(leftMs)} left`);
  }
}

type EventOf<T extends EngineEvent["type"]> = Extract<EngineEvent, { readonly type: T }>;

/** `TimedOut` -> `timed out` */
const words = (tag: string): string => tag.replaceAll(/(?!^)[A-Z]/g, (letter) => ` ${letter}`).toLowerCase();

/** One line about an event. */
export const exchangeLine = (event: Exclude<EngineEvent, { readonly type: "retry" }>): string => {
  switch (event.type) {
    case "response": {
      const { method, url, status, mediaType, bytes, durationMs, attempt, cacheStatus } = event;
      const parts = [
        `${method} ${url}`,
        String(status),
        mediaType ?? "no media type",
        `${bytes.toLocaleString("en")} bytes`,
        sayDuration(durationMs),
        `attempt ${attempt}`,
        cacheStatus === undefined ? "no cache" : `cache ${cacheStatus}`,
      ];
      return parts.join(" · ");
    }
    case "request-error": {
      const { method = "GET", url, reason, durationMs, attempt } = event;
      return [`${method} ${url}`, words(reason), sayDuration(durationMs), `attempt ${attempt}`].join(" · ");
    }
    case "failure": {
      const { url, reason, status, attempts, retryStopped } = event;
      return `${url}: ${status ?? words(reason)} after ${attempts} attempts, not attempted again: ${words(retryStopped)}`;
    }
    case "fallback":
      return `${event.url}: asked for ${event.asked}, answered in ${event.answered}`;
    case "token-refresh":
      return `${event.url}: token renewed (${event.because})`;
    case "breaker":
      return `${event.url}: circuit breaker ${event.state}`;
    case "unknown-fields":
      return `${event.url}: ${event.message} has unknown fields ${event.fields.join(", ")}`;
    case "progress":
      return `${event.url}: ${event.direction} ${event.bytes} of ${event.totalBytes ?? "?"} bytes`;
    case "verified":
    case "drift":
      return `${event.url}: ${event.type}: ${event.message}: ${event.detail}`;
  }
};
