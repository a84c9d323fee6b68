// Forms of a retry hint: Retry-After and others.
import type { Hint } from "./FaultRule.ts";

/** The headers of hints, by the server's clock. */
export const hintHeaders = (hints: ReadonlyArray<Hint>, nowMs: number): Readonly<Record<string, string>> => {
  const headers: Record<string, string> = {};
  for (const hint of hints) {
    switch (hint.kind) {
      case "retry-after":
        headers["Retry-After"] = String(hint.seconds);
        break;
      case "retry-after-date":
        headers["Retry-After"] = dateForms[hint.form](new Date(nowMs + hint.seconds * 1_000));
        break;
      case "grpc-metadata-retry-after":
        headers["Grpc-Metadata-Retry-After"] = String(hint.seconds);
        break;
      case "retry-after-ms":
        headers["retry-after-ms"] = String(hint.ms);
        break;
      case "retry-info":
        break;
    }
  }
  return headers;
};

/** The delay of the RetryInfo detail among the hints, in milliseconds. */
export const retryInfoMs = (hints: ReadonlyArray<Hint>): number | undefined =>
  hints.find((hint) => hint.kind === "retry-info")?.ms;

const days = ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

const two = (value: number, pad = "0"): string => String(value).padStart(2, pad);

const month = (date: Date): string => date.toUTCString().slice(8, 11);

const time = (date: Date): string =>
  `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}:${two(date.getUTCSeconds())}`;

/** RFC 9110, 5.6.7. */
const dateForms = {
  "imf-fixdate": (date: Date): string => date.toUTCString(),
  rfc850: (date: Date): string =>
    `${days[date.getUTCDay()]}, ${two(date.getUTCDate())}-${month(date)}-${two(date.getUTCFullYear() % 100)} ${time(date)} GMT`,
  asctime: (date: Date): string =>
    `${days[date.getUTCDay()]?.slice(0, 3)} ${month(date)} ${two(date.getUTCDate(), " ")} ${time(date)} ${date.getUTCFullYear()}`,
};
