import { existsSync, mkdirSync, mkdtempSync, readdirSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeEach, expect, test, vi } from "vitest";
import { migrate } from "../api/Migrations.ts";
import { createCredential, ensureUser } from "../manage/Accounts.ts";
import { publishAll } from "../manage/Engines.ts";
import { openSqlite } from "../node/SqliteFile.ts";
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
  file.database.exec("PRAGMA foreign_keys = OFF; DELETE FROM users");
  file.close();
  const [code, ...said] = await done(path, "check");
  expect(code).toBe(1);
  expect(said.slice(0, -1)).not.toHaveLength(0);
  expect(said.at(-1)).toMatch(/^DIR\/\d+\.sqlite is damaged: move it away and restore a backup$/);
});

test("a command line has one command, its flags, and a database that is named or the default", async () => {
  expect(await done("x", "chek")).toEqual([2, 'there is no command "chek"', "Did you mean check?"]);
  expect(await done("x", "x".repeat(101))).toEqual([2, `there is no command "${"x".repeat(100)}"`]);
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
])("of %j with BYTENITE_OUTPUT=%s the failure is %j", async ([args, format, failure]) => {
  vi.stubEnv("BYTENITE_OUTPUT", format);
  const code = await runRegistry(args);
  expect(typeof failure === "string" ? stderr : JSON.parse(stderr)).toEqual(
    typeof failure === "string" ? failure : { error: failure },
  );
  expect(code).toBe(args.includes("/no/x") ? 3 : 2);
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
