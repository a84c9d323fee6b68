// Scopes of tokens and API keys, new and migrated.
import { spawn } from "node:child_process";
import { expect, onTestFinished, test, vi } from "vitest";
import { digestOf } from "../src/api/Digest.ts";
import { plainOutput, type RegistryRow } from "../src/command/Output.ts";
import { executeRegistry } from "../src/command/registry.ts";
import { addCredential, ensureUser, publishAll, userOf } from "../src/index.ts";
import { migrate, migrations } from "../src/api/Migrations.ts";
import { openSqlite } from "../src/node/SqliteFile.ts";
import { get, key, place } from "./place.ts";
import { run, serve } from "./process.ts";

const { fresh } = place();

test("a token has the scope that it is made with, read unless another is named", async () => {
  const database = fresh();
  const plain = await run(["token", "create", "--create-user", "--user", "carol", ...database]);
  expect([plain.code, plain.stderr]).toEqual([0, expect.stringContaining("of carol, scope read; it")]);
  const publish = await run(["key", "create", "--create-user", "--user", "carol", "--scope", "publish", ...database]);
  expect([publish.code, publish.stderr]).toEqual([0, expect.stringContaining("scope publish")]);
  const wrong = await run(["token", "create", "--create-user", "--user", "carol", "--scope", "root", ...database]);
  expect([wrong.code, wrong.stderr]).toEqual([2, expect.stringContaining("--scope is read, publish, manage")]);
  expect((await run(["token", "list", ...database])).stdout).toMatch(/\tread\tnever used\n$/);
  const registry = await serve([...database, "--no-trial"], key);
  const exchanged = await fetch(`${registry.origin}/v1/auth/access_token`, {
    method: "POST",
    body: JSON.stringify({ apiKey: publish.stdout.trim() }),
  });
  expect(await exchanged.json()).toMatchObject({ scope: "engines:read engines:publish" });
  await registry.end("SIGTERM");
});

test("tokens of a database from before there were scopes can read, and its backups can be restored", async () => {
  const database = fresh();
  const path = database[1] ?? "";
  const file = openSqlite(path);
  const digest = await digestOf("a-token-of-carol");
  file.transaction((exec) => {
    exec("CREATE TABLE migrations (version INTEGER PRIMARY KEY, applied_at INTEGER NOT NULL)");
    for (const [index, statements] of migrations.slice(0, 3).entries()) {
      for (const sql of statements) exec(sql);
      exec("INSERT INTO migrations VALUES (?, 0)", index + 1);
    }
    exec("INSERT INTO users (id, name, created_at) VALUES ('u', 'carol', 0)");
    exec(
      "INSERT INTO credentials (id, user, kind, selector, digest, label, created_at) VALUES ('c', 1, 'token', ?, ?, '', 0)",
      digest.selector,
      digest.bytes,
    );
  });
  file.database.exec(`VACUUM INTO '${path}.old'`);
  file.close();
  const restored = fresh();
  expect(await run(["restore", `${path}.old`, "--yes", ...restored])).toMatchObject({ code: 0 });
  for (const flags of [database, restored]) {
    const registry = await serve([...flags, "--no-trial"], key);
    expect((await get(registry.origin, "/engines", "a-token-of-carol")).status).toBe(200);
    await registry.end("SIGTERM");
    expect((await run(["token", "list", ...flags])).stdout).toMatch(/^c\tcarol\ttoken\t.*\tread\tnever used\n$/);
  }
});

test("users and credentials of a registry elsewhere are managed by its address", async () => {
  const database = fresh();
  const token = (
    await run(["token", "create", "--create-user", "--user", "root", "--scope", "manage", ...database])
  ).stdout.trim();
  const registry = await serve([...database, "--no-trial"], key);
  const there = ["--base-url", `${registry.origin}/v1/dev`];
  const environment = { BYTENITE_MANAGE_TOKEN: token };
  const remote = (...args: ReadonlyArray<string>) => run([...args, ...there], environment);
  expect(await remote("users")).toEqual(await run(["users", ...database]));
  const made = await remote(..."key create --user root --scope publish --label ci --expires-in 7".split(" "));
  expect([made.code, made.stdout]).toEqual([0, expect.stringMatching(/^bnk_[0-9a-f]{64}\n$/)]);
  const listed = await remote("key", "list", "--user", "root");
  expect(listed).toEqual(await run(["key", "list", "--user", "root", ...database]));
  expect(listed.stdout).toMatch(/\tapi-key\t.*\tgood until \S+\tci\tpublish\tnever used\n$/);
  const id = listed.stdout.split("\t")[0] ?? "";
  expect(await remote("key", "revoke", id)).toEqual({ code: 0, stdout: `revoked ${id}\n`, stderr: "" });
  expect((await remote("key", "list")).stdout).toContain("\trevoked ");
  const nobody = await remote("token", "create", "--user", "nobody");
  const hint = "--create-user makes it, without a question.";
  expect([nobody.code, nobody.stderr]).toEqual([
    3,
    `registry: there is no user nobody in ${registry.origin}\n${hint}\n`,
  ]);
  for (const [args, said] of [
    [["users", "--base-url", "http://engines.example"], "--base-url is https"],
    [["users", "--base-url", registry.origin.replace("//", "//me:s3cret@")], "--base-url has a user name or password"],
    [["users", ...there, ...database], "not both"],
  ] as const) {
    const refused = await run(args, environment);
    expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining(said)]);
    expect(refused.stderr).not.toContain("s3cret");
  }
  const slip = await remote("users", "disable", "rot");
  expect([slip.code, slip.stderr]).toEqual([3, expect.stringContaining('no user "rot" (did you mean root?)')]);
  const here = await run(["users", "disable", "rot", ...database]);
  expect(here).toEqual({ code: 3, stdout: "", stderr: 'registry: there is no user "rot" (did you mean root?)\n' });
  const denied = await run(["users", ...there], { BYTENITE_MANAGE_TOKEN: "nobody" });
  expect([denied.code, denied.stderr]).toEqual([4, expect.stringContaining("access token is not valid")]);
  const without = await run(["users", ...there]);
  expect([without.code, without.stderr]).toEqual([2, expect.stringContaining("set BYTENITE_MANAGE_TOKEN")]);
  await registry.end("SIGTERM");
  const gone = await remote("users");
  expect([gone.code, gone.stderr]).toEqual([5, expect.stringContaining("Nothing listens at the server's address")]);
});

/** The records that a command prints. */
const rowsOf = async (...args: ReadonlyArray<string>): Promise<ReadonlyArray<RegistryRow>> => {
  const rows: Array<RegistryRow> = [];
  const row = async (one: RegistryRow): Promise<void> => void rows.push(one);
  expect(await executeRegistry(args, { ...plainOutput, row, secret: row, note: () => {} })).toBe(0);
  return rows;
};

test("each management command does the same on the database and over HTTP", async () => {
  const database = fresh();
  const file = openSqlite(database[1] ?? "");
  await migrate(file.port, 0);
  await addCredential(file, ensureUser(file, "root", 0), "token", "token-of-root", 0, "manage");
  const registry = await serve([...database, "--no-trial"], key);
  vi.stubEnv("BYTENITE_MANAGE_TOKEN", "token-of-root");
  const ways = [database, ["--base-url", registry.origin]];
  const done = ways.map(async (way, index) => {
    const user = ["erin", "finn"][index] ?? "";
    const rows = [
      await rowsOf("users", "create", user, "--max-engines", "3", ...way),
      await rowsOf("quota", user, "--max-bytes", "1000", "--max-engines", "none", ...way),
      await rowsOf("users", "disable", user, ...way),
      await rowsOf("users", "enable", user, ...way),
      await rowsOf("token", "create", "--user", user, "--label", "ci", ...way),
    ];
    const engines = ["0.1", "0.2"].map((version) => ({ name: `tool-of-${user}`, version }));
    await publishAll(file, userOf(file, user), engines, undefined, Date.now());
    for (const how of ["activate", "deactivate", "make-public", "make-private"]) {
      rows.push(await rowsOf(how, `tool-of-${user}`, "--user", user, ...way));
      rows.push(await rowsOf("engines", "--user", user, ...way));
    }
    rows.push(await rowsOf("delete", `tool-of-${user}@0.2`, "--user", user, ...way));
    await expect(rowsOf("users", "delete", user, ...way)).rejects.toThrow(`${user} has engines`);
    await rowsOf("users", "disable", user, ...way);
    rows.push(await rowsOf("token", "list", "--user", user, ...way));
    rows.push(await rowsOf("users", "delete", user, "--hand-over-to", "root", "--yes", ...way));
    rows.push(await rowsOf("audit", "--user", user, "--since", "2026-01-01", ...way));
    expect(await rowsOf("audit", "--since", "2999-01-01T00:00:00+01:00", ...way)).toEqual([]);
    await expect(rowsOf("audit", "--since", "yesterday", ...way)).rejects.toThrow("since is a date");
    const varying = new RegExp(
      `(?<="actor":")[^"]*|${user}|bnt_[0-9a-f]+|[0-9a-f]{8}-[0-9a-f-]{27}|\\d{4}-\\d\\d-\\d\\dT[\\d:.]+Z`,
      "g",
    );
    return JSON.parse(JSON.stringify(rows).replaceAll(varying, "*")) as unknown;
  });
  const [here, there] = await Promise.all(done);
  expect(here).toEqual(there);
  expect(here).toContainEqual([{ name: "*", engines: 1, handedOverTo: "root" }]);
  expect(here).toContainEqual([expect.objectContaining({ label: "ci", state: "user disabled *" })]);
  for (const lists of [["users"], ["engines"], ["audit"], ["audit", "--limit", "3"], ["statistics"]]) {
    const [rows, others] = await Promise.all(ways.map((way) => rowsOf(...lists, ...way)));
    expect([lists, rows]).toEqual([lists, others]);
  }
  const [newest] = await rowsOf("audit", "--limit", "1", ...database);
  expect(newest?.["detail"]).toMatch(/^\{".*\}$/);
  vi.unstubAllEnvs();
  file.close();
  await registry.end("SIGTERM");
});

test("the first manage token is shown once, on a terminal alone", async () => {
  const database = fresh();
  const served = await serve([...database, "--no-trial"], key);
  await served.end("SIGTERM");
  expect(served.output.stderr).toBe("");
  const main = new URL("../src/main.ts", import.meta.url).pathname;
  // util-linux: runs a command on a terminal of its own.
  const onTerminal = async (): Promise<string> => {
    const command = `exec ${process.execPath} ${main} --port 0 --no-trial ${database.join(" ")}`;
    const child = spawn("script", ["-qefc", command, "/dev/null"], { stdio: ["ignore", "pipe", "inherit"] });
    onTestFinished(() => void child.kill("SIGKILL"));
    let output = "";
    for await (const part of child.stdout as AsyncIterable<Buffer>) {
      output += part.toString();
      if (output.includes("ready ")) break;
    }
    child.kill("SIGTERM");
    return output;
  };
  const token = /manage token of user operator, shown this once: (bnt_[0-9a-f]{64})\r?\n/.exec(await onTerminal())?.[1];
  expect(token).toBeDefined();
  expect(await onTerminal()).not.toContain("manage token");
  const registry = await serve([...database, "--no-trial"], key);
  const answer = await fetch(`${registry.origin}/manage/v1/users`, {
    headers: { Authorization: token ?? "", "Bytenite-Management": "1" },
  });
  expect(await answer.json()).toMatchObject({ users: [{ name: "operator" }] });
  await registry.end("SIGTERM");
});

test("a user who is disabled is let in by none of their tokens", async () => {
  const database = fresh();
  const token = (await run(["token", "create", "--create-user", "--user", "carol", ...database])).stdout.trim();
  const file = openSqlite(database[1] ?? "");
  await migrate(file.port, 0);
  file.transaction((exec) => exec("UPDATE users SET disabled_at = 1"));
  file.close();
  const registry = await serve([...database, "--no-trial"], key);
  expect((await get(registry.origin, "/engines", token)).status).toBe(401);
  await registry.end("SIGTERM");
});
