import { startRegistry, type TestRegistry } from "@bytenite-engines/registry/testing";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { as, bne, makeHome } from "./Bne.ts";

let registry: TestRegistry;

beforeAll(async () => {
  registry = await startRegistry({
    users: [{ name: "alice", engines: [{ name: "zipper", version: "0.1", status: "active" }] }],
  });
});
afterAll(() => registry.stop());

test("auth login stores a token that only the user can read, bound to its origin", async () => {
  using home = makeHome();
  const { code, stdout, stderr } = await bne(home, ["auth", "login", "--with-token"], {
    input: "local-alice\n",
    env: { BYTENITE_BASE_URL: registry.url },
  });
  expect({ code, stdout }).toEqual({ code: 0, stdout: "" });
  const path = join(dirname(home.userFile), "credentials.json");
  expect(stderr).toContain(`Stored in ${path} for profile default`);
  expect(statSync(path).mode & 0o777).toBe(0o600);
  expect(statSync(dirname(path)).mode & 0o077).toBe(0);
  expect((await bne(home, ["list", "-o", "name"])).stdout).toBe("zipper@0.1\n");
  const elsewhere = await bne(home, ["list", "--base-url", "http://127.0.0.1:9/v1/dev"]);
  expect(elsewhere.code).toBe(2);
  expect(elsewhere.stderr).toContain("so they are not sent there");
  chmodSync(path, 0o644);
  expect((await bne(home, ["list"])).stderr).toContain(`chmod 600 ${path}`);
});

test("auth status shows kind, origin and time left, never the secret", async () => {
  using home = makeHome();
  const claims = Buffer.from(JSON.stringify({ exp: 4_102_444_800 })).toString("base64url");
  const jwt = `eyJhbGciOiJub25lIn0.${claims}.c2ln`;
  const refused = await bne(home, ["auth", "status", "--output", "json"], {
    env: { ...as(registry, "alice"), BYTENITE_TOKEN: jwt },
  });
  expect(refused.code).toBe(4);
  expect(refused.stdout + refused.stderr).not.toContain(claims);
  expect(JSON.parse(refused.stdout)).toEqual({
    profile: "default",
    baseUrl: registry.url,
    kind: "token",
    origin: "BYTENITE_TOKEN",
    expiresAt: "2100-01-01T00:00:00.000Z",
    accepted: false,
  });
  expect((await bne(home, ["auth", "status"], { env: as(registry, "alice") })).code).toBe(0);
  expect((await bne(home, ["auth", "status"], { env: { BYTENITE_BASE_URL: registry.url } })).code).toBe(4);
});

test("the environment wins over what is stored, and logout forgets", async () => {
  using home = makeHome();
  await bne(home, ["auth", "login", "--no-verify"], { input: "stale", env: { BYTENITE_BASE_URL: registry.url } });
  expect((await bne(home, ["list"])).code).toBe(4);
  expect((await bne(home, ["list"], { env: { BYTENITE_TOKEN: "local-alice" } })).code).toBe(0);
  await bne(home, ["auth", "logout"]);
  expect(existsSync(join(dirname(home.userFile), "credentials.json"))).toBe(false);
  expect((await bne(home, ["auth", "token"])).code).toBe(4);
});

test("a token in a variable may end with a newline; other characters that no token has are 2, and not shown", async () => {
  using home = makeHome();
  const env = as(registry, "alice");
  expect(
    (await bne(home, ["list"], { env: { ...env, BYTENITE_TOKEN: `${env["BYTENITE_TOKEN"] ?? ""}\n` } })).code,
  ).toBe(0);
  const broken = await bne(home, ["list"], { env: { ...env, BYTENITE_TOKEN: "half\nother" } });
  expect(broken.code).toBe(2);
  expect(broken.stderr).toMatch(/^bne: BYTENITE_TOKEN has line breaks/);
  expect(broken.stderr).not.toMatch(/half|other/);
});

test("an empty stdin is not a token, which is said", async () => {
  using home = makeHome();
  for (const input of ["", "\n"]) {
    const { code, stderr } = await bne(home, ["list", "--token", "-"], {
      input,
      env: { BYTENITE_BASE_URL: registry.url },
    });
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringMatching(/^bne: --token is empty\n/) as unknown });
  }
});

test("a secret is taken from stdin, never from the command line", async () => {
  using home = makeHome();
  const refused = await bne(home, ["auth", "login", "--token", "on-the-line"], {
    env: { BYTENITE_BASE_URL: registry.url },
  });
  expect(refused.code).toBe(2);
  const piped = await bne(home, ["list", "--token", "-", "-o", "name"], {
    input: "local-alice\n",
    env: { BYTENITE_BASE_URL: registry.url },
  });
  expect(piped.stdout).toBe("zipper@0.1\n");
  for (const [token, isWarned] of [
    ["x", true],
    ["-", false],
  ] as const) {
    const { stderr } = await bne(home, ["list", "--token", token, "--attempts", "1"], {
      input: "x",
      env: { BYTENITE_BASE_URL: "http://nowhere.invalid/v1/dev" },
    });
    expect([token, stderr.includes("others on this machine can see a token")]).toEqual([token, isWarned]);
  }
});

test("of logins, profiles and settings at the same time all are kept, also beside the lock of a process that was killed", async () => {
  using home = makeHome();
  const folder = dirname(home.userFile);
  const path = join(folder, "credentials.json");
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (const lock of [home.userFile, path]) writeFileSync(`${lock}.lock`, "");
  const names = Array.from({ length: 5 }, (_, index) => `p${index}`);
  const env = { BYTENITE_BASE_URL: registry.url };
  const runs = await Promise.all([
    ...names.map((name) =>
      bne(home, ["auth", "login", "--no-verify", "--profile", name], { env, input: `token-of-${name}` }),
    ),
    ...names.map((name) => bne(home, ["profile", "set", `set-${name}`, "--attempts", "3"])),
    bne(home, ["config", "set", "color", "never"]),
  ]);
  expect(runs.map(({ code }) => code)).toEqual(runs.map(() => 0));
  const settings = JSON.parse(readFileSync(home.userFile, "utf8")) as { profiles: object; color: string };
  expect(Object.keys(settings.profiles).toSorted()).toEqual([...names, ...names.map((name) => `set-${name}`)]);
  expect(settings.color).toBe("never");
  expect(Object.keys(JSON.parse(readFileSync(path, "utf8")) as object).toSorted()).toEqual(names);
  const loggedOut = await Promise.all(names.map((name) => bne(home, ["auth", "logout", "--profile", name])));
  expect(loggedOut.map(({ stderr }) => stderr)).toEqual(names.map((n) => `Forgot the credentials of profile ${n}.\n`));
  expect(readdirSync(folder)).toEqual(["config.json"]);
});
