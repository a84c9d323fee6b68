// Files that other users wrote or can write.
import { startRegistry, type TestRegistry } from "@bytenite-engines/registry/testing";
import { json, startServer } from "@bytenite-engines/test-kit/ports";
import { spawnSync } from "node:child_process";
import {
  chmodSync,
  chownSync,
  existsSync,
  lchownSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { as, bne, makeHome, writeUserFile, type Home } from "./Bne.ts";
import { onTerminal, programOnTerminal } from "./Pty.ts";

/** Another user: nobody, as most systems number it. */
const stranger = 65_534;
const isRoot = process.getuid?.() === 0;

let registry: TestRegistry;

beforeAll(async () => {
  registry = await startRegistry({
    users: [
      {
        name: "alice",
        apiKey: "alices-api-key",
        engines: Array.from({ length: 30 }, (_, index) => ({ name: `engine-${index}`, version: "0.1" })),
      },
    ],
  });
});
afterAll(() => registry.stop());

const project = (home: Home, text: string): string => {
  const path = join(home.path, ".bne.json");
  writeFileSync(path, text);
  return path;
};
const below = (home: Home): string => {
  const path = join(home.path, "a", "b");
  mkdirSync(path, { recursive: true });
  return path;
};

test("a project file chooses output and colour, and nothing else in it counts, which is said once", async () => {
  using home = makeHome();
  const proof = join(home.path, "ran");
  const path = project(
    home,
    JSON.stringify({
      output: "name",
      pager: `touch ${proof}`,
      baseUrl: "http://127.0.0.1:9/v1/dev",
      authUrl: "http://127.0.0.1:9/v1/auth/access_token",
      profile: "evil",
      profiles: { default: { baseUrl: "http://127.0.0.1:9/v1/dev", credentials: "keychain" } },
      credentials: "keychain",
      deadline: "1ms",
      attempts: 9,
      format: "json",
      outptu: "json",
      "\u001b[31m": 1,
    }),
  );
  const { code, stdout, stderr } = await bne(home, ["get", "engine-0"], {
    env: as(registry, "alice"),
    cwd: below(home),
  });
  expect({ code, stdout }).toEqual({ code: 0, stdout: "engine-0@0.1\n" });
  expect(stderr).toBe(
    `warning: ${path} may set output and color only; ignored: pager, baseUrl, authUrl, profile, profiles, 6 more. Set them with \`bne config set\` or \`bne profile set\`.\n`,
  );
  const run = onTerminal(home, ["list"], { rows: 5, env: { ...as(registry, "alice"), PAGER: "sed n" } });
  expect(await run.ended).toBe(0);
  expect(existsSync(proof)).toBe(false);
  expect((await bne(home, ["list", "--quiet", "-o", "name"], { env: as(registry, "alice") })).stderr).toBe("");
});

test("a project file gets no token, whatever address it names", async () => {
  using home = makeHome();
  await using evil = await startServer((_, response) => json(response, 200, {}));
  project(home, JSON.stringify({ baseUrl: evil.baseUrl }));
  for (const args of [["list"], ["doctor"], ["auth", "status"], ["raw", "GET", "/engines"]]) {
    await bne(home, [...args, "--deadline", "200ms", "--attempts", "1"], {
      env: { BYTENITE_TOKEN: "alices-token", HTTPS_PROXY: undefined },
    });
  }
  expect(evil.requests).toHaveLength(0);
});

test("a project file that cannot be read, or holds no settings, is ignored with a warning, and ends no command", async () => {
  using home = makeHome();
  const path = join(home.path, ".bne.json");
  const plant: ReadonlyArray<readonly [name: string, make: () => void, said: string]> = [
    ["directory", () => mkdirSync(path), "it is a directory"],
    ["fifo", () => void spawnSync("mkfifo", [path]), "it is not a regular file"],
    ["device", () => symlinkSync("/dev/zero", path), "it is not a regular file"],
    ["endless", () => symlinkSync("/proc/self/../1/../self/mounts", path), ""],
    ["loop", () => symlinkSync(path, path), ""],
    ["dangling", () => symlinkSync(join(home.path, "nothing"), path), ""],
    ["huge", () => writeFileSync(path, `{"output": "${"x".repeat(70_000)}"}`), "it is larger than 65536 bytes"],
    ["deep", () => writeFileSync(path, `{"output":${"[".repeat(60_000)}`), ":1:"],
    ["deep and whole", () => writeFileSync(path, `{"output":${"[".repeat(30_000)}${"]".repeat(30_000)}}`), "output"],
    ["broken", () => writeFileSync(path, '{\n "output": }'), ":2:12: Value expected"],
    ["a list", () => writeFileSync(path, "[]"), ":1:1: must be a JSON object"],
    ["a wrong value", () => writeFileSync(path, '{"output": "jsn"}'), "must be one of"],
    ["a wrong kind", () => writeFileSync(path, '{"color": {"a": 1}}'), "it must be a text"],
    ["bytes", () => writeFileSync(path, Buffer.from([0xff, 0xfe, 0x00, 0x7b])), path],
    ["prototype", () => writeFileSync(path, '{"__proto__": {"output": "json"}}'), "__proto__"],
  ];
  for (const [name, make, said] of plant) {
    spawnSync("rm", ["-rf", path]);
    make();
    const { code, stdout, stderr } = await bne(home, ["get", "engine-0", "--columns", "name"], {
      env: as(registry, "alice"),
    });
    expect({ name, code, stdout }).toEqual({ name, code: 0, stdout: "name\nengine-0\n" });
    expect({ name, stderr }).toEqual({ name, stderr: expect.stringContaining(said) as unknown });
    expect(stderr.split("\n").length).toBeLessThanOrEqual(2);
  }
});

test.skipIf(!isRoot)("a project file of another user chooses output and colour at most", async () => {
  using home = makeHome();
  const proof = join(home.path, "ran");
  chownSync(project(home, JSON.stringify({ output: "name", pager: `touch ${proof}` })), stranger, stranger);
  const run = onTerminal(home, ["list"], { rows: 5, env: { ...as(registry, "alice"), PAGER: "sed n" } });
  expect(await run.ended).toBe(0);
  expect(run.raw()).toContain("engine-0@0.1");
  expect(existsSync(proof)).toBe(false);
});

test("config set --project writes what a project file may set, in the working folder only", async () => {
  using home = makeHome();
  const above = project(home, "{}");
  const cwd = below(home);
  for (const [key, value] of [
    ["pager", "less"],
    ["baseUrl", "http://127.0.0.1:9/v1/dev"],
    ["profile", "default"],
  ] as const) {
    const { code, stderr } = await bne(home, ["config", "set", key, value, "--project"], { cwd });
    expect({ key, code }).toEqual({ key, code: 2 });
    expect(stderr).toContain("may set output and color only");
  }
  expect((await bne(home, ["config", "set", "output", "csv", "--project"], { cwd })).code).toBe(0);
  expect(readFileSync(above, "utf8")).toBe("{}");
  expect(readFileSync(join(cwd, ".bne.json"), "utf8")).toBe('{\n  "output": "csv"\n}\n');
});

test("the user's own file counts only when nobody else can write it", async () => {
  for (const mode of [0o666, 0o660, 0o622, 0o602]) {
    using home = makeHome();
    writeUserFile(home, '{"output": "name"}');
    chmodSync(home.userFile, mode);
    for (const args of [
      ["list"],
      ["config", "get"],
      ["config", "set", "output", "csv"],
      ["auth", "login", "--no-verify"],
    ]) {
      const { code, stdout, stderr } = await bne(home, args, { env: as(registry, "alice"), input: "token" });
      expect({ mode, args, code, stdout }).toEqual({ mode, args, code: 2, stdout: "" });
      expect(stderr).toBe(
        `bne: Others can write ${home.userFile}, so it is not used\nClose it: chmod go-w ${home.userFile}\n`,
      );
    }
    chmodSync(home.userFile, 0o644);
    expect((await bne(home, ["list"], { env: as(registry, "alice") })).code).toBe(0);
    chmodSync(dirname(home.userFile), 0o777);
    const open = await bne(home, ["list"], { env: as(registry, "alice") });
    expect(open.code).toBe(2);
    expect(open.stderr).toContain(`Others can write ${dirname(home.userFile)}`);
  }
});

test.skipIf(!isRoot)(
  "the user's own file counts only when it is the user's or root's, and so does a link to it",
  async () => {
    using home = makeHome();
    writeUserFile(home, '{"pager": "touch /tmp/never"}');
    chownSync(home.userFile, stranger, stranger);
    const { code, stderr } = await bne(home, ["list"], { env: as(registry, "alice") });
    expect(code).toBe(2);
    expect(stderr).toMatch(/^bne: .*config\.json belongs to another user \(uid 65534\), so it is not used\n/);
    const elsewhere = join(home.path, "dotfiles.json");
    writeFileSync(elsewhere, '{"output": "name"}');
    spawnSync("rm", [home.userFile]);
    symlinkSync(elsewhere, home.userFile);
    expect((await bne(home, ["list"], { env: as(registry, "alice") })).code).toBe(0);
    lchownSync(home.userFile, stranger, stranger);
    const link = await bne(home, ["list"], { env: as(registry, "alice") });
    expect({ code: link.code, stderr: link.stderr }).toEqual({
      code: 2,
      stderr: expect.stringContaining("config.json is a link of another user (uid 65534)") as unknown,
    });
  },
);

test.skipIf(!isRoot)("no part of the way to the user's own file is a link or directory of somebody else", async () => {
  const settings = '{"pager": "touch /tmp/never", "output": "name"}';
  const ways: ReadonlyArray<readonly [string, (home: Home, config: string) => string]> = [
    [
      "a link of a stranger to a folder of the user",
      (home, config) => {
        mkdirSync(config);
        symlinkSync(join(home.path, "clone"), join(config, "bytenite-engines"));
        lchownSync(join(config, "bytenite-engines"), stranger, stranger);
        return join(config, "bytenite-engines");
      },
    ],
    [
      "the same one folder above",
      (home, config) => {
        mkdirSync(join(home.path, "clone", "bytenite-engines"));
        renameSync(
          join(home.path, "clone", "config.json"),
          join(home.path, "clone", "bytenite-engines", "config.json"),
        );
        symlinkSync(join(home.path, "clone"), config);
        lchownSync(config, stranger, stranger);
        return config;
      },
    ],
    [
      "an own link over a folder of a stranger",
      (home, config) => {
        const open = join(home.path, "open");
        mkdirSync(open);
        chownSync(open, stranger, stranger);
        symlinkSync(join(home.path, "clone"), join(open, "hop"));
        mkdirSync(config);
        symlinkSync(join(open, "hop"), join(config, "bytenite-engines"));
        return open;
      },
    ],
    ...([0o777, 0o775] as const).map(
      (mode) =>
        [
          `a folder of mode ${mode.toString(8)} above`,
          (home: Home, config: string) => {
            mkdirSync(config);
            renameSync(join(home.path, "clone"), join(config, "bytenite-engines"));
            chmodSync(config, mode);
            return config;
          },
        ] as const,
    ),
    [
      "a home that others can write",
      (home, config) => {
        mkdirSync(config);
        renameSync(join(home.path, "clone"), join(config, "bytenite-engines"));
        chmodSync(home.path, 0o777);
        return home.path;
      },
    ],
  ];
  for (const [way, make] of ways) {
    using home = makeHome();
    mkdirSync(join(home.path, "clone"));
    writeFileSync(join(home.path, "clone", "config.json"), settings);
    const part = make(home, join(home.path, "config"));
    const { code, stdout, stderr } = await bne(home, ["list"], { env: as(registry, "alice") });
    expect({ way, code, stdout }).toEqual({ way, code: 2, stdout: "" });
    expect(stderr).toContain(part);
    const login = await bne(home, ["auth", "login", "--no-verify", "--no-keychain"], {
      env: as(registry, "alice"),
      input: "t",
    });
    expect({ way, code: login.code }).toEqual({ way, code: 2 });
  }
  // Links of the user's own, as people keep their settings.
  using home = makeHome();
  mkdirSync(join(home.path, "clone", "bytenite-engines"), { recursive: true });
  writeFileSync(join(home.path, "clone", "bytenite-engines", "config.json"), settings);
  symlinkSync(join(home.path, "clone"), join(home.path, "config"));
  expect((await bne(home, ["list"], { env: as(registry, "alice") })).code).toBe(0);
});

test.skipIf(!isRoot)("what is kept is not used below a folder that others can write", async () => {
  using home = makeHome();
  chmodSync(home.path, 0o777);
  expect((await bne(home, ["config", "path"])).code).toBe(0);
  const compiled = join(home.path, "cache", "bytenite-engines", "compiled");
  expect(existsSync(compiled) ? readdirSync(compiled) : []).toEqual([]);
});

test("a home that is empty or relative leads to no file of the working folder", async () => {
  using home = makeHome();
  const folder = join(home.path, "clone");
  for (const name of ["", "sub"]) {
    const config = join(folder, name, ".config", "bytenite-engines");
    mkdirSync(config, { recursive: true });
    writeFileSync(join(config, "config.json"), '{"output": "json", "pager": "touch /tmp/never"}');
  }
  for (const HOME of ["", ".", "sub"]) {
    const env = { HOME, XDG_CONFIG_HOME: undefined, XDG_CACHE_HOME: join(home.path, "cache") };
    const { code, stdout } = await bne(home, ["config", "path"], { env, cwd: folder });
    expect({ HOME, code }).toEqual({ HOME, code: 0 });
    expect(stdout).toMatch(/^settings +\/.*$/m);
    expect(stdout).not.toContain(folder);
  }
});

test.skipIf(!isRoot)("root's file counts for a user, and the user's own, tried as that user", () => {
  using home = makeHome();
  writeUserFile(home, '{"color": "never"}');
  for (const path of [home.path, join(home.path, "config"), dirname(home.userFile)]) chmodSync(path, 0o755);
  chmodSync(home.userFile, 0o644);
  const asStranger = (): { readonly status: number | null; readonly stdout: string; readonly stderr: string } =>
    spawnSync(process.execPath, [join(import.meta.dirname, "../bin/bne.js"), "config", "get", "color"], {
      env: home.env,
      cwd: home.path,
      uid: stranger,
      gid: stranger,
      encoding: "utf8",
    });
  expect(asStranger()).toMatchObject({ status: 0, stdout: "never\n" });
  chmodSync(home.userFile, 0o600);
  expect(asStranger()).toMatchObject({ status: 2, stderr: `bne: Cannot read ${home.userFile}: you may not\n` });
  chmodSync(home.userFile, 0o644);
  chownSync(home.userFile, 1_234, 1_234);
  expect(asStranger().status).toBe(2);
});

test.skipIf(!isRoot)(
  "what cannot be removed is said, with the reason, and that the credentials are still there",
  async () => {
    using home = makeHome();
    await bne(home, ["auth", "login", "--no-verify", "--no-keychain"], { env: as(registry, "alice"), input: "t" });
    const folder = dirname(home.userFile);
    const cache = join(home.path, "cache", "bytenite-engines");
    mkdirSync(cache, { recursive: true });
    spawnSync("chown", ["-R", `${stranger}`, home.path]);
    for (const path of [folder, dirname(cache)]) chmodSync(path, 0o500);
    const asStranger = (...args: ReadonlyArray<string>) =>
      spawnSync(process.execPath, [join(import.meta.dirname, "../bin/bne.js"), ...args], {
        env: home.env,
        cwd: home.path,
        uid: stranger,
        encoding: "utf8",
      });
    for (const args of [
      ["auth", "logout"],
      ["profile", "remove", "default"],
    ])
      expect(asStranger(...args)).toMatchObject({
        status: 1,
        stderr: `bne: Cannot write ${join(folder, "credentials.json")}: you may not write there\nThe credentials of profile default are still there.\n`,
      });
    expect(asStranger("cache", "clear")).toMatchObject({
      status: 1,
      stderr: `bne: Cannot remove ${cache}: you may not write there\n`,
    });
  },
);

test.skipIf(!isRoot || process.platform !== "linux")(
  "validate names files that cannot be read, and names that are not UTF-8",
  async () => {
    using home = makeHome();
    const app = join(home.path, "mine", "app");
    mkdirSync(join(app, "closed"), { recursive: true });
    writeFileSync(join(home.path, "mine", "manifest.json"), '{"name":"mine","version":"0.1","type":"assembler"}');
    for (const name of ["main.py", "secret"]) writeFileSync(join(app, name), "");
    writeFileSync(Buffer.concat([Buffer.from(`${app}/`), Buffer.from([0xff])]), "");
    for (const name of ["secret", "closed", "../manifest.json"]) chmodSync(join(app, name), 0);
    chmodSync(home.path, 0o755);
    const { status, stdout } = spawnSync(
      process.execPath,
      [join(import.meta.dirname, "../bin/bne.js"), "validate", "mine", "-o", "csv"],
      { env: home.env, cwd: home.path, uid: stranger, encoding: "utf8" },
    );
    expect({ status, stdout }).toEqual({
      status: 7,
      stdout: [
        "severity,place,problem",
        "error,app/closed,cannot be read: you may not",
        "error,app/secret,cannot be read: you may not",
        "error,app/\ufffd,has a name that is not UTF-8; rename it",
        "error,manifest.json,cannot be read: you may not",
        "",
      ].join("\n"),
    });
  },
);

test("the user's own file is a regular file of bounded size and depth", async () => {
  using home = makeHome();
  mkdirSync(dirname(home.userFile), { recursive: true, mode: 0o700 });
  for (const [make, said] of [
    [() => mkdirSync(home.userFile), "it is a directory"],
    [() => void spawnSync("mkfifo", ["-m", "600", home.userFile]), "it is not a regular file"],
    [() => writeFileSync(home.userFile, " ".repeat(1_048_577)), "it is larger than 1048576 bytes"],
    [() => writeFileSync(home.userFile, `{"output":${"[".repeat(1_000_000)}`), "config.json:1:"],
    [
      () => writeFileSync(home.userFile, `/**/{"output":${"[".repeat(400_000)}${"]".repeat(400_000)}}`),
      "config.json:1:",
    ],
  ] as const) {
    spawnSync("rm", ["-rf", home.userFile]);
    make();
    const { code, stdout, stderr } = await bne(home, ["list"], { env: as(registry, "alice") });
    expect({ said, code, stdout }).toEqual({ said, code: 2, stdout: "" });
    expect(stderr).toContain(said);
  }
});

test("credentials count only when they are the user's and nobody else can read or write them", async () => {
  using home = makeHome();
  await bne(home, ["auth", "login", "--no-verify"], {
    input: registry.tokens["alice"] ?? "",
    env: { BYTENITE_BASE_URL: registry.url },
  });
  const path = join(dirname(home.userFile), "credentials.json");
  expect((await bne(home, ["list", "-o", "name"])).code).toBe(0);
  for (const mode of [0o640, 0o604, 0o620, 0o602]) {
    chmodSync(path, mode);
    const { code, stderr } = await bne(home, ["list"]);
    expect({ mode, code }).toEqual({ mode, code: 2 });
    expect(stderr).toContain(`chmod 600 ${path}`);
  }
  chmodSync(path, 0o600);
  if (!isRoot) return;
  chownSync(path, stranger, stranger);
  const foreign = await bne(home, ["list"]);
  expect(foreign.code).toBe(2);
  expect(foreign.stderr).toContain("belongs to another user");
});

test.skipIf(!isRoot)("what others put into the cache directory is not used", async () => {
  using home = makeHome();
  const env = { BYTENITE_BASE_URL: registry.url, BYTENITE_API_KEY: "alices-api-key" };
  await bne(home, ["list"], { env });
  await bne(home, ["__complete", "fish", "get", ""], { env });
  const kept = join(home.path, "cache", "bytenite-engines");
  const [tokens = ""] = readdirSync(join(kept, "access-tokens")).map((name) => join(kept, "access-tokens", name));
  const [tags = ""] = readdirSync(join(kept, "completion")).map((name) => join(kept, "completion", name));
  writeFileSync(tokens, JSON.stringify({ token: "planted", usedUntilMs: 9e15, expiresAtMs: 9e15 }));
  writeFileSync(tags, JSON.stringify([{ name: "planted", version: "1.0", type: "" }]));
  for (const path of [tokens, tags]) chownSync(path, stranger, stranger);
  registry.requests.length = 0;
  expect((await bne(home, ["list"], { env })).code).toBe(0);
  expect(registry.requests.map(({ method }) => method)).toEqual(["POST", "GET"]);
  expect((await bne(home, ["__complete", "fish", "get", ""], { env })).stdout).not.toContain("planted");
});

test.skipIf(!isRoot)("nothing is written through a link of another user", async () => {
  using home = makeHome();
  const victim = join(home.path, "victim.json");
  writeFileSync(victim, "{}");
  const link = join(home.path, "backup.ndjson");
  symlinkSync(victim, link);
  lchownSync(link, stranger, stranger);
  const { code, stderr } = await bne(home, ["export", "--all", "--file", "backup.ndjson"], {
    env: as(registry, "alice"),
  });
  expect(code).toBe(1);
  expect(stderr).toContain("is a link of another user");
  expect(readFileSync(victim, "utf8")).toBe("{}");
});

test("compiled code is kept in the user's cache directory, never where others could put theirs", async () => {
  using home = makeHome();
  const shared = join(home.path, "tmp");
  mkdirSync(shared);
  const env = { TMPDIR: shared, NODE_COMPILE_CACHE: undefined };
  await bne(home, ["config", "path"], { env });
  expect(readdirSync(shared)).toEqual([]);
  const compiled = join(home.path, "cache", "bytenite-engines", "compiled");
  expect(readdirSync(compiled)).toHaveLength(1);
  expect(statSync(compiled).mode & 0o077).toBe(0);
  spawnSync("rm", ["-rf", compiled]);
  mkdirSync(compiled);
  chmodSync(compiled, 0o777);
  expect((await bne(home, ["config", "path"], { env })).code).toBe(0);
  expect(readdirSync(compiled)).toEqual([]);
  expect(readdirSync(shared)).toEqual([]);
});

test("a pager is not given the token, and one that is not there is said and left out", async () => {
  using home = makeHome();
  const run = programOnTerminal(process.execPath, [join(import.meta.dirname, "../bin/bne.js"), "list"], home, {
    rows: 5,
    env: { ...as(registry, "alice"), BYTENITE_API_KEY: "secret", PAGER: "cat >/dev/null; env" },
  });
  expect(await run.ended).toBe(0);
  expect(run.raw()).toContain("BYTENITE_BASE_URL=");
  expect(run.raw()).not.toContain("BYTENITE_TOKEN=");
  expect(run.raw()).not.toContain("BYTENITE_API_KEY=");
  const missing = onTerminal(home, ["list"], {
    rows: 50,
    env: { ...as(registry, "alice"), PAGER: "no-such-pager -x" },
  });
  expect(await missing.ended).toBe(0);
  const short = onTerminal(home, ["list"], { rows: 5, env: { ...as(registry, "alice"), PAGER: "no-such-pager -x" } });
  expect(await short.ended).toBe(0);
  expect(short.raw()).toContain("engine-0");
  expect(short.raw().replaceAll(/\s+/g, " ")).toContain(
    "there is no pager no-such-pager; see `bne config get pager --show-origin`",
  );
});
