import { decodeJwt, SignJWT, UnsecuredJWT } from "jose";
import { afterAll, beforeAll, expect, test } from "vitest";
import { addCredential, ensureUser, listCredentials, revokeCredential } from "../manage/Accounts.ts";
import { openSqlite, type SqliteFile } from "../node/SqliteFile.ts";
import { credentialOfToken, makeAccessTokens } from "./AccessTokens.ts";
import { makeAuthenticator, recognise, trustMs, type Credential } from "./Authentication.ts";
import { digestOf } from "./Digest.ts";
import { migrate } from "./Migrations.ts";
import { deriveKeyBytes } from "./SecretBox.ts";

const key = "0123456789abcdef0123456789abcdef";

let file: SqliteFile;
let apiKey: Credential;
let token: Credential;

beforeAll(async () => {
  file = openSqlite(":memory:");
  await migrate(file.port, 0);
  const carol = ensureUser(file, "carol", 0);
  await addCredential(file, carol, "api-key", "key-of-carol", 0);
  await addCredential(file, carol, "token", "token-of-carol", 0);
  apiKey = (await recognise(file.port, "key-of-carol", 0)) as Credential;
  token = (await recognise(file.port, "token-of-carol", 0)) as Credential;
});

afterAll(() => file.close());

test("a signed token is good for its user for an hour, in every process that has the key", async () => {
  const signedMs = 1_790_000_000_900;
  const signed = await (await makeAccessTokens(key)).sign(apiKey, signedMs);
  const [iat, exp] = [1_790_000_000, 1_790_003_600];
  expect(decodeJwt(signed)).toMatchObject({ iat, exp, sub: apiKey.user.id, key: apiKey.id });
  const elsewhere = await makeAccessTokens(key);
  const at = async (ms: number): Promise<string | undefined> =>
    (await credentialOfToken(file.port, elsewhere, signed, ms))?.user.name;
  expect(await at(signedMs)).toBe("carol");
  expect(await at(exp * 1_000 - 1)).toBe("carol");
  expect(await at(exp * 1_000)).toBeUndefined();
  expect(await (await makeAccessTokens(key)).verify(signed, exp * 1_000)).toBeUndefined();
  expect((await credentialOfToken(file.port, elsewhere, signed, signedMs))?.kind).toBe("token");
});

test("a token that is altered, unsigned, of another key, issuer or algorithm, or without an API key, is invalid", async () => {
  const tokens = await makeAccessTokens(key);
  const secret = await deriveKeyBytes(key, "access tokens");
  const claims = { key: apiKey.id };
  const jwt = (issuer: string): SignJWT =>
    new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).setIssuer(issuer).setExpirationTime(9e9);
  const ours = "bytenite-engines-registry";
  expect(await credentialOfToken(file.port, tokens, await jwt(ours).sign(secret), 0)).toBeDefined();
  const signed = await tokens.sign(apiKey, 0);
  const doubtful = [
    `${signed.slice(0, -2)}AA`,
    new UnsecuredJWT(claims).setIssuer(ours).setExpirationTime(9e9).encode(),
    await jwt("somebody else").sign(secret),
    await jwt(ours).sign(new Uint8Array(32)),
    await new SignJWT(claims)
      .setProtectedHeader({ alg: "HS512" })
      .setIssuer(ours)
      .setExpirationTime(9e9)
      .sign(new Uint8Array(64)),
    await new SignJWT(claims).setProtectedHeader({ alg: "HS256" }).setIssuer(ours).sign(secret),
    await new SignJWT({}).setProtectedHeader({ alg: "HS256" }).setIssuer(ours).setExpirationTime(9e9).sign(secret),
    await (await makeAccessTokens(undefined)).sign(apiKey, 0),
    await tokens.sign(token, 0),
    await tokens.sign({ ...apiKey, id: "nobody" }, 0),
  ];
  for (const [index, text] of doubtful.entries()) {
    expect([index, await credentialOfToken(file.port, tokens, text, 0)]).toEqual([index, undefined]);
  }
});

test("a token of one's own may look like a signed one", async () => {
  const tokens = await makeAccessTokens(key);
  await addCredential(file, ensureUser(file, "carol", 0), "token", "eyJhbGciOiJSUzI1NiJ9.e30.c2ln", 0);
  expect((await credentialOfToken(file.port, tokens, "eyJhbGciOiJSUzI1NiJ9.e30.c2ln", 0))?.user.name).toBe("carol");
});

test("a secret is recognised by its whole digest: one that shares the part that is looked up is not", async () => {
  const { bytes } = await digestOf("token-of-carol");
  const twin = Uint8Array.from(bytes, (byte, index) => (index === bytes.length - 1 ? byte ^ 1 : byte));
  file.transaction((run) => run("UPDATE credentials SET digest = ? WHERE digest = ?", twin, bytes));
  expect(await recognise(file.port, "token-of-carol", 0)).toBeUndefined();
  file.transaction((run) => run("UPDATE credentials SET digest = ? WHERE digest = ?", bytes, twin));
  expect((await recognise(file.port, "token-of-carol", 0))?.id).toBe(token.id);
});

test("a credential that has expired or was revoked is not recognised, and takes its signed tokens along", async () => {
  const tokens = await makeAccessTokens(key);
  const signed = await tokens.sign(apiKey, 0);
  const listed = listCredentials(file).find(({ kind }) => kind === "api-key");
  file.transaction((run) => run("UPDATE credentials SET expires_at = 1000 WHERE id = ?", listed?.id ?? ""));
  expect(await recognise(file.port, "key-of-carol", 999)).toBeDefined();
  expect(await recognise(file.port, "key-of-carol", 1_000)).toBeUndefined();
  expect(await credentialOfToken(file.port, tokens, signed, 999)).toBeDefined();
  revokeCredential(file, listed?.id ?? "", 1);
  expect(await recognise(file.port, "key-of-carol", 999)).toBeUndefined();
  expect(await credentialOfToken(file.port, tokens, signed, 999)).toBeUndefined();
});

test("a good token is looked up once in a while, an unknown one every time", async () => {
  const asked: Array<string> = [];
  const authenticate = makeAuthenticator(async (secret) => {
    asked.push(secret);
    return secret === "good" ? token : undefined;
  });
  for (const ms of [0, 1, trustMs - 1]) expect(await authenticate("good", ms)).toBe(token);
  expect(asked).toEqual(["good"]);
  await authenticate("good", trustMs);
  for (const ms of [0, 1]) expect(await authenticate("bad", ms)).toBeUndefined();
  expect(asked).toEqual(["good", "good", "bad", "bad"]);
});
