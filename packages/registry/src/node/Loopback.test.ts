import { expect, test } from "vitest";
import { isLoopback } from "./Loopback.ts";

test.for(["127.0.0.1", "127.1.2.3", "localhost", "::1", "0:0:0:0:0:0:0:1"])("%s is this machine alone", (host) => {
  expect(isLoopback(host)).toBe(true);
});

test.for([
  "0.0.0.0",
  "::",
  "192.168.0.1",
  "127.evil.example",
  "localhost.example",
  "::ffff:1.2.3.4",
  "fe80::1",
  "",
  "1::1",
])("%s can be reached from elsewhere, or might be", (host) => {
  expect(isLoopback(host)).toBe(false);
});
