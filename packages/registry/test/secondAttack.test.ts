// Findings of the second attack: backups, ambiguous fields, lost secrets.
import { readFile, writeFile } from "node:fs/promises";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { get, place } from "./place.ts";
import { run, serve } from "./process.ts";

const { directory, fresh } = place();

const change = (path: string, sql: string): void => {
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
};

const changes = [
  [
    "a trigger",
    "CREATE TRIGGER evil AFTER INSERT ON credentials BEGIN DELETE FROM engines; END",
    "trigger evil is not",
  ],
  ["a table", "CREATE TABLE more (x)", "table more is not one of a registry"],
  ["a view", "CREATE VIEW seen AS SELECT 1", "view seen is not one of a registry"],
  ["another column", "ALTER TABLE engines ADD COLUMN extra TEXT", "table engines is not as it was made"],
  ["no index", "DROP INDEX credentials_by_selector", "index credentials_by_selector is missing"],
  ["wrong counts", "UPDATE users SET live_engines = 99", "the number of engines of carol is kept as 99, counted are 0"],
] as const;

test.for(changes)("a backup with %s is not restored", async ([, sql, problem]) => {
  const database = fresh();
  const backup = join(directory, `changed-${problem.replaceAll(" ", "-")}.sqlite`);
  await run(["token", "create", "--create-user", "--user", "carol", ...database]);
  await run(["backup", backup, ...database]);
  change(backup, sql);
  const { code, stderr } = await run(["restore", backup, "--yes", ...database]);
  expect([code, stderr]).toEqual([1, expect.stringContaining(problem)]);
  expect((await run(["check", ...database])).code).toBe(0);
});

test("who is disabled in a database stays so when a backup from before is restored", async () => {
  const database = fresh();
  const backup = join(directory, "enabled.sqlite");
  const token = (await run(["token", "create", "--create-user", "--user", "carol", ...database])).stdout.trim();
  await run(["backup", backup, ...database]);
  change(String(database[1]), "UPDATE users SET disabled_at = 5");
  expect((await run(["restore", backup, ...database])).code).toBe(0);
  const registry = await serve([...database, "--no-trial"]);
  expect((await get(registry.origin, "/engines", token)).status).toBe(401);
  await registry.end("SIGTERM");
});

test("a restore keeps what the audit trail got since the backup, once, and is noted in it", async () => {
  const database = fresh();
  const backup = join(directory, "audit.sqlite");
  await run(["token", "create", "--create-user", "--user", "carol", ...database]);
  await run(["users", "create", "dave", ...database]);
  const trail = async (): Promise<ReadonlyArray<string>> =>
    (await run(["audit", ...database])).stdout.split("\n").map((line) => line.split("\t").slice(2, 4).join(" "));
  const before = ["create user dave", "create credential carol", "create user carol", ""];
  expect(await trail()).toEqual(before);
  await run(["backup", backup, ...database]);
  expect((await run(["users", "delete", "dave", "--yes", ...database])).code).toBe(0);
  for (const restores of [1, 2]) {
    expect(await run(["restore", backup, ...database])).toMatchObject({ code: 0, stderr: "" });
    const restored = Array.from({ length: restores }, () => "restore database ");
    expect(await trail()).toEqual([...restored, "delete user dave", ...before]);
  }
});

test("check names the schema where that cannot be read", async () => {
  const database = fresh();
  await run(["token", "create", "--create-user", "--user", "carol", ...database]);
  const path = String(database[1]);
  const bytes = await readFile(path);
  bytes.fill(0xff, 100, 4_096);
  await writeFile(path, bytes);
  const { code, stdout } = await run(["check", ...database]);
  expect([code, stdout]).toEqual([1, expect.stringMatching(/^the schema cannot be read: .*malformed\n$/)]);
});

/** The status of an answer to a request of bytes. */
const statusOf = async (origin: string, fields: string): Promise<string | undefined> => {
  const socket = connect(Number(new URL(origin).port), "127.0.0.1");
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  socket.end(`GET /v1/dev/engines HTTP/1.1\r\n${fields}\r\n`);
  await once(socket, "close");
  return /(?<=^HTTP\/1\.1 )\d+/.exec(text)?.[0];
};

test("Authorization or Host in two fields is read as one list, never as the first of them", async () => {
  const registry = await serve([...fresh()]);
  const good = "Authorization: local-alice\r\n";
  expect(await statusOf(registry.origin, `Host: localhost\r\n${good}`)).toBe("200");
  expect(await statusOf(registry.origin, `Host: localhost\r\n${good}Authorization: other\r\n`)).toBe("401");
  expect(await statusOf(registry.origin, `Host: localhost\r\n${good}authorization: local-bob\r\n`)).toBe("401");
  expect(await statusOf(registry.origin, `Host: localhost\r\nHOST: evil.example\r\n${good}`)).toBe("421");
  await registry.end("SIGTERM");
});

test.skipIf(process.platform !== "linux")(
  "a token that cannot be written is revoked, and the command fails",
  async () => {
    const database = fresh();
    await run(["token", "create", "--create-user", "--user", "carol", ...database]);
    const main = fileURLToPath(new URL("../src/main.ts", import.meta.url));
    const line = `"$0" "$1" token create --create-user --user carol --database "$2" > /dev/full`;
    const child = spawn("sh", ["-c", line, process.execPath, main, String(database[1])], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    let stderr = "";
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    const [code] = (await once(child, "close")) as [number];
    expect([code, stderr]).toEqual([1, expect.stringMatching(/could not be written and is revoked: .*ENOSPC/)]);
    expect((await run(["token", "list", ...database])).stdout.match(/\trevoked /g)).toHaveLength(1);
  },
);

test.for([
  ["a space", { eve: ["secret-one two-three-4"] }, /eve must be a list .* without spaces/],
  ["Bearer", { eve: ["Bearer secret-one-two-three"] }, /eve must be a list .* without spaces/],
  ["a letter outside ASCII", { eve: ["\u00e9secret-one-two-three-4"] }, /visible ASCII/],
  [
    "another user, too",
    { eve: ["secret-one-two-three-4"], bob: ["secret-one-two-three-4"] },
    /eve and bob have the same/,
  ],
] as const)("a configured token with %s is refused", async ([, tokens, problem]) => {
  const path = join(directory, "tokens.json");
  await writeFile(path, JSON.stringify(tokens));
  await expect(serve([...fresh(), "--tokens", path])).rejects.toThrow(problem);
});
