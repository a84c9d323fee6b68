import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { open, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { stripVTControlCharacters } from "node:util";
import { archiveOf } from "@bytenite-engines/test-kit/archives";
import { afterAll, afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { migrate } from "../api/Migrations.ts";
import { makeSecretBox } from "../api/SecretBox.ts";
import { giveArchive } from "../../test/archives.ts";
import { createCredential, ensureUser, noteChange, userOf } from "../manage/Accounts.ts";
import { change, publishAll } from "../manage/Engines.ts";
import { openSqlite } from "../node/SqliteFile.ts";
import { canAsk } from "./Output.ts";
import { executeRegistry, runRegistry } from "./registry.ts";

const directory = mkdtempSync(join(tmpdir(), "registry-commands-"));
afterAll(() => rm(directory, { recursive: true }));

let stderr = "";
let stdout = "";
const write = (add: (text: string) => void) =>
  ((text: string | Uint8Array, ...rest: ReadonlyArray<unknown>) => {
    add(Buffer.from(text).toString());
    const done = rest.find((one) => typeof one === "function") as (() => void) | undefined;
    if (done !== undefined) setImmediate(done);
    return true;
  }) as typeof process.stdout.write;

beforeEach(() => {
  [stderr, stdout] = ["", ""];
  vi.spyOn(process.stderr, "write").mockImplementation(write((text) => (stderr += text)));
  vi.spyOn(process.stdout, "write").mockImplementation(write((text) => (stdout += text)));
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
});

let count = 0;
const fresh = (): string => join(directory, `${count++}.sqlite`);

/** A database with a user, their token and so many engines. */
const database = async (engines: number): Promise<string> => {
  const path = fresh();
  const file = openSqlite(path);
  await migrate(file.port, 0);
  const user = ensureUser(file, "ann", 0);
  await createCredential(file, user, "token", "ci", 0);
  const inits = Array.from({ length: engines }, (_, index) => ({ name: `e-${index}`, version: "0.1" }));
  await publishAll(file, user, inits, undefined, 0);
  file.close();
  return path;
};

/** The exit code of a command line, its rows, what it says was done and what is wrong, or its error. */
const done = async (path: string, ...args: ReadonlyArray<string>): Promise<ReadonlyArray<unknown>> => {
  const lines: Array<unknown> = [];
  const say = (line: string): void => void lines.push(line.replaceAll(directory, "DIR"));
  const output = {
    row: async (row: object) => void lines.push(row),
    secret: async () => undefined,
    done: async (line: string) => say(line),
    note: say,
    problem: say,
  };
  try {
    const code = await executeRegistry([...args, "--database", path], output);
    return [code, ...lines];
  } catch (error) {
    const { message, exitCode, hint } = error as Error & { exitCode?: number; hint?: string };
    return [exitCode, ...lines, message.replaceAll(directory, "DIR"), ...(hint === undefined ? [] : [hint])];
  }
};

const row = (tag: string, revision: number, source: string) => ({ tag, revision, source });

test("engines are imported from manifests and lines, by a user who is there or the first", async () => {
  const folder = join(directory, "manifests");
  mkdirSync(join(folder, "a"), { recursive: true });
  const manifest = join(folder, "a", "manifest.json");
  writeFileSync(manifest, '{"name":"a","version":"0.1"}');
  const lines = join(folder, "x.NDJSON");
  writeFileSync(lines, '{"name":"b","version":"0.1"}\n{"name":"c","version":"0.1"}\n');
  const one = join(folder, "y.jsonl");
  writeFileSync(one, '{"name":"d","version":"0.1"}\n');
  const path = fresh();
  expect(await done(path, "import")).toEqual([2, "import what? name files, directories or globs, or - for stdin"]);
  expect(await done(path, "import", "-", manifest)).toEqual([2, "- stands alone"]);
  expect(await done(path, "import", manifest, lines, "--archive", lines)).toEqual([
    2,
    "--archive goes with one manifest",
  ]);
  expect(await done(path, "import", manifest, lines, "--with-archives", folder)).toEqual([
    2,
    "--with-archives goes with - and .ndjson files, as exports are",
  ]);
  expect(await done(path, "import", join(folder, "none"))).toEqual([1, expect.stringContaining("DIR/manifests/none")]);
  expect(existsSync(path)).toBe(false);
  const noArchive = join(folder, "no.tar");
  expect(await done(path, "import", one, "--archive", noArchive, "--user", "ann")).toEqual([
    1,
    expect.stringMatching(/^DIR\/manifests\/no\.tar: ENOENT/),
  ]);
  rmSync(path);
  // The first user of a database needs no question.
  expect(await done(path, "import", manifest, lines, "--user", "ann")).toEqual([
    0,
    "imported 2 engines from DIR/manifests/x.NDJSON",
    row("a@0.1", 1, manifest),
  ]);
  expect(await done(path, "import", one, "--user", "ann", "--activate", "--public")).toEqual([
    0,
    "imported 1 engine from DIR/manifests/y.jsonl",
  ]);
  expect(await done(path, "import", manifest, "--user", "bob")).toEqual([
    3,
    'there is no user "bob"',
    "--create-user makes it, without a question.",
  ]);
  expect(await done(path, "import", manifest, "--user", "bob", "--create-user")).toEqual([
    0,
    row("a@0.1", 1, manifest),
  ]);
  writeFileSync(one, '{"name":"d","version":"1"}\n');
  expect(await done(path, "import", one, manifest, "--user", "ann")).toEqual([
    1,
    row("a@0.1", 2, manifest),
    'DIR/manifests/y.jsonl line 1:1:23: version must be major.minor, as in "0.1"',
  ]);
  const exported = await done(path, "export", "--user", "ann");
  expect(exported).toEqual([0]);
  const engines = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(engines.map(({ name, status, isPublic = false }) => [name, status, isPublic])).toEqual([
    ["b", "inactive", false],
    ["c", "inactive", false],
    ["a", "inactive", false],
    ["d", "active", true],
  ]);
});

const kinds = (path: string): ReadonlyArray<unknown> => {
  const file = openSqlite(path);
  const rows = file.rows({ sql: "SELECT kind FROM credentials", values: [] });
  file.close();
  return rows.map(({ kind }) => kind);
};

test("a new database gets the trial's tokens for its users, an old one does not", async () => {
  const manifest = join(directory, "manifest.json");
  writeFileSync(manifest, '{"name":"a","version":"0.1"}');
  const made = fresh();
  await done(made, "import", manifest, "--user", "ann");
  expect(kinds(made)).toEqual(["trial"]);
  const old = await database(0);
  await done(old, "import", manifest, "--user", "ann");
  expect(kinds(old)).toEqual(["token"]);
});

test("an export has its format and secrets by flags that are there", async () => {
  const path = await database(1);
  expect(await done(path, "export", "--format", "xml")).toEqual([2, "--format is ndjson or sql"]);
  expect(await done(path, "export", "--user", "zoe")).toEqual([3, 'there is no user "zoe"']);
  expect(await done(path, "export", "--with-secrets")).toEqual([1, "--with-secrets needs BYTENITE_REGISTRY_KEY"]);
  expect(await done(path, "export", "--format", "sql")).toEqual([0]);
  expect(stdout).toMatch(/^(?:INSERT|--|PRAGMA|BEGIN)/);
  stdout = "";
  vi.stubEnv("BYTENITE_REGISTRY_KEY", "k".repeat(32));
  expect(await done(path, "export", "--with-secrets", "--format", "ndjson")).toEqual([0]);
  expect(stdout).toMatch(/^\{.*"e-0".*\}\n$/);
});

test("an export as SQL is of one moment, whatever another process writes meanwhile", async () => {
  const path = await database(1);
  const other = openSqlite(path);
  for (let index = 0; index < 100; index++) ensureUser(other, `user-${index}`, 0);
  let lines = "";
  const add = write((text) => {
    if (lines === "") other.transaction((run) => noteChange(run, 1, "a late change", "ann"));
    lines += text;
  });
  // A slow reader: each line takes a turn of the event loop.
  vi.spyOn(process.stdout, "write").mockImplementation((...given) => {
    add(...given);
    setImmediate(() => process.stdout.emit("drain"));
    return false;
  });
  expect(await done(path, "export", "--format", "sql")).toEqual([0]);
  expect(lines.match(/^INSERT INTO users /gm)).toHaveLength(101);
  expect(lines).not.toContain("a late change");
  other.close();
});

test("backups have a name or their time, and the newest are kept", async () => {
  const path = await database(1);
  const folder = join(directory, "backups");
  mkdirSync(folder);
  expect(await done(path, "backup")).toEqual([2, "backup where? name a file, or a directory"]);
  for (const keep of ["0", "10000", "x"]) {
    expect(await done(path, "backup", folder, "--keep", keep)).toEqual([2, "--keep is a number from 1 to 9999"]);
  }
  const file = join(folder, "one.sqlite");
  expect(await done(path, "backup", file, "--keep", "1")).toEqual([2, "--keep goes with a directory that exists"]);
  expect(await done(path, "backup", file)).toEqual([0, "backed up 1 engine of 1 user to DIR/backups/one.sqlite"]);
  expect(await done(path, "backup", folder)).toEqual([0, expect.stringMatching(/engines-\d{8}T\d{9}Z\.sqlite$/)]);
  const older = "engines-20200101T000000000Z.sqlite";
  writeFileSync(join(folder, older), "");
  mkdirSync(join(folder, `${older}.archives`));
  expect(await done(path, "backup", folder, "--keep", "9999")).toHaveLength(2);
  expect(await done(path, "backup", folder, "--keep", "3")).toEqual([
    0,
    expect.stringMatching(/^backed up 1 engine of 1 user to /),
    `removed DIR/backups/${older}`,
  ]);
  const left = readdirSync(folder);
  expect(left.filter((name) => name.endsWith(".sqlite"))).toHaveLength(4);
  expect(left).not.toContain(`${older}.archives`);
  expect(await done(path, "backup", folder, "--keep", "1")).toHaveLength(5);
});

test("a backup is restored over a database without engines, or by force, and its tokens with --yes", async () => {
  const path = await database(2);
  const backup = join(directory, "backup.sqlite");
  await done(path, "backup", backup);
  expect(await done(path, "restore")).toEqual([2, "restore what? name a backup"]);
  expect(await done(path, "restore", backup, "--yes")).toEqual([
    1,
    expect.stringMatching(/^DIR\/\d+\.sqlite has engines, which would be lost: use --force if that is meant$/),
  ]);
  expect(await done(path, "restore", backup, "--force")).toEqual([
    0,
    "restored 2 engines of 1 user from DIR/backup.sqlite",
  ]);
  expect(await done(await database(0), "restore", backup, "--yes")).toEqual([
    0,
    "restored 2 engines of 1 user from DIR/backup.sqlite",
  ]);
  stderr = "";
  const target = fresh();
  expect(await done(target, "restore", backup)).toEqual([
    1,
    "nothing was restored: use --revoke-all to end them, or --yes to let them live",
  ]);
  expect(stderr).toContain("though they may have been revoked since:\n  ");
  expect(stderr).toMatch(/\n {2}\S+\tann\ttoken\t1970-\S+\tgood\tci\tread\tnever used\n$/);
  expect(existsSync(target)).toBe(false);
  stderr = "";
  expect(await done(target, "restore", backup, "--yes")).toEqual([
    0,
    "restored 2 engines of 1 user from DIR/backup.sqlite",
  ]);
  expect(stderr).toMatch(/^\S+\/backup\.sqlite was written 20\S+Z; the last change in it is of \S+Z\.\nTokens/);
  stderr = "";
  const other = fresh();
  expect(await done(other, "restore", backup, "--revoke-all")).toEqual([
    0,
    "restored 2 engines of 1 user from DIR/backup.sqlite",
  ]);
  expect(await done(other, "token", "list")).toEqual([
    0,
    expect.objectContaining({ state: expect.stringMatching(/^revoked /) as unknown }),
  ]);
});

test("a restore says that changes are lost where their trail is damaged", async () => {
  const [path, backup] = [await database(1), join(directory, "older.sqlite")];
  await done(path, "backup", backup);
  const file = openSqlite(path);
  file.transaction((run) => noteChange(run, 1, "a later change", "ann"));
  const [row] = file.rows({ sql: "SELECT rootpage FROM sqlite_master WHERE name = 'audit'", values: [] });
  file.close();
  const [bytes, end] = [readFileSync(path), Number(row?.["rootpage"]) * 4_096];
  writeFileSync(path, bytes.fill(0xee, end - 4_096, end));
  expect(await done(path, "restore", backup, "--force")).toEqual([
    0,
    expect.stringMatching(
      /^the audit trail of DIR\/\d+\.sqlite is damaged: what the backup does not have of it is lost$/,
    ),
    "restored 1 engine of 1 user from DIR/older.sqlite",
  ]);
});

test("of many tokens that would live again twenty are named", async () => {
  const path = await database(0);
  const file = openSqlite(path);
  const user = ensureUser(file, "ann", 0);
  for (let index = 1; index < 20; index++) await createCredential(file, user, "token", "", 0);
  const backup = join(directory, "many.sqlite");
  await done(path, "backup", backup);
  await done(fresh(), "restore", backup, "--yes");
  expect(stderr.match(/\tann\t/g)).toHaveLength(20);
  expect(stderr).not.toContain("more");
  await createCredential(file, user, "token", "", 0);
  file.close();
  stderr = "";
  await done(path, "backup", backup);
  await done(fresh(), "restore", backup, "--yes");
  expect(stderr.match(/\tann\t/g)).toHaveLength(20);
  expect(stderr).toMatch(/\n {2}and 1 more\n$/);
});

test("a check says that a database is sound, or what is not", async () => {
  const path = await database(1);
  expect(await done(path, "check")).toEqual([0, expect.stringMatching(/^DIR\/\d+\.sqlite is sound$/)]);
  expect(await done(fresh(), "check")).toEqual([3, expect.stringMatching(/^there is no database DIR/)]);
  const file = openSqlite(path);
  file.database.exec("UPDATE users SET live_engines = 9");
  expect(await done(path, "check")).toEqual([
    1,
    { problem: "the number of engines of ann is kept as 9, counted are 1" },
    expect.stringMatching(/^DIR\/\d+\.sqlite is damaged: move it away and restore a backup$/),
  ]);
  file.database.exec("PRAGMA foreign_keys = OFF; DELETE FROM users");
  file.close();
  const [code, ...said] = await done(path, "check");
  expect(code).toBe(1);
  expect(said.slice(0, -1)).not.toHaveLength(0);
  expect(said.at(-1)).toMatch(/^DIR\/\d+\.sqlite is damaged: move it away and restore a backup$/);
});

const problemIn = (lines: ReadonlyArray<unknown>): ReadonlyArray<string> =>
  lines.map((line) => (line as { readonly problem: string }).problem.replaceAll(directory, "DIR")).toSorted();

const archivesOf = (folder: string): ReadonlyArray<string> => readdirSync(folder).filter((one) => one !== "incoming");

const unread = (archives: string): string =>
  `registry: ${archives} with secrets compared by size only: set BYTENITE_REGISTRY_KEY to read them`;

test("archives go through exports, imports, backups and checks, and what is left out or lost is told", async () => {
  const key = "k".repeat(32);
  const box = await makeSecretBox(key);
  vi.stubEnv("BYTENITE_REGISTRY_KEY", key);
  const path = fresh();
  const file = openSqlite(path);
  await migrate(file.port, 0, box);
  for (const [name, token] of [
    ["open", ""],
    ["sealed", "hush"],
    ["hidden", "hush"],
  ] as const) {
    const archive = await archiveOf({ name, version: "0.1", ...(token === "" ? {} : { platform_config: { token } }) });
    await giveArchive(file, `${path}.archives`, box, { user: "ann", name, archive, token });
  }
  // Node may warn of many listeners of stdout.
  const told = () => stderr.split("\n").filter((line) => line.startsWith("registry: "));
  const [folder, lines] = [join(directory, "exported"), join(directory, "exported.ndjson")];
  expect(await done(path, "export", "--with-secrets", "--with-archives", folder)).toEqual([0]);
  expect([archivesOf(folder).length, told()]).toEqual([3, []]);
  writeFileSync(lines, stdout);
  const copy = fresh();
  expect(await done(copy, "import", lines, "--with-archives", folder)).toEqual([
    0,
    "imported 3 engines from DIR/exported.ndjson",
  ]);
  expect(archivesOf(`${copy}.archives`)).toHaveLength(3);
  rmSync(join(folder, String(archivesOf(folder)[0])));
  expect(await done(fresh(), "import", lines, "--with-archives", folder)).toEqual([
    1,
    "imported 3 engines from DIR/exported.ndjson",
    expect.stringMatching(
      /^DIR\/exported\.ndjson line [123]: imported without its archive, which is not in \S+\/exported$/,
    ),
  ]);
  const objects = join(directory, "objects");
  stdout = "";
  expect(await done(path, "export", "--format", "sql", "--with-archives", objects)).toEqual([0]);
  expect(archivesOf(objects)).toEqual(archivesOf(`${path}.archives`));
  expect(stdout).toMatch(/^INSERT INTO archives /m);
  expect([file.database.isTransaction, file.rows({ sql: "SELECT * FROM archive_holds", values: [] })]).toEqual([
    false,
    [],
  ]);
  const backup = join(directory, "archives.sqlite");
  expect(await done(path, "backup", backup)).toEqual([0, "backed up 3 engines of 1 user to DIR/archives.sqlite"]);
  const sound = [0, expect.stringMatching(/ is sound$/)];
  expect([await done(path, "check"), told()]).toEqual([sound, []]);
  // Without the key.
  vi.stubEnv("BYTENITE_REGISTRY_KEY", "");
  expect(await done(path, "export", "--with-archives", join(directory, "withheld"))).toEqual([0]);
  expect(archivesOf(join(directory, "withheld"))).toHaveLength(1);
  expect(told().toSorted()).toEqual(
    ["hidden", "sealed"].map(
      (name) => `registry: the archive of ${name}@0.1 holds a secret: --with-secrets exports it`,
    ),
  );
  stderr = "";
  expect(await done(path, "backup", backup)).toHaveLength(2);
  expect([await done(path, "check"), told()]).toEqual([sound, [unread("2 archives"), unread("2 archives")]]);
  change(file, userOf(file, "ann"), "hidden", "delete", 1);
  stderr = "";
  expect([await done(path, "check"), told()]).toEqual([sound, [unread("1 archive")]]);
  renameSync(`${path}.archives`, join(directory, "elsewhere"));
  const missing = ["open", "sealed"].map((name) =>
    expect.stringMatching(`^the archive of ${name}@0\\.1 of ann is missing: DIR/`),
  );
  const [code, ...said] = await done(path, "check");
  expect([code, problemIn(said.slice(0, -1)), said.at(-1)]).toEqual([
    1,
    missing,
    expect.stringMatching(/ is sound, but not its archives: their owners upload them again, or restore a backup$/),
  ]);
  for (const format of ["ndjson", "sql"]) {
    expect(await done(path, "export", "--format", format, "--with-archives", join(directory, format))).toEqual([
      1,
      expect.stringMatching(/^the archive of \S+@0\.1(?: of ann)? is missing: /),
    ]);
  }
  expect(file.rows({ sql: "SELECT * FROM archive_holds", values: [] })).toEqual([]);
  expect(await done(path, "check", "--archives", join(directory, "elsewhere"))).toEqual(sound);
  vi.stubEnv("REGISTRY_ARCHIVES", join(directory, "elsewhere"));
  expect(await done(path, "check")).toEqual(sound);
  vi.stubEnv("REGISTRY_ARCHIVES", "");
  file.database.exec("UPDATE users SET live_engines = 9");
  expect((await done(path, "check")).at(-1)).toMatch(/ is damaged: move it away and restore a backup$/);
  file.close();
});

test.for([
  [200, 6],
  [400, 2],
  [401, 4],
  [403, 4],
  [404, 3],
  [409, 7],
  [429, 5],
  [500, 1],
  [503, 5],
  [undefined, 5],
])("where a registry elsewhere answers %s, a command asks once and ends with %i", async ([status, exitCode]) => {
  let requests = 0;
  const server = createServer((_request, response) => {
    requests += 1;
    if (status === undefined) response.destroy();
    else response.writeHead(status, { "content-type": "application/json" }).end('{"code":2,"message":"because"}');
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  vi.stubEnv("BYTENITE_MANAGE_TOKEN", "token-of-root");
  const { port } = server.address() as AddressInfo;
  expect(await runRegistry(["users", "--base-url", `http://127.0.0.1:${port}`])).toBe(exitCode);
  expect([stdout, requests]).toEqual(["", 1]);
  expect(stderr).toMatch(/^registry: [^\n]+\n(?:See registry --help\.\n)?$/);
  expect(stderr.includes("because")).toBe(status !== undefined && status >= 400);
});

test("a command line has one command, its flags, and a database that is named or the default", async () => {
  expect(await done("x", "chek")).toEqual([2, 'there is no command "chek"', "Did you mean check?"]);
  expect(await done("x", "x".repeat(101))).toEqual([2, `there is no command "${"x".repeat(100)}"`]);
  expect(await done("x", "check", "x".repeat(101))).toEqual([2, `"${"x".repeat(100)}" is one argument too many`]);
  expect(await done("x", "toString")).toEqual([2, 'there is no command "toString"']);
  expect(await done("x", "users", "--yess")).toEqual([
    2,
    expect.stringContaining("Unknown option '--yess'"),
    "Did you mean --yes?",
  ]);
  for (const line of [["help"], ["users", "--help"], ["users", "-h"], ["-h"]]) {
    stdout = "";
    expect(await executeRegistry(line, {} as never)).toBe(0);
    expect(stdout).toMatch(/^Usage: registry COMMAND /);
  }
  vi.stubEnv("REGISTRY_DATABASE", join(directory, "named.sqlite"));
  await expect(executeRegistry(["users"], {} as never)).rejects.toThrow(/there is no database .*named\.sqlite$/);
  const before = process.cwd();
  onTestFinished(() => process.chdir(before));
  process.chdir(directory);
  for (const value of ["", undefined]) {
    vi.stubEnv("REGISTRY_DATABASE", value);
    await expect(executeRegistry(["users"], {} as never)).rejects.toThrow("there is no database .data/registry.sqlite");
    expect(existsSync(join(directory, ".data"))).toBe(true);
  }
});

/** What a command line asks and does on a terminal where this is typed. */
const asked = async (
  typed: string,
  path: string,
  ...line: ReadonlyArray<string>
): Promise<readonly [question: string, said: ReadonlyArray<unknown>]> => {
  const terminal = Object.assign(new PassThrough(), { isTTY: true });
  const [stdin, isTTY] = [process.stdin, process.stderr.isTTY];
  Object.defineProperty(process, "stdin", { value: terminal, configurable: true });
  process.stderr.isTTY = true;
  stderr = "";
  terminal.write(`${typed}\n`);
  try {
    const said = await done(path, ...line);
    expect(terminal.isPaused()).toBe(true);
    const text = stripVTControlCharacters(stderr).replaceAll(directory, "DIR");
    const [question = ""] = /[^\n]+\[(?:y\/N|n)\] /.exec(text) ?? [];
    return [question, said];
  } finally {
    Object.defineProperty(process, "stdin", { value: stdin, configurable: true });
    process.stderr.isTTY = isTTY;
  }
};

test("on a terminal it is asked before something is deleted, made or lives again, and only y or yes does it", async () => {
  const path = await database(2);
  const named = path.replace(directory, "DIR");
  const file = openSqlite(path);
  for (const name of ["bob", "carl"]) ensureUser(file, name, 0);
  file.close();
  const empty = fresh();
  const backup = join(directory, "asked.sqlite");
  await done(path, "backup", backup);
  const manifest = join(directory, "asked.json");
  writeFileSync(manifest, '{"name":"asked","version":"0.1"}');
  const create = ["token", "create", "--user", "zoe"];
  for (const [line, to, question, refusal] of [
    [["users", "delete", "carl"], path, `Delete user carl, in ${named}? [y/N] `, "Nothing was deleted"],
    [
      ["users", "delete", "ann", "--hand-over-to", "bob"],
      path,
      `Delete user ann, and hand 2 engines over to bob, in ${named}? [y/N] `,
      "Nothing was deleted",
    ],
    [
      ["users", "delete", "bob", "--delete-engines"],
      path,
      `Delete user bob and 2 engines, in ${named}? [y/N] `,
      "Nothing was deleted",
    ],
    [create, path, `there is no user zoe in ${named}. Make one? [y/N] `, "nothing was made"],
    [["import", manifest, "--user", "yan"], path, 'there is no user "yan". Make one? [y/N] ', "nothing was made"],
    [
      create,
      empty,
      `there is no database ${empty.replace(directory, "DIR")}. Make it, with user zoe? [y/N] `,
      "nothing was made",
    ],
    [
      ["restore", backup],
      fresh(),
      "Restore, and let them live (y), or not (n; --revoke-all ends them)? [n] ",
      "nothing was restored",
    ],
  ] as const) {
    for (const typed of ["", "n", "yesterday"]) {
      const [asking, said] = await asked(typed, to, ...line);
      expect([line, typed, asking, said[1]]).toEqual([line, typed, question, refusal]);
    }
    const [asking, [code]] = await asked(line[0] === "users" ? "y" : "YES", to, ...line);
    expect([line, asking, code]).toEqual([line, question, 0]);
  }
  expect((await done(path, "users")).slice(1)).toMatchObject([
    { name: "yan", engines: 1 },
    { name: "zoe", engines: 0 },
  ]);
});

test("a question ends with Ctrl-C as the process does, and nobody is asked without a terminal on both sides", async () => {
  const path = await database(0);
  const kill = vi.spyOn(process, "kill").mockImplementation(() => true);
  const [, said] = await asked("\u{3}", path, "users", "delete", "ann");
  expect([kill.mock.calls, said.at(-1)]).toEqual([[[process.pid, "SIGINT"]], "--yes deletes without asking."]);
  const { isTTY } = process.stderr;
  onTestFinished(() => void (process.stderr.isTTY = isTTY));
  for (const [stdin, stderr] of [
    [true, false],
    [false, true],
    [true, true],
  ] as const) {
    vi.spyOn(process, "stdin", "get").mockReturnValue({ isTTY: stdin } as typeof process.stdin);
    process.stderr.isTTY = stderr;
    expect(canAsk()).toBe(stdin && stderr);
  }
});

test("archives and rows of an export are of one moment, and archives are held meanwhile", async () => {
  const path = fresh();
  const file = openSqlite(path);
  await migrate(file.port, 0);
  const archive = await archiveOf({ name: "open", version: "0.1" });
  const box = await makeSecretBox("k".repeat(32));
  await giveArchive(file, `${path}.archives`, box, { user: "ann", name: "open", archive, token: "" });
  const handle = await open(directory);
  const handles = Object.getPrototypeOf(handle) as typeof handle;
  await handle.close();
  vi.useFakeTimers({ toFake: ["Date"], now: 1_000 });
  onTestFinished(() => void vi.useRealTimers());
  const holds: Array<ReadonlyArray<number>> = [];
  vi.spyOn(handles, "sync").mockImplementation(async () => {
    holds.push(file.rows({ sql: "SELECT until FROM archive_holds", values: [] }).map(({ until }) => Number(until)));
    change(file, userOf(file, "ann"), "open", "activate", 1);
  });
  expect(await done(path, "export", "--with-archives", join(directory, "moment"))).toEqual([0]);
  // Held for twelve hours, should the process be killed.
  expect([holds, JSON.parse(stdout)]).toMatchObject([[[43_201_000]], { name: "open", status: "inactive" }]);
  file.close();
});

test.runIf(existsSync("/proc/self/fd"))("no command leaves its database open", async () => {
  const path = await database(1);
  const openFiles = (): ReadonlyArray<string> =>
    readdirSync("/proc/self/fd").flatMap((name) => {
      const link = `/proc/self/fd/${name}`;
      return existsSync(link) && readlinkSync(link).startsWith(directory) ? [readlinkSync(link)] : [];
    });
  const before = openFiles();
  const copy = join(directory, "copy.sqlite");
  for (const line of [
    ["users"],
    ["check"],
    ["export"],
    ["activate", "e-0", "--user", "ann"],
    ["activate", "e-1", "--user", "ann"],
    ["backup", copy],
    ["restore", copy, "--force"],
  ])
    await done(path, ...line);
  expect(openFiles()).toEqual(before);
});

test.for<[ReadonlyArray<string>, string | undefined, unknown]>([
  [
    ["users", "--output", "json", "--database", "/no/x"],
    undefined,
    { message: "there is no database /no/x", exitCode: 3, reason: "Failed" },
  ],
  [
    ["users", "--output=json", "--database", "/no/x"],
    undefined,
    { message: "there is no database /no/x", exitCode: 3, reason: "Failed" },
  ],
  [
    ["-o", "json", "nope"],
    undefined,
    { message: 'there is no command "nope"', hint: "See registry --help.", exitCode: 2, reason: "Usage" },
  ],
  [
    ["nope"],
    "json",
    { message: 'there is no command "nope"', hint: "See registry --help.", exitCode: 2, reason: "Usage" },
  ],
  [["nope"], "text", 'registry: there is no command "nope"\nSee registry --help.\n'],
  [["users", "--database", "/no/x"], undefined, "registry: there is no database /no/x\n"],
  [
    ["users", "--database", "/"],
    undefined,
    "registry: cannot use the database /: it is a directory, not a regular file\n",
  ],
])("of %j with BYTENITE_OUTPUT=%s the failure is %j", async ([args, format, failure]) => {
  vi.stubEnv("BYTENITE_OUTPUT", format);
  const code = await runRegistry(args);
  expect(typeof failure === "string" ? stderr : JSON.parse(stderr)).toEqual(
    typeof failure === "string" ? failure : { error: failure },
  );
  expect(code).toBe(args.includes("/no/x") ? 3 : args.includes("/") ? 1 : 2);
  expect(stdout).toBe("");
});

test("a database that cannot be used is named with what to do", async () => {
  const text = join(directory, "text.sqlite");
  writeFileSync(text, "x".repeat(4_096));
  expect(await done(text, "users")).toEqual([1, "cannot use the database DIR/text.sqlite: it is not a SQLite file"]);
  expect(await done(directory, "users")).toEqual([
    undefined,
    expect.stringMatching(/it is a directory, not a regular file$/),
  ]);
  expect(await done(join(directory, "none", "x.sqlite"), "token", "create", "--user", "ann", "--create-user")).toEqual([
    1,
    "cannot use the database DIR/none/x.sqlite: it cannot be opened: does its directory exist, and may this user write there?",
  ]);
  vi.stubEnv("BYTENITE_REGISTRY_KEY", "short");
  expect(await done(await database(0), "users")).toEqual([1, expect.stringContaining("32 characters")]);
});
