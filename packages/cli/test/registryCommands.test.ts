// Commands of `bne registry`: help, formats, errors, questions.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { registryUsage } from "@bytenite-engines/registry/command";
import { afterAll, expect, test } from "vitest";
import { commands, flagsOf } from "../src/parse/CommandTable.ts";
import { everywhere, output } from "../src/parse/Flags.ts";
import { resultOf, type Result } from "@bytenite-engines/test-kit/process";
import { manPages } from "../scripts/ManPage.ts";
import { bne, binPath, makeHome, startBne } from "./Bne.ts";
import { inProcess } from "./InProcess.ts";
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
  const none = { code: 3, stdout: "", stderr: `bne: there is no user nobody in ${database}\n${hint}\n` };
  expect(await here("token", "create", "--user", "nobody")).toEqual(none);
  const away = await run("token", "create", "--user", "nobody", "--database", "away.db");
  expect(away).toEqual({ ...none, stderr: `bne: there is no database away.db\n${hint}\n` });
  const asked = onTerminal(home, ["registry", "token", "create", "--user", "nobody", "--database", "away.db"]);
  await asked.until(/there is no database away\.db\. Make it, with user nobody\? \[y\/N\] /);
  asked.type("n\r");
  expect(await asked.ended).toBe(7);
  expect(existsSync(join(home.path, "away.db"))).toBe(false);
  for (const [typed, code] of [
    ["\r", 7],
    ["n\r", 7],
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
  const mistyped = await here("import", "mine", "--user", "carl");
  const meant = 'bne: there is no user "carl" (did you mean carol?)';
  expect(mistyped).toEqual({ code: 3, stdout: "", stderr: `${meant}\n${hint}\n` });
  expect((await here("import", "mine", "--user", "erin", "--create-user")).code).toBe(0);
  expect(await users()).toBe("asked\ncarol\ndave\nerin\n");
});

test("a user is deleted after a yes only, or with --yes", async () => {
  await run("users", "create", "rick", "--database", database);
  const refused = { code: 7, stdout: "", stderr: "bne: Nothing was deleted\n--yes deletes without asking.\n" };
  expect(await here("users", "delete", "rick")).toEqual(refused);
  const pty = onTerminal(home, ["registry", "users", "delete", "rick", "--database", database]);
  await pty.until(/Delete user rick, in \S+\? \[y\/N\] /);
  pty.type("n\r");
  expect(await pty.ended).toBe(7);
  expect(await here("users", "delete", "rick", "--yes")).toMatchObject({ code: 0, stderr: "" });
  expect((await here("users", "-o", "name")).stdout).not.toContain("rick");
});

test("errors are those of bne, as JSON with --output json", async () => {
  await run("token", "create", "--user", "carol", "--create-user", "--database", database);
  for (const [line, code, message] of [
    ["token", 2, "bne registry token needs one of: create, list, revoke"],
    ["srve", 2, 'There is no command bne registry "srve"'],
    ["serve --prot 1", 2, 'bne registry serve has no flag "--prot"'],
    ["token create", 2, "--user is missing"],
    ["users --database nowhere.db", 3, "there is no database nowhere.db"],
    ["activate gone --user carol", 3, "gone"],
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
  expect(JSON.parse(stderr)).toMatchObject({ error: { message: "there is no database nowhere.db", exitCode: 3 } });
});

test("package.json names the man page of every command", () => {
  const { man } = JSON.parse(readFileSync(new URL("../package.json", import.meta.url), "utf8")) as { man: unknown };
  expect(man).toEqual([...manPages().keys()].map((name) => `./dist/man/${name}`));
});

const manageToken = "bnt_a_secret_of_manage";

/** A server elsewhere that answers every request alike. */
const elsewhere = async (answer: (response: ServerResponse, url: string) => void) => {
  const server = createServer((request, response) => answer(response, request.url ?? "")).listen(0, "127.0.0.1");
  await once(server, "listening");
  const stop = (): void => server.close().closeAllConnections();
  return { origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, stop, server };
};

const json = (status: number, value: unknown) => (response: ServerResponse) =>
  void response.writeHead(status, { "Content-Type": "application/json" }).end(JSON.stringify(value));

const row = { name: "a", id: "1", engines: 0, disabledAt: null, maxEngines: null, maxBytes: null };

const remote = (origin: string, line: string, token = manageToken): Promise<Result> =>
  bne(home, ["registry", ...line.split(" "), "--base-url", origin, "-o", "json"], {
    env: { BYTENITE_MANAGE_TOKEN: token },
  });

test("a manage token that no header can carry is not shown", async () => {
  for (const token of ["bnt_SECRET\n# comment", "bnt_SECRET\u00fc\u4e2d"]) {
    const { code, stdout, stderr } = await remote("http://127.0.0.1:9", "users", token);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("BYTENITE_MANAGE_TOKEN has line breaks");
    expect(stderr).not.toContain("SECRET");
  }
});

test("a base URL with a password gets advice, and the password is in no message", async () => {
  for (const url of [
    "http://me:s3cret@127.0.0.1:9",
    "https://me:s3cret@a.example",
    "http://me:s3cret@a b",
    "me:s3cret@a",
  ]) {
    const { code, stdout, stderr } = await remote(url, "users");
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toMatch(url.includes(" ") || !url.includes("/") ? /http or https URL/ : /set BYTENITE_MANAGE_TOKEN/);
    expect(stderr).not.toContain("s3cret");
  }
});

test("failures of a registry elsewhere have the exit code, reason, status and URL of every call", async () => {
  const table: ReadonlyArray<
    readonly [line: string, answer: (response: ServerResponse) => void, code: number, reason: string, said: string]
  > = [
    ["users", json(400, { code: 3, message: `no ${manageToken}` }), 2, "InvalidArgument", "no <redacted>"],
    ["users", json(401, { code: 16, message: "who?" }), 4, "Unauthenticated", "who?"],
    ["users", json(403, { code: 7, message: "not you" }), 4, "PermissionDenied", "not you"],
    ["users disable carol", json(404, { code: 5, message: "no carol" }), 3, "NotFound", "no carol"],
    ["token create --user carol", json(404, { code: 5, message: "no carol" }), 3, "NotFound", "there is no user carol"],
    ["users delete a --yes", json(409, { code: 9, message: "you cannot delete yourself" }), 7, "Rejected", "yourself"],
    ["users delete a --yes", json(409, { code: 9, message: "the user has engines" }), 7, "Rejected", "a has engines"],
    ["users create a", json(409, { code: 6, message: "a is there" }), 7, "Conflict", "a is there"],
    ["users", json(503, {}), 5, "Unavailable", "cannot answer now"],
    ["users", (response) => response.setHeader("Content-Type", "text/html").end("<p>"), 6, "Undecodable", "text/html"],
    ["users", json(200, {}), 6, "Undecodable", "next"],
    ["users", json(200, { users: [null], next: null }), 6, "Undecodable", "JSON object"],
    ["users", json(200, { users: [{ ...row, disabledAt: "x" }], next: null }), 6, "Undecodable", "disabledAt"],
    ["users", json(200, { users: [], next: "1" }), 6, "Undecodable", "next"],
    ["users create a", json(201, {}), 6, "Undecodable", "name"],
    ["statistics", json(200, {}), 6, "Undecodable", "users"],
    ["users delete a", json(404, { code: 5, message: "no a" }), 3, "NotFound", "no a"],
    ["users", (response) => response.setHeader("Content-Length", 400_000_000).end(" "), 6, "TooLarge", "67108864"],
    [
      "users",
      (response) => response.writeHead(302, { Location: "https://a.example/" }).end(),
      6,
      "RedirectRefused",
      "",
    ],
    [
      "users create a",
      (response) => response.writeHead(307, { Location: "/manage/v1/users" }).end(),
      6,
      "RedirectRefused",
      "",
    ],
  ];
  await Promise.all(
    table.map(async ([line, answer, code, reason, said]) => {
      const { origin, stop } = await elsewhere(answer);
      const result = await remote(origin, line);
      stop();
      expect(result.stderr).not.toContain(manageToken);
      const { error } = JSON.parse(result.stderr) as { error: Record<string, unknown> };
      expect({ ...error, line, code: result.code, stdout: result.stdout }).toMatchObject({
        line,
        code,
        stdout: "",
        reason,
        exitCode: code,
        status: expect.any(Number) as number,
        message: expect.stringContaining(said) as string,
        url: expect.stringContaining(`${origin}/manage/v1/`) as string,
      });
    }),
  );
  const refused = await remote("http://127.0.0.1:9", "users");
  expect(refused.code).toBe(5);
  expect(JSON.parse(refused.stderr)).toMatchObject({ error: { reason: "Unreachable", exitCode: 5 } });
});

test("SIGINT and SIGTERM end a command that waits for a registry elsewhere, or for an answer to its question", async () => {
  let next = 0;
  const mute = await elsewhere((response, url) => {
    if (url.includes("/users")) response.end(JSON.stringify({ users: [row], next: `${++next}` }));
  });
  for (const [line, signal, code] of [
    ["statistics", "SIGINT", 130],
    ["statistics", "SIGTERM", 143],
    ["users -o ndjson", "SIGTERM", 143],
  ] as const) {
    const seen = once(mute.server, "request");
    const child = startBne(home, ["registry", ...line.split(" "), "--base-url", mute.origin], {
      env: { BYTENITE_MANAGE_TOKEN: manageToken },
    });
    const result = resultOf(child);
    await seen;
    child.kill(signal);
    const { code: ended, stderr } = await result;
    expect({ line, signal, ended, stderr }).toEqual({ line, signal, ended: code, stderr: "" });
  }
  const early = { env: { BYTENITE_MANAGE_TOKEN: manageToken }, signal: AbortSignal.abort(new Error("ended early")) };
  const ended = await inProcess(home, ["registry", "statistics", "--base-url", mute.origin], early);
  expect(ended.stderr).toContain("ended early");
  mute.stop();
  const run = onTerminal(home, ["registry", "token", "create", "--user", "x", "--database", database]);
  await run.until(/\[y\/N\] /);
  run.type("\u0003");
  expect(await run.ended).toBe(130);
});
