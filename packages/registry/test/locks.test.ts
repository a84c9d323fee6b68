// Write locks, waiting writers, read-only files.
import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, utimesSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Writable } from "node:stream";
import { expect, onTestFinished, test } from "vitest";
import { get, key, place } from "./place.ts";
import { run, serve, start, type StartOptions } from "./process.ts";

const { directory, fresh } = place();

const line = (index: number): string =>
  `${JSON.stringify({ name: `e-${index}`, version: "0.1", description: "as long as they are. ".repeat(10) })}\n`;

/** Writes engines and resolves when the other side has read nearly all of them: a pipe holds 64 KiB. */
const fed = async (input: Writable, count: number): Promise<void> => {
  for (let index = 0; index < count; index++) {
    if (!input.write(line(index))) await once(input, "drain");
  }
};

/** A database with a token, and the id of that token. */
const withToken = async (): Promise<{
  readonly database: ReadonlyArray<string>;
  readonly token: string;
  readonly id: string;
}> => {
  const database = fresh();
  const token = (await run(["token", "create", "--create-user", "--user", "carol", ...database])).stdout.trim();
  const id = (await run(["token", "list", ...database])).stdout.split("\t")[0] ?? "";
  return { database, token, id };
};

test.for([100, 6_000])(
  "while an import waits for more than %i engines, tokens are made and revoked, and a registry starts",
  async (count) => {
    const { database, token, id } = await withToken();
    const importing = start(["import", "-", "--create-user", "--user", "dave", ...database]);
    onTestFinished(() => void importing.kill("SIGKILL"));
    const input = importing.stdin;
    await fed(input, count);
    const registry = await serve(database);
    expect((await get(registry.origin, "/engines", token)).status).toBe(200);
    const other = (await run(["token", "create", "--create-user", "--user", "erin", ...database])).stdout.trim();
    expect((await get(registry.origin, "/engines", other)).status).toBe(200);
    expect((await run(["token", "revoke", id, ...database])).code).toBe(0);
    await expect.poll(async () => (await get(registry.origin, "/engines", token)).status).toBe(401);
    expect((await run(["export", ...database])).stdout).toBe("");
    const ended = once(importing, "close");
    input.end(line(count));
    expect(await ended).toEqual([0, null]);
    expect((await run(["users", ...database])).stdout).toMatch(new RegExp(`^dave\\t\\S+\\t${count + 1}$`, "m"));
    expect(await registry.end("SIGTERM")).toBe(0);
  },
);

test("an import that is killed while it waits leaves nothing, and no lock", async () => {
  const { database, id } = await withToken();
  const killed = start(["import", "-", "--create-user", "--user", "dave", ...database]);
  // What is still on its way to it fails when it is gone.
  killed.stdin?.on("error", () => {});
  await fed(killed.stdin, 2_000);
  const gone = once(killed, "close");
  killed.kill("SIGKILL");
  await gone;
  expect((await run(["token", "revoke", id, ...database])).code).toBe(0);
  expect((await run(["users", ...database])).stdout).toMatch(/^carol\t\S+\t0\n$/);
});

test("a user whom two imports make at once is made once", async () => {
  const { database } = await withToken();
  const importing = start(["import", "-", "--create-user", "--user", "dave", ...database]);
  onTestFinished(() => void importing.kill("SIGKILL"));
  let complaints = "";
  importing.stderr?.on("data", (chunk: Buffer) => (complaints += chunk.toString()));
  await fed(importing.stdin, 2_000);
  expect((await run(["token", "create", "--create-user", "--user", "dave", ...database])).code).toBe(0);
  const ended = once(importing, "close");
  importing.stdin?.end();
  expect(await ended).toEqual([1, null]);
  expect(complaints).toBe("registry: another command has made or replaced user dave meanwhile: try again\n");
  expect((await run(["users", ...database])).stdout).toMatch(/^dave\t\S+\t0$/m);
});

test("a registry that starts writes nothing, and needs no lock", async () => {
  const { database, token } = await withToken();
  const environment = { ...key, REGISTRY_TOKENS: JSON.stringify({ carol: "a-configured-token-of-carol" }) };
  await (await serve(database, environment)).end("SIGTERM");
  const path = database[1] ?? "";
  const before = readFileSync(path);
  const other = new DatabaseSync(path);
  onTestFinished(() => other.close());
  const version = (): unknown => other.prepare("PRAGMA data_version").get();
  const seen = version();
  other.exec("BEGIN IMMEDIATE");
  const registry = await serve(database, environment);
  expect((await get(registry.origin, "/engines", token)).status).toBe(200);
  expect((await get(registry.origin, "/engines", "a-configured-token-of-carol")).status).toBe(200);
  other.exec("ROLLBACK");
  expect(await registry.end("SIGTERM")).toBe(0);
  expect(version()).toEqual(seen);
  expect(readFileSync(path).equals(before)).toBe(true);
});

const mounts = (): boolean => {
  const probe = mkdtempSync(join(tmpdir(), "registry-probe-"));
  try {
    execFileSync("mount", ["--bind", probe, probe], { stdio: "ignore" });
    execFileSync("umount", [probe], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  } finally {
    rmSync(probe, { recursive: true, force: true });
  }
};

/** Makes a directory unwritable for the time of a test, and says as whom to start what must not write there. */
type Locking = (path: string) => StartOptions;

const byMode: Locking = (path) => {
  const file = join(path, "engines.sqlite");
  chmodSync(directory, 0o755);
  chmodSync(file, 0o444);
  chmodSync(path, 0o555);
  onTestFinished(() => chmodSync(path, 0o755));
  // Root may write whatever the mode is.
  return process.getuid?.() === 0 ? { uid: 65_534 } : {};
};

const byMount: Locking = (path) => {
  execFileSync("mount", ["--bind", path, path]);
  execFileSync("mount", ["-o", "remount,ro,bind", path]);
  onTestFinished(() => void execFileSync("umount", ["-l", path]));
  return {};
};

let places = 0;

/** A directory with only a database in it: a live one, or a backup. */
const lockable = async (kind: "live" | "backup") => {
  const path = join(directory, `locked-${places++}`);
  mkdirSync(path);
  const { database, token } = await withToken();
  await run(["import", "-", "--user", "carol", ...database], {}, line(1));
  const file = join(path, "engines.sqlite");
  if (kind === "backup") await run(["backup", file, ...database]);
  else execFileSync("cp", [database[1] ?? "", file]);
  return { path, file, token, flags: ["--database", file] };
};

const kinds = (["live", "backup"] as const).flatMap((kind) =>
  (["mode", "mount"] as const).map((locking) => [kind, locking] as const),
);

test.for(kinds)(
  "a %s database that a %s keeps from being written is served, read and not changed",
  async ([kind, how], { skip }) => {
    skip(how === "mount" && !mounts(), "mounting needs the rights of root");
    const { path, file, token, flags } = await lockable(kind);
    const before = readFileSync(file);
    const options = how === "mode" ? byMode(path) : byMount(path);
    const registry = await serve([...flags, "--no-trial"], key, options);
    expect((await get(registry.origin, "/engines/e-1", token)).status).toBe(200);
    expect((await fetch(`${registry.origin}/readyz`)).status).toBe(200);
    expect(registry.output.stderr).toBe(`registry: ${file} cannot be written: it is served as it is\n`);
    expect((await run(["users", ...flags], {}, "", options)).stdout).toMatch(/^carol\t/);
    expect((await run(["check", ...flags], {}, "", options)).stdout).toBe(`${file} is sound\n`);
    const refused = await run(["import", "-", "--user", "carol", ...flags], {}, line(2), options);
    expect([refused.code, refused.stderr]).toEqual([
      1,
      expect.stringMatching(/^registry: .* may not be written by this user\n$/),
    ]);
    expect(await registry.end("SIGTERM")).toBe(0);
    expect(readFileSync(file).equals(before)).toBe(true);
  },
);

test("a read-only file that is changed after all is not ready: it was read as one that nobody changes", async () => {
  const { path, file, flags } = await lockable("live");
  const registry = await serve(flags, {}, byMode(path));
  const ready = async (): Promise<number> => (await fetch(`${registry.origin}/readyz`)).status;
  expect(await ready()).toBe(200);
  const later = new Date(statSync(file).mtimeMs + 5_000);
  utimesSync(file, later, later);
  expect(await ready()).toBe(503);
  expect(await registry.end("SIGTERM")).toBe(0);
});

test("a read-only file whose log is not empty is served with what the log holds", async () => {
  const { path, file, token, flags } = await lockable("live");
  const writer = new DatabaseSync(file);
  onTestFinished(() => writer.close());
  writer.exec("UPDATE engines SET name = 'renamed' WHERE name = 'e-1'");
  for (const end of ["-wal", "-shm"]) chmodSync(file + end, 0o444);
  const registry = await serve(flags, {}, byMode(path));
  expect((await get(registry.origin, "/engines/renamed", token)).status).toBe(200);
  expect(await registry.end("SIGTERM")).toBe(0);
});
