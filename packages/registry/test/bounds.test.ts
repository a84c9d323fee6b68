// Limits of files, exported engines and pages, checked before reading.
import { execFileSync } from "node:child_process";
import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { get, place } from "./place.ts";
import { run, serve, start } from "./process.ts";

const { directory, fresh } = place();

const sparse = join(directory, "sparse.json");
const fifo = join(directory, "fifo.json");
const folder = join(directory, "folder.json");
writeFileSync(sparse, "{");
truncateSync(sparse, 2 ** 31);
execFileSync("mkfifo", [fifo]);
mkdirSync(folder);

/** Most memory that a process has taken, in bytes, once it has ended. */
const peakOf = async (args: ReadonlyArray<string>): Promise<{ readonly peak: number; readonly stderr: string }> => {
  // Written by the process itself at its end: the kernel's figure of it.
  const telling = `process.on("exit",()=>process.stderr.write("\\npeak "+process.resourceUsage().maxRSS))`;
  const child = start(args, { NODE_OPTIONS: `--import=data:text/javascript,${encodeURIComponent(telling)}` });
  let stderr = "";
  child.stderr?.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
  await new Promise((resolve) => child.once("close", resolve));
  return { peak: Number(/\npeak (\d+)/.exec(stderr)?.[1]) * 1_024, stderr };
};

/** Memory of a command that reads nothing large, plus what a limit allows. */
const maxPeak = 300 * 1_024 * 1_024;

test.for<[string, (path: string) => ReadonlyArray<string>]>([
  ["a manifest", (path) => ["import", path, "--user", "carol"]],
  ["tokens", (path) => ["serve", "--port", "0", "--tokens", path]],
  ["settings", (path) => ["serve", "--port", "0", "--config", path]],
  ["fault rules", (path) => ["serve", "--port", "0", "--faults", path]],
  ["field numbers", (path) => ["serve", "--port", "0", "--field-numbers", path]],
])("%s of 2 GB, a FIFO, a device and a directory end with a sentence", async ([, argsOf]) => {
  for (const [path, says] of [
    [sparse, /is longer than \d+ bytes/],
    [fifo, /is a FIFO, not a regular file/],
    ["/dev/zero", /is a device, not a regular file/],
    [folder, /is a directory, not a regular file|no manifest\.json there/],
  ] as const) {
    const { peak, stderr } = await peakOf([...argsOf(path), ...fresh()]);
    expect(stderr).toMatch(says);
    expect(stderr).not.toMatch(/ {4}at /);
    expect(peak).toBeLessThan(maxPeak);
  }
});

test("an archive, a backup and a database are regular files", async () => {
  const manifest = join(directory, "of-archive.json");
  writeFileSync(manifest, '{"name":"a","version":"0.1"}');
  for (const path of [fifo, "/dev/zero", folder]) {
    const archive = await run(["import", manifest, "--archive", path, "--user", "carol", ...fresh()]);
    expect([archive.code, archive.stderr]).toEqual([1, expect.stringMatching(/is a \w+, not a regular file\n$/)]);
    const backup = await run(["restore", path, ...fresh()]);
    expect([backup.code, backup.stderr]).toEqual([1, expect.stringMatching(/is a \w+, not a regular file\n$/)]);
    const database = await run(["serve", "--port", "0", "--database", path]);
    expect([database.code, database.stderr]).toEqual([1, expect.stringMatching(/is a \w+, not a regular file\n$/)]);
  }
});

test("a stream of empty lines, of zeros, or without end takes no memory", async () => {
  const [, database = ""] = fresh();
  const long = join(directory, "long.json");
  writeFileSync(long, "{");
  truncateSync(long, 100_000_000);
  const command = `head -c 3000000 /dev/zero | tr '\\0' '\\n' | cat - ${JSON.stringify(long)} | "${process.execPath}" "$0" import - --user carol --database "${database}"`;
  const telling = `process.on("exit",()=>process.stderr.write("\\npeak "+process.resourceUsage().maxRSS))`;
  const main = join(import.meta.dirname, "../src/main.ts");
  let stderr = "";
  try {
    execFileSync(
      "sh",
      [
        "-c",
        command.replace(
          `"${process.execPath}"`,
          `NODE_OPTIONS='--import=data:text/javascript,${encodeURIComponent(telling)}' "${process.execPath}"`,
        ),
        main,
      ],
      { stdio: "pipe" },
    );
  } catch (error) {
    stderr = String((error as { stderr: Buffer }).stderr);
  }
  expect(stderr).toMatch(/is longer than/);
  expect(Number(/\npeak (\d+)/.exec(stderr)?.[1]) * 1_024).toBeLessThan(maxPeak);
});

const exported = (changes: object): string =>
  JSON.stringify({ id: "an-id", name: "zipper", version: "0.1", userName: "carol", revision: 1, ...changes });

const imported = (database: ReadonlyArray<string>, lines: ReadonlyArray<string>, args: ReadonlyArray<string> = []) =>
  run(["import", "-", ...args, ...database], {}, lines.join("\n"));

test.for<[string, object, RegExp]>([
  ["a text of 15 MB", { description: "x".repeat(15_000_000) }, /is longer than \d+ characters/],
  [
    "a text over the limit of a manifest's",
    { description: "x".repeat(65_537) },
    /description must be a text of at most 65536/,
  ],
  ["a text of no Unicode", { description: "\ud800" }, /description must be a text|surrogate|well-formed|invalid/i],
  [
    "a long text in an inner object",
    { platformConfig: { username: "x".repeat(65_537) } },
    /platformConfig\.username must be/,
  ],
  [
    "a list that is too long",
    { platformConfig: { secrets: Array.from({ length: 1_001 }, () => "") } },
    /platformConfig\.secrets must be a list of at most 1000/,
  ],
  [
    "an amount below 0",
    { deviceRequirements: { minCpu: -1 } },
    /deviceRequirements\.minCpu must be a number from 0 on/,
  ],
  [
    "an invalid amount",
    { deviceRequirements: { minCpu: "NaN" } },
    /deviceRequirements\.minCpu must be a number from 0 on/,
  ],
  ["a negative revision", { revision: -1 }, /revision must be a number from 0 to/],
  ["the largest revision", { revision: 2_147_483_647 }, /revision must be a number from 0 to/],
  ["an invalid hash", { hash: "x" }, /hash must be the base64/],
  ["an invalid id", { id: "a b" }, /id must be 1 to 64/],
])("an exported engine with %s is refused, like a manifest", async ([, changes, says]) => {
  const database = fresh();
  const { code, stdout, stderr } = await imported(database, [
    exported({ name: "good", id: "good" }),
    exported(changes),
  ]);
  expect([code, stdout]).toEqual([1, "imported 0 engines\n"]);
  expect(stderr).toMatch(/^stdin line 2: /);
  expect(stderr).toMatch(says);
  expect(stderr.length).toBeLessThan(1_000);
  const file = join(directory, `exported-${database[1]?.split("/").at(-1)}.json`);
  writeFileSync(file, exported(changes));
  const alone = await run(["import", file, ...database]);
  expect([alone.code, alone.stdout]).toEqual([1, ""]);
});

const manyLines = (changes: object): string =>
  Array.from({ length: 102 }, (_, index) => exported({ id: `${index}`, name: `e-${index}`, ...changes })).join("\n");

test("where not all mistakes, or engines without their archives, are named, it is said", async () => {
  const file = join(directory, "many.ndjson");
  writeFileSync(file, manyLines({ revision: -1 }));
  const wrong = await run(["import", file, ...fresh()]);
  expect([wrong.code, wrong.stderr.trim().split("\n").slice(100)]).toEqual([
    1,
    [`${file}: not read beyond 100 mistakes; nothing of it was imported`],
  ]);
  writeFileSync(file, manyLines({ hash: Buffer.alloc(32).toString("base64") }));
  const missing = await run(["import", file, "--with-archives", folder, ...fresh()]);
  expect([missing.code, missing.stdout, missing.stderr.trim().split("\n").slice(100)]).toEqual([
    1,
    `imported 102 engines from ${file}\n`,
    [`2 more engines of ${file} imported without their archives`],
  ]);
});

test("an id that another engine has is refused, from files and streams, at once and later; the same engine again is not", async () => {
  const database = fresh();
  const other = exported({ name: "other" });
  expect((await imported(database, [exported({}), other])).stderr).toMatch(
    /other@0\.1 of carol: its id an-id is the one of zipper@0\.1/,
  );
  expect((await run(["export", ...database])).stdout).toBe("");
  expect((await imported(database, [exported({}), exported({})])).stdout).toBe("imported 2 engines\n");
  expect((await imported(database, [other])).code).toBe(1);
  expect((await imported(database, [exported({ userName: "dave" })])).code).toBe(1);
  expect((await imported(database, [other], ["--user", "dave", "--create-user"])).code).toBe(1);
  const files = ["first", "second"].map((name) => {
    const path = join(directory, `same-id-${name}.json`);
    writeFileSync(path, exported({ name, id: "of-files" }));
    return path;
  });
  const both = await run(["import", ...files, ...database]);
  expect([both.code, both.stdout]).toEqual([1, `imported first@0.1 revision 1 from ${files[0]}\n`]);
  await run(["delete", "zipper@0.1", "--user", "carol", ...database]);
  expect((await imported(database, [other])).code).toBe(1);
  expect((await imported(database, [exported({})])).code).toBe(0);
});

const named = (owner: string, changes: object = {}): string => exported({ owner, ...changes });

test("an exported engine stays with the owner that it names, or goes to the user that --user names", async () => {
  const database = fresh();
  const [mine, foreign] = ["11111111-1111-4111-8111-111111111111", "22222222-2222-4222-8222-222222222222"];
  expect((await imported(database, [named(mine)])).code).toBe(0);
  expect((await run(["users", ...database])).stdout).toBe(`carol\t${mine}\t1\n`);
  const stranger = await imported(database, [named(foreign, { id: "2" })]);
  expect([stranger.code, stranger.stderr]).toEqual([1, expect.stringContaining("is another user than carol here")]);
  const stolen = await imported(database, [named(mine, { id: "3", userName: "dave" })]);
  expect([stolen.code, stolen.stderr]).toEqual([1, expect.stringContaining("its owner is carol here, not dave")]);
  expect((await imported(database, [named(mine, { id: "4" })], ["--user", "dave", "--create-user"])).code).toBe(1);
  expect((await imported(database, [named(foreign, { id: "5" })], ["--user", "dave", "--create-user"])).code).toBe(0);
  expect((await imported(database, [named(mine)])).code).toBe(0);
  const list = (await run(["export", ...database])).stdout.trim().split("\n");
  expect(list.map((line) => (JSON.parse(line) as { userName: string; revision: number }).userName)).toEqual([
    "carol",
    "dave",
  ]);
});

test("an engine at the largest revision, from before there was a limit, is not counted past it", async () => {
  const database = fresh();
  await imported(database, [exported({})]);
  const opened = new DatabaseSync(String(database[1]));
  opened.exec(
    "UPDATE engines SET revision = 2147483647, json = replace(json, '\"revision\":1', '\"revision\":2147483647')",
  );
  opened.close();
  const { code, stderr } = await imported(database, [exported({})]);
  expect([code, stderr]).toEqual([1, expect.stringMatching(/has the largest revision there is/)]);
});

test("a page of large engines ends before it is too long, in both forms, and pages go on from there", async () => {
  const database = fresh();
  // Each of nearly a megabyte, the most that a manifest may be.
  const texts = Array.from({ length: 14 }, () => "x".repeat(65_000));
  for (let at = 0; at < 4; at++) {
    const lines = Array.from({ length: 10 }, (_, index) =>
      JSON.stringify({ name: `e-${at}-${index}`, version: "0.1", platform_config: { secrets: texts } }),
    );
    expect((await imported(database, lines, ["--user", "carol"])).code).toBe(0);
  }
  await imported(database, ['{"name":"small","version":"0.1"}'], ["--user", "carol"]);
  const token = (await run(["token", "create", "--create-user", "--user", "carol", ...database])).stdout.trim();
  const registry = await serve([...database, "--no-trial"]);
  const names: Array<string> = [];
  let hasNext = true;
  let pages = 0;
  while (hasNext) {
    const answer = await get(
      registry.origin,
      `/engines?pagination.limit=1000&pagination.offset=${names.length}`,
      token,
    );
    expect([answer.status, registry.output.stderr]).toEqual([200, ""]);
    const text = await answer.text();
    expect(text.length).toBeLessThan(8 * 1_024 * 1_024 + 1_024);
    const body = JSON.parse(text) as {
      engines: ReadonlyArray<{ name: string }>;
      pagination: { hasNext: boolean; total: number };
    };
    expect(body.pagination.total).toBe(41);
    names.push(...body.engines.map(({ name }) => name));
    hasNext = body.pagination.hasNext;
    pages += 1;
  }
  expect(new Set(names).size).toBe(41);
  expect(pages).toBeGreaterThan(3);
  const protobuf = await fetch(`${registry.origin}/v1/dev/engines?pagination.limit=20`, {
    headers: { Authorization: token, Accept: "application/x-protobuf" },
  });
  expect((await protobuf.arrayBuffer()).byteLength).toBeLessThan(8 * 1_024 * 1_024 + 1_024);
  await registry.end("SIGTERM");
});

const modeOf = async (path: string): Promise<string> => ((await stat(path)).mode & 0o777).toString(8);

test("databases, their -wal and -shm files, backups and logs are 0600, whatever the umask", async () => {
  const before = process.umask(0);
  try {
    const database = fresh();
    const [path, log, backup, restored] = [
      String(database[1]),
      ...["log", "backup", "restored"].map((name) => join(directory, `mode-${name}`)),
    ];
    const registry = await serve([...database, "--access-log", String(log)]);
    await get(registry.origin, "/engines", "local-alice");
    await run(["backup", String(backup), ...database]);
    await run(["restore", String(backup), "--yes", "--database", String(restored)]);
    for (const file of [path, `${path}-wal`, `${path}-shm`, log, backup, restored]) {
      expect([file, await modeOf(String(file))]).toEqual([file, "600"]);
    }
    await registry.end("SIGTERM");
  } finally {
    process.umask(before);
  }
});
