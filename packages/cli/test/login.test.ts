// `auth login`, `config set` and `profile set`: what is stored works afterwards.
import { startRegistry, type TestRegistry } from "@bytenite-engines/registry/testing";
import { json, startServer } from "@bytenite-engines/test-kit/ports";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { resultOf, type Result } from "@bytenite-engines/test-kit/process";
import { bne, makeHome, startBne, type Home } from "./Bne.ts";
import { onTerminal } from "./Pty.ts";

let registry: TestRegistry;

beforeAll(async () => {
  registry = await startRegistry({
    users: [{ name: "alice", apiKey: "alices-api-key", engines: [{ name: "zipper", version: "0.1" }] }],
  });
});
afterEach(() => registry.faults.clear());
afterAll(() => registry.stop());

const stored = (home: Home): boolean => existsSync(join(dirname(home.userFile), "credentials.json"));
const login = (home: Home, input: string, ...args: ReadonlyArray<string>): Promise<Result> =>
  bne(home, ["auth", "login", ...args], { input, env: { BYTENITE_BASE_URL: registry.url } });

test("login tries the token with one request, and stores none that is refused", async () => {
  using home = makeHome();
  registry.requests.length = 0;
  const good = await login(home, "local-alice\n");
  expect(good).toMatchObject({ code: 0, stdout: "" });
  expect(good.stderr).toMatch(/^The token works at 127\.0\.0\.1:\d+\.\nStored in /);
  expect(registry.requests.map(({ method }) => method)).toEqual(["GET"]);
  using other = makeHome();
  const wrong = await login(other, "wrong\n");
  expect(wrong.code).toBe(4);
  expect(wrong.stderr).toMatch(/^bne: 127\.0\.0\.1:\d+ does not accept the token \(401\), so it is not stored\n/);
  expect(wrong.stderr).not.toContain("wrong");
  expect(stored(other)).toBe(false);
  registry.requests.length = 0;
  expect((await login(other, "wrong\n", "--no-verify")).code).toBe(0);
  expect(registry.requests).toHaveLength(0);
  expect(stored(other)).toBe(true);
});

test("login tries an API key by exchanging it once", async () => {
  using home = makeHome();
  registry.requests.length = 0;
  expect((await login(home, "alices-api-key", "--with-api-key")).code).toBe(0);
  expect(registry.requests.map(({ method }) => method)).toEqual(["POST"]);
  using other = makeHome();
  expect((await login(other, "wrong", "--with-api-key")).code).toBe(4);
  expect(stored(other)).toBe(false);
});

test("an exchange that is not answered is tried once", async () => {
  using home = makeHome();
  registry.faults.set([{ fault: { status: 503 } }]);
  registry.requests.length = 0;
  expect((await login(home, "alices-api-key", "--with-api-key")).code).toBe(5);
  expect(registry.requests).toHaveLength(1);
});

test("an exchange that answers without a token is not reported as a wrong key", async () => {
  using home = makeHome();
  await using server = await startServer((_, response) => json(response, 200, { expiresIn: 60 }));
  const authUrl = `${server.origin}/exchange`;
  const { code, stderr } = await login(home, "alices-api-key", "--with-api-key", "--auth-url", authUrl);
  expect(code).toBe(4);
  expect(stderr).toMatch(/^bne: Could not get a token: .*\nIt is not stored; --no-verify/);
  expect(stored(home)).toBe(false);
});

test("a server that cannot be asked, or is none, is said, with the way to store the token all the same", async () => {
  for (const [url, code] of [
    ["http://127.0.0.1:9/v1/dev", 5],
    [new URL(registry.url).origin, 3],
  ] as const) {
    using home = makeHome();
    const result = await bne(home, ["auth", "login"], { input: "local-alice", env: { BYTENITE_BASE_URL: url } });
    expect({ url, code: result.code }).toEqual({ url, code });
    expect(result.stderr).toContain("--no-verify");
    expect(stored(home)).toBe(false);
  }
  using home = makeHome();
  registry.requests.length = 0;
  registry.faults.set([{ fault: { status: 503 } }]);
  expect((await login(home, "local-alice")).code).toBe(5);
  expect(registry.requests).toHaveLength(1);
  registry.faults.set([{ fault: { status: 403 } }]);
  const denied = await login(home, "local-alice");
  expect(denied.code).toBe(0);
  expect(denied.stderr).toMatch(/^warning: .* answers 403: the token may not list engines/m);
});

test("login takes exactly one line of a bounded length", async () => {
  for (const [input, said] of [
    ["", "Nothing was given"],
    ["\n", "Nothing was given"],
    ["local-alice\nlocal-bob\n", "more than one line"],
    ["\nlocal-alice\n", "more than one line"],
    ["local-alice\n\n", "more than one line"],
    ["Bearer local-alice\n", "no spaces"],
    [`${"x".repeat(70_000)}\n`, "longer than 65536"],
    ["local-\u00e4lice\n", "beyond ASCII"],
    ["local\u0000alice\n", "beyond ASCII"],
  ] as const) {
    using home = makeHome();
    const { code, stderr } = await login(home, input);
    expect({ input: input.slice(0, 40), code }).toEqual({ input: input.slice(0, 40), code: 2 });
    expect(stderr).toContain(said);
    expect(stderr).not.toContain("local-");
    expect(stored(home)).toBe(false);
  }
  for (const input of ["local-alice", "local-alice\r\n", " local-alice \n"]) {
    using home = makeHome();
    expect((await login(home, input)).code).toBe(0);
  }
});

test("an endless stdin ends login", async () => {
  using home = makeHome();
  const child = startBne(home, ["auth", "login"], { env: { BYTENITE_BASE_URL: registry.url } });
  child.stdin.on("error", () => {});
  const feed = (): void => {
    while (!child.stdin.destroyed && child.stdin.write("x".repeat(65_536)));
  };
  child.stdin.on("drain", feed);
  feed();
  const { code } = await resultOf(child);
  expect(code).toBe(2);
});

test("two lines pasted at the prompt are refused", async () => {
  using home = makeHome();
  const run = onTerminal(home, ["auth", "login", "--no-keychain"], { env: { BYTENITE_BASE_URL: registry.url } });
  await run.until(/Access token \(not shown\): /);
  run.type("local-alice\rlocal-bob\r");
  expect(await run.ended).toBe(2);
  expect(run.raw()).toContain("more than one line");
  expect(run.raw()).not.toContain("local-");
});

test("a variable that overrides what was stored is said at once", async () => {
  for (const name of ["BYTENITE_TOKEN", "BYTENITE_API_KEY"]) {
    using home = makeHome();
    const { code, stderr } = await bne(home, ["auth", "login"], {
      input: "local-alice",
      env: { BYTENITE_BASE_URL: registry.url, [name]: "something-else" },
    });
    expect(code).toBe(0);
    expect(stderr).toContain(`warning: ${name} is set and is used instead of what was stored`);
    expect(stderr).not.toContain("something-else");
  }
});

test("config set and profile set refuse what would make every later call fail", async () => {
  using home = makeHome();
  for (const [key, value, said] of [
    ["attempts", "0", "must be a whole number from 1"],
    ["deadline", "0s", "must be at least 1 ms"],
    ["deadline", "5ms", "every call would time out"],
    ["baseUrl", "http://", "must be an http or https URL"],
    ["baseUrl", "ftp://host/v1/dev", "must be an http or https URL"],
    ["baseUrl", "http://me:secret@127.0.0.1/v1/dev", "must not carry a user name or password"],
    ["baseUrl", "http://127.0.0.1/v1/dev?x=1", "must not carry a query or fragment"],
    ["baseUrl", "http://127.0.0.1/v1/dev#x", "must not carry a query or fragment"],
    ["baseUrl", "http://127.0.0.1:99999/v1/dev", "must be an http or https URL"],
    ["output", "xml", "must be one of"],
    ["wireFormat", "xml", "must be one of"],
    ["color", "blue", "must be one of"],
    ["profile", "nobody", "There is no profile"],
    ["pager", "no-such-pager -x", "There is no program no-such-pager"],
    ["pager", "/", "There is no program /"],
  ] as const) {
    const { code, stderr } = await bne(home, ["config", "set", key, value]);
    expect({ key, value, code }).toEqual({ key, value, code: key === "profile" ? 3 : 2 });
    expect(stderr).toContain(said);
    expect(stderr).not.toContain("secret");
    expect(existsSync(home.userFile)).toBe(false);
  }
  for (const flag of [
    ["--attempts", "0"],
    ["--deadline", "0s"],
    ["--deadline", "5ms"],
    ["--base-url", "http://me:secret@127.0.0.1/v1/dev"],
    ["--base-url", "http://127.0.0.1/v1/dev?x=1"],
  ] as const) {
    expect({ flag, code: (await bne(home, ["profile", "set", "x", ...flag])).code }).toEqual({ flag, code: 2 });
  }
  expect(existsSync(home.userFile)).toBe(false);
});

test("protobuf as a setting makes no command fail: where it cannot be, what can is written", async () => {
  using home = makeHome();
  await login(home, "local-alice");
  expect((await bne(home, ["config", "set", "output", "protobuf"])).code).toBe(0);
  expect((await bne(home, ["get", "zipper", "zipper@0.1"])).code).toBe(0);
  expect((await bne(home, ["config", "get"])).code).toBe(0);
  const run = onTerminal(home, ["list"]);
  expect(await run.ended).toBe(0);
  expect(run.raw()).toContain("zipper");
});
