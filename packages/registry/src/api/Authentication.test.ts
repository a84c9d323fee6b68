import { expect, test } from "vitest";
import { makeAuthenticator, trustMs, type Credential } from "./Authentication.ts";
import { makeLimit } from "./RateLimit.ts";

const credential = (id: string): Credential => ({
  id,
  kind: "token",
  scope: "read",
  user: { number: 1, id: "an-id", name: "carol" },
});

const address = "192.0.2.1";

const lookup = async (token: string) => (token.startsWith("good") ? credential(token) : undefined);

/** Knows the tokens that begin with `good`; an address may try two that it does not know. */
const authenticator = () =>
  makeAuthenticator(
    lookup,
    makeLimit({ perSecond: 0.001, burst: 2 }, () => 0),
  );

test("right credentials do not count as attempts of their address", async () => {
  const authenticate = authenticator();
  for (let index = 0; index < 10; index++) {
    expect((await authenticate(`good-${index}`, 0, address))?.id).toBe(`good-${index}`);
  }
});

test("a token that was good before is looked up again, whatever was tried from its address meanwhile", async () => {
  const authenticate = authenticator();
  expect((await authenticate("good", 0, address))?.id).toBe("good");
  expect(await authenticate("guess-1", 0, address)).toBeUndefined();
  expect(await authenticate("guess-2", 0, address)).toBeUndefined();
  await expect(authenticate("guess-3", 0, address)).rejects.toMatchObject({ code: "RESOURCE_EXHAUSTED" });
  await expect(authenticate("good-too", 0, address)).rejects.toMatchObject({ code: "RESOURCE_EXHAUSTED" });
  expect((await authenticate("good", 2 * trustMs, address))?.id).toBe("good");
});
