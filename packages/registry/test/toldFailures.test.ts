// Failed commands: one sentence, no stack.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { expect, test } from "vitest";
import { place } from "./place.ts";
import { run } from "./process.ts";

const { directory, fresh } = place();

const changed = (path: string, sql: string): void => {
  const database = new DatabaseSync(path);
  database.exec(sql);
  database.close();
};

test("a database of a newer registry is reported by every command", async () => {
  const database = fresh();
  await run(["token", "create", "--create-user", "--user", "carol", ...database]);
  changed(database[1] ?? "", "INSERT INTO migrations VALUES (99, 0)");
  for (const command of [["users"], ["export"], ["restore", "x"], ["serve", "--port", "0"]]) {
    const { code, stderr } = await run([...command, ...database]);
    expect([code, stderr]).toEqual([1, expect.stringMatching(/^registry: the database has schema version 99, .*\n$/)]);
  }
});

test.for([
  "users",
  "export",
  "backup COPY",
  "activate x --user carol",
  "delete x --user carol",
  "token list",
  "key revoke x",
])("%s makes no database where there is none", async (command) => {
  const [flag, path = ""] = fresh();
  const copy = join(directory, "copy.sqlite");
  const { code, stdout, stderr } = await run([...command.replace("COPY", copy).split(" "), flag ?? "", path]);
  expect([code, stdout, stderr]).toEqual([3, "", `registry: there is no database ${path}\n`]);
  expect([existsSync(path), existsSync(copy)]).toEqual([false, false]);
});

test("a file that a backup cannot be put into is reported by its name", async () => {
  const database = fresh();
  const backup = join(directory, "backup.sqlite");
  await run(["token", "create", "--create-user", "--user", "carol", ...database]);
  await run(["backup", backup, ...database]);
  const other = join(directory, "other.sqlite");
  await writeFile(other, "x".repeat(10_000));
  const { code, stderr } = await run(["restore", backup, "--force", "--database", other]);
  expect([code, stderr]).toEqual([1, `registry: cannot use the database ${other}: it is not a SQLite file\n`]);
});

test.for([
  "users list x",
  "export carol",
  "backup a b",
  "restore a b",
  "token list x",
  "key create x",
  "token revoke a b",
])("%s has one argument too many, which is reported", async (command) => {
  const { code, stdout, stderr } = await run([...command.split(" "), ...fresh()]);
  expect([code, stdout]).toEqual([2, ""]);
  expect(stderr).toMatch(/^registry: "(?:x|carol|b)" is one argument too many\n/);
});

test("a mistyped verb of users is 2, and names the one that was meant", async () => {
  const { code, stderr } = await run(["users", "creat", "x", ...fresh()]);
  expect([code, stderr]).toEqual([2, 'registry: users has no "creat"\nDid you mean create?\n']);
});

test("a token that has expired is listed as such, and a label keeps to its column", async () => {
  const database = fresh();
  const create = (...flags: ReadonlyArray<string>) =>
    run(["token", "create", "--create-user", "--user", "carol", ...flags, ...database]);
  expect((await create("--label", "ci", "--expires-in", "1")).code).toBe(0);
  expect((await run(["token", "list", ...database])).stdout).toMatch(/\tgood until \S+\tci\tread\tnever used\n$/);
  changed(database[1] ?? "", "UPDATE credentials SET expires_at = 1000");
  expect((await run(["token", "list", ...database])).stdout).toMatch(
    /\texpired 1970-01-01T00:00:01.000Z\tci\tread\tnever used\n$/,
  );
  for (const label of ["a\tb", "a\nb", "a\u{1B}[31m"]) {
    const { code, stderr } = await create("--label", label);
    expect([code, stderr]).toEqual([
      2,
      "registry: label is one line of text of at most 200 characters\nSee registry --help.\n",
    ]);
  }
});

test.skipIf(process.platform !== "linux")(
  "a command fails where what it writes to stdout cannot be written, and not where a reader has had enough",
  async () => {
    const database = fresh();
    const manifest = join(directory, "manifest.json");
    await writeFile(manifest, '{"name":"zipper","version":"0.1"}');
    expect((await run(["import", manifest, "--user", "carol", ...database])).code).toBe(0);
    expect((await run(["token", "create", "--create-user", "--user", "carol", ...database])).code).toBe(0);
    const main = join(import.meta.dirname, "../src/main.ts");
    const into = (line: string) => spawnSync("bash", ["-c", line, process.execPath, main], { encoding: "utf8" });
    const commands = ["users", "token list", "check", "export", `import ${manifest} --user carol`, "--help"];
    const unread = into(`"$0" "$1" token create --user carol ${database.join(" ")} > /dev/full`);
    expect([unread.status, unread.stderr]).toEqual([1, expect.stringMatching(/ and is revoked: .*ENOSPC.*\n$/)]);
    for (const command of commands) {
      const whole = `"$0" "$1" ${command} ${database.join(" ")}`;
      const full = into(`${whole} > /dev/full`);
      expect([command, full.status, full.stderr]).toEqual([command, 1, expect.stringMatching(/^registry: .*ENOSPC/)]);
      const gone = into(`${whole} | true; exit \${PIPESTATUS[0]}`);
      expect([command, gone.status, gone.stderr]).toEqual([command, 0, ""]);
    }
  },
);
