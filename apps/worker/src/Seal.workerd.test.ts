import { expect, test } from "vitest";
import { Identities } from "./Identity.ts";

test("an identity is derived", async () => {
  const identity = await new Identities().of("token");
  expect(identity.digest).toHaveLength(64);
});
