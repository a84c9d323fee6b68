import { startRegistry, type TestRegistry } from "@bytenite-engines/registry/testing";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
  lstatSync,
} from "node:fs";
import { createServer } from "node:net";
import { once } from "node:events";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { as, bne, makeHome, type Home } from "./Bne.ts";

let registry: TestRegistry;

beforeAll(async () => {
  registry = await startRegistry({
    users: [
      { name: "alice", apiKey: "alices-api-key", engines: [{ name: "zipper", version: "0.1", status: "active" }] },
    ],
  });
});
afterAll(() => registry.stop());

const writeUserFile = (home: Home, text: string): void => {
  mkdirSync(dirname(home.userFile), { recursive: true });
  writeFileSync(home.userFile, text);
};

const setting = async (
  home: Home,
  name: string,
  env: Record<string, string> = {},
  ...args: ReadonlyArray<string>
): Promise<readonly [unknown, unknown]> => {
  const { stdout } = await bne(home, ["config", "get", name, "--show-origin", "--jq", "[.value, .origin]", ...args], {
    env,
  });
  return JSON.parse(stdout) as readonly [unknown, unknown];
};

test("flag beats environment beats project file beats profile beats own file beats default", async () => {
  using home = makeHome();
  expect(await setting(home, "deadline")).toEqual(["30s", "default"]);
  writeUserFile(home, '{"deadline": "1s", "profiles": {"default": {}}}');
  expect(await setting(home, "deadline")).toEqual(["1s", home.userFile]);
  writeUserFile(home, '{"deadline": "1s", "profiles": {"default": {"deadline": "2s"}}}');
  expect(await setting(home, "deadline")).toEqual(["2s", `profile default in ${home.userFile}`]);
  const project = join(home.path, ".bne.json");
  writeFileSync(project, '{"deadline": "3s"}');
  expect(await setting(home, "deadline")).toEqual(["3s", project]);
  expect(await setting(home, "deadline", { BYTENITE_DEADLINE: "4s" })).toEqual(["4s", "BYTENITE_DEADLINE"]);
  expect(await setting(home, "deadline", { BYTENITE_DEADLINE: "4s" }, "--deadline", "5s")).toEqual([
    "5000ms",
    "flag --deadline",
  ]);
});

test("a project file is found from a directory below, and chooses a profile", async () => {
  using home = makeHome();
  writeUserFile(home, '{"profile": "one", "profiles": {"one": {}, "two": {"output": "csv"}}}');
  writeFileSync(join(home.path, ".bne.json"), '{"profile": "two"}');
  const below = join(home.path, "a", "b");
  mkdirSync(below, { recursive: true });
  const { stdout } = await bne(home, ["config", "get"], { cwd: below });
  expect(stdout).toMatch(/^profile,two$/m);
  expect((await bne(home, ["config", "get", "output"], { cwd: dirname(home.path) })).stdout).toBe("table\n");
});

test("config set keeps comments and order, config get reads it, an empty value takes it back", async () => {
  using home = makeHome();
  writeUserFile(home, '{\n  // mine\n  "deadline": "1s",\n}\n');
  expect((await bne(home, ["config", "set", "output", "json"])).code).toBe(0);
  expect(readFileSync(home.userFile, "utf8")).toBe('{\n  // mine\n  "deadline": "1s",\n  "output": "json",\n}\n');
  expect((await bne(home, ["config", "get", "--jq", '.[] | select(.name == "output") | .value'])).stdout).toBe(
    "json\n",
  );
  await bne(home, ["config", "set", "output", ""]);
  expect(readFileSync(home.userFile, "utf8")).not.toContain("output");
  expect((await bne(home, ["config", "set", "deadlin", "1s"])).stderr).toContain("Did you mean deadline?");
  expect((await bne(home, ["config", "set", "deadline", "soon"])).code).toBe(2);
});

test("a broken file is named with line and column and left as it is", async () => {
  using home = makeHome();
  const broken = '{\n  "output": "json"\n  "deadline": "1s"\n}\n';
  writeUserFile(home, broken);
  for (const args of [
    ["list"],
    ["config", "set", "output", "csv"],
    ["profile", "set", "x", "--base-url", "http://x"],
    ["auth", "login"],
  ]) {
    const { code, stderr } = await bne(home, args, { input: "token" });
    expect(code).toBe(2);
    expect(stderr).toMatch(new RegExp(`^bne: ${home.userFile}:3:3: Comma expected\\n`));
  }
  expect(readFileSync(home.userFile, "utf8")).toBe(broken);
  writeUserFile(home, '{"output": "jsn"}');
  expect((await bne(home, ["list"])).stderr).toMatch(
    /output from .*config\.json: must be one of .*\nDid you mean json\?/,
  );
  writeUserFile(home, "[]");
  expect((await bne(home, ["list"])).stderr).toContain("must be a JSON object");
});

test("a link to a settings file stays a link, and nothing is left beside the file", async () => {
  using home = makeHome();
  mkdirSync(dirname(home.userFile), { recursive: true });
  const target = join(home.path, "dotfiles.json");
  writeFileSync(target, "{}");
  symlinkSync(target, home.userFile);
  await bne(home, ["config", "set", "output", "json"]);
  expect(lstatSync(home.userFile).isSymbolicLink()).toBe(true);
  expect(JSON.parse(readFileSync(target, "utf8"))).toEqual({ output: "json" });
  expect(readdirSync(home.path).filter((name) => name.includes(".tmp"))).toEqual([]);
});

test.skipIf(process.getuid?.() !== 0 || process.platform !== "linux")(
  "a full disk leaves the old file and tells in a sentence",
  async () => {
    using home = makeHome();
    writeUserFile(home, '{"color": "never"}');
    const directory = dirname(home.userFile);
    const old = readFileSync(home.userFile);
    // A file system of 4 kB: the file fits once, and not twice.
    const mounted = spawnSync("mount", ["-t", "tmpfs", "-o", "size=4k", "tmpfs", directory]).status === 0;
    try {
      if (!mounted) return;
      writeFileSync(home.userFile, old);
      const { code, stderr } = await bne(home, ["config", "set", "color", "always"]);
      expect(code).toBe(1);
      expect(stderr).toMatch(/^bne: Cannot write .*config\.json: the disk is full\n$/);
      expect(readFileSync(home.userFile)).toEqual(old);
      expect(readdirSync(directory)).toEqual(["config.json"]);
    } finally {
      if (mounted) spawnSync("umount", [directory]);
    }
  },
);

test("an unwritable home is told in a sentence, and reading goes on", async () => {
  using home = makeHome();
  // A file where a directory should be keeps even root out.
  writeFileSync(join(home.path, "config"), "");
  const { code, stderr } = await bne(home, ["config", "set", "output", "json"]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^bne: Cannot write .*config\.json: .*\n$/);
  const login = await bne(home, ["auth", "login"], { input: "token", env: { BYTENITE_BASE_URL: registry.url } });
  expect(login.code).toBe(1);
  expect((await bne(home, ["list", "-o", "name"], { env: as(registry, "alice") })).stdout).toBe("zipper@0.1\n");
});

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

test("auth status tells kind, origin and time left, never the secret", async () => {
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
  await bne(home, ["auth", "login"], { input: "stale", env: { BYTENITE_BASE_URL: registry.url } });
  expect((await bne(home, ["list"])).code).toBe(4);
  expect((await bne(home, ["list"], { env: { BYTENITE_TOKEN: "local-alice" } })).code).toBe(0);
  await bne(home, ["auth", "logout"]);
  expect(existsSync(join(dirname(home.userFile), "credentials.json"))).toBe(false);
  expect((await bne(home, ["auth", "token"])).code).toBe(4);
});

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
  expect(refused.stderr).toMatch(/^bne: 127\.0\.0\.1:1 cannot be asked to exchange the API key .*\nPoint elsewhere/);
  expect((await asked("http://127.0.0.1:1/v1/dev", "raw", "GET", "/engines")).code).toBe(5);
  expect((await asked(registry.url, "auth", "token")).code).toBe(4);
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

test("logging out of a keychain that does not answer says that the secret may still be there", async () => {
  using home = makeHome();
  writeUserFile(home, '{"profiles":{"default":{"credentials":"keychain"}}}');
  const { code, stderr } = await bne(home, ["auth", "logout"]);
  expect(code).toBe(5);
  expect(stderr).toMatch(
    /^bne: The keychain did not remove the credentials of profile default, so they may still be in it\n/,
  );
  expect((await bne(home, ["auth", "logout"])).stderr).toBe("Profile default had none.\n");
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
  const warned = await bne(home, ["list", "--token", "x", "--attempts", "1"], {
    env: { BYTENITE_BASE_URL: "http://nowhere.invalid/v1/dev" },
  });
  expect(warned.stderr).toContain("others on this machine can see a token");
});

test("a project file cannot lead credentials to a server of its own choice", async () => {
  using home = makeHome();
  writeFileSync(join(home.path, ".bne.json"), '{"baseUrl": "http://evil.invalid/v1/dev"}');
  const { code, stderr } = await bne(home, ["list"], { env: { BYTENITE_TOKEN: "local-alice" } });
  expect(code).toBe(2);
  expect(stderr).toMatch(/points to http:\/\/evil\.invalid, which none of your profiles uses/);
  await bne(home, ["profile", "set", "trusted", "--base-url", "http://evil.invalid/v1/dev"]);
  expect((await bne(home, ["list", "--attempts", "1"], { env: { BYTENITE_TOKEN: "local-alice" } })).code).toBe(5);
});

test("profiles are made, used, listed and removed with their credentials", async () => {
  using home = makeHome();
  expect((await bne(home, ["profile", "set", "local", "--base-url", registry.url])).code).toBe(0);
  expect((await bne(home, ["profile", "use", "local"])).code).toBe(0);
  await bne(home, ["auth", "login"], { input: "local-alice" });
  expect((await bne(home, ["list", "-o", "name"])).stdout).toBe("zipper@0.1\n");
  const { stdout } = await bne(home, ["profile", "list", "--output", "json"]);
  expect(JSON.parse(stdout)).toEqual([
    { name: "default", current: false, baseUrl: null, kind: null, credentials: null },
    { name: "local", current: true, baseUrl: registry.url, kind: "token", credentials: "file" },
  ]);
  expect((await bne(home, ["profile", "use", "locla"])).stderr).toContain("Did you mean local?");
  expect((await bne(home, ["list", "--profile", "locla"])).code).toBe(3);
  expect((await bne(home, ["profile", "remove", "local"])).code).toBe(0);
  expect(existsSync(join(dirname(home.userFile), "credentials.json"))).toBe(false);
  expect((await bne(home, ["config", "get", "profile"])).stdout).toBe("default\n");
  expect((await bne(home, ["profile", "remove", "local"])).code).toBe(3);
});

test("a keychain that does not answer is given 3 seconds, then the file is used", async () => {
  using home = makeHome();
  const socket = join(home.path, "bus");
  const silent = createServer(() => {}).listen(socket);
  await once(silent, "listening");
  const { code, stderr } = await bne(home, ["auth", "login"], {
    input: "local-alice",
    env: { BYTENITE_BASE_URL: registry.url, DBUS_SESSION_BUS_ADDRESS: `unix:path=${socket}` },
  });
  silent.close();
  expect(code).toBe(0);
  expect(stderr).toContain("Stored in /");
});

const hasKeyring =
  spawnSync("gnome-keyring-daemon", ["--version"]).status === 0 &&
  spawnSync("dbus-run-session", ["--version"]).status === 0;

test.skipIf(!hasKeyring)("with a keychain the secret is in it and in no file", async () => {
  using home = makeHome();
  const bin = join(import.meta.dirname, "..", "bin", "bne.js");
  const script = `
    printf '\\n' | gnome-keyring-daemon --unlock --components=secrets >/dev/null 2>&1
    printf local-alice | '${process.execPath}' '${bin}' auth login --base-url ${registry.url}
    '${process.execPath}' '${bin}' auth token
    '${process.execPath}' '${bin}' profile list -o ndjson
    '${process.execPath}' '${bin}' auth logout
    '${process.execPath}' '${bin}' auth token
  `;
  const { DBUS_SESSION_BUS_ADDRESS: _, ...env } = home.env;
  const { stdout, stderr } = spawnSync("dbus-run-session", ["--", "bash", "-c", script], {
    env,
    encoding: "utf8",
    cwd: home.path,
  });
  expect(stderr).toContain("Stored in the keychain for profile default");
  expect(stdout).toBe(
    `local-alice\n${JSON.stringify({ name: "default", current: true, baseUrl: registry.url, kind: "token", credentials: "keychain" })}\n`,
  );
  expect(stderr).toContain("There are no credentials");
  expect(existsSync(join(dirname(home.userFile), "credentials.json"))).toBe(false);
});

test("cache clear removes the cache and nothing else", async () => {
  using home = makeHome();
  const cache = join(home.path, "cache", "bytenite-engines");
  mkdirSync(cache, { recursive: true });
  writeFileSync(join(cache, "x"), "");
  expect((await bne(home, ["cache", "clear"])).code).toBe(0);
  expect(existsSync(cache)).toBe(false);
  expect(existsSync(dirname(cache))).toBe(true);
  expect((await bne(home, ["config", "path", "-o", "name"])).stdout).toContain(cache);
});
