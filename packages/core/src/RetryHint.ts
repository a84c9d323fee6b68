// Retry delays that servers ask for.
import type { JsonValue } from "@bufbuild/protobuf";
import { parseHttpDate } from "@bytenite-engines/http-cache/date";
import type { ErrorDetail } from "./EngineError.ts";

type BinaryDelay = (binary: Uint8Array) => number | undefined;

/** Reads a header by its name, in any case; null when absent. */
export interface HeaderReader {
  get(name: string): string | null;
}

/** Longest wait that is reported, in milliseconds: 2^31 s, as RFC 9111 bounds delta-seconds. */
const maxHintMs = 2 ** 31 * 1000;

/**
 * The wait that a server asks for, in milliseconds, or undefined. The most precise source wins: google.rpc.RetryInfo of the
 * body, then `retry-after-ms`, then `Retry-After`, then `Grpc-Metadata-Retry-After` (grpc-gateway forwards metadata so).
 * Unreadable hints count as absent; a moment that has passed is a wait of 0. `binaryDelayMs` reads a RetryInfo in protobuf.
 */
export const retryHintMs = (
  headers: HeaderReader,
  details: ReadonlyArray<ErrorDetail>,
  nowMs: number,
  binaryDelayMs?: BinaryDelay,
): number | undefined => {
  const hintMs =
    retryInfoMs(details, binaryDelayMs) ??
    milliseconds(headers.get("retry-after-ms")) ??
    retryAfterMs(headers.get("retry-after"), headers.get("date"), nowMs) ??
    retryAfterMs(headers.get("grpc-metadata-retry-after"), headers.get("date"), nowMs);
  return hintMs && Math.min(hintMs, maxHintMs);
};

const retryInfoMs = (
  details: ReadonlyArray<ErrorDetail>,
  binaryDelayMs: BinaryDelay | undefined,
): number | undefined => {
  for (const { type, binary, json } of details) {
    if (type !== "google.rpc.RetryInfo") continue;
    const delayMs = binary === undefined ? durationTextMs(json?.["retryDelay"]) : binaryDelayMs?.(binary);
    if (delayMs !== undefined) return delayMs;
  }
  return undefined;
};

/** A google.protobuf.Duration in JSON: `1.5s`. */
const durationTextMs = (text: JsonValue | undefined): number | undefined => {
  const seconds = typeof text === "string" ? /^(\d+(?:\.\d{1,9})?)s$/.exec(text)?.[1] : undefined;
  return seconds === undefined ? undefined : millisecondsOf(seconds);
};

/** Whole milliseconds, rounded up, of seconds in decimal. To the nanosecond first: 2.007 * 1000 is a little more than 2007. */
const millisecondsOf = (seconds: string): number => Math.ceil(Math.round(Number(seconds) * 1e9) / 1e6);

const milliseconds = (value: string | null): number | undefined =>
  value !== null && /^\d+(?:\.\d+)?$/.test(value.trim()) ? Math.ceil(Number(value)) : undefined;

/**
 * `Retry-After` (RFC 9110, 10.2.3): seconds, or a date in one of the three forms of 5.6.7. A date is compared with the
 * server's own `Date`, so that a clock that runs differently here does not matter.
 */
export const retryAfterMs = (value: string | null, date: string | null, nowMs: number): number | undefined => {
  if (value === null) return undefined;
  const text = value.trim();
  if (/^\d+(?:\.\d+)?$/.test(text)) return millisecondsOf(text);
  const until = parseHttpDate(text, nowMs);
  if (until === undefined) return undefined;
  const from = parseHttpDate(date, nowMs) ?? nowMs;
  return Math.max(0, until - from);
};
