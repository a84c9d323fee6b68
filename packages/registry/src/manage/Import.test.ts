import { createHash } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { availableParallelism, tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Readable } from "node:stream";
import type { Worker } from "node:worker_threads";
import { expect, onTestFinished, test } from "vitest";
import { migrate } from "../api/Migrations.ts";
import { makeSecretBox } from "../api/SecretBox.ts";
import { openSqlite, type SqliteFile } from "../node/SqliteFile.ts";
import { importFiles, importStream, type ImportOptions } from "./Import.ts";

/** So many that a thread prepares most of them. */
const many = 4_000;

const opened = async (): Promise<SqliteFile> => {
  const folder = await mkdtemp(join(tmpdir(), "registry-import-"));
  const file = openSqlite(join(folder, "x.sqlite"));
  onTestFinished(async () => {
    file.close();
    await rm(folder, { recursive: true });
  });
  await migrate(file.port, 0);
  return file;
};

interface Line {
  readonly userName: string;
  readonly owner?: string;
  readonly version: string;
  readonly platformConfig?: object;
  readonly isPublic?: boolean;
  readonly deletedAt?: string;
}

const line = (index: number, changes: Partial<Line> = {}): string =>
  `${JSON.stringify({
    id: `id-${index}`,
    name: `engine-${index}`,
    version: "0.1",
    status: "active",
    revision: 7,
    createdAt: "2024-01-01T00:00:00Z",
    updatedAt: "2024-01-02T00:00:00Z",
    userName: `user-${index % 10}`,
    ...changes,
  })}\n`;

const lines = (count: number, changes: (index: number) => Partial<Line> = () => ({})): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, index) => line(index, changes(index)));

const imported = (file: SqliteFile, texts: Iterable<string>, options: Partial<ImportOptions> = {}) =>
  importStream(Readable.from(texts), { file, box: undefined, ...options });

const rowsIn = (file: SqliteFile, sql: string) => file.rows({ sql, values: [] });
const enginesIn = (file: SqliteFile): unknown =>
  rowsIn(file, "SELECT count(*) AS engines FROM engines")[0]?.["engines"];

const schema = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY type, name";

test("many engines are what they would be one by one, whoever owns them and whenever an owner first comes", async () => {
  const together = await opened();
  const apart = await opened();
  const texts = lines(many, (index) => ({
    userName: `user-${Math.floor(index / 100)}`,
    isPublic: index % 7 === 0,
    ...(index % 11 === 0 ? { deletedAt: "2026-11-25T00:00:00Z" } : {}),
  }));
  expect(await imported(together, texts)).toEqual({ engines: many, problems: [], withoutArchive: [] });
  for (let at = 0; at < many; at += 400) await imported(apart, texts.slice(at, at + 400));
  const sql = `SELECT engines.name, users.name AS owner, major, minor, status, is_public, revision, engines.deleted_at, secret,
    json_remove(json, '$.owner') AS json, length(protobuf) AS bytes
    FROM engines JOIN users ON users.number = engines.owner ORDER BY engines.number`;
  expect(rowsIn(together, sql)).toEqual(rowsIn(apart, sql));
  const totals = `SELECT name, live_engines FROM users
    UNION ALL SELECT '', live_engines FROM public_total ORDER BY name`;
  expect(rowsIn(together, totals)).toEqual(rowsIn(apart, totals));
  expect(rowsIn(together, schema)).toEqual(rowsIn(await opened(), schema));
});

test("many engines are prepared in threads of their own, few here", async () => {
  const file = await opened();
  const threads: Array<Worker> = [];
  const broken: Array<unknown> = [];
  let [answers, ended] = [0, 0];
  const count = (thread: Worker): void => {
    threads.push(thread);
    thread.on("message", () => (answers += 1)).on("error", (error) => broken.push(error));
    thread.once("exit", () => (ended += 1));
  };
  process.on("worker", count);
  onTestFinished(() => void process.off("worker", count));
  await imported(file, lines(1_000));
  expect(threads).toEqual([]);
  await imported(file, lines(many));
  expect(threads).toHaveLength(Math.min(2, availableParallelism()));
  expect(broken).toEqual([]);
  expect(answers).toBeGreaterThan(0);
  expect(ended).toBe(threads.length);
});

test("the same stream again overwrites each engine and raises its revision", async () => {
  const file = await opened();
  const schemaChanges = () => Number(rowsIn(file, "PRAGMA schema_version")[0]?.["schema_version"]);
  const atFirst = schemaChanges();
  await imported(file, lines(many));
  const once = schemaChanges();
  expect(once).toBeGreaterThan(atFirst);
  expect(await imported(file, lines(many))).toEqual({ engines: many, problems: [], withoutArchive: [] });
  // Indexes are built anew for the first engines alone.
  expect(schemaChanges()).toBe(once);
  expect(rowsIn(file, "SELECT revision, count(*) AS engines FROM engines GROUP BY revision")).toEqual([
    { revision: 8, engines: many },
  ]);
});

test("one bad line among many leaves nothing behind, and is named; so is an owner who cannot be", async () => {
  const file = await opened();
  const texts = [...lines(many), line(1, { version: "one" }), line(2, { userName: "no one" })];
  const { engines, problems } = await imported(file, texts);
  expect(engines).toBe(0);
  expect(problems).toEqual([
    `stdin line ${many + 1}: version "one" is not major.minor`,
    expect.stringContaining(`stdin line ${many + 2}: user name "no one" is not`),
  ]);
  expect(enginesIn(file)).toBe(0);
  expect(rowsIn(file, "SELECT name FROM users")).toEqual([]);
  expect(rowsIn(file, schema)).toEqual(rowsIn(await opened(), schema));
});

test("a stream of nothing but bad lines is given up early", async () => {
  const file = await opened();
  let read = 0;
  const endless = function* (): Generator<string> {
    for (;;) yield line(read++, { version: "one" });
  };
  const { problems } = await imported(file, endless());
  expect(problems).toHaveLength(101);
  expect(problems.at(-1)).toBe("stdin: not read beyond 100 mistakes; nothing of it was imported");
  expect(problems.at(0)).toMatch(/^stdin line 1: /);
  expect(read).toBeLessThan(50_000);
});

test("a stream is given up at the hundredth bad line, and not before", async () => {
  const file = await opened();
  let read = 0;
  const stream = function* (bad: number): Generator<string> {
    for (read = 0; read < 3_000; read++) yield line(read, read < bad ? { version: "one" } : {});
  };
  expect((await imported(file, stream(99))).problems).toHaveLength(99);
  expect(read).toBe(3_000);
  expect((await imported(file, stream(100))).problems).toHaveLength(101);
  expect(read).toBeLessThan(1_000);
});

test("a stream that breaks leaves nothing behind", async () => {
  const file = await opened();
  const broken = function* (): Generator<string> {
    yield* lines(many);
    throw new Error("the pipe broke");
  };
  await expect(imported(file, broken())).rejects.toThrow("the pipe broke");
  expect(enginesIn(file)).toBe(0);
  expect(await imported(file, lines(3))).toEqual({ engines: 3, problems: [], withoutArchive: [] });
});

test("secrets are sealed wherever the engine was prepared, and refused without a key", async () => {
  const file = await opened();
  const texts = lines(many, (index) => (index % 1_000 === 999 ? { platformConfig: { token: `hush-${index}` } } : {}));
  const refused = await imported(file, texts);
  expect(refused.problems).toHaveLength(4);
  expect(refused.problems[3]).toContain("stdin line 4000: engine-3999@0.1 has a platform_config.token");
  const box = await makeSecretBox("k".repeat(32));
  expect(await imported(file, texts, { box })).toEqual({ engines: many, problems: [], withoutArchive: [] });
  const [first] = rowsIn(
    file,
    "SELECT secret, owner.id AS owner FROM engines JOIN users AS owner ON owner.number = engines.owner WHERE secret IS NOT NULL AND engines.name = 'engine-3999'",
  );
  expect(await box.open(first?.["secret"] as Uint8Array, `${String(first?.["owner"])}/engine-3999@0.1`)).toBe(
    "hush-3999",
  );
  expect(rowsIn(file, "SELECT count(*) AS sealed FROM engines WHERE secret IS NOT NULL")).toEqual([{ sealed: 4 }]);
  expect(rowsIn(file, "SELECT 1 FROM engines WHERE json LIKE '%hush%' OR instr(protobuf, 'hush') > 0")).toEqual([]);
});

test("a public engine with a secret is refused, whatever made it public, and nothing of its stream is kept", async () => {
  const box = await makeSecretBox("k".repeat(32));
  const secret = { platformConfig: { token: "hush" } };
  const refusal = expect.stringContaining(
    "engine-1@0.1 has a platform_config.token, and cannot be public: take the token out, or make it private",
  );
  const file = await opened();
  const named = await imported(file, [line(0), line(1, { ...secret, isPublic: true })], { box });
  expect(named).toEqual({ engines: 0, problems: [expect.stringMatching(/^stdin line 2: /)] });
  expect(named.problems).toEqual([refusal]);
  expect((await imported(file, [line(1, secret)], { box, makePublic: true })).problems).toEqual([refusal]);
  expect(enginesIn(file)).toBe(0);
  // It keeps the visibility of the version that it overwrites.
  await imported(file, [line(1, { isPublic: true })]);
  expect((await imported(file, [line(0), line(1, secret)], { box })).problems).toEqual([refusal]);
  expect(rowsIn(file, "SELECT name, secret FROM engines")).toEqual([{ name: "engine-1", secret: null }]);
  const path = join(await mkdtemp(join(tmpdir(), "registry-import-")), "manifest.json");
  onTestFinished(() => rm(dirname(path), { recursive: true }));
  await writeFile(path, '{"name":"engine-1","version":"0.1","platform_config":{"token":"hush"}}');
  const manifest = (makePublic: boolean) => importFiles([path], { file, box, user: "user-1", makePublic });
  for (const makePublic of [true, false]) expect((await manifest(makePublic)).problems).toEqual([refusal]);
  expect(rowsIn(file, "SELECT name, secret, revision FROM engines")).toEqual([
    { name: "engine-1", secret: null, revision: 7 },
  ]);
});

const trail = "SELECT subject, detail FROM audit WHERE action = 'import engines' ORDER BY number";

test("of files those that are good are imported, and of the others it is told what is wrong", async () => {
  const file = await opened();
  const folder = await mkdtemp(join(tmpdir(), "registry-import-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const paths = ["0", "1", "2", "bad", "missing", "secret", "stranger", "taken"].map((name) => join(folder, name));
  for (const [index, text] of [
    line(10),
    line(11),
    line(20),
    '{"name":"x"}',
    undefined,
    line(12, { platformConfig: { token: "hush" } }),
    line(13, { userName: "no one" }),
    line(10, { version: "0.2" }),
  ].entries()) {
    if (text !== undefined) await writeFile(String(paths[index]), text);
  }
  const published: Array<unknown> = [];
  const onPublished: ImportOptions["onPublished"] = ({ tag, revision }, source) =>
    published.push([tag, revision, source]);
  const { engines, problems } = await importFiles(paths, { file, box: undefined, onPublished });
  expect([engines, published]).toEqual([3, [10, 11, 20].map((of, at) => [`engine-${of}@0.1`, 7, paths[at]])]);
  expect(problems.map((problem) => problem.replaceAll(folder, "DIR"))).toEqual([
    "DIR/bad:1:1: version is missing",
    "DIR/missing: ENOENT: no such file or directory, stat 'DIR/missing'",
    expect.stringMatching(/^DIR\/secret: engine-12@0\.1 has a platform_config\.token/),
    expect.stringMatching(/^DIR\/stranger: user name "no one" is not 1 to 64 letters/),
    expect.stringMatching(/^DIR\/taken: engine-10@0\.2 of user-0: its id id-10 is the one of engine-10@0\.1/),
  ]);
  expect(rowsIn(file, trail)).toEqual([
    { subject: "user-0", detail: '{"engines":2}' },
    { subject: "user-1", detail: '{"engines":1}' },
  ]);
  file.database.exec("DROP TRIGGER archives_with_owner; DROP TABLE audit");
  await expect(importFiles(paths.slice(0, 1), { file, box: undefined })).rejects.toThrow("no such table");
});

const zoe = "11111111-1111-4111-8111-111111111111";
const other = "22222222-2222-4222-8222-222222222222";
const foreign = (owner: string): string =>
  `stdin line 2: its owner ${owner} is another user than zoe here: name the user with --user`;

test.for<[string, ReadonlyArray<string>, string | undefined, ReadonlyArray<string>]>([
  ["one owner", [zoe, zoe], undefined, []],
  ["an owner and none", [zoe, ""], undefined, []],
  ["none and an owner", ["", zoe], undefined, [foreign(zoe)]],
  ["two owners", [zoe, other], undefined, [foreign(other)]],
  ["owners that are no ids of users", ["x", "y"], undefined, []],
  ["two owners, and a user to own both", [zoe, other], "yan", []],
])("engines of zoe with %s are imported as of one user, or not at all", async ([, owners, user, problems]) => {
  const file = await opened();
  const texts = owners.map((owner, index) => line(index, { userName: "zoe", owner }));
  const engines = problems.length === 0 ? 2 : 0;
  expect(await imported(file, texts, { user })).toMatchObject({ engines, problems });
  const users = engines === 0 ? [] : [{ name: user ?? "zoe", isZoe: owners[0] === zoe && user === undefined ? 1 : 0 }];
  expect(rowsIn(file, `SELECT name, id = '${zoe}' AS isZoe FROM users`)).toEqual(users);
  if (engines === 0 || users[0]?.isZoe === 0) return;
  // An engine stays with the owner of its id.
  expect(await imported(file, [line(2, { userName: "yan", owner: zoe })])).toMatchObject({
    problems: [expect.stringMatching(/^stdin line 1: its owner is zoe here, not yan: /)],
  });
  expect(rowsIn(file, trail)).toEqual([{ subject: "zoe", detail: '{"engines":2}' }]);
});

test("a failure of the database is none of a file", async () => {
  const file = await opened();
  const path = join(dirname(file.database.location() ?? ""), "manifest.json");
  await writeFile(path, '{"name":"a","version":"0.1"}');
  file.database.exec("PRAGMA foreign_keys = OFF; ALTER TABLE users RENAME TO elsewhere");
  await expect(importFiles([path], { file, box: undefined, user: "ann" })).rejects.toThrow("no such table");
});

test("an archive that cannot be read is a problem, not a failure", async () => {
  const file = await opened();
  const archive = "/nowhere/archive.zip";
  const refused = { engines: 0, problems: [expect.stringMatching(/^\/nowhere\/archive\.zip: ENOENT/)] };
  expect(await imported(file, lines(1), { archive })).toEqual(refused);
  expect(await importFiles(["manifest.json"], { file, box: undefined, archive })).toEqual(refused);
});

test("an archive is that of one engine alone", async () => {
  const file = await opened();
  const archive = join(await mkdtemp(join(tmpdir(), "registry-import-")), "archive.zip");
  onTestFinished(() => rm(dirname(archive), { recursive: true }));
  await writeFile(archive, Buffer.alloc(100_000, 7));
  const manifest = '{"name":"a","version":"0.1"}';
  const { problems } = await imported(file, Array(501).fill(`${manifest}\n`), { archive, user: "ann" });
  expect(problems).toEqual([2, 501].map((number) => `stdin line ${number}: an archive goes with one manifest`));
  expect(await imported(file, [manifest], { archive, user: "ann" })).toMatchObject({ engines: 1, problems: [] });
  const hash = createHash("sha256").update(Buffer.alloc(100_000, 7)).digest("base64");
  expect(rowsIn(file, "SELECT json ->> 'hash' AS hash FROM engines")).toEqual([{ hash }]);
});
