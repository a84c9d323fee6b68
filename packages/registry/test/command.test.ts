import { createHash } from "node:crypto";
import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { connect, createServer, type AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { run, serve } from "./process.ts";

const key = { BYTENITE_REGISTRY_KEY: "0123456789abcdef0123456789abcdef" };

let directory: string;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), "registry-command-"));
});

afterAll(() => rm(directory, { recursive: true, force: true }));

let databases = 0;
const fresh = (): ReadonlyArray<string> => ["--database", join(directory, `${databases++}.sqlite`)];

const manifest = (name: string, version: string, rest: object = {}): string =>
  JSON.stringify({ name, version, ...rest }, null, 2);

const get = (origin: string, path: string, token: string): Promise<Response> =>
  fetch(`${origin}/v1/dev${path}`, { headers: { Authorization: token } });

test.for(["SIGINT", "SIGTERM"] as const)(
  "it says ready in one line on stdout, and ends with 0 on %s",
  async (signal) => {
    const registry = await serve(fresh());
    expect(registry.output.stdout).toMatch(/^ready http:\/\/127\.0\.0\.1:\d+\n$/);
    expect(registry.output.stderr).toContain("local-alice");
    expect(registry.output.stderr).toContain("local-bob");
    expect((await get(registry.origin, "/engines", "local-alice")).status).toBe(200);
    expect(await registry.end(signal)).toBe(0);
  },
);

test("without any argument a trial runs on a file below the current directory", async () => {
  const registry = await serve([], {}, directory);
  expect((await get(registry.origin, "/engines/zipper", "local-bob")).status).toBe(200);
  expect((await stat(join(directory, ".data/registry.sqlite"))).isFile()).toBe(true);
  expect(await registry.end("SIGTERM")).toBe(0);
});

test("a database that exists is not seeded again, and keeps what it had", async () => {
  const database = fresh();
  expect(await (await serve(database)).end("SIGTERM")).toBe(0);
  const again = await serve(database);
  expect(again.output.stderr).toBe("");
  expect(await (await get(again.origin, "/engines", "local-alice")).json()).toMatchObject({ pagination: { total: 5 } });
  await again.end("SIGTERM");
});

test("trial tokens open nothing on an address that others can reach, and a new database there is not seeded", async () => {
  const database = fresh();
  await (await serve(database)).end("SIGTERM");
  const open = await serve([...database, "--host", "0.0.0.0"]);
  const { port } = new URL(open.origin);
  expect((await get(`http://127.0.0.1:${port}`, "/engines", "local-alice")).status).toBe(401);
  expect((await fetch(`http://127.0.0.1:${port}/metrics`)).status).toBe(404);
  expect((await fetch(`http://127.0.0.1:${port}/healthz`)).status).toBe(200);
  await open.end("SIGTERM");
  const bare = await serve([...fresh(), "--host", "0.0.0.0"]);
  expect(bare.output.stderr).toBe("");
  await bare.end("SIGTERM");
});

test("an answer under way is finished after SIGTERM, and new connections are refused", async () => {
  const rules = join(directory, "slow.json");
  await writeFile(rules, JSON.stringify([{ fault: { latencyMs: 400 } }]));
  const registry = await serve([...fresh(), "--faults", rules]);
  const { port } = new URL(registry.origin);
  const answer = get(registry.origin, "/engines", "local-alice");
  await expect
    .poll(async () => (await (await fetch(`${registry.origin}/faults`)).json()) as unknown)
    .toMatchObject([{ seen: 1 }]);
  const ended = registry.end("SIGTERM");
  await expect.poll(() => refused(Number(port))).toBe(true);
  expect((await answer).status).toBe(200);
  expect(await ended).toBe(0);
});

const refused = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("connect", () => {
      socket.destroy();
      resolve(false);
    });
    socket.once("error", () => resolve(true));
  });

test("a port in use is one sentence that says what to do", async () => {
  const blocker = createServer();
  await new Promise<void>((resolve) => blocker.listen(0, "127.0.0.1", resolve));
  const { port } = blocker.address() as AddressInfo;
  const { code, stdout, stderr } = await run(["serve", ...fresh(), "--port", String(port)]);
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toBe(`registry: port ${port} on 127.0.0.1 is in use: choose another with --port\n`);
  blocker.close();
});

test.for<[string, ReadonlyArray<string>, RegExp]>([
  ["an unknown command", ["frobnicate"], /no command "frobnicate"/],
  ["an unknown flag", ["--databas", "x"], /databas/],
  ["a port that is none", ["--database", "x", "--port", "70000"], /--port/],
  ["a numbering that is no file", ["--database", "x", "--field-numbers", "/nowhere"], /\/nowhere/],
  ["rules that are no file", ["--database", "x", "--faults", "/nowhere"], /\/nowhere/],
  ["an import of nothing", ["import", "--database", "x"], /import what/],
])("%s ends with 2 and says why on stderr", async ([, args, says]) => {
  const { code, stdout, stderr } = await run(args);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(says);
  expect(stderr).not.toMatch(/ {4}at /);
});

test("a file that is no database, and a directory that is not there, are clear errors", async () => {
  const text = join(directory, "text.sqlite");
  await writeFile(
    text,
    "this is a text, and a rather long one, so that it cannot be taken for an empty file\n".repeat(20),
  );
  expect((await run(["--database", text])).stderr).toMatch(/it is not a SQLite file/);
  expect((await run(["users", "--database", join(directory, "no/such/x.sqlite")])).stderr).toMatch(
    /does its directory exist/,
  );
});

test("tokens come from a file and from the environment, and those that are taken out of it stop to work", async () => {
  const database = fresh();
  const file = join(directory, "tokens.json");
  await writeFile(file, JSON.stringify({ carol: "a-token-of-carol-from-a-file" }));
  const both = await serve([...database, "--tokens", file], {
    REGISTRY_TOKENS: JSON.stringify({ carol: ["a-second-token-of-carol"], dave: ["a-token-of-dave-from-env"] }),
  });
  for (const token of ["a-token-of-carol-from-a-file", "a-second-token-of-carol", "a-token-of-dave-from-env"]) {
    expect((await get(both.origin, "/engines", token)).status).toBe(200);
  }
  expect(both.output.stderr).toBe("");
  await both.end("SIGTERM");
  const one = await serve([...database, "--tokens", file]);
  expect((await get(one.origin, "/engines", "a-token-of-dave-from-env")).status).toBe(401);
  await one.end("SIGTERM");
  const whole = await readFile(String(database[1]), "latin1");
  expect(whole).not.toContain("a-token-of-carol");
});

test("a token file that is wrong is told without its tokens", async () => {
  const file = join(directory, "bad-tokens.json");
  for (const text of ['{"carol": ["secret-but-broken', '{"carol": ["short"]}', '["secret-but-a-list-of-them"]']) {
    await writeFile(file, text);
    const { code, stderr } = await run(["--database", "x", "--tokens", file]);
    expect(code).toBe(2);
    expect(stderr).toContain("bad-tokens.json");
    expect(stderr).not.toContain("secret-but");
  }
});

test("manifests are imported from files, trees, globs and stdin, and read back over the API", async () => {
  const database = fresh();
  const tree = join(directory, "tree");
  await mkdir(join(tree, "a/b"), { recursive: true });
  await writeFile(join(tree, "a/manifest.json"), manifest("one", "0.1", { type: "partitioner" }));
  await writeFile(join(tree, "a/b/manifest.json"), manifest("two", "0.9"));
  await writeFile(
    join(tree, "three.json"),
    `\u{FEFF}${manifest("three", "1.0", { device_requirements: { min_cpu: 0.1 } })}`,
  );
  const flags = ["--user", "carol", ...database];
  expect(await run(["import", join(tree, "a"), join(tree, "t*.json"), ...flags])).toMatchObject({
    code: 0,
    stderr: "",
  });
  expect(await run(["import", "-", ...flags], {}, manifest("four", "0.1"))).toMatchObject({
    code: 0,
    stdout: "imported 1 engine\n",
  });
  const lines = [manifest("five", "0.1"), manifest("six", "0.1")].map((text) => text.replaceAll("\n", "")).join("\n");
  expect((await run(["import", "-", "--activate", "--public", ...flags], {}, lines)).stdout).toBe(
    "imported 2 engines\n",
  );
  const { stdout: token } = await run(["token", "create", ...flags]);
  const registry = await serve(database);
  const list = (await (await get(registry.origin, "/engines?orderBy=name", token.trim())).json()) as {
    engines: ReadonlyArray<{ name: string; status: string; entrypoint: string }>;
  };
  expect(list.engines.map(({ name, status }) => `${name} ${status}`)).toEqual([
    "five active",
    "four inactive",
    "one inactive",
    "six active",
    "three inactive",
    "two inactive",
  ]);
  expect(list.engines.every(({ entrypoint }) => entrypoint === "main.py")).toBe(true);
  await registry.end("SIGTERM");
});

test("importing again overwrites and raises the revision; state, visibility and time of creation stay", async () => {
  const database = fresh();
  const file = join(directory, "again.json");
  const flags = ["--user", "carol", ...database];
  await writeFile(file, manifest("again", "0.1", { description: "first" }));
  expect((await run(["import", file, ...flags])).stdout).toMatch(/^imported again@0\.1 revision 1 from /);
  expect((await run(["activate", "again", ...flags])).stdout).toBe("activated again@0.1\n");
  const first = JSON.parse((await run(["export", ...database])).stdout) as Record<string, unknown>;
  await writeFile(file, manifest("again", "0.1", { description: "second" }));
  expect((await run(["import", file, ...flags])).stdout).toMatch(/^imported again@0\.1 revision 2 from /);
  const second = JSON.parse((await run(["export", ...database])).stdout) as Record<string, unknown>;
  expect(second).toMatchObject({
    id: first["id"],
    createdAt: first["createdAt"],
    status: "active",
    revision: 2,
    description: "second",
  });
});

test("a wrong file is told by line and column and not imported; the others are", async () => {
  const database = fresh();
  const good = join(directory, "good.json");
  const bad = join(directory, "bad.json");
  await writeFile(good, manifest("good", "0.1"));
  await writeFile(bad, '{\n  "name": "b d",\n  "version": "1",\n  "typ": ""\n}');
  const { code, stdout, stderr } = await run(["import", bad, good, "--user", "carol", ...database]);
  expect([code, stdout]).toEqual([1, `imported good@0.1 revision 1 from ${good}\n`]);
  expect(stderr.split("\n").map((line) => line.replace(bad, ""))).toEqual([
    ':4:3: the manifest has no "typ"',
    ":2:11: name must be 1 to 64 letters, digits, - or _",
    ':3:14: version must be major.minor, as in "0.1"',
    "",
  ]);
});

test("a stream with one wrong line is not imported at all", async () => {
  const database = fresh();
  const lines = ['{"name":"a","version":"0.1"}', '{"name":"b","version":"x"}', '{"name":"c","version":"0.1"'].join(
    "\n",
  );
  const { code, stdout, stderr } = await run(["import", "-", "--user", "carol", ...database], {}, lines);
  expect([code, stdout]).toEqual([1, "imported 0 engines\n"]);
  expect(stderr).toMatch(/stdin line 2:1:23: version/);
  expect(stderr).toMatch(/stdin line 3:1:28: not JSON/);
  expect((await run(["export", ...database])).stdout).toBe("");
});

test("the hash comes from an archive when one is given", async () => {
  const database = fresh();
  const archive = join(directory, "archive.zip");
  const file = join(directory, "hashed.json");
  await writeFile(archive, Buffer.alloc(1_000_000, 7));
  await writeFile(file, manifest("hashed", "0.1"));
  await run(["import", file, "--archive", archive, "--user", "carol", ...database]);
  const { hash } = JSON.parse((await run(["export", ...database])).stdout) as { hash: string };
  expect(hash).toBe(createHash("sha256").update(Buffer.alloc(1_000_000, 7)).digest("base64"));
});

test("a secret is refused without a key, and sealed with one", async () => {
  const database = fresh();
  const file = join(directory, "secret.json");
  await writeFile(file, manifest("sealed", "0.1", { platform_config: { token: "a-secret-of-a-registry" } }));
  const flags = ["--user", "carol", ...database];
  const refused = await run(["import", file, ...flags]);
  expect([refused.code, refused.stderr.includes("BYTENITE_REGISTRY_KEY")]).toEqual([1, true]);
  expect((await run(["import", file, ...flags], key)).code).toBe(0);
  expect((await run(["export", ...database])).stdout).not.toContain("a-secret");
  expect((await run(["export", "--with-secrets", ...database], key)).stdout).toContain("a-secret-of-a-registry");
  expect(await readFile(String(database[1]), "latin1")).not.toContain("a-secret");
});

test("what is exported is imported as it was, and refused where it would be lost", async () => {
  const database = fresh();
  const lines = Array.from({ length: 50 }, (_, index) => `{"name":"e-${index}","version":"0.${index}"}`).join("\n");
  await run(["import", "-", "--activate", "--user", "carol", ...database], {}, lines);
  const exported = (await run(["export", ...database])).stdout;
  const other = fresh();
  expect((await run(["import", "-", ...other], {}, exported)).stdout).toBe("imported 50 engines\n");
  const owner = /"owner":"[^"]*"/g;
  expect((await run(["export", ...other])).stdout.replaceAll(owner, "")).toBe(exported.replaceAll(owner, ""));
});

test("a backup made while it is served is restored whole, under a registry that runs", async () => {
  const database = fresh();
  const backup = join(directory, "backup.sqlite");
  const registry = await serve(database);
  expect((await run(["backup", backup, ...database])).stdout).toMatch(/^backed up 8 engines of 2 users/);
  await run(["delete", "zipper", "--user", "alice", ...database]);
  expect((await get(registry.origin, "/engines/zipper", "local-alice")).status).toBe(404);
  expect((await run(["restore", backup, ...database])).code).toBe(1);
  expect((await run(["restore", backup, "--force", ...database])).stdout).toMatch(/^restored 8 engines of 2 users/);
  expect((await get(registry.origin, "/engines/zipper", "local-alice")).status).toBe(200);
  await registry.end("SIGTERM");
  await expect(stat(`${backup}.partial`)).rejects.toThrow("ENOENT");
  await writeFile(backup, (await readFile(backup)).subarray(0, 5_000));
  expect((await run(["restore", backup, "--force", ...database])).stderr).toMatch(
    /damaged|cannot be read as a backup|not a registry's database/,
  );
});

test("tokens and keys are made, listed without the secret, and revoked within a second of a running registry", async () => {
  const database = fresh();
  const registry = await serve([...database, "--no-trial"], key);
  const flags = ["--user", "carol", ...database];
  const token = (await run(["token", "create", "--label", "laptop", ...flags])).stdout.trim();
  const apiKey = (await run(["key", "create", ...flags])).stdout.trim();
  expect((await get(registry.origin, "/engines", token)).status).toBe(200);
  const exchanged = await fetch(`${registry.origin}/v1/auth/access_token`, {
    method: "POST",
    body: JSON.stringify({ apiKey }),
  });
  const { token: signed } = (await exchanged.json()) as { token: string };
  expect((await get(registry.origin, "/engines", signed)).status).toBe(200);
  const tokens = (await run(["token", "list", ...database])).stdout;
  expect(tokens).toMatch(/carol\ttoken\t.*good\tlaptop/);
  expect(tokens).not.toContain(token.slice(4));
  const keys = (await run(["key", "list", ...database])).stdout;
  for (const list of [tokens, keys]) {
    expect((await run(["token", "revoke", list.split("\t")[0] ?? "", ...database])).code).toBe(0);
  }
  for (const secret of [token, signed]) {
    await expect
      .poll(async () => (await get(registry.origin, "/engines", secret)).status, { timeout: 5_000 })
      .toBe(401);
  }
  expect((await run(["token", "revoke", "nobody", ...database])).code).toBe(1);
  await registry.end("SIGTERM");
});

test("another numbering and no digest are started from the command line", async () => {
  const numbers = join(directory, "numbers.json");
  await writeFile(numbers, JSON.stringify({ "bytenite.engine.Engine": { id: 100 } }));
  const registry = await serve([...fresh(), "--field-numbers", numbers, "--no-schema-digest"]);
  const answer = await fetch(`${registry.origin}/v1/dev/engines/zipper`, {
    headers: { Authorization: "local-alice", Accept: "application/x-protobuf" },
  });
  expect(answer.headers.get("bytenite-schema-digest")).toBeNull();
  // Field 100 of wire type 2 begins with the two bytes of the varint 802.
  expect(Buffer.from(await answer.arrayBuffer()).includes(Buffer.from([0xa2, 0x06, 36]))).toBe(true);
  await registry.end("SIGTERM");
});

test("a settings file sets limits, logs and an admin port; a wrong one is told by its place", async () => {
  const log = join(directory, "access.log");
  const settings = join(directory, "settings.json");
  const admin = await freePort();
  await writeFile(
    settings,
    JSON.stringify({
      database: fresh()[1],
      adminPort: admin,
      accessLog: log,
      faults: "on",
      rateLimit: { perSecond: 0.01, burst: 3 },
      limits: { headerBytes: 2_048 },
    }),
  );
  const registry = await serve(["--config", settings]);
  const statuses: Array<number> = [];
  for (let call = 0; call < 4; call++)
    statuses.push((await get(registry.origin, "/engines?x=private", "local-bob")).status);
  expect(statuses).toEqual([200, 200, 200, 429]);
  expect((await fetch(registry.origin, { headers: { "X-Long": "x".repeat(3_000) } })).status).toBe(431);
  expect((await fetch(`${registry.origin}/metrics`)).status).toBe(404);
  const metrics = await (await fetch(`http://127.0.0.1:${admin}/metrics`)).text();
  expect(metrics).toMatch(/registry_requests_total\{endpoint="list",status="200",format="json"\} 3/);
  expect(metrics).toMatch(/registry_requests_total\{endpoint="list",status="429",format="json"\} 1/);
  expect((await fetch(`http://127.0.0.1:${admin}/readyz`)).status).toBe(200);
  expect(await registry.end("SIGTERM")).toBe(0);
  const lines = (await readFile(log, "utf8")).trim().split("\n");
  expect(JSON.parse(lines[0] ?? "")).toMatchObject({ path: "/v1/dev/engines", status: 200, user: "bob" });
  expect(lines.join("\n")).not.toMatch(/local-bob|private/);
  await writeFile(settings, JSON.stringify({ database: "x", limits: { headerByte: 1 } }));
  expect((await run(["--config", settings])).stderr).toMatch(/settings\.json: \/limits .*headerByte/);
});

const freePort = (): Promise<number> =>
  new Promise((resolve) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });

test("faults are set over HTTP, only as JSON, and wrong ones are refused with the place", async () => {
  const registry = await serve([...fresh(), "--faults", "on"]);
  const put = (body: string, type = "application/json"): Promise<Response> =>
    fetch(`${registry.origin}/faults`, { method: "PUT", body, headers: { "Content-Type": type } });
  expect((await put('[{"fault":{"status":503}}]', "text/plain")).status).toBe(415);
  expect((await put('[{"fault":{"status":"503"}}]')).status).toBe(400);
  expect(await (await put('[{"fault":{"statu":503}}]')).text()).toContain("statu");
  expect((await put('[{"fault":{"status":503,"hint":{"kind":"retry-info","ms":5}}}]')).status).toBe(200);
  expect((await get(registry.origin, "/engines", "local-alice")).status).toBe(503);
  expect((await fetch(`${registry.origin}/faults`, { method: "DELETE" })).status).toBe(200);
  expect((await get(registry.origin, "/engines", "local-alice")).status).toBe(200);
  await registry.end("SIGTERM");
  const closed = await serve(fresh());
  expect((await fetch(`${closed.origin}/faults`, { method: "DELETE" })).status).toBe(404);
  await closed.end("SIGTERM");
});
