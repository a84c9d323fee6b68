import { startRegistry, type TestRegistry } from "@bytenite-engines/registry/testing";
import { spawnSync } from "node:child_process";
import { existsSync, lstatSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { as, bne, makeHome, writeUserFile, type Home } from "./Bne.ts";

let registry: TestRegistry;

beforeAll(async () => {
  registry = await startRegistry({
    users: [{ name: "alice", engines: [{ name: "zipper", version: "0.1", status: "active" }] }],
  });
});
afterAll(() => registry.stop());

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
  expect(await setting(home, "output")).toEqual(["table", "default"]);
  writeUserFile(home, '{"output": "wide", "profiles": {"default": {}}}');
  expect(await setting(home, "output")).toEqual(["wide", home.userFile]);
  writeUserFile(home, '{"output": "wide", "profiles": {"default": {"output": "csv"}}}');
  expect(await setting(home, "output")).toEqual(["csv", `profile default in ${home.userFile}`]);
  const project = join(home.path, ".bne.json");
  writeFileSync(project, '{"output": "yaml"}');
  expect(await setting(home, "output")).toEqual(["yaml", project]);
  expect(await setting(home, "output", { BYTENITE_OUTPUT: "json" })).toEqual(["json", "BYTENITE_OUTPUT"]);
  expect(await setting(home, "deadline", { BYTENITE_DEADLINE: "4s" }, "--deadline", "5s")).toEqual([
    "5000ms",
    "flag --deadline",
  ]);
});

test("a project file is found from a directory below, and chooses no profile", async () => {
  using home = makeHome();
  writeUserFile(home, '{"profile": "one", "profiles": {"one": {}, "two": {}}}');
  writeFileSync(join(home.path, ".bne.json"), '{"profile": "two", "output": "csv"}');
  const below = join(home.path, "a", "b");
  mkdirSync(below, { recursive: true });
  const { stdout } = await bne(home, ["config", "get"], { cwd: below });
  expect(stdout).toMatch(/^profile,one$/m);
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

test("an unknown key is reported with the closest one, for programs too, and nothing else changes", async () => {
  using home = makeHome();
  writeUserFile(
    home,
    '{"$schema": "x", "outptu": "json", "profiles": {"default": {"baseURL": "http://x", "profile": "y"}}}',
  );
  const project = join(home.path, ".bne.json");
  writeFileSync(project, '{"profiles": {}, "\\u001b[31m": 1, "a": 1, "b": 1, "c": 1, "color": "never"}');
  const { code, stdout, stderr } = await bne(home, ["config", "get", "color"]);
  expect({ code, stdout }).toEqual({ code: 0, stdout: "never\n" });
  expect(stderr.split("\n")).toEqual([
    `warning: ${home.userFile}: there is no setting "outptu". Did you mean output?`,
    `warning: profile default in ${home.userFile}: there is no setting "baseURL". Did you mean baseUrl?`,
    `warning: profile default in ${home.userFile}: "profile" has no effect there`,
    `warning: ${project} may set output and color only; ignored: profiles, \\u001b[31m, a, b, c. Set them with \`bne config set\` or \`bne profile set\`.`,
    "",
  ]);
  expect((await bne(home, ["config", "get", "deadline", "--quiet"])).stderr).toBe("");
  writeUserFile(home, JSON.stringify(Object.fromEntries(Array.from({ length: 9 }, (_, index) => [`k${index}`, ""]))));
  expect((await bne(home, ["config", "get"])).stderr).toContain(`warning: ${home.userFile}: 4 more are not known\n`);
});

test("a link to a settings file stays a link, and no other file is left", async () => {
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
  "a full disk leaves the old file and is reported in a sentence",
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

test("an unwritable home is reported in a sentence, and reading goes on", async () => {
  using home = makeHome();
  // A file where a directory should be keeps even root out.
  writeFileSync(join(home.path, "config"), "");
  const { code, stderr } = await bne(home, ["config", "set", "output", "json"]);
  expect(code).toBe(1);
  expect(stderr).toMatch(/^bne: Cannot write .*config\.json: .*\n$/);
  const login = await bne(home, ["auth", "login", "--no-verify"], {
    input: "token",
    env: { BYTENITE_BASE_URL: registry.url },
  });
  expect(login.code).toBe(1);
  expect((await bne(home, ["list", "-o", "name"], { env: as(registry, "alice") })).stdout).toBe("zipper@0.1\n");
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
