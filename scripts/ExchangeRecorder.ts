// Preloaded module that reports HTTP exchanges to file descriptor 3.
import { subscribe } from "node:diagnostics_channel";
import { writeSync } from "node:fs";

/** One line of JSON per answer. */
export interface RecordedExchange {
  readonly status: number;
  readonly contentType: string | undefined;
  readonly cacheStatus: string | undefined;
}

const descriptor = 3;

/** Header names and values in turn, as they came. */
type RawHeaders = ReadonlyArray<string | Buffer>;

const record = (status: number, headers: RawHeaders): void => {
  const named = (name: string): string | undefined => {
    const at = headers.findIndex((header, index) => index % 2 === 0 && header.toString().toLowerCase() === name);
    return at < 0 ? undefined : headers[at + 1]?.toString();
  };
  const exchange: RecordedExchange = {
    status,
    contentType: named("content-type"),
    cacheStatus: named("cache-status"),
  };
  writeSync(descriptor, `${JSON.stringify(exchange)}\n`);
};

/** Of the built-in `fetch`. */
subscribe("undici:request:headers", (message) => {
  const { response } = message as { response: { statusCode: number; headers: RawHeaders } };
  record(response.statusCode, response.headers);
});

/** Of `node:http` and `node:https`. */
subscribe("http.client.response.finish", (message) => {
  const { response } = message as { response: { statusCode: number; rawHeaders: RawHeaders } };
  record(response.statusCode, response.rawHeaders);
});
