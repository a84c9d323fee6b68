import { expect, test } from "vitest";
import {
  attemptLimit,
  credentialOf,
  makeAuthenticator,
  maxTokenCharacters,
  requireScope,
  scopes,
  tokenOf,
  trustMs,
  type Credential,
} from "./Authentication.ts";
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

test("what was good and is no longer counts as an attempt, and nothing does without an address", async () => {
  let isGood = true;
  const authenticate = makeAuthenticator(
    async (token) => (isGood ? credential(token) : undefined),
    makeLimit({ perSecond: 0.001, burst: 2 }, () => 0),
  );
  await authenticate("revoked", 0, address);
  isGood = false;
  for (const _ of [1, 2, 3]) expect(await authenticate("revoked", trustMs, address)).toBeUndefined();
  await expect(authenticate("revoked", trustMs, address)).rejects.toMatchObject({ code: "RESOURCE_EXHAUSTED" });
  for (const _ of [1, 2, 3]) expect(await authenticate("guess", 0)).toBeUndefined();
});

test("a token is looked up again after a second, when a call asks for it, and when the clock went back", async () => {
  const asked: Array<number> = [];
  const authenticate = makeAuthenticator(async (token, nowMs) => {
    asked.push(nowMs);
    return lookup(token);
  });
  for (const ms of [5_000, 5_000, 5_000 + trustMs - 1, 5_000 + trustMs, 4_999, 5_000]) await authenticate("good", ms);
  expect(asked).toEqual([5_000, 5_000 + trustMs, 4_999]);
  await authenticate("good", 5_000, address, "fresh");
  expect(asked).toHaveLength(4);
});

test("a token is remembered until 20,000 have come since, itself among them", async () => {
  for (const [others, times] of [
    [19_998, 1],
    [19_999, 2],
  ] as const) {
    let asked = 0;
    const authenticate = makeAuthenticator(async (token) => {
      if (token === "good") asked += 1;
      return credential(token);
    });
    await authenticate("good", 0);
    for (let other = 0; other < others; other++) await authenticate(String(other), 0);
    await authenticate("good", 0);
    expect([others, asked]).toEqual([others, times]);
  }
});

test("limits are as they are documented", () => {
  expect([maxTokenCharacters, trustMs, attemptLimit]).toEqual([8_192, 1_000, { burst: 30, perSecond: 0.5 }]);
});

/** What a function is refused with, or undefined. */
const refusal = (run: () => unknown): string | undefined => {
  try {
    run();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
};

test("a scope includes those before it", () => {
  const allowed = scopes.map((scope) =>
    scopes.map((needed) => refusal(() => requireScope({ ...credential("x"), scope }, needed)) === undefined),
  );
  expect(allowed).toEqual([
    [true, false, false],
    [true, true, false],
    [true, true, true],
  ]);
  expect(refusal(() => requireScope(credential("x"), "manage"))).toBe(
    "this needs a token with scope manage; this one has scope read",
  );
});

test.for([
  ["x", "x"],
  ["Bearer  x ", "x"],
  ["bearer x", "x"],
  ["", undefined],
  [null, undefined],
  ["Bearer ", undefined],
])("the token of Authorization: %s is %s", ([field, token]) => {
  let read: string | undefined;
  const refused = refusal(() => (read = tokenOf(field ?? null)));
  expect([read, refused]).toEqual([
    token,
    token === undefined ? "Authorization header with an access token is missing" : undefined,
  ]);
});

test("the credential of a row is that of a user who is not disabled", () => {
  const row = { id: "a", kind: "token", scope: "read", user: 1, uuid: "an-id", name: "carol", disabled: null };
  expect(credentialOf(row)).toEqual(credential("a"));
  expect(credentialOf({ ...row, disabled: 0 })).toBeUndefined();
});
