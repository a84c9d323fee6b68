// Makes entries for tests.
import type { Entry } from "../src/Entry.ts";

/** An entry with these properties; the rest is plain. */
export const entryWith = (changes: Partial<Entry> = {}): Entry => ({
  owner: "alice",
  endpoint: "get",
  tag: "zipper@0.1",
  status: 200,
  askedFormat: "json",
  format: "json",
  headers: new Headers({ "content-type": "application/json" }),
  bytes: new TextEncoder().encode("{}"),
  etag: '"e"',
  freshness: {
    lifetimeMs: 60_000,
    explicit: false,
    initialAgeMs: 0,
    responseTimeMs: 1_000,
    staleWhileRevalidateMs: 0,
    staleIfErrorMs: 0,
    alwaysValidate: false,
    neverStale: false,
  },
  fetchedAtMs: 1_000,
  storable: true,
  clientControl: "private, max-age=60",
  ...changes,
});
