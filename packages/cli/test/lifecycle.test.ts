// new, validate, push, pull, activate, deactivate and delete as processes.
import { execFileSync, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { startServer } from "@bytenite-engines/test-kit/ports";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { gzipSync } from "node:zlib";
import { packTar } from "modern-tar";
import { afterAll, expect, test } from "vitest";
import { createEngineClient } from "@bytenite-engines/core/promise";
import { startRegistry } from "@bytenite-engines/registry/testing";
import { startLifecycle } from "@bytenite-engines/core/test/lifecycle";
import { type Result } from "@bytenite-engines/test-kit/process";
import { bne, makeHome } from "./Bne.ts";
import { onTerminal } from "./Pty.ts";

const home = makeHome();
const database = join(home.path, "registry.sqlite");
const registry = await startRegistry({ database, users: [{ name: "carol", token: "good" }] });
/** A server that takes and gives what the registry refuses. */
const careless = await startLifecycle();
afterAll(async () => {
  await careless[Symbol.asyncDispose]();
  await registry.stop();
  home[Symbol.dispose]();
});

const env = { BYTENITE_BASE_URL: registry.url, BYTENITE_TOKEN: "good" };
const carelessEnv = { ...env, BYTENITE_BASE_URL: careless.baseUrl };
const client = createEngineClient({ baseUrl: registry.url, token: "good" });
const run = (...args: ReadonlyArray<string>): Promise<Result> => bne(home, args, { env });
const json = async (...args: ReadonlyArray<string>): Promise<Record<string, unknown>> => {
  const { stdout, stderr } = await run(...args, "-o", "json");
  return JSON.parse(stdout === "" ? stderr : stdout) as Record<string, unknown>;
};

/** Writes a folder below the home. */
const folderOf = (name: string, files: Readonly<Record<string, string | Uint8Array>>): string => {
  for (const [path, content] of Object.entries(files)) {
    mkdirSync(dirname(join(home.path, name, path)), { recursive: true });
    writeFileSync(join(home.path, name, path), content);
  }
  return name;
};
const manifest = (name: string, more: object = {}): string =>
  JSON.stringify({ name, version: "0.1", type: "partitioner", ...more });

/** Everything below a folder. */
const contents = (name: string): Readonly<Record<string, string>> =>
  Object.fromEntries(
    readdirSync(join(home.path, name), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .toSorted()
      .map((path) => [path.slice(join(home.path, name).length + 1), readFileSync(path, "utf8")]),
  );

test("an engine is made, checked, pushed, activated, pulled and deleted", async () => {
  const made = await run("new", "hello", "--type", "partitioner");
  expect(made).toMatchObject({ code: 0, stdout: "" });
  expect(JSON.parse(contents("hello")["manifest.json"] ?? "")).toEqual({
    name: "hello",
    version: "0.1",
    type: "partitioner",
    description: "",
    entrypoint: "main.py",
    platform: "docker",
    platform_config: { container: "python:3.13-slim" },
    device_requirements: { min_cpu: 1, min_memory: 1 },
  });
  expect((await run("new", "hello", "--type", "partitioner")).code).toBe(7);
  folderOf("hello", { "app/main.py": "print('hello')\n" });
  const checked = await run("validate", "hello");
  expect(checked).toMatchObject({ code: 0, stdout: "" });
  expect(checked.stderr).toMatch(/^hello@0\.1 is valid: 2 files, 3\.1 kB, SHA-256 \S{44}\.\n$/);

  const pushed = await run("push", "hello");
  expect(pushed.stdout).toMatch(/^path +bytes\nmanifest\.json +\d+\napp\/main\.py +15\n$/);
  expect(pushed.stderr).toMatch(
    /^hello@0\.1 is created, revision 1, inactive: 2 files, .*\nActivate it with `bne activate hello@0\.1`\.\n$/,
  );
  expect(pushed.code).toBe(0);
  expect((await run("push", "hello")).stderr).toContain("hello@0.1 is unchanged, revision 1");
  expect(registry.requests.filter(({ method, path }) => method === "POST" && path === "/v1/dev/engines")).toHaveLength(
    1,
  );

  const activated = await run("activate", "hello@0.1");
  expect(activated).toMatchObject({ code: 0, stderr: "" });
  expect(activated.stdout).toContain("active");
  const pulled = await run("pull", "hello@0.1", "copy");
  expect(pulled).toMatchObject({ code: 0 });
  expect(pulled.stderr).toMatch(/^hello@0\.1, revision 1, is in copy: 2 files, /);
  expect(contents("copy")).toEqual(contents("hello"));
  expect((await json("deactivate", "hello@0.1"))["engineStatus"]).toBe("inactive");
  expect(await run("delete", "hello@0.1")).toMatchObject({ code: 7, stdout: "" });
  expect(await json("delete", "hello@0.1", "--yes")).toMatchObject({ engineTag: "hello@0.1", engineStatus: "deleted" });
  expect((await run("delete", "hello@0.1", "--yes")).code).toBe(3);
});

test("an archive that the server has lost, or never had, is sent again", async () => {
  folderOf("lost", { "manifest.json": manifest("lost"), "app/main.py": "x" });
  expect((await run("push", "lost")).code).toBe(0);
  using rows = new DatabaseSync(database);
  rows.exec("UPDATE archives SET released_at = 1 WHERE released_at IS NULL");
  expect((await run("pull", "lost@0.1", "lost-copy")).stderr).toContain("has no archive");
  expect((await run("push", "lost")).stderr).toContain("lost@0.1 is updated, revision 1");
  rows.exec("UPDATE archives SET key = '00000000-0000-0000-0000-000000000000' WHERE released_at IS NULL");
  expect((await run("pull", "lost@0.1", "lost-copy")).stderr).toContain("has no archive");
  expect((await run("push", "lost")).stderr).toContain("lost@0.1 is updated, revision 1");
  expect((await run("push", "lost")).stderr).toContain("lost@0.1 is unchanged, revision 1");
  expect((await run("pull", "lost@0.1", "lost-copy")).code).toBe(0);
});

test("the same files give the same archive, whatever their times, and it is read by tar", async () => {
  const files = {
    "manifest.json": manifest("same"),
    "app/main.py": "x",
    "app/long/run.sh": "#!/bin/sh\n",
    "Zé.txt": "é",
  };
  folderOf("same-1", files);
  chmodSync(join(home.path, "same-1/app/long/run.sh"), 0o775);
  folderOf("same-2", Object.fromEntries(Object.entries(files).toReversed()));
  chmodSync(join(home.path, "same-2/app/long/run.sh"), 0o700);
  utimesSync(join(home.path, "same-2/app/main.py"), 1, 1);
  const [one, two] = [await json("validate", "same-1"), await json("validate", "same-2")];
  expect(one["hash"]).toBe(two["hash"]);
  // As any version must make it: another hash would make every push an update.
  expect(one["hash"]).toBe("kgcGV7ES4F7NMRtCz0glKG2kQgLsZiLj50S8bxe5nOo=");
  await run("push", "same-1");
  const tar = await (await client.archive("same@0.1")).bytes();
  expect(createHash("sha256").update(tar).digest("base64")).toBe(one["hash"]);
  const listed = execFileSync("tar", ["-tvf", "-"], {
    input: tar,
    encoding: "utf8",
    env: { TZ: "UTC", LC_ALL: "C.UTF-8" },
  });
  expect(
    listed
      .trim()
      .split("\n")
      .map((line) => line.replaceAll(/ +/g, " ")),
  ).toEqual([
    "-rw-r--r-- 0/0 52 1970-01-01 00:00 manifest.json",
    "-rw-r--r-- 0/0 2 1970-01-01 00:00 Zé.txt",
    "-rwxr-xr-x 0/0 10 1970-01-01 00:00 app/long/run.sh",
    "-rw-r--r-- 0/0 1 1970-01-01 00:00 app/main.py",
  ]);
});

test("what is left out, and .bneignore as .gitignore is read", async () => {
  folderOf("ignoring", {
    "manifest.json": manifest("ignoring"),
    "app/main.py": "x",
    "app/__pycache__/main.pyc": "x",
    ".git/config": "x",
    "data/big.bin": "x",
    "data/keep.txt": "x",
    "notes.md": "x",
    ".bneignore": "# comment\ndata/*\n!data/keep.txt\n*.md\nmanifest.json\n",
  });
  const args = ["push", "ignoring", "--dry-run", "-o", "name"];
  expect((await run(...args)).stdout).toBe("manifest.json\n.bneignore\napp/main.py\ndata/keep.txt\n");
  folderOf("ignoring", { ".bneignore": "!__pycache__/\n!*.pyc\ndata\n" });
  expect((await run(...args)).stdout).toContain("app/__pycache__/main.pyc");
  await expect(client.get("ignoring@0.1")).rejects.toMatchObject({ reason: { _tag: "NotFound" } });
});

test("folders of the former command are taken as they are: capitalised keys, other files, any entrypoint", async () => {
  folderOf("former", {
    "manifest.json": '{"Name": "former", "Version": "1.0", "Type": "assembler", "Entrypoint": "run.py"}',
    "app/run.py": "x",
    "README.md": "x",
  });
  expect(await json("push", "former", "--activate")).toMatchObject({
    tag: "former@1.0",
    result: "created",
    status: "active",
    revision: 1,
    dryRun: false,
  });
});

test("every problem is reported at once, with its place; a push of such a folder sends nothing", async () => {
  folderOf("bad", {
    "manifest.json": '{\n "name": "no name",\n "version": "1.2.3",\n "typ": "x"\n}',
    "app/main.py": "x",
    "a.txt": "x",
    "A.txt": "x",
    "app/back\\slash": "x",
  });
  symlinkSync("/etc/passwd", join(home.path, "bad/link"));
  const { code, stdout } = await run("validate", "bad", "-o", "ndjson");
  expect(code).toBe(7);
  const problems = stdout
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, string>);
  expect(problems.map(({ severity, place }) => `${severity} ${place}`).toSorted()).toEqual([
    "error a.txt",
    "error app/back\\slash",
    "error link",
    "error manifest.json:2:10",
    "error manifest.json:3:13",
    "error manifest.json:4:2",
  ]);
  const before = registry.requests.length;
  const pushed = await run("push", "bad");
  expect(pushed).toMatchObject({ code: 7, stdout: "" });
  expect(pushed.stderr).toMatch(/^bne: The folder is not valid: .*, and 5 more\n`bne validate FOLDER` shows/);
  expect(registry.requests.length).toBe(before);
});

test("what looks like a secret is warned of before it is sent", async () => {
  folderOf("leaky", {
    "manifest.json": manifest("leaky", { platform_config: { token: "t0ken" } }),
    "app/main.py": `key = "ghp_${"a".repeat(36)}"`,
    "app/key.txt": "-----BEGIN OPENSSH PRIVATE KEY-----\n",
    ".env": "A=b",
    ".env.example": "A=",
    "app/nothing.py": "token = os.environ['TOKEN']",
  });
  const { code, stderr } = await run("push", "leaky", "--dry-run");
  expect(code).toBe(0);
  const warned = stderr.split("\n").filter((line) => line.startsWith("warning: "));
  expect(warned.map((line) => line.split(" ")[1] ?? "").toSorted()).toEqual([
    ".env",
    "app/key.txt",
    "app/main.py",
    "manifest.json",
  ]);
  expect(stderr).not.toContain("t0ken");
});

test.each([
  ["partitoner", /are known\. Did you mean partitioner\?$/],
  ["x", /are known$/],
])("the unknown type %s is warned of", async (type, expected) => {
  folderOf("typed", { "manifest.json": manifest("typed", { type }), "app/main.py": "x" });
  const { stdout } = await run("validate", "typed", "-o", "ndjson");
  expect((JSON.parse(stdout) as { readonly problem: string }).problem).toMatch(expected);
});

for (const [title, line, code, message] of [
  ["a folder that is not there", "push nowhere", 2, "Cannot read the folder nowhere: it does not exist"],
  ["a file", "push hello-file", 2, "hello-file is not a folder"],
  ["a folder without a manifest names those below", "validate above", 2, "There is one in above/inner."],
  ["new without a type", "new x", 2, "bne new needs --type partitioner or assembler"],
  ["new with a wrong type", "new x --type partitoner", 2, "Did you mean partitioner?"],
  ["new with a wrong name", "new a/b --type assembler", 2, "cannot be the name of an engine"],
  ["a short tag to delete", "delete hello --yes", 2, "whole tags"],
  ["a pull of nothing", "pull nothing@0.1", 3, "Not found"],
  ["an activation of nothing", "activate nothing@0.1", 3, "Not found"],
  ["a push of nothing there with a revision", "push fine --if-revision 3", 7, "is not there, so it has no revision 3"],
] as const) {
  test(`${title}: exit code ${code}`, async () => {
    folderOf("", { "hello-file": "x" });
    folderOf("above/inner", { "manifest.json": manifest("inner") });
    folderOf("fine", { "manifest.json": manifest("fine"), "app/main.py": "x" });
    const result = await run(...line.split(" "));
    expect(result).toMatchObject({ code, stdout: "" });
    expect(result.stderr).toContain(message);
  });
}

test("--if-revision holds against what somebody else pushed, before and while it is sent", async () => {
  folderOf("guarded", { "manifest.json": manifest("guarded"), "app/main.py": "1" });
  expect(await json("push", "guarded", "--if-revision", "0")).toMatchObject({ result: "created", revision: 1 });
  writeFileSync(join(home.path, "guarded/app/main.py"), "2");
  expect((await run("push", "guarded", "--if-revision", "0")).code).toBe(7);
  expect(await json("push", "guarded", "--if-revision", "1")).toMatchObject({ result: "updated", revision: 2 });
  expect((await run("push", "guarded", "--if-revision", "1")).stderr).toContain("has revision 2, not 1");
});

test("a push that a limit of the server refuses is 7, no usage error, with a hint about that limit", async () => {
  folderOf("large", { "manifest.json": manifest("large"), "app/main.py": "1" });
  const smaller = "Name what is not needed in .bneignore; `bne push --dry-run` lists what would be sent.\n";
  for (const [fault, said, hint] of [
    [{ status: 400, code: "FAILED_PRECONDITION", message: "quota exceeded: 1 of 1 engines" }, "quota exceeded", ""],
    [{ status: 413 }, "refuses the request (413)", smaller],
    [{ status: 413, code: "INTERNAL" }, "refuses the request (413)", smaller],
  ] as const) {
    registry.faults.set([{ on: { endpoint: "upload" }, fault }]);
    const { code, stdout, stderr } = await run("push", "large");
    expect({ fault, code, stdout }).toEqual({ fault, code: 7, stdout: "" });
    const [line = "", ...hints] = stderr.split("\n");
    expect(line).toContain(said);
    expect(line).not.toContain("invalid");
    expect(hints.join("\n")).toBe(hint);
  }
  registry.faults.clear();
});

test("pull writes into no file that is there, follows no link, and --force replaces files alone", async () => {
  folderOf("source", { "manifest.json": manifest("source"), "app/main.py": "new", "app/run.sh": "x" });
  chmodSync(join(home.path, "source/app/run.sh"), 0o755);
  await run("push", "source");
  folderOf("taken", { "app/main.py": "old", "mine.txt": "mine" });
  const refused = await run("pull", "source", "taken");
  expect(refused).toMatchObject({ code: 7, stdout: "" });
  expect(refused.stderr).toContain("taken has app/main.py already");
  expect(contents("taken")).toEqual({ "app/main.py": "old", "mine.txt": "mine" });
  expect((await run("pull", "source", "taken", "--force")).code).toBe(0);
  expect(contents("taken")).toEqual({ ...contents("source"), "mine.txt": "mine" });
  expect(statSync(join(home.path, "taken/app/run.sh")).mode & 0o111).not.toBe(0);
  expect(statSync(join(home.path, "taken/app/main.py")).mode & 0o111).toBe(0);
  mkdirSync(join(home.path, "elsewhere"));
  mkdirSync(join(home.path, "trap"));
  symlinkSync(join(home.path, "elsewhere"), join(home.path, "trap/app"));
  const trapped = await run("pull", "source", "trap", "--force");
  expect(trapped.stderr).toMatch(/^bne: Nothing was written: .*trap\/app is a link, not a folder/);
  expect([trapped.code, readdirSync(join(home.path, "elsewhere")), readdirSync(join(home.path, "trap"))]).toEqual([
    7,
    [],
    ["app"],
  ]);
  // A link to a file is replaced, not followed.
  mkdirSync(join(home.path, "linked"));
  folderOf("elsewhere", { "target.txt": "kept" });
  symlinkSync(join(home.path, "elsewhere/target.txt"), join(home.path, "linked/manifest.json"));
  expect((await run("pull", "source", "linked", "--force")).code).toBe(0);
  expect(contents("elsewhere")).toEqual({ "target.txt": "kept" });
  expect(readdirSync(home.path).filter((name) => name.includes(".bne-"))).toEqual([]);
});

const hasEngine = (tag: string): Promise<boolean> =>
  client.get(tag).then(
    () => true,
    () => false,
  );

test("a repository in an archive is left out of a pull", async () => {
  const entries = [
    entry("manifest.json"),
    entry(".git/config"),
    entry("app/.GIT/hooks/post-checkout"),
    entry("app/main.py"),
  ];
  careless.store("cloned@0.1", await packTar(entries));
  const { code, stderr } = await bne(home, ["pull", "cloned@0.1"], { env: carelessEnv });
  expect([code, Object.keys(contents("cloned"))]).toEqual([0, ["app/main.py", "manifest.json"]]);
  expect(stderr).toContain("warning: .git of the archive is left out");
});

const entry = (name: string, more: object = {}) => ({
  header: { name, size: 1, mtime: new Date(0), ...more },
  body: "x",
});
const link = (name: string, type: "symlink" | "link" | "fifo" | "character-device", linkname = "/etc/passwd") => ({
  header: { name, size: 0, type, linkname },
});

test("no archive of a server writes outside its folder or anything but files", { timeout: 180_000 }, async () => {
  const hostile: ReadonlyArray<readonly [name: string, archive: Uint8Array]> = [
    ...(await Promise.all(
      (
        [
          [entry("../out.txt")],
          [entry("a/../../out.txt")],
          [entry("/tmp/bne-out.txt")],
          [entry("./manifest.json"), entry("..\\out.txt")],
          [link("app", "symlink", ".."), entry("app/out.txt")],
          [link("hard", "link")],
          [link("pipe", "fifo")],
          [link("null", "character-device")],
          [entry("a.txt"), entry("A.txt")],
          [entry("a"), entry("a/b")],
          [entry("nul.txt", { pax: { path: "nul\u0000l.txt" } })],
          [entry("\u001b[2J.txt")],
          [entry("short.txt", { pax: { path: "../../pax.txt" } })],
        ] as ReadonlyArray<Parameters<typeof packTar>[0]>
      ).map(async (entries) => [JSON.stringify(entries[0]?.header.name), await packTar(entries)] as const),
    )),
    ["no tar", Buffer.from("nothing of the kind ".repeat(100))],
    ["cut", (await packTar([entry("a.txt"), entry("b.txt")])).subarray(0, 1_300)],
    ["damaged gzip", Buffer.concat([gzipSync("x"), Buffer.from("y")]).subarray(0, 12)],
    ["a bomb", gzipSync(Buffer.alloc(300_000_000))],
  ];
  const before = readdirSync(home.path);
  const pulled = async ([name, archive]: readonly [string, Uint8Array], index: number): Promise<void> => {
    careless.store(`hostile-${index}@0.1`, archive);
    const result = await bne(home, ["pull", `hostile-${index}@0.1`], { env: carelessEnv });
    expect({ name, code: result.code, stdout: result.stdout }).toEqual({ name, code: 6, stdout: "" });
    expect(result.stderr).toMatch(/^bne: The archive is not unpacked: .*\nNothing was written\.\n$/);
    expect(result.stderr.replaceAll("\n", "")).not.toMatch(/\p{Cc}/u);
  };
  // Four processes at once.
  for (let at = 0; at < hostile.length; at += 4) {
    await Promise.all(hostile.slice(at, at + 4).map((row, index) => pulled(row, at + index)));
  }
  expect(readdirSync(home.path)).toEqual(before);
  expect(existsSync("/tmp/bne-out.txt")).toBe(false);
});

test("archives of GNU tar, bsdtar and Python, in a folder and compressed, are pulled as they are", async () => {
  folderOf("made", {
    "manifest.json": manifest("made"),
    [`app/${"a-long-name/".repeat(20)}main.py`]: "é",
    "app/main.py": "x",
  });
  const cwd = home.path;
  const python = "import tarfile,sys; t=tarfile.open(fileobj=sys.stdout.buffer,mode='w|gz'); t.add('made'); t.close()";
  for (const [program, ...args] of [
    ["tar", "-cf", "-", "made"],
    ["tar", "-czf", "-", "-C", "made", "."],
    ["tar", "--format=posix", "-cf", "-", "-C", "made", "manifest.json", "app"],
    ["bsdtar", "-cf", "-", "made"],
    ["python3", "-c", python],
  ] as ReadonlyArray<readonly [string, ...Array<string>]>) {
    const { stdout, status, error } = spawnSync(program, args, { cwd });
    if (error !== undefined) continue;
    expect(status).toBe(0);
    await client.upload(new Uint8Array(stdout));
    const result = await run("pull", "made@0.1", "unmade", "--force");
    expect({ program, args, code: result.code, stderr: result.stderr.split("\n")[1] }).toEqual({
      program,
      args,
      code: 0,
      stderr: "",
    });
    expect(contents("unmade")).toEqual(contents("made"));
  }
});

test("an archive that is not the engine's is refused, and nothing is written", async () => {
  careless.store("changed@0.1", await packTar([entry("manifest.json")]));
  const stored = careless.engines.get("changed@0.1");
  if (stored !== undefined) stored.archive = await packTar([entry("manifest.json"), entry("evil.txt")]);
  const { code, stderr } = await bne(home, ["pull", "changed@0.1"], { env: carelessEnv });
  expect(code).toBe(6);
  expect(stderr).toContain("SHA-256");
  expect(existsSync(join(home.path, "changed"))).toBe(false);
});

test("a pull says what is wrong with a download link, and who gave it", async () => {
  const links = [
    ["", "the server gave no download link"],
    ["/archives/x", "the download link is not an absolute URL"],
    ["//example.com/x", "the download link is not an absolute URL"],
    ["ftp://example.com/x", "the download link is neither https nor to this machine"],
  ] as const;
  let link = "";
  await using linking = await startLifecycle({ link: () => link });
  linking.store("zipper@0.1", await packTar([entry("manifest.json")]));
  for (const [given, problem] of links) {
    link = given;
    const { code, stderr } = await bne(home, ["pull", "zipper@0.1"], {
      env: { ...env, BYTENITE_BASE_URL: linking.baseUrl },
    });
    expect(code).toBe(6);
    expect(stderr.split("\n")[0]).toBe(
      `bne: Nothing can be downloaded from ${new URL(linking.baseUrl).host}: ${problem}`,
    );
  }
  expect(existsSync(join(home.path, "zipper"))).toBe(false);
});

test("on a terminal delete asks, and anything but yes deletes nothing", async () => {
  folderOf("asked", { "manifest.json": manifest("asked"), "app/main.py": "x" });
  await run("push", "asked");
  for (const [typed, code, isThere] of [
    ["n\r", 7, true],
    ["\r", 7, true],
    ["\u0004", 7, true],
    ["\u0003", 130, true],
    ["y\r", 0, false],
  ] as const) {
    const pty = onTerminal(home, ["delete", "asked@0.1"], { env });
    await pty.until(/Delete asked@0\.1 at 127\.0\.0\.1:\d+.*\[y\/N\] /);
    pty.type(typed);
    expect({ typed, code: await pty.ended, isThere: await hasEngine("asked@0.1") }).toEqual({
      typed,
      code,
      isThere,
    });
  }
});

test("on a terminal a bar shows how much of an archive was sent, also where there is ASCII only", async () => {
  folderOf("large", { "manifest.json": manifest("large"), "app/main.py": Buffer.alloc(30_000_000, "x") });
  let resume: (() => void) | undefined;
  await using slow = await startServer((request, response) => {
    response.setHeader("content-type", "application/json");
    if (request.method === "GET") return void response.writeHead(404).end('{"code": 5}');
    request.pause();
    resume = () =>
      void request.resume().on("end", () => response.writeHead(403).end('{"code": 7, "message": "not yours"}'));
  });
  for (const [locale, bar] of [
    ["C.UTF-8", /sending large@0\.1, 30 MB █+░+ \d+%/],
    ["C", /sending large@0\.1, 30 MB #+-+ \d+%/],
  ] as const) {
    const pty = onTerminal(home, ["push", "large"], {
      env: { ...env, BYTENITE_BASE_URL: slow.baseUrl, LC_ALL: locale },
    });
    await pty.until(bar);
    resume?.();
    expect(await pty.ended).toBe(4);
    expect((await pty.screen()).join("\n")).not.toMatch(/[█#]{3}/);
  }
});
