// Makes entries for tests.
import type { Entry } from "../src/Entry.ts";

/** An entry with these properties; the rest is plain. */
export const entryWith = (changes: Partial<Entry> = {}): Entry => ({
  version: 1,
  url: "http://upstream.example/v1/dev/engines/zipper@0.1",
  vary: [],
  owner: "alice",
  endpoint: "get",
  names: ["zipper"],
  status: 200,
  askedFormat: "json",
  format: "json",
  headers: [["content-type", "application/json"]],
  client: [
    ["content-type", "application/json"],
    ["etag", '"e"'],
  ],
  bytes: new TextEncoder().encode("{}"),
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
  ...changes,
});
