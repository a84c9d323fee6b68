import { expect, test } from "vitest";
import type { RequestHead } from "../api/Answer.ts";
import { assertHosts, makeHostCheck } from "./HostCheck.ts";

const headFor = (host: string | null): RequestHead => ({
  method: "GET",
  target: "/v1/dev/engines",
  header: (name) => (name === "host" ? host : null),
  body: async () => new Uint8Array(),
  chunks: async function* () {},
});

test.for<[ReadonlyArray<string>, ReadonlyArray<string | null>, ReadonlyArray<string>]>([
  [
    [],
    [null, "localhost", "LOCALHOST:1", "127.1.2.3:80", "[::1]", "[::1]:80", "::1"],
    ["", "a", "[::2]", "::2", "::1]", "localhost:x", "[localhost", "a:1:2"],
  ],
  [
    ["A.example", "192.0.2.1", "[2001:db8::1]", "b_c:80"],
    ["a.example", "A.EXAMPLE:7", "192.0.2.1:1", "[2001:db8::1]:1", "2001:db8::1", "b_c", "localhost"],
    ["b.example", "a.example.b", "192.0.2.2", "x@a.example"],
  ],
  [["2001:db8::1"], ["[2001:db8::1]"], ["[2001:db8::2]"]],
  [["*"], ["a", "", "[::2]", "a b"], []],
])("with %j, %j are answered and %j are not", ([allowed, answered, refused]) => {
  const check = makeHostCheck(allowed, { jsonOnly: false });
  // Twice: the last host is known.
  for (const host of answered.flatMap((host) => [host, host]))
    expect([host, check(headFor(host))]).toEqual([host, undefined]);
  for (const host of refused.flatMap((host) => [host, host]))
    expect([host, check(headFor(host))?.status]).toEqual([host, 421]);
});

test.for(["", "https://a", "a/b", "a b", "*.a", "[::1", "ä"])("%j is not a host", (host) => {
  expect(() => assertHosts(["a", host])).toThrow(TypeError);
  expect(() => makeHostCheck([host], { jsonOnly: false })).toThrow(`${JSON.stringify(host)} is not a host`);
});

test("of what is not a host 100 characters are told", () => {
  expect(() => assertHosts([`${"a".repeat(99)}/b`])).toThrow(`"${"a".repeat(99)}/" is not a host`);
});
