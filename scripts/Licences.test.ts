import { expect, test } from "vitest";
import { allowedInPackages, allowedInTools, refused } from "./Licences.ts";

const of = (licence: string) => [{ name: "some-package", version: "1.2.3", licence }];

test.for(["MIT", "(Apache-2.0 AND BSD-3-Clause)", "MIT OR GPL-3.0-only", "BSD-2-Clause OR MIT OR Apache-2.0"])(
  "%s may be handed on",
  (licence) => {
    expect(refused(of(licence), allowedInPackages)).toEqual([]);
  },
);

test.for(["GPL-3.0-only", "MIT AND GPL-3.0-only", "MPL-2.0", "Unknown", "SEE LICENSE IN LICENSE.md"])(
  "%s may not be handed on, and the message names package and licence",
  (licence) => {
    const [message] = refused(of(licence), allowedInPackages);
    expect(message).toContain(`some-package 1.2.3 is under ${licence}`);
  },
);

test("a tool may have licences that a part of a package may not", () => {
  expect(refused(of("MPL-2.0"), allowedInTools)).toEqual([]);
  expect(refused(of("AGPL-3.0-only"), allowedInTools)).toHaveLength(1);
});
