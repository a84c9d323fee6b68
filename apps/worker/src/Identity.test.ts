import { expect, test } from "vitest";
import { Identities } from "./Identity.ts";

test("all requests that come with a token at once get one identity: what is noted of it holds for each", async () => {
  const identities = new Identities();
  const [first, ...others] = await Promise.all(Array.from({ length: 5 }, () => identities.of("the-token")));
  for (const other of others) expect(other).toBe(first);
  expect(identities.recall("the-token")).toBe(first);
  expect(await identities.of("another")).not.toBe(first);
});
