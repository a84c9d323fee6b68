// Commands of `bne registry`: help, formats, errors, questions.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { registryUsage } from "@bytenite-engines/registry/command";
import { afterAll, expect, test } from "vitest";
import { commands, flagsOf } from "../src/parse/CommandTable.ts";
import { everywhere, output } from "../src/parse/Flags.ts";
import { type Result } from "@bytenite-engines/test-kit/process";
import { bne, binPath, makeHome } from "./Bne.ts";
import { onTerminal } from "./Pty.ts";

const home = makeHome();
afterAll(() => home[Symbol.dispose]());
const database = join(home.path, "engines.db");
const run = (...args: ReadonlyArray<string>): Promise<Result> => bne(home, ["registry", ...args]);
const here = (...args: ReadonlyArray<string>): Promise<Result> => run(...args, "--database", database);

mkdirSync(join(home.path, "mine"));
writeFileSync(join(home.path, "mine/manifest.json"), '{"name": "mine", "version": "1.0"}');

test("the table has every command and flag of the registry, and no other", () => {
  const words = [...registryUsage.matchAll(/--[a-z][a-z-]*/g)].map(([flag]) => flag);
  const common = new Set([...everywhere, ...output]);
  const table = commands.filter(({ path }) => path[0] === "registry").flatMap(flagsOf);
  const own = table.filter((flag) => !common.has(flag)).map(({ name }) => `--${name}`);
  expect(new Set(own)).toEqual(new Set(words.filter((word) => word !== "--output")));
});

test("an import before the first start leaves trial tokens, and serve says how to log in", async () => {
  const imported = await here("import", "mine", "--user", "carol", "--output", "json");
  expect(imported).toMatchObject({ code: 0, stderr: "" });
  expect(JSON.parse(imported.stdout)).toEqual([{ tag: "mine@1.0", revision: 1, source: "mine/manifest.json" }]);
  const child = spawn(process.execPath, [binPath, "registry", "serve", "--port", "0", "--database", database], {
    env: home.env,
    cwd: home.path,
  });
  let said = "";
  child.stderr.on("data", (chunk: Buffer) => (said += chunk.toString()));
  try {
    const [ready] = (await once(child.stdout, "data")) as [Buffer];
    const url = `${/^ready (\S+)/.exec(ready.toString())?.[1]}/v1/dev`;
    expect(said).toBe(`trial user carol, token local-carol\nlog in: bne auth login --base-url ${url}\n`);
    const env = { BYTENITE_BASE_URL: url };
    const login = await bne(home, ["auth", "login", "--no-keychain", "--base-url", url], { input: "local-carol" });
    expect(login.code).toBe(0);
    expect((await bne(home, ["list", "--output", "name"], { env })).stdout).toBe("mine@1.0\n");
    // Its own export, from a file.
    expect((await bne(home, ["export", "--all", "--file", "engines.ndjson"], { env })).code).toBe(0);
  } finally {
    const ended = once(child, "close");
    child.kill("SIGTERM");
    expect(await ended).toEqual([0, null]);
  }
  const again = await run("import", "engines.ndjson", "--database", join(home.path, "other.db"));
  expect(again).toEqual({ code: 0, stdout: "", stderr: "imported 1 engine from engines.ndjson\n" });
  writeFileSync(join(home.path, "bad.ndjson"), '{"name": "a", "version": "1.0"}\n{"name": "b"}\n');
  const bad = await run("import", "bad.ndjson", "--user", "carol", "--database", join(home.path, "other.db"));
  expect(bad).toMatchObject({ code: 1, stdout: "" });
  expect(bad.stderr).toMatch(/^bad\.ndjson line 2:1:1: version is missing\n$/);
});

test("lists are tables with headers, JSON, CSV or names; nothing shows a secret but create, once", async () => {
  const made = await here("token", "create", "--user", "carol", "--label", "laptop");
  expect(made.stdout).toMatch(/^\S{30,}\n$/);
  expect(made.stderr).toMatch(/^token \S+ of carol, scope read; it is shown this once:\n$/);
  const whole = JSON.parse((await here("token", "create", "--user", "carol", "-o", "json")).stdout) as Record<
    string,
    string
  >;
  expect(whole).toMatchObject({ user: "carol", kind: "token", scope: "read" });
  const listed = await here("token", "list");
  expect(listed.stdout).toMatch(/^id +user +kind +scope +label +state +createdAt +lastUsedAt\n/);
  expect(listed.stdout).toContain("laptop");
  expect(listed.stdout).not.toContain(made.stdout.trim());
  expect((await here("users", "-o", "csv")).stdout).toMatch(
    /^name,id,engines,disabledAt,maxEngines,maxBytes\ncarol,[^,]+,1,,,\n$/,
  );
  expect(JSON.parse((await here("users", "--jq", ".[0].engines")).stdout)).toBe(1);
  const names = (await here("token", "list", "-o", "name")).stdout.trim().split("\n");
  expect(names).toContain(whole["id"]);
  expect(await here("token", "revoke", whole["id"] ?? "", "-o", "json")).toMatchObject({ code: 0, stderr: "" });
  expect((await here("key", "list")).stdout).toBe("");
  expect(await here("check")).toEqual({ code: 0, stdout: "", stderr: `${database} is sound\n` });
});

test("a user that is not there is made after a yes only, or with --create-user", async () => {
  const users = async (): Promise<string> => (await here("users", "-o", "name")).stdout;
  const hint = "--create-user makes it, without a question.";
  const none = { code: 1, stdout: "", stderr: `bne: there is no user nobody in ${database}\n${hint}\n` };
  expect(await here("token", "create", "--user", "nobody")).toEqual(none);
  const away = await run("token", "create", "--user", "nobody", "--database", "away.db");
  expect(away).toEqual({ ...none, stderr: `bne: there is no database away.db\n${hint}\n` });
  const asked = onTerminal(home, ["registry", "token", "create", "--user", "nobody", "--database", "away.db"]);
  await asked.until(/there is no database away\.db\. Make it, with user nobody\? \[y\/N\] /);
  asked.type("n\r");
  expect(await asked.ended).toBe(1);
  expect(existsSync(join(home.path, "away.db"))).toBe(false);
  for (const [typed, code] of [
    ["\r", 1],
    ["n\r", 1],
    ["y\r", 0],
  ] as const) {
    expect(await users()).toBe("carol\n");
    const pty = onTerminal(home, ["registry", "key", "create", "--user", "asked", "--database", database]);
    await pty.until(/there is no user asked in \S+\. Make one\? \[y\/N\] /);
    pty.type(typed);
    expect(await pty.ended).toBe(code);
  }
  expect((await here("token", "create", "--user", "dave", "--create-user")).code).toBe(0);
  expect(await users()).toBe("asked\ncarol\ndave\n");
});

test("errors are those of bne, as JSON with --output json", async () => {
  for (const [line, code, message] of [
    ["token", 2, "bne registry token needs one of: create, list, revoke"],
    ["srve", 2, 'There is no command bne registry "srve"'],
    ["serve --prot 1", 2, 'bne registry serve has no flag "--prot"'],
    ["token create", 2, "--user is missing"],
    ["users --database nowhere.db", 1, "there is no database nowhere.db"],
    ["activate gone --user carol", 1, "gone"],
    ["export --format xml", 2, "--format must be one of ndjson, sql"],
  ] as const) {
    const words = line.split(" ");
    const args = words.includes("--database") || words.length < 2 ? words : [...words, "--database", database];
    const result = await run(...args);
    expect({ line, code: result.code, stdout: result.stdout }).toEqual({ line, code, stdout: "" });
    expect(result.stderr).toMatch(/^bne: /);
    expect(result.stderr).toContain(message);
  }
  const { stderr } = await run("users", "--database", "nowhere.db", "-o", "json");
  expect(JSON.parse(stderr)).toMatchObject({ error: { message: "there is no database nowhere.db", exitCode: 1 } });
});
