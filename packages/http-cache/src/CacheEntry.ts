// Entries: stored responses as plain JSON.
import { fieldName } from "./CacheControl.ts";
import type { Freshness } from "./Freshness.ts";
import type { SelectingFields } from "./Vary.ts";

/** Version of the format of entries. */
export const entryVersion = 1;

/** A stored response without its body. Plain JSON. */
export interface CacheEntry {
  /** Entries of another version are treated as absent. */
  readonly version: typeof entryVersion;
  /** URL without fragment. */
  readonly url: string;
  readonly status: number;
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>;
  /** The request fields that Vary names; null for an absent one. */
  readonly vary: SelectingFields;
  readonly freshness: Freshness;
}

const numbers = ["lifetimeMs", "initialAgeMs", "responseTimeMs", "staleWhileRevalidateMs", "staleIfErrorMs"] as const;
const flags = ["explicit", "alwaysValidate", "neverStale"] as const;

/** Entries that are known to be whole: each is checked once, which takes a third of an evaluation. */
const whole = new WeakSet<object>();

/** Whether what a storage returned is an entry of this version with all its parts. */
export const isEntry = (stored: unknown): stored is CacheEntry => {
  const entry: Partial<CacheEntry> = Object(stored);
  if (whole.has(entry)) return true;
  const { version, url, status, headers, vary } = entry;
  const freshness: Partial<Freshness> = Object(entry.freshness);
  const isWhole =
    version === entryVersion &&
    typeof url === "string" &&
    Number.isInteger(status) &&
    hasFields(headers, (value) => typeof value === "string" && isFieldValue(value)) &&
    hasFields(vary, (value) => value === null || typeof value === "string") &&
    numbers.every((name) => typeof freshness[name] === "number") &&
    flags.every((name) => typeof freshness[name] === "boolean");
  if (isWhole) whole.add(entry);
  return isWhole;
};

/** Whether `Headers` takes it: in Workers also characters beyond Latin-1, where a server sent UTF-8. */
const isFieldValue = (value: string): boolean => {
  if (/^[\t -\xff]*$/.test(value)) return true;
  try {
    return new Headers({ etag: value }).has("etag");
  } catch {
    return false;
  }
};

const hasFields = (fields: unknown, isValue: (value: unknown) => boolean): boolean =>
  Array.isArray(fields) &&
  fields.every(
    (field) =>
      Array.isArray(field) &&
      field.length === 2 &&
      typeof field[0] === "string" &&
      fieldName.test(field[0]) &&
      isValue(field[1]),
  );
