import { decodeJwt, SignJWT, UnsecuredJWT } from "jose";
import { afterAll, beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { addCredential, ensureUser, listCredentials, revokeCredential } from "../manage/Accounts.ts";
import { openSqlite, type SqliteFile } from "../node/SqliteFile.ts";
import { credentialOfToken, makeAccessTokens } from "./AccessTokens.ts";
import { makeAuthenticator, maxTokenCharacters, recognise, trustMs, type Credential } from "./Authentication.ts";
import { digestOf } from "./Digest.ts";
import { migrate } from "./Migrations.ts";
import { fetchHandler } from "./App.ts";
import { makeLimit } from "./RateLimit.ts";
import { deriveKeyBytes } from "./SecretBox.ts";
import { makeTokenEndpoint, type TokenEndpointOptions } from "./TokenEndpoint.ts";

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
  const verified = vi.spyOn(crypto.subtle, "verify");
  onTestFinished(() => verified.mockRestore());
  const tokens = await makeAccessTokens(key);
  for (const _ of [1, 2]) expect(await tokens.verify(signed, signedMs)).toBe(apiKey.id);
  expect(verified).toHaveBeenCalledTimes(1);
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
  for (const signed of [tokens, undefined]) {
    expect((await credentialOfToken(file.port, signed, "eyJhbGciOiJSUzI1NiJ9.e30.c2ln", 0))?.user.name).toBe("carol");
  }
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

test("a secret of the greatest length is recognised, and a longer one is not", async () => {
  const longest = "x".repeat(maxTokenCharacters);
  for (const secret of [longest, `${longest}x`])
    await addCredential(file, ensureUser(file, "carol", 0), "token", secret, 0);
  expect((await recognise(file.port, longest, 0))?.user.name).toBe("carol");
  expect(await recognise(file.port, `${longest}x`, 0)).toBeUndefined();
});

/** An exchange of API keys; answers status, and message or members. */
const exchange = async (body: string | Blob, options: Partial<TokenEndpointOptions> = {}, method = "POST") => {
  const endpoint = fetchHandler(
    makeTokenEndpoint({ sql: file.port, accessTokens: await makeAccessTokens(key), now: () => 1_000, ...options }),
  );
  const init = method === "POST" ? { method, body } : { method };
  const answer = await endpoint(new Request("http://registry.invalid/v1/auth/access_token", init));
  const text = await answer.text();
  return {
    status: answer.status,
    headers: answer.headers,
    json: JSON.parse(text === "" ? "{}" : text) as Record<string, string>,
  };
};

test("an API key is exchanged for a token of its scope for an hour", async () => {
  const words = ["engines:read", "engines:publish", "registry:manage"];
  const fay = ensureUser(file, "fay", 0);
  for (const [index, scope] of (["read", "publish", "manage"] as const).entries()) {
    await addCredential(file, fay, "api-key", `key-to-${scope}`, 0, scope);
    const { status, headers, json } = await exchange(JSON.stringify({ apiKey: `key-to-${scope}` }));
    const text = words.slice(0, index + 1).join(" ");
    expect([status, headers.get("cache-control"), json["expiresIn"], json["scope"]]).toEqual([
      200,
      "no-store",
      "3600",
      text,
    ]);
    expect(decodeJwt(String(json["token"]))).toMatchObject({ sub: fay.id, iat: 1, exp: 3_601, scope: text });
  }
  const good = '{"apiKey":"key-to-read"}';
  await addCredential(file, fay, "token", "token-of-fay", 0);
  const wrong = "400 body must be JSON";
  for (const [body, expected] of [
    ["", wrong],
    ["{", wrong],
    ["null", '400 body must be {"apiKey": "..."}'],
    ["[]", '400 body must be {"apiKey": "..."}'],
    ["1", '400 body must be {"apiKey": "..."}'],
    ['{"apiKey":""}', '400 body must be {"apiKey": "..."}'],
    ['{"apiKey":1}', '400 body must be {"apiKey": "..."}'],
    ['{"apiKey":"nobody"}', "401 API key is not valid"],
    ['{"apiKey":"token-of-fay"}', "401 API key is not valid"],
    [good.padEnd(16_384), "200 undefined"],
    [good.padEnd(16_385), "413 body is longer than 16384 bytes"],
  ] as const) {
    const { status, headers, json } = await exchange(body);
    expect([body.trim(), `${status} ${json["message"]}`]).toEqual([body.trim(), expected]);
    expect(headers.get("vary")).toBeNull();
  }
  const latin = await exchange(new Blob([Buffer.from('{"apiKey":"\xe4"}', "latin1")]));
  expect(`${latin.status} ${latin.json["message"]}`).toBe(wrong);
  expect((await exchange(good, { accessTokens: undefined })).status).toBe(501);
  expect((await exchange("", {}, "GET")).headers.get("allow")).toBe("POST, OPTIONS");
  const options = await exchange("", {}, "OPTIONS");
  expect([options.status, options.headers.get("cache-control")]).toEqual([204, "no-store"]);
  const attempts = makeLimit({ perSecond: 0.001, burst: 1 }, () => 0);
  const limited = (body: string) =>
    exchange(body, { attempts, addressOf: () => "192.0.2.1" }).then(({ status }) => status);
  expect([await limited(good), await limited("{}".replace("}", '"apiKey":"x"}')), await limited(good)]).toEqual([
    200, 401, 429,
  ]);
  const rated: Array<string> = [];
  await exchange(good, { checkRate: ({ name }) => void rated.push(name) });
  expect(rated).toEqual(["fay"]);
});
