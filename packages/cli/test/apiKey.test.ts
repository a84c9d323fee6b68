import { startRegistry, type TestRegistry } from "@bytenite-engines/registry/testing";
import { chmodSync, globSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { type Result } from "@bytenite-engines/test-kit/process";
import { bne, makeHome, writeUserFile, type Home } from "./Bne.ts";

let registry: TestRegistry;

beforeAll(async () => {
  registry = await startRegistry({
    users: [
      { name: "alice", apiKey: "alices-api-key", engines: [{ name: "zipper", version: "0.1", status: "active" }] },
    ],
  });
});
afterEach(() => registry.faults.clear());
afterAll(() => registry.stop());

const key = "alices-api-key";
const alice = (home: Home, ...args: ReadonlyArray<string>): Promise<Result> =>
  bne(home, args, { env: { BYTENITE_BASE_URL: registry.url, BYTENITE_API_KEY: key } });

/** Exchanges of a key that the registry has seen. */
const exchanges = (): number => registry.requests.filter(({ method }) => method === "POST").length;

/** The files in which tokens are kept. */
const kept = (home: Home): ReadonlyArray<string> => globSync(join(home.path, "cache/*/access-tokens/*"));

test("an API key is exchanged for a token, which is what auth token prints", async () => {
  using home = makeHome();
  const login = await bne(home, ["auth", "login", "--with-api-key"], {
    input: "alices-api-key",
    env: { BYTENITE_BASE_URL: registry.url },
  });
  expect(login.code).toBe(0);
  expect((await bne(home, ["list", "-o", "name"])).stdout).toBe("zipper@0.1\n");
  const { stdout } = await bne(home, ["auth", "token"]);
  expect(stdout).not.toContain("alices-api-key");
  expect((await bne(home, ["list"], { env: { BYTENITE_TOKEN: stdout.trim() } })).code).toBe(0);
  expect((await bne(home, ["raw", "GET", "/engines"])).code).toBe(0);
  const wrong = await bne(home, ["list"], { env: { BYTENITE_BASE_URL: registry.url, BYTENITE_API_KEY: "wrong" } });
  expect(wrong.code).toBe(4);
});

test("an API key that cannot be exchanged now is 5, one that is refused is 4", async () => {
  using home = makeHome();
  const asked = (url: string, ...args: ReadonlyArray<string>) =>
    bne(home, args, { env: { BYTENITE_BASE_URL: url, BYTENITE_API_KEY: "wrong" } });
  const refused = await asked("http://127.0.0.1:1/v1/dev", "auth", "token");
  expect(refused).toMatchObject({ code: 5, stdout: "" });
  expect(refused.stderr).toMatch(/bne: Nothing listens at 127\.0\.0\.1:1 \(ECONNREFUSED\), after 4 attempts\nPoint/);
  expect((await asked("http://127.0.0.1:1/v1/dev", "raw", "GET", "/engines")).code).toBe(5);
  expect((await asked(registry.url, "auth", "token")).code).toBe(4);
});

test("the exchange is tried again like any call, and each retry is reported, whatever needs the token", async () => {
  for (const args of [["auth", "token"], ["raw", "GET", "/engines"], ["list"]]) {
    using home = makeHome();
    registry.faults.set([{ on: { endpoint: "auth" }, times: 2, fault: { status: 503 } }]);
    const { code, stderr } = await alice(home, ...args);
    expect({ args, code }).toEqual({ args, code: 0 });
    expect(stderr).toMatch(/^(127\.0\.0\.1:\d+ answered 503; retrying in .* \(attempt \d of \d\)\n){2}$/);
  }
});

test("a key is exchanged once, and the token is kept for the user alone, without the key, until it expires", async () => {
  using home = makeHome();
  registry.requests.length = 0;
  let said = "";
  for (const args of [
    ["list", "-v"],
    ["raw", "GET", "/engines", "-iv"],
    ["doctor", "--trace"],
    ["__complete", "fish", "get", ""],
  ]) {
    const { code, stdout, stderr } = await alice(home, ...args);
    expect({ args, code }).toEqual({ args, code: 0 });
    said += stdout + stderr;
  }
  const { stdout: token } = await alice(home, "auth", "token");
  expect(exchanges()).toBe(1);
  const [file = "", ...others] = kept(home);
  expect(others).toEqual([]);
  expect(statSync(file).mode & 0o777).toBe(0o600);
  expect(statSync(dirname(file)).mode & 0o777).toBe(0o700);
  const content = JSON.parse(readFileSync(file, "utf8")) as { token: string; usedUntilMs: number; expiresAtMs: number };
  expect(`${content.token}\n`).toBe(token);
  expect(content.expiresAtMs - content.usedUntilMs).toBe(60_000);
  expect(file + JSON.stringify(content) + said).not.toContain(key);
  expect(said).not.toContain(content.token);
  writeFileSync(file, JSON.stringify({ ...content, usedUntilMs: Date.now() - 1 }));
  await alice(home, "list");
  expect(exchanges()).toBe(2);
  chmodSync(file, 0o644);
  await alice(home, "list");
  expect(exchanges()).toBe(3);
  expect(statSync(file).mode & 0o777).toBe(0o600);
});

test("a kept token that is refused is replaced in the same run", async () => {
  using home = makeHome();
  await alice(home, "list");
  const [file = ""] = kept(home);
  for (const args of [["list"], ["get", "zipper"], ["raw", "GET", "/engines"]]) {
    const stale = { token: "refused-token", usedUntilMs: Date.now() + 60_000, expiresAtMs: Date.now() + 120_000 };
    writeFileSync(file, JSON.stringify(stale));
    const { code, stdout, stderr } = await alice(home, ...args);
    expect({ args, code }).toEqual({ args, code: 0 });
    expect(stdout + stderr).not.toContain("refused-token");
    expect(readFileSync(file, "utf8")).not.toContain("refused-token");
  }
});

test("logging in or out, removing a profile and clearing the cache forget the tokens", async () => {
  using home = makeHome();
  writeUserFile(home, '{"profiles": {"other": {}}}');
  for (const args of [
    ["auth", "logout"],
    ["auth", "login", "--no-verify"],
    ["profile", "remove", "other"],
    ["cache", "clear"],
  ]) {
    await alice(home, "list");
    expect(kept(home)).toHaveLength(1);
    await bne(home, [...args, "--quiet"], { input: "a-token", env: { BYTENITE_BASE_URL: registry.url } });
    expect({ args, kept: kept(home) }).toEqual({ args, kept: [] });
  }
});

test("where nothing can be kept it goes on, and a token for one server is not sent to another", async () => {
  using home = makeHome();
  writeFileSync(join(home.path, "cache"), "");
  expect((await alice(home, "list", "-o", "name")).stdout).toBe("zipper@0.1\n");
  expect((await alice(home, "auth", "logout")).code).toBe(0);
  using other = makeHome();
  await alice(other, "list");
  await using elsewhere = await startRegistry();
  const { code } = await bne(other, ["list"], { env: { BYTENITE_BASE_URL: elsewhere.url, BYTENITE_API_KEY: key } });
  expect(code).toBe(4);
  expect(elsewhere.requests.map(({ method }) => method)).toEqual(["POST"]);
});
