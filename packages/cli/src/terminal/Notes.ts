// Progress, notes, warnings and events, on stderr.
import type { EngineEvent } from "@bytenite-engines/core/promise";
import { sayDuration } from "../parse/Duration.ts";
import { safeText } from "./SafeText.ts";
import { styled, type Terminal } from "./Terminal.ts";
import { cut } from "./Width.ts";

/** How much is told. */
export interface Verbosity {
  readonly verbose: boolean;
  readonly trace: boolean;
  readonly quiet: boolean;
}

/** Work shorter than this shows no progress, in milliseconds. */
const progressAfterMs = 400;
/** Time between two pictures of the progress line, in milliseconds. */
const progressEveryMs = 100;
const frames = ["⠋", "⠙", "⠹", "⠸", "⠼", "⠴", "⠦", "⠧", "⠇", "⠏"];

/** Notes of one run. */
export class Notes {
  readonly terminal: Terminal;
  readonly verbosity: Verbosity;
  readonly #write: (text: string) => void;
  #progress: string | undefined;
  #timer: NodeJS.Timeout | undefined;
  #shown = false;
  #frame = 0;

  constructor(terminal: Terminal, verbosity: Verbosity, write: (text: string) => void) {
    this.terminal = terminal;
    this.verbosity = verbosity;
    this.#write = write;
  }

  /** A line for people. Not with --quiet. */
  note(text: string): void {
    if (!this.verbosity.quiet) this.line(text);
  }

  /** A line about something that may be wrong. Not with --quiet. */
  warn(text: string): void {
    this.note(`${styled("warning:", "warning", this.terminal.colour)} ${text}`);
  }

  /** A line that is always told. */
  line(text: string): void {
    this.hide();
    this.#write(`${text}\n`);
  }

  /** What is being done; shown on a terminal only, and only when it takes a while. Undefined: nothing any more. */
  progress(text: string | undefined): void {
    this.#progress = text;
    if (text === undefined) {
      clearInterval(this.#timer);
      this.#timer = undefined;
      this.hide();
    } else if (this.#timer === undefined && this.terminal.live && !this.verbosity.quiet) {
      const since = performance.now();
      this.#timer = setInterval(() => {
        if (performance.now() - since >= progressAfterMs) this.#show();
      }, progressEveryMs).unref();
    }
  }

  /** Takes the progress line away, so that something else can be written. */
  hide(): void {
    if (this.#shown) this.#write("\r\u001b[K");
    this.#shown = false;
  }

  #show(): void {
    if (this.#progress === undefined) return;
    this.#frame = (this.#frame + 1) % frames.length;
    const text = cut(`${frames[this.#frame]} ${safeText(this.#progress)}`, (this.terminal.width ?? 80) - 1);
    this.#write(`\r\u001b[K${text}`);
    this.#shown = true;
  }

  /** Tells an event of the client, as much of it as was asked for. */
  readonly event = (event: EngineEvent): void => {
    if (this.verbosity.trace) this.line(JSON.stringify({ time: new Date().toISOString(), ...event }));
    if (event.type === "retry") this.note(safeText(retryLine(event)));
    else if (this.verbosity.verbose) this.line(safeText(exchangeLine(event)));
  };

  /** Waiting, as progress. */
  waiting(what: string, leftMs: number): void {
    this.progress(`${what}, ${sayDuration(leftMs)} left`);
  }
}

type EventOf<T extends EngineEvent["type"]> = Extract<EngineEvent, { readonly type: T }>;

/** `retrying in 1.2 s: 503 from 127.0.0.1:4010` */
export const retryLine = ({ delayMs, status, reason, url, hinted }: EventOf<"retry">): string =>
  `retrying in ${sayDuration(delayMs)}${hinted ? ", as the server asks" : ""}: ${status ?? words(reason)} from ${new URL(url).host}`;

/** `TimedOut` -> `timed out` */
const words = (tag: string): string => tag.replaceAll(/(?!^)[A-Z]/g, (letter) => ` ${letter}`).toLowerCase();

/** One line about anything that happened. */
export const exchangeLine = (event: EngineEvent): string => {
  switch (event.type) {
    case "exchange": {
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
    case "unanswered": {
      const { url, reason, durationMs, attempt } = event;
      return [`GET ${url}`, words(reason), sayDuration(durationMs), `attempt ${attempt}`].join(" · ");
    }
    case "retry":
      return retryLine(event);
    case "fallback":
      return `${event.url}: asked for ${event.asked}, answered in ${event.answered}`;
    case "renewal":
      return `${event.url}: token renewed (${event.because})`;
    case "breaker":
      return `${event.url}: circuit breaker ${event.state}`;
    case "unknown-fields":
      return `${event.url}: ${event.message} has unknown fields ${event.fields.join(", ")}`;
    case "trust":
    case "drift":
      return `${event.url}: ${event.type}: ${event.message}: ${event.detail}`;
  }
};
