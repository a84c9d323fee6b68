import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { gzipSync } from "node:zlib";
import { archiveOf, hashOf } from "@bytenite-engines/test-kit/archives";
import { afterAll, expect, onTestFinished, test, vi } from "vitest";
import { migrate } from "../api/Migrations.ts";
import { makeSecretBox } from "../api/SecretBox.ts";
import { openSqlite, type SqliteFile } from "../node/SqliteFile.ts";
import { ensureUser } from "./Accounts.ts";
import { archivesOf } from "./ArchiveFiles.ts";
import { exportArchives } from "./ArchiveTransfer.ts";
import { exportLines } from "./Export.ts";
import { giveArchive } from "../../test/archives.ts";
import { importStream, type ImportOptions } from "./Import.ts";

const directory = mkdtempSync(join(tmpdir(), "registry-transfer-"));
afterAll(() => rm(directory, { recursive: true }));

const box = await makeSecretBox("k".repeat(32));
const fresh = (): string => join(directory, crypto.randomUUID());

interface Database {
  readonly file: SqliteFile;
  /** Folder of its archives. */
  readonly archives: string;
}

const opened = async (): Promise<Database> => {
  const path = fresh();
  const file = openSqlite(path);
  onTestFinished(() => file.close());
  await migrate(file.port, 0, box);
  return { file, archives: archivesOf(path) };
};

const give = ({ file, archives }: Database, user: string, name: string, archive: Buffer, token = "") =>
  giveArchive(file, archives, box, { user, name, archive, token });

const plain = await archiveOf({ name: "plain", version: "0.1" });
const packed = gzipSync(await archiveOf({ name: "packed", version: "0.1" }));
const secret = await archiveOf({ name: "secret", version: "0.1", platform_config: { token: "hush" } });

/** Two engines of carol, of which one has a secret, and one of dave. */
const filled = async (): Promise<Database> => {
  const database = await opened();
  await give(database, "carol", "plain", plain);
  await give(database, "carol", "secret", secret, "hush");
  await give(database, "dave", "packed", packed);
  return database;
};

/** The name of an archive in the folder of an export. */
const nameOf = (archive: Buffer, extension = ".tar"): string =>
  Buffer.from(hashOf(archive), "base64").toString("base64url") + extension;

const exportedNames = [nameOf(plain), nameOf(packed, ".tar.gz"), nameOf(secret)].toSorted();

const exported = async ({ file, archives }: Database): Promise<string> => {
  const folder = fresh();
  await exportArchives(file, { folder, archives }, undefined, box);
  return folder;
};

const imported = (
  { file, archives }: Database,
  lines: Iterable<string> | AsyncIterable<string>,
  folder: string,
  options: Partial<ImportOptions> = {},
) => importStream(Readable.from(lines), { file, box, transfer: { folder, archives }, ...options });

/** The archives that are not released: engine, what is known of it, and whether an object is there. */
const archivesIn = ({ file, archives }: Database): ReadonlyArray<unknown> =>
  file
    .rows({
      sql: `SELECT e.name, a.hash, a.bytes, a.media_type, a.is_sealed, a.key FROM archives a JOIN engines e ON e.number = a.engine
        WHERE a.released_at IS NULL ORDER BY e.name`,
      values: [],
    })
    .map(({ key, ...row }) => Object.assign(row, { found: statSync(join(archives, String(key))).isFile() }));

const objectsIn = ({ archives }: Database): ReadonlyArray<string> =>
  readdirSync(archives).filter((name) => name !== "incoming");

/** A line of an engine that is exported. */
const engine = (name: string, hash = ""): string =>
  `${JSON.stringify({ id: `id-of-${name}`, name, version: "0.1", userName: "erin", revision: 1, hash })}\n`;

test("archives are exported under their hashes, for their owner alone, each synced before it has its name", async () => {
  const umask = process.umask(0);
  onTestFinished(() => void process.umask(umask));
  const { file, archives } = await filled();
  const folder = fresh();
  const handle = await open(directory);
  const handles = Object.getPrototypeOf(handle) as typeof handle;
  await handle.close();
  const named: Array<number> = [];
  vi.spyOn(handles, "sync").mockImplementation(
    async () => void named.push(readdirSync(folder).filter((name) => !name.endsWith(".partial")).length),
  );
  onTestFinished(() => void vi.restoreAllMocks());
  expect(await exportArchives(file, { folder, archives }, undefined, box)).toEqual([]);
  expect(named).toEqual([0, 1, 2]);
  expect(readdirSync(folder).toSorted()).toEqual(exportedNames);
  for (const archive of [plain, packed, secret]) {
    const path = join(folder, nameOf(archive, archive === packed ? ".tar.gz" : ".tar"));
    expect(readFileSync(path).equals(archive)).toBe(true);
    expect((statSync(path).mode & 0o777).toString(8)).toBe("600");
  }
  expect((statSync(folder).mode & 0o777).toString(8)).toBe("700");
  // Of one user, and without the key.
  const carol = ensureUser(file, "carol", 0);
  for (const [user, key, withheld, names] of [
    [carol, undefined, ["secret@0.1"], [nameOf(plain)]],
    [carol, box, [], [nameOf(plain), nameOf(secret)].toSorted()],
    [undefined, undefined, ["secret@0.1"], [nameOf(plain), nameOf(packed, ".tar.gz")].toSorted()],
  ] as const) {
    const other = fresh();
    // The folder may be there.
    for (let time = 0; time < 2; time++)
      expect(await exportArchives(file, { folder: other, archives }, user, key)).toEqual(withheld);
    expect(readdirSync(other).toSorted()).toEqual(names);
  }
});

test("an export with archives, imported twice, is the same, and has each archive once", async () => {
  const database = await filled();
  const folder = await exported(database);
  const copy = await opened();
  for (let time = 0; time < 2; time++) {
    const lines = exportLines(database.file, undefined, box);
    expect(await imported(copy, lines, folder)).toEqual({ engines: 3, problems: [], withoutArchive: [] });
    expect(archivesIn(copy)).toEqual(archivesIn(database));
  }
  expect(archivesIn(copy)).toMatchObject([
    { name: "packed", media_type: "application/gzip", is_sealed: 0, found: true },
    { name: "plain", media_type: "application/x-tar", is_sealed: 0, found: true },
    { name: "secret", media_type: "application/x-tar", is_sealed: 1, found: true },
  ]);
  const again = await exported(copy);
  expect(readdirSync(again).toSorted()).toEqual(exportedNames);
  for (const name of exportedNames) expect(readFileSync(join(again, name))).toEqual(readFileSync(join(folder, name)));
});

test("an engine that is overwritten keeps its archive while it has its hash", async () => {
  const database = await filled();
  const overwrite = (name: string, hash: string) =>
    imported(database, [engine(name, hash).replace("erin", "carol")], "", { transfer: undefined });
  for (const name of ["plain", "secret"]) {
    expect(await overwrite(name, hashOf(plain))).toMatchObject({ engines: 1, problems: [] });
  }
  expect(archivesIn(database)).toMatchObject([{ name: "packed" }, { name: "plain" }]);
});

test("an archive that is missing or damaged is not exported", async () => {
  const database = await filled();
  const { file, archives } = database;
  for (const name of objectsIn(database)) truncateSync(join(archives, name), 100);
  const folder = fresh();
  await expect(exportArchives(file, { folder, archives }, undefined, box)).rejects.toThrow(
    /^the archive of \w+@0\.1 cannot be read: \S+\.archives\/[0-9a-f-]{36}: /,
  );
  expect(readdirSync(folder)).toEqual([]);
  for (const name of objectsIn(database)) rmSync(join(archives, name));
  const dave = ensureUser(file, "dave", 0);
  await expect(exportArchives(file, { folder, archives }, dave, box)).rejects.toThrow(
    /^the archive of packed@0\.1 is missing: \S+\.archives\/[0-9a-f-]{36}$/,
  );
});

test("of an archive whose end is damaged nothing is left in the folder of an export", async () => {
  const database = await opened();
  const large = await archiveOf({ name: "large", version: "0.1" }, { "app/main.py": "x".repeat(70_000) });
  await give(database, "carol", "large", large);
  for (const name of objectsIn(database)) {
    const bytes = readFileSync(join(database.archives, name));
    writeFileSync(
      join(database.archives, name),
      Buffer.concat([bytes.subarray(0, -1), Buffer.of(~(bytes.at(-1) ?? 0))]),
    );
  }
  const folder = fresh();
  await expect(exportArchives(database.file, { ...database, folder }, undefined, box)).rejects.toThrow(
    /^the archive of large@0\.1 cannot be read: /,
  );
  expect(readdirSync(folder)).toEqual([]);
});

test("an engine whose archive is not in the folder is imported and named, the first hundred of many", async () => {
  const database = await filled();
  const folder = await exported(database);
  rmSync(join(folder, nameOf(plain)));
  const copy = await opened();
  const lines = exportLines(database.file, undefined, box);
  expect(await imported(copy, lines, folder)).toEqual({
    engines: 3,
    problems: [],
    withoutArchive: ["stdin line 1"],
  });
  expect(archivesIn(copy)).toMatchObject([{ name: "packed" }, { name: "secret" }]);
  const many = Array.from({ length: 101 }, (_, index) => engine(`n-${index}`, hashOf(Buffer.of(index))));
  const { engines, withoutArchive, moreWithoutArchive } = await imported(copy, [engine("none"), ...many], folder);
  expect(moreWithoutArchive).toBe(many.length - 100);
  expect(engines).toBe(102);
  expect(withoutArchive).toEqual(Array.from({ length: 100 }, (_, index) => `stdin line ${index + 2}`));
});

test.for<[string, Buffer, string]>([
  ["another archive", secret, `its SHA-256 is ${hashOf(secret)}, not ${hashOf(packed)}`],
  ["no archive", Buffer.alloc(2_000, "x"), "the archive is not a tar file of POSIX or GNU"],
])("with %s under the hash of one nothing is imported, and no archive stays", async ([, content, problem]) => {
  const database = await filled();
  const folder = await exported(database);
  const path = join(folder, nameOf(packed, ".tar.gz"));
  writeFileSync(path, content);
  const copy = await opened();
  expect(await imported(copy, exportLines(database.file, undefined, box), folder)).toEqual({
    engines: 0,
    problems: [`${path}: ${problem}`],
  });
  expect(copy.file.rows({ sql: "SELECT 1 FROM engines", values: [] })).toEqual([]);
  expect(objectsIn(copy)).toEqual([]);
});

test("an archive with a secret needs the key, and what comes before a bad line is removed", async () => {
  const database = await filled();
  const folder = await exported(database);
  const copy = await opened();
  const withoutSecrets = (await Readable.from(exportLines(database.file)).toArray()) as ReadonlyArray<string>;
  expect(await imported(copy, withoutSecrets, folder, { box: undefined })).toEqual({
    engines: 0,
    problems: [`${join(folder, nameOf(secret))}: it has a secret: set BYTENITE_REGISTRY_KEY`],
  });
  expect(objectsIn(copy)).toEqual([]);
  const many = Array.from({ length: 600 }, (_, index) => engine(`n-${index}`));
  const { problems } = await imported(copy, [...withoutSecrets, ...many, "{}\n"], folder);
  expect(problems).toEqual(["stdin line 604:1:1: name is missing", "stdin line 604:1:1: version is missing"]);
  expect(objectsIn(copy)).toEqual([]);
  const broken = async function* (): AsyncGenerator<string> {
    yield* [...withoutSecrets, ...many];
    throw new Error("the pipe broke");
  };
  await expect(imported(copy, broken(), folder)).rejects.toThrow("the pipe broke");
  expect(objectsIn(copy)).toEqual([]);
  await expect(imported(copy, withoutSecrets, join(folder, "none"))).rejects.toThrow(
    /^\S+\/none: ENOENT: no such file or directory/,
  );
});
