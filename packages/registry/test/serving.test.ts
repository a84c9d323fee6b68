// `registry serve` as a process.
import { readdir, readFile, stat, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { freePort, startServer } from "@bytenite-engines/test-kit/ports";
import { expect, test } from "vitest";
import { get, key, place } from "./place.ts";
import { run, serve } from "./process.ts";

const { directory, fresh } = place();

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
  const registry = await serve([], {}, { cwd: directory });
  expect((await get(registry.origin, "/engines/zipper", "local-bob")).status).toBe(200);
  expect((await stat(join(directory, ".data/registry.sqlite"))).isFile()).toBe(true);
  expect(await registry.end("SIGTERM")).toBe(0);
});

test("a database that exists is not seeded again, and keeps what it had", async () => {
  const database = fresh();
  expect(await (await serve(database)).end("SIGTERM")).toBe(0);
  const again = await serve(database);
  expect(again.output.stderr).toBe(
    `trial user alice, token local-alice\ntrial user bob, token local-bob\nlog in: bne auth login --base-url ${again.origin}/v1/dev\n`,
  );
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
  expect(bare.output.stderr).toBe(
    "registry: requests for any Host are answered: set publicUrl or allowedHosts to check it\n",
  );
  await bare.end("SIGTERM");
});

test("with a settings file it is not a trial: the tokens of one open nothing, behind whatever proxy", async () => {
  const database = fresh();
  await (await serve(database)).end("SIGTERM");
  const settings = join(directory, "no-trial.json");
  await writeFile(settings, "{}");
  const registry = await serve([...database, "--config", settings]);
  expect((await get(registry.origin, "/engines", "local-alice")).status).toBe(401);
  await registry.end("SIGTERM");
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
  await using blocker = await startServer(() => {});
  const { port } = new URL(blocker.origin);
  const before = await readdir(directory);
  const { code, stdout, stderr } = await run(["serve", ...fresh(), "--port", port]);
  expect([code, stdout]).toEqual([1, ""]);
  expect(stderr).toBe(`registry: port ${port} on 127.0.0.1 is in use: choose another with --port\n`);
  const admin = await run(["serve", ...fresh(), "--port", "0", "--admin-port", port]);
  expect(admin.stderr).toBe(`registry: port ${port} on 127.0.0.1 is in use: choose another with --admin-port\n`);
  expect(await readdir(directory)).toEqual(before);
});

test("a second start on the same port takes nothing from the registry that has it", async () => {
  const token = "a-token-of-carol-for-this-test";
  const database = fresh();
  const registry = await serve(database, { REGISTRY_TOKENS: JSON.stringify({ carol: token }) });
  expect((await run(["serve", ...database, "--port", new URL(registry.origin).port])).code).toBe(1);
  expect((await run(["token", "list", ...database])).stdout).toMatch(/^\S+\tcarol\tconfigured\t/);
  expect((await get(registry.origin, "/engines", token)).status).toBe(200);
  await registry.end("SIGTERM");
});

test("a numbering that cannot be served leaves no file behind", async () => {
  const numbers = join(directory, "wrong-numbers.json");
  await writeFile(numbers, JSON.stringify({ "bytenite.engine.Engine": { id: 0 } }));
  const before = await readdir(directory);
  expect((await run(["serve", ...fresh(), "--port", "0", "--field-numbers", numbers])).code).toBe(1);
  expect(await readdir(directory)).toEqual(before);
});

test.for<[string, ReadonlyArray<string>, RegExp]>([
  ["an unknown command", ["frobnicate"], /no command "frobnicate"/],
  ["an unknown flag", ["--databas", "x"], /databas/],
  ["an invalid port", ["--database", "x", "--port", "70000"], /--port/],
  ["a missing file of field numbers", ["--database", "x", "--field-numbers", "/nowhere"], /\/nowhere/],
  ["a missing file of rules", ["--database", "x", "--faults", "/nowhere"], /\/nowhere/],
  ["an import of nothing", ["import", "--database", "x"], /import what/],
])("%s ends with 2 and says why on stderr", async ([, args, says]) => {
  const { code, stdout, stderr } = await run(args);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(says);
  expect(stderr).not.toMatch(/ {4}at /);
});

test("a file other than a database, and a missing directory, are clear errors", async () => {
  const text = join(directory, "text.sqlite");
  await writeFile(
    text,
    "this is a text, and a rather long one, so that it cannot be taken for an empty file\n".repeat(20),
  );
  expect((await run(["--port", "0", "--database", text])).stderr).toMatch(/it is not a SQLite file/);
  const nowhere = ["--database", join(directory, "no/such/x.sqlite")];
  expect((await run(["token", "create", "--create-user", "--user", "carol", ...nowhere])).stderr).toMatch(
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

test("an invalid token file is reported without its tokens", async () => {
  const file = join(directory, "bad-tokens.json");
  for (const text of ['{"carol": ["secret-but-broken', '{"carol": ["short"]}', '["secret-but-a-list-of-them"]']) {
    await writeFile(file, text);
    const { code, stderr } = await run(["--database", "x", "--tokens", file]);
    expect(code).toBe(2);
    expect(stderr).toContain("bad-tokens.json");
    expect(stderr).not.toContain("secret-but");
  }
});

test("tokens and keys are made, listed without the secret, and revoked within a second of a running registry", async () => {
  const database = fresh();
  const registry = await serve([...database, "--no-trial"], key);
  const flags = ["--user", "carol", ...database];
  const token = (await run(["token", "create", "--create-user", "--label", "laptop", ...flags])).stdout.trim();
  const apiKey = (await run(["key", "create", "--create-user", ...flags])).stdout.trim();
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
  expect((await run(["token", "revoke", "nobody", ...database])).code).toBe(3);
  expect((await run(["users", "create", "a b", ...database])).code).toBe(2);
  const lifetime = await run(["token", "create", "--expires-in", "4294967295", ...flags]);
  expect([lifetime.code, lifetime.stderr]).toEqual([2, expect.stringContaining("days from 1 to 3650")]);
  const auditor = (await run(["token", "create", "--create-user", "--scope", "manage", ...flags])).stdout.trim();
  const trail = await fetch(`${registry.origin}/manage/v1/audit`, {
    headers: { Authorization: auditor, "Bytenite-Management": "1" },
  });
  const { audit } = (await trail.json()) as { audit: ReadonlyArray<{ actor: string; action: string }> };
  expect(audit.map(({ actor, action }) => `${actor} ${action}`)).toEqual(
    [
      "create credential",
      "revoke credential",
      "revoke credential",
      "create credential",
      "create credential",
      "create user",
    ].map((action) => `(bne registry --database) ${action}`),
  );
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

test("a settings file sets limits, logs and an admin port; an invalid one is reported by its place", async () => {
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
  const token = "a-token-of-bob-for-this-test";
  const registry = await serve(["--config", settings], { REGISTRY_TOKENS: JSON.stringify({ bob: token }) });
  const statuses: Array<number> = [];
  for (let call = 0; call < 4; call++) statuses.push((await get(registry.origin, "/engines?x=private", token)).status);
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
  expect(lines.join("\n")).not.toMatch(/a-token-of|private/);
  await writeFile(settings, JSON.stringify({ database: "x", limits: { headerByte: 1 } }));
  expect((await run(["--config", settings])).stderr).toMatch(
    /settings\.json: there is no setting "headerByte" in \/limits\nDid you mean headerBytes\?/,
  );
});

test("trial users are announced while their tokens are good", async () => {
  const database = fresh();
  const said = async (): Promise<string> => {
    const registry = await serve(database);
    await registry.end("SIGTERM");
    return registry.output.stderr.replace(/^log in: .*\n$/m, "");
  };
  expect(await said()).toBe("trial user alice, token local-alice\ntrial user bob, token local-bob\n");
  await run(["token", "create", "--user", "alice", ...database]);
  const [id = ""] = /^\S+(?=\talice\ttrial\t)/m.exec((await run(["token", "list", ...database])).stdout) ?? [];
  expect((await run(["token", "revoke", id, ...database])).code).toBe(0);
  expect(await said()).toBe("trial user bob, token local-bob\n");
  expect((await run(["users", "disable", "bob", ...database])).code).toBe(0);
  expect(await said()).toBe("");
});

test("a host that is not of this machine is said to be none", async () => {
  const { code, stderr } = await run(["--host", "192.0.2.1", "--port", "0", ...fresh()]);
  expect([code, stderr]).toEqual([
    1,
    "registry: 192.0.2.1 is not an address of this machine: choose another with --host\n",
  ]);
});

test("it goes on when nobody reads its log any more", async () => {
  const registry = await serve([...fresh(), "--access-log", "stderr"]);
  registry.child.stderr?.destroy();
  for (let call = 0; call < 5; call++) {
    expect((await get(registry.origin, "/engines", "local-alice")).status).toBe(200);
  }
  expect(await registry.end("SIGTERM")).toBe(0);
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
