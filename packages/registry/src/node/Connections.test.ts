import { expect, test } from "vitest";
import { countedAddress } from "../api/RateLimit.ts";
import { makeAddressList } from "./Connections.ts";

test.for([
  ["127.0.0.1", "127.0.0.1"],
  ["::ffff:10.1.2.3", "10.1.2.3"],
  ["2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"],
  ["2001:db8:1:2::9", "2001:db8:1:2::/64"],
  ["2001:db8::1", "2001:db8:0:0::/64"],
  ["::1", "0:0:0:0::/64"],
  ["fe80::1%eth0", "fe80:0:0:0::/64"],
  ["1::2:3:4:5:6:7", "1:0:2:3::/64"],
  ["::2:3:4:5:6:7:8", "0:2:3:4::/64"],
  // More groups than an address has, as only a forged field can hold.
  ["1::2:3:4:5:6:7:8:9", "1:2:3:4::/64"],
  ["::", "0:0:0:0::/64"],
  [undefined, ""],
] as const)("connections from %s are counted by %s", ([address, counted]) => {
  expect(countedAddress(address)).toBe(counted);
});

test("a list holds addresses and networks of both families", () => {
  const isListed = makeAddressList(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32", "::1"]);
  for (const address of ["10.200.0.1", "::ffff:10.0.0.1", "192.0.2.7", "2001:db8:ffff::1", "::1"]) {
    expect([address, isListed(address)]).toEqual([address, true]);
  }
  for (const address of ["11.0.0.1", "192.0.2.8", "2001:db9::1", undefined]) {
    expect([address, isListed(address)]).toEqual([address, false]);
  }
});

test.for(["", "localhost", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/a", "::1/129"])("%j is not an address", (entry) => {
  expect(() => makeAddressList([entry])).toThrow(TypeError);
});
