// Type of a fuzz target, and its failures.
import { isDeepStrictEqual } from "node:util";

/** Takes any bytes. Throws, or rejects, only when something does not hold that must. */
export type Target = (data: Uint8Array) => void | Promise<void>;

/** Something did not hold. */
export class Violation extends Error {
  constructor(what: string) {
    super(what);
    this.name = "Violation";
  }
}

/** Fails unless the condition holds. */
export function must(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Violation(what);
}

/** Fails unless the two are equal to the last property. */
export const mustEqual = (found: unknown, expected: unknown, what: string): void =>
  must(isDeepStrictEqual(found, expected), what);

/** Messages of the engine: a fault in the code, whatever the class of the error is. */
const faults =
  /is not (?:a function|iterable|defined|a constructor)|^Cannot (?:read|set|convert|destructure|mix|access)|call stack|^Invalid (?:array|typed array|string|array buffer) length|allocation failed/i;

/** The result of the work, or undefined after a documented error. */
export const unlessRefused = <A>(
  work: () => A,
  ...refusals: ReadonlyArray<abstract new (...args: never) => Error>
): A | undefined => {
  try {
    return work();
  } catch (error) {
    const isFault = error instanceof ReferenceError || faults.test(error instanceof Error ? error.message : "");
    if (!isFault && refusals.some((refusal) => error instanceof refusal)) return undefined;
    throw error;
  }
};

const utf8 = new TextDecoder("utf-8", { ignoreBOM: true });

/** The bytes as text; what is not UTF-8 becomes U+FFFD. */
export const textOf = (data: Uint8Array): string => utf8.decode(data);

/** The bytes as text of a character each, as header fields are read. */
export const latin1Of = (data: Uint8Array): string => String.fromCharCode(...data);

/** Text as the value of a header; undefined where no header could carry it. */
export const headerOf = (text: string): string | undefined => {
  const value = text.trim();
  return /[\0\r\n]/.test(value) ? undefined : value;
};
