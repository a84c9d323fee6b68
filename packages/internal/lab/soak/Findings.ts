// Results of a run: correct, failed and wrong responses.
import type { Violation } from "./Judge.ts";

/** Violations of which the text is kept. */
const maxTexts = 20;

/** Findings. */
export class Findings {
  readonly #report: (text: string) => void;
  readonly rightBy = new Map<string, number>();
  readonly failedBy = new Map<string, number>();
  readonly wrongBy = new Map<Violation["kind"], number>();
  readonly texts: Array<string> = [];
  aborted = 0;
  /** Calls that failed while nothing was made to go wrong, nor lately had been. */
  failedInCalm = 0;
  /** Whether calls may fail now. */
  isCalm = false;

  /** `report` gets each wrong response at once. */
  constructor(report: (text: string) => void) {
    this.#report = report;
  }

  right(kind: string): void {
    count(this.rightBy, kind);
  }

  wrong({ kind, text }: Violation): void {
    count(this.wrongBy, kind);
    this.say(`${kind}: ${text}`);
  }

  fail(reason: string): void {
    count(this.failedBy, reason);
    if (!this.isCalm) return;
    this.failedInCalm += 1;
    this.say(`failed in calm: ${reason}`);
  }

  abort(): void {
    this.aborted += 1;
  }

  say(text: string): void {
    const dated = `${new Date().toISOString()} ${text}`;
    this.#report(dated);
    if (this.texts.length < maxTexts) this.texts.push(dated);
  }

  get rights(): number {
    return sum(this.rightBy);
  }

  get failures(): number {
    return sum(this.failedBy);
  }

  get wrongs(): number {
    return sum(this.wrongBy);
  }
}

const count = <K>(counts: Map<K, number>, key: K): void => void counts.set(key, (counts.get(key) ?? 0) + 1);

const sum = (counts: ReadonlyMap<unknown, number>): number => [...counts.values()].reduce((all, one) => all + one, 0);
