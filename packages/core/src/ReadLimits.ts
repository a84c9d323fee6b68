// Limits on decoded responses.
import type { JsonValue } from "@bufbuild/protobuf";

/** Bounds on a message, checked while it is read. */
export interface ReadLimits {
  /** Nesting of a JSON answer. Default 64. */
  readonly maxJsonDepth: number;
  /** Engines in one answer to `list`. Default 100,000. */
  readonly maxEnginesPerPage: number;
  /**
   * Messages, list items and unknown fields in one answer; in JSON objects, arrays and different names, and eight times as many values. Default
   * 250,000, which is about 40,000 engines with all their fields.
   */
  readonly maxItems: number;
}

export const defaultReadLimits: ReadLimits = { maxJsonDepth: 64, maxEnginesPerPage: 100_000, maxItems: 250_000 };

/** A number in a JSON list takes an eighth of what an object takes; a character of a FieldMask too. */
export const valuesPerItem = 8;

/** A body beyond a limit; reading stopped there. */
export class LimitExceeded extends RangeError {
  readonly limit: string;
  readonly value: number;
  constructor(limit: string, value: number, message = `the answer exceeds ${limit} = ${value}`) {
    super(message);
    this.name = "LimitExceeded";
    this.limit = limit;
    this.value = value;
  }
}

/** JSON that is nested too deeply. */
export const tooDeep = (maxJsonDepth: number): LimitExceeded =>
  new LimitExceeded("maxJsonDepth", maxJsonDepth, `JSON nested deeper than maxJsonDepth = ${maxJsonDepth}`);

/** What a reader gives; undefined where it throws. LimitExceeded is thrown on, unless `ignoresLimits`. */
export const attempted = <A>(read: () => A, ignoresLimits = false): A | undefined => {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof LimitExceeded && !ignoresLimits) throw cause;
    return undefined;
  }
};

const strictUtf8 = new TextDecoder("utf-8", { fatal: true });

/** The JSON in bytes. Throws SyntaxError or TypeError for invalid JSON or UTF-8, LimitExceeded before more than the limits is made of them. */
export const parseJson = (
  bytes: Uint8Array,
  limits: ReadLimits,
  // TextDecoder is no type without the DOM library.
  utf8: { readonly decode: (bytes: Uint8Array) => string } = strictUtf8,
): JsonValue => {
  // Each item takes a byte at least.
  if (bytes.byteLength > limits.maxItems) assertWithin(bytes, limits);
  return JSON.parse(utf8.decode(bytes)) as JsonValue;
};

const code = {
  quote: 0x22,
  colon: 0x3a,
  backslash: 0x5c,
  comma: 0x2c,
  object: 0x7b,
  objectEnd: 0x7d,
  list: 0x5b,
  listEnd: 0x5d,
};

/** Counts items outside of strings. */
const assertWithin = (bytes: Uint8Array, { maxItems, maxJsonDepth }: ReadLimits): void => {
  const maxValues = maxItems * valuesPerItem;
  let items = 0;
  let values = 0;
  let depth = 0;
  const isNew = nameCounter();
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte === code.quote) {
      const end = endOfText(bytes, at + 1);
      // JSON.parse keeps each name that it has not seen, and makes another shape of objects for it.
      if (isName(bytes, end + 1) && isNew(bytes, at, end)) items += 1;
      at = end;
    } else if (byte === code.comma) values += 1;
    else if (byte === code.object || byte === code.list) {
      items += 1;
      depth += 1;
      if (depth > maxJsonDepth + 1) throw tooDeep(maxJsonDepth);
    } else if (byte === code.objectEnd || byte === code.listEnd) depth -= 1;
    // What begins otherwise is neither an object nor a list: nothing is made of it.
    else if (items === 0 && byte !== undefined && byte > 0x20 && byte < 0x80) return;
    if (items > maxItems || values > maxValues) throw new LimitExceeded("maxItems", maxItems);
  }
};

/** Whether a colon follows. */
const isName = (bytes: Uint8Array, start: number): boolean => {
  let at = start;
  while ((bytes[at] ?? code.colon) <= 0x20) at++;
  return bytes[at] === code.colon;
};

/** Tells names that were not there before, by their hashes. */
const nameCounter = (): ((bytes: Uint8Array, start: number, end: number) => boolean) => {
  const seen = new Set<number>();
  const seed = Math.random() * 2 ** 32;
  return (bytes, start, end) => {
    let hash = seed;
    for (let at = start; at < end; at++) hash = Math.imul(hash ^ (bytes[at] as number), 0x01000193);
    const { size } = seen;
    return seen.add(hash).size > size;
  };
};

const endOfText = (bytes: Uint8Array, start: number): number => {
  let at = start;
  while ((bytes[at] ?? code.quote) !== code.quote) at += bytes[at] === code.backslash ? 2 : 1;
  return at;
};
