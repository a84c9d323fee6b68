// The stream of everything that is no data: progress, notes, warnings, what travels. All of it goes to stderr.
import type { EngineEvent } from "@bytenite-engines/core/promise";
import { sayDuration } from "../Duration.ts";
import { safeText } from "../text/SafeText.ts";
import { cut } from "../text/Width.ts";
import { exchangeLine, retryLine } from "./EventText.ts";
import { styled } from "./Style.ts";
import type { Terminal } from "./Terminal.ts";

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
