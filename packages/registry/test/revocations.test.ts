// Revoked tokens across restores, second servers and configuration.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, onTestFinished, test } from "vitest";
import { get, key, place } from "./place.ts";
import { run, serve } from "./process.ts";

const { directory, fresh } = place();

const flagsOf = (database: ReadonlyArray<string>): ReadonlyArray<string> => ["--user", "carol", ...database];

const made = async (kind: "token" | "key", database: ReadonlyArray<string>): Promise<string> =>
  (await run([kind, "create", "--create-user", ...flagsOf(database)])).stdout.trim();

/** Id, state and kind of each credential. */
const listed = async (database: ReadonlyArray<string>) => {
  const lists = await Promise.all(
    ["token", "key"].map(async (kind) => (await run([kind, "list", ...database])).stdout),
  );
  return lists
    .join("")
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => {
      const [id = "", user, kind, , state = "", label] = line.split("\t");
      return { id, user, kind, state, label };
    });
};

const statusOf = async (origin: string, token: string): Promise<number> =>
  (await get(origin, "/engines", token)).status;

test("a restore over a database leaves revoked what is revoked there, made before the backup or after it", async () => {
  const database = fresh();
  const backup = join(directory, "revived.sqlite");
  const later = join(directory, "later.sqlite");
  const [kept, early, apiKey] = [
    await made("token", database),
    await made("token", database),
    await made("key", database),
  ];
  await run(["backup", backup, ...database]);
  const late = await made("token", database);
  await run(["backup", later, ...database]);
  const all = await listed(database);
  const registry = await serve([...database, "--no-trial"], key);
  const exchanged = await fetch(`${registry.origin}/v1/auth/access_token`, {
    method: "POST",
    body: JSON.stringify({ apiKey }),
  });
  const { token: signed } = (await exchanged.json()) as { token: string };
  expect(await statusOf(registry.origin, signed)).toBe(200);
  for (const { id } of all.slice(1)) await run(["token", "revoke", id, ...database]);
  // The older backup knows nothing of the late token; it must not come back by the newer one after it.
  for (const path of [backup, later]) {
    const { code, stdout, stderr } = await run(["restore", path, "--force", ...database]);
    expect([code, stdout, stderr]).toEqual([0, `restored 0 engines of 1 user from ${path}\n`, ""]);
    const after = await listed(database);
    expect(after.filter(({ state }) => state === "good").map(({ id }) => id)).toEqual([all[0]?.id]);
    expect(after).toHaveLength(4);
  }
  for (const secret of [early, late, signed]) {
    await expect.poll(() => statusOf(registry.origin, secret), { timeout: 5_000 }).toBe(401);
  }
  expect(await statusOf(registry.origin, kept)).toBe(200);
  await registry.end("SIGTERM");
});

test("restores that follow each other never bring a token back, whatever is revoked in between", async () => {
  const database = fresh();
  const backup = join(directory, "raced.sqlite");
  for (let index = 0; index < 6; index++) await made("token", database);
  await run(["backup", backup, ...database]);
  const ids = (await listed(database)).map(({ id }) => id);
  await Promise.all([
    ...ids.map((id) => run(["token", "revoke", id, ...database])),
    ...[1, 2, 3].map(() => run(["restore", backup, "--force", ...database])),
  ]);
  expect((await listed(database)).filter(({ state }) => !state.startsWith("revoked"))).toEqual([]);
});

test("in an empty place a restore names the backup's date and the tokens that would live, and asks for --yes", async () => {
  const database = fresh();
  const backup = join(directory, "empty-place.sqlite");
  const token = await made("token", database);
  await made("key", database);
  await run(["token", "create", "--create-user", "--expires-in", "1", ...flagsOf(database)]);
  const [first] = await listed(database);
  const opened = new DatabaseSync(String(database[1]));
  opened.exec("UPDATE credentials SET expires_at = 1 WHERE expires_at IS NOT NULL");
  opened.close();
  await run(["backup", backup, ...database]);
  const target = fresh();
  const refused = await run(["restore", backup, ...target]);
  expect([refused.code, refused.stdout]).toEqual([1, ""]);
  expect(refused.stderr).toMatch(/was written \d{4}-\d\d-\d\dT.*last change in it is of \d{4}-\d\d-\d\dT/);
  expect(refused.stderr).toContain(`  ${first?.id}\tcarol\ttoken\t`);
  expect(refused.stderr.match(/\tcarol\t/g)).toHaveLength(2);
  expect(refused.stderr).toMatch(/nothing was restored: use --revoke-all to end them, or --yes/);
  expect((await run(["users", ...target])).stderr).toMatch(/there is no database/);
  const accepted = await run(["restore", backup, "--yes", ...target]);
  expect([accepted.code, accepted.stderr]).toEqual([0, expect.stringContaining(`${first?.id}\tcarol`)]);
  const registry = await serve([...target, "--no-trial"]);
  expect(await statusOf(registry.origin, token)).toBe(200);
  await registry.end("SIGTERM");
  const ended = fresh();
  expect((await run(["restore", backup, "--revoke-all", ...ended])).code).toBe(0);
  expect((await listed(ended)).every(({ state }) => state.startsWith("revoked"))).toBe(true);
});

test("a database that was just made again knows nothing of what was revoked: that is asked, too", async () => {
  const database = fresh();
  const backup = join(directory, "made-again.sqlite");
  await made("token", database);
  await run(["backup", backup, ...database]);
  const target = fresh();
  await made("token", target);
  const refused = await run(["restore", backup, "--force", ...target]);
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringContaining("--revoke-all")]);
  expect(await listed(target)).toHaveLength(1);
});

test("a damaged database, and one of something else, are not replaced: what was revoked in them cannot be read", async () => {
  const database = fresh();
  const backup = join(directory, "for-damaged.sqlite");
  await made("token", database);
  await run(["backup", backup, ...database]);
  const target = fresh();
  const [, other = ""] = target;
  for (let index = 0; index < 3; index++) await made("token", target);
  const bytes = await readFile(other);
  await writeFile(other, bytes.fill(0xee, 4_096));
  const refused = await run(["restore", backup, "--force", "--yes", "--database", other]);
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/is damaged.*move it away/)]);
  const [, foreign = ""] = fresh();
  const opened = new DatabaseSync(foreign);
  opened.exec("CREATE TABLE bookmarks (url TEXT); INSERT INTO bookmarks VALUES ('https://example.org')");
  opened.close();
  const kept = await run(["restore", backup, "--force", "--yes", "--database", foreign]);
  expect([kept.code, kept.stderr]).toEqual([1, expect.stringMatching(/database of something else/)]);
  const still = new DatabaseSync(foreign);
  expect(still.prepare("SELECT count(*) AS n FROM bookmarks").get()).toMatchObject({ n: 1 });
  still.close();
  await rename(other, `${other}.old`);
  expect((await run(["restore", backup, "--yes", "--database", other])).code).toBe(0);
});

test("where only pages of engines are damaged, a restore replaces them and leaves revoked what is revoked", async () => {
  const database = fresh();
  const path = String(database[1]);
  const backup = join(directory, "for-damaged-engines.sqlite");
  const lines = Array.from({ length: 2_000 }, (_, index) => `{"name":"e-${index}","version":"0.1"}`).join("\n");
  await run(["import", "-", ...flagsOf(database)], {}, lines);
  const [kept, ended] = [await made("token", database), await made("token", database)];
  await run(["backup", backup, ...database]);
  const registry = await serve([...database, "--no-trial"]);
  expect(await statusOf(registry.origin, kept)).toBe(200);
  await run(["token", "revoke", (await listed(database)).at(-1)?.id ?? "", ...database]);
  const opened = new DatabaseSync(path);
  opened.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  const pages = opened
    .prepare("SELECT pageno FROM dbstat WHERE name IN ('engines', 'engines_by_tag') AND pagetype <> 'leaf'")
    .all()
    .map(({ pageno }) => Number(pageno));
  opened.close();
  const bytes = await readFile(path);
  for (const page of pages) bytes.fill(0xee, (page - 1) * 4_096, page * 4_096);
  await writeFile(path, bytes);
  expect((await run(["check", ...database])).code).toBe(1);
  const { code, stdout, stderr } = await run(["restore", backup, "--force", ...database]);
  expect([code, stdout, stderr]).toEqual([0, `restored 2000 engines of 1 user from ${backup}\n`, ""]);
  expect((await run(["check", ...database])).stdout).toBe(`${path} is sound\n`);
  expect((await run(["backup", backup, ...database])).code).toBe(0);
  await expect.poll(() => statusOf(registry.origin, ended), { timeout: 5_000 }).toBe(401);
  expect(await statusOf(registry.origin, kept)).toBe(200);
  expect(await registry.end("SIGTERM")).toBe(0);
});

test("what is revoked or configured keeps its scope and last use over a restore", async () => {
  const database = fresh();
  const backup = join(directory, "scopes.sqlite");
  await made("token", database);
  await run(["backup", backup, ...database]);
  await run(["token", "create", "--create-user", "--scope", "manage", ...flagsOf(database)]);
  const change = (sql: string): ReadonlyArray<unknown> => {
    const opened = new DatabaseSync(String(database[1]));
    const rows = opened.prepare(sql).all();
    opened.close();
    return rows;
  };
  const manage = "WHERE scope = 'manage'";
  change(`UPDATE credentials SET revoked_at = 5, last_used_at = 4, label = 'late' ${manage}`);
  const select = `SELECT * FROM credentials ${manage}`;
  const before = change(select);
  expect(before).toMatchObject([{ revoked_at: 5, last_used_at: 4, label: "late" }]);
  expect((await run(["restore", backup, "--force", ...database])).code).toBe(0);
  expect(change(select)).toEqual(before);
});

/** Restores on a terminal, and types an answer to its question. */
const restoredOnTerminal = async (backup: string, target: ReadonlyArray<string>, typed: string) => {
  const main = join(import.meta.dirname, "../src/main.ts");
  const command = `exec ${process.execPath} ${main} restore ${backup} ${target.join(" ")}`;
  // util-linux: runs a command on a terminal of its own.
  const child = spawn("script", ["-qefc", command, "/dev/null"], { stdio: ["pipe", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  let screen = "";
  child.stdout.on("data", (chunk: Buffer) => {
    const isNew = !screen.includes("[n]");
    screen += chunk.toString();
    if (isNew && screen.includes("[n]")) child.stdin.write(typed);
  });
  const [code] = (await once(child, "close")) as [number];
  return { code, screen };
};

test.skipIf(process.platform !== "linux")(
  "on a terminal a restore asks, and only y or yes puts the backup in place",
  async () => {
    const database = fresh();
    const backup = join(directory, "asked.sqlite");
    await made("token", database);
    await run(["backup", backup, ...database]);
    const answers = ["n\r", "\r", "yet\r", "\u0004", "\u0003", "y\r", "YES\r"];
    const ends = await Promise.all(answers.map((typed) => restoredOnTerminal(backup, fresh(), typed)));
    for (const { screen } of ends) expect(screen).toMatch(/Restore, and let them live \(y\), or not/);
    expect(ends.map(({ code, screen }) => [code !== 0, screen.includes("restored 0 engines of 1 user")])).toEqual([
      ...Array.from({ length: 5 }, () => [true, false]),
      ...Array.from({ length: 2 }, () => [false, true]),
    ]);
  },
);

test("a restore that ends early leaves the database as it was", async () => {
  const database = fresh();
  const backup = join(directory, "early-end.sqlite");
  const lines = Array.from({ length: 3_000 }, (_, index) => `{"name":"e-${index}","version":"0.1"}`).join("\n");
  await run(["import", "-", ...flagsOf(database)], {}, lines);
  await run(["backup", backup, ...database]);
  const before = (await run(["export", ...database])).stdout;
  const opened = new DatabaseSync(backup);
  opened.exec("INSERT INTO migrations VALUES (99, 0)");
  opened.close();
  expect((await run(["restore", backup, "--force", ...database])).stderr).toMatch(/made by a newer registry/);
  expect((await run(["export", ...database])).stdout).toBe(before);
});

test("to revoke a configured token says where it stands, and it stays revoked where it is still configured", async () => {
  const database = fresh();
  const file = join(directory, "configured.json");
  const [inFile, inVariable] = ["a-token-of-carol-in-a-file", "a-token-of-dave-in-the-environment"];
  await writeFile(file, JSON.stringify({ carol: inFile }));
  const configured = [...database, "--tokens", file];
  const environment = { REGISTRY_TOKENS: JSON.stringify({ dave: inVariable }) };
  const registry = await serve(configured, environment);
  for (const [user, secret, says] of [
    ["carol", inFile, file],
    ["dave", inVariable, "REGISTRY_TOKENS"],
  ] as const) {
    expect(await statusOf(registry.origin, secret)).toBe(200);
    const one = (await listed(database)).find((credential) => credential.user === user);
    expect(one?.state).toBe("good where it is configured");
    const revoked = await run(["token", "revoke", one?.id ?? "", ...database]);
    expect([revoked.code, revoked.stdout]).toEqual([0, `revoked ${one?.id}\n`]);
    expect(revoked.stderr).toContain(`remove it from ${says}, too`);
    await expect.poll(() => statusOf(registry.origin, secret), { timeout: 5_000 }).toBe(401);
  }
  await registry.end("SIGTERM");
  const again = await serve(configured, environment);
  expect(again.output.stderr).toMatch(/a token of carol in .*configured\.json is revoked/);
  for (const secret of [inFile, inVariable]) expect(await statusOf(again.origin, secret)).toBe(401);
  expect(again.output.stderr + again.output.stdout).not.toContain("a-token-of");
  await again.end("SIGTERM");
});

test("a second server on the same database takes nothing from the first, and opens nothing that it is not configured with", async () => {
  const database = fresh();
  const [first, second] = ["a-token-of-carol-for-the-first", "a-token-of-dave-for-the-second"];
  const one = await serve(database, { REGISTRY_TOKENS: JSON.stringify({ carol: first }) });
  const other = await serve(database, { REGISTRY_TOKENS: JSON.stringify({ dave: second }) });
  const bare = await serve(database);
  const statuses = async (origin: string) => [await statusOf(origin, first), await statusOf(origin, second)];
  expect(await statuses(other.origin)).toEqual([401, 200]);
  expect(await statuses(bare.origin)).toEqual([401, 401]);
  // Not asked before, so that it is looked up now.
  expect(await statuses(one.origin)).toEqual([200, 401]);
  for (const registry of [one, other, bare]) await registry.end("SIGTERM");
});

test("one secret of two users in two servers opens in each for its own", async () => {
  const database = fresh();
  const secret = "a-token-that-two-have-chosen";
  const owner = async (user: string) => {
    const name = `of-${user}`;
    await run(["import", "-", "--create-user", "--user", user, ...database], {}, `{"name":"${name}","version":"0.1"}`);
    return serve(database, { REGISTRY_TOKENS: JSON.stringify({ [user]: secret }) });
  };
  const [carol, dave] = [await owner("carol"), await owner("dave")];
  for (const [registry, name] of [
    [carol, "of-carol"],
    [dave, "of-dave"],
  ] as const) {
    expect(await (await get(registry.origin, "/engines", secret)).json()).toMatchObject({ engines: [{ name }] });
  }
  for (const registry of [carol, dave]) await registry.end("SIGTERM");
});

test("configured tokens go on to open under a restore, and their server writes nothing at a start that brings nothing new", async () => {
  const database = fresh();
  const backup = join(directory, "before-configured.sqlite");
  await made("token", database);
  await run(["backup", backup, ...database]);
  const secret = "a-token-of-carol-after-the-backup";
  const environment = { REGISTRY_TOKENS: JSON.stringify({ carol: secret }) };
  const registry = await serve(database, environment);
  expect((await run(["restore", backup, "--force", ...database])).code).toBe(0);
  expect(await statusOf(registry.origin, secret)).toBe(200);
  const opened = new DatabaseSync(String(database[1]));
  const version = () => opened.prepare("PRAGMA data_version").get();
  const before = version();
  const again = await serve(database, environment);
  expect(version()).toEqual(before);
  opened.close();
  await again.end("SIGTERM");
  await registry.end("SIGTERM");
  await rm(backup);
});
