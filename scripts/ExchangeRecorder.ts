// Preloaded into a process (`node --import`): tells file descriptor 3 what each of its HTTP exchanges was answered with.
import { subscribe } from "node:diagnostics_channel";
import { writeSync } from "node:fs";

/** One line of JSON per answer. */
export interface RecordedExchange {
  readonly status: number;
  readonly contentType: string | undefined;
  readonly cacheStatus: string | undefined;
}

const descriptor = 3;

interface HeadersMessage {
  readonly response: { readonly statusCode: number; readonly headers: ReadonlyArray<Buffer> };
}

subscribe("undici:request:headers", (message) => {
  const { statusCode, headers } = (message as HeadersMessage).response;
  const named = (name: string): string | undefined => {
    const at = headers.findIndex((header, index) => index % 2 === 0 && header.toString().toLowerCase() === name);
    return at < 0 ? undefined : headers[at + 1]?.toString();
  };
  const exchange: RecordedExchange = {
    status: statusCode,
    contentType: named("content-type"),
    cacheStatus: named("cache-status"),
  };
  writeSync(descriptor, `${JSON.stringify(exchange)}\n`);
});
