import { mkdtempSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, onTestFinished, test, vi } from "vitest";
import { migrate } from "../api/Migrations.ts";
import { addConfigured, ensureUser, listCredentials } from "../manage/Accounts.ts";
import { publishAll } from "../manage/Engines.ts";
import { openSqlite, type SqliteFile } from "../node/SqliteFile.ts";
import { lineOf } from "./manage.ts";
import type { CommandOutput, RegistryRow } from "./Output.ts";
import { executeRegistry } from "./registry.ts";

const directory = mkdtempSync(join(tmpdir(), "registry-manage-"));
afterAll(() => rm(directory, { recursive: true }));

const database = async (): Promise<{ readonly path: string; readonly file: SqliteFile }> => {
  const path = join(directory, `${crypto.randomUUID()}.sqlite`);
  const file = openSqlite(path);
  onTestFinished(() => file.close());
  await migrate(file.port, 0);
  return { path, file };
};

/** What a command line prints, with times and random texts as words, and its error. */
const printed = async (line: string, where: ReadonlyArray<string>, secret?: CommandOutput["secret"]) => {
  const rows: Array<RegistryRow> = [];
  const lines: Array<string> = [];
  const say = (text: string): void =>
    void lines.push(
      text
        .replaceAll(/\/\S+\.sqlite/g, "FILE")
        .replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "ID")
        .replaceAll(/20\d\d-\d\d-\d\dT[\d:.]+Z/g, "TIME")
        .replaceAll(/[0-9a-f]{64}/g, "SECRET"),
    );
  const row = async (one: RegistryRow, text: string): Promise<void> => {
    rows.push(one);
    say(text);
  };
  const output = { row, secret: secret ?? row, done: async (text: string) => say(text), note: say, problem: say };
  try {
    expect(await executeRegistry([...line.split(" "), ...where], output)).toBe(0);
  } catch (error) {
    const { message, exitCode, hint } = error as Error & { exitCode?: number; hint?: string };
    say(`${exitCode}: ${message}${hint === undefined ? "" : ` (${hint})`}`);
  }
  return { rows, lines };
};

const again = "--create-user makes it, without a question.";
const quotaForm = "2: --max-engines is a whole number, or none for no limit";

test("each command prints its rows and lines, or says what is wrong", async () => {
  const { path, file } = await database();
  const engines = ["a", "b"].map((name) => ({ name, version: "0.1" }));
  await publishAll(file, ensureUser(file, "ann", 0), engines, undefined, Date.now());
  const session: ReadonlyArray<readonly [line: string, lines: ReadonlyArray<string>]> = [
    ["users", ["ann\tID\t2"]],
    ["users create amy", ["amy\tID\t0"]],
    [
      "users create bob --max-engines 3 --max-bytes 999999999999999",
      ["bob\tID\t0\tat most 3 engines\tat most 999999999999999 bytes"],
    ],
    ["users create bob", ["7: there is a user of this name"]],
    ["users create", ["2: create which user? give a name"]],
    ["users create carl --max-engines 1234567890123456", [quotaForm]],
    [
      "users create carl --max-engines -1",
      [expect.stringContaining("2: Option '--max-engines' argument is ambiguous")],
    ],
    ["users create carl dave", ['2: "dave" is one argument too many']],
    ["users list ann", ['2: "ann" is one argument too many']],
    ["users xyz", ['2: users has no "xyz" (There are create, disable, enable, delete, list.)']],
    [`users ${"x".repeat(200)}`, [expect.stringMatching(/^2: users has no "x{100}" \(There/)]],
    ["quota bob --max-engines none", ["bob\tID\t0\tat most 999999999999999 bytes"]],
    ["quota bob --max-bytes none --max-engines 0", ["bob\tID\t0\tat most 0 engines"]],
    ["quota bob", ["2: which quota? --max-engines N, --max-bytes N, or none for N"]],
    ["quota", ["2: the quota of which user? give a name"]],
    ["quota bob ann --max-engines 1", ['2: "ann" is one argument too many']],
    ["users disable bob", ["bob\tID\t0\tdisabled TIME\tat most 0 engines"]],
    ["token create --user bob", ["7: bob is disabled: enable the user first"]],
    ["users enable bob", ["bob\tID\t0\tat most 0 engines"]],
    ["users list", ["amy\tID\t0", "ann\tID\t2", "bob\tID\t0\tat most 0 engines"]],
    ["engines", ["a@0.1\tann\tinactive\tfalse\t1\tID\tTIME", "b@0.1\tann\tinactive\tfalse\t1\tID\tTIME"]],
    ["engines --limit 1", ["a@0.1\tann\tinactive\tfalse\t1\tID\tTIME"]],
    ["engines --user bob", []],
    ["engines --limit 0", ["2: --limit is a number from 1 on"]],
    ["engines --limit 1234567890", ["2: --limit is a number from 1 on"]],
    ["engines --limit 123456789 --user ann x", ['2: "x" is one argument too many']],
    ["engines --since 2026-01-01", [expect.stringMatching(/^2: Unknown option '--since'/)]],
    ["activate", ["2: --user is missing"]],
    ["activate --user ann", ["2: activate which engine? name a tag"]],
    ["activate a b@0.1 --user ann", ["activated a@0.1", "activated b@0.1"]],
    ["make-public a --user ann", ["made public a@0.1"]],
    ["make-private a --user ann", ["made private a@0.1"]],
    ["deactivate a c b --user ann", ["deactivated a@0.1", "3: ann has no engine c"]],
    ["delete b@0.1 --user ann", ["deleted b@0.1"]],
    ["users delete ann", ["7: ann has engines (--hand-over-to USER hands them over, --delete-engines deletes them.)"]],
    ["users delete ann --delete-engines", ["7: Nothing was deleted (--yes deletes without asking.)"]],
    ["users delete ann --delete-engines --hand-over-to bob", ["2: --hand-over-to or --delete-engines, not both"]],
    ["users delete ann --hand-over-to bob --yes", ["7: bob may have 0 engines: raise the quota first"]],
    ["users delete ann --hand-over-to ann --yes", ["2: handOverTo is another user"]],
    ["token create", ["2: --user is missing"]],
    ["token create --user=", ["2: --user is missing"]],
    ["token create x --user ann", ['2: "x" is one argument too many']],
    ["token create --user ann --scope all", ["2: --scope is read, publish, manage"]],
    ["token create --user ann --expires-in 0", ["2: --expires-in is a number of days from 1 to 3650"]],
    ["token create --user ann --expires-in 3651", ["2: --expires-in is a number of days from 1 to 3650"]],
    [
      "token create --user ann --expires-in 3650 --label ci",
      ["token ID of ann, scope read; it is shown this once:", "bnt_SECRET"],
    ],
    [
      "key create --user ann --scope publish",
      ["api-key ID of ann, scope publish; it is shown this once:", "bnk_SECRET"],
    ],
    ["token create --user an", [`3: there is no user an in FILE (did you mean ann?) (${again})`]],
    ["token create --user zoe", [`3: there is no user zoe in FILE (${again})`]],
    ["key create --user zoe --create-user", ["api-key ID of zoe, scope read; it is shown this once:", "bnk_SECRET"]],
    ["token list", ["ID\tann\ttoken\tTIME\tgood until TIME\tci\tread\tnever used"]],
    ["token list --user zoe", []],
    [
      "key list",
      ["ID\tann\tapi-key\tTIME\tgood\t\tpublish\tnever used", "ID\tzoe\tapi-key\tTIME\tgood\t\tread\tnever used"],
    ],
    ["token list x", ['2: "x" is one argument too many']],
    ["token", ["2: create, list or revoke?"]],
    ["token revoke", ["2: revoke which one? give an id of the list"]],
    ["token revoke x", ["3: there is no such credential"]],
    ["token revoke x y", ['2: "y" is one argument too many']],
    ["statistics", ["users\t4\ndisabledUsers\t0\nengines\t1\npublicEngines\t0\ncredentials\t3"]],
    ["statistics x", ['2: "x" is one argument too many']],
    [
      "audit --user zoe",
      [
        'TIME\t(bne registry --database)\tcreate credential\tzoe\t{"id":"ID","kind":"api-key","scope":"read","label":"","expiresAt":null}',
        'TIME\t(bne registry --database)\tcreate user\tzoe\t{"maxEngines":null,"maxBytes":null}',
      ],
    ],
    ["audit --user zoe --limit 1 --since 2999-01-01", []],
    ["users delete zoe", ["7: Nothing was deleted (--yes deletes without asking.)"]],
    ["users delete zoe --yes", ["deleted zoe\twith 0 engines"]],
    ["users delete ann --delete-engines --yes", ["deleted ann\twith 1 engines"]],
    ["users delete ann --yes", ['3: there is no user "ann"']],
  ];
  const said: Array<unknown> = [];
  for (const [line] of session) said.push([line, (await printed(line, ["--database", path])).lines]);
  expect(said).toEqual(session);
});

test("records have the names of the API and its values", async () => {
  const { path, file } = await database();
  await publishAll(file, ensureUser(file, "ann", 0), [{ name: "a", version: "0.1" }], undefined, 0);
  const recordsOf = async (line: string) => (await printed(line, ["--database", path])).rows;
  const text = expect.any(String) as string;
  const quotas = { maxEngines: null, maxBytes: null };
  expect(await recordsOf("users")).toEqual([{ name: "ann", id: text, engines: 1, disabledAt: null, ...quotas }]);
  const [made] = await recordsOf("token create --user ann");
  expect(made).toEqual({ id: text, user: "ann", kind: "token", scope: "read", secret: text });
  const credential = { id: made?.["id"], user: "ann", kind: "token", scope: "read", label: "" };
  expect(await recordsOf("token list")).toEqual([{ ...credential, state: "good", createdAt: text, lastUsedAt: null }]);
  expect(await recordsOf(`token revoke ${made?.["id"]}`)).toEqual([{ id: made?.["id"], configuredIn: null }]);
  expect(await recordsOf("engines")).toEqual([
    { tag: "a@0.1", owner: "ann", status: "inactive", isPublic: false, revision: 1, id: text, updatedAt: text },
  ]);
  expect(await recordsOf("make-public a --user ann")).toEqual([{ tag: "a@0.1", change: "made public" }]);
  expect(await recordsOf("audit --limit 1")).toEqual([
    {
      at: text,
      actor: "(bne registry --database)",
      action: "change engine",
      subject: "ann/a@0.1",
      detail: '{"isPublic":true,"hash":""}',
    },
  ]);
  expect(await recordsOf("statistics")).toEqual([
    { users: 1, disabledUsers: 0, engines: 1, publicEngines: 1, credentials: 0 },
  ]);
  await recordsOf("users create bob");
  expect(await recordsOf("users delete ann --hand-over-to bob --yes")).toEqual([
    { name: "ann", engines: 1, handedOverTo: "bob" },
  ]);
  expect(await recordsOf("users delete bob --delete-engines --yes")).toEqual([
    { name: "bob", engines: 1, handedOverTo: null },
  ]);
});

const refused = () => Promise.reject(new Error("no space"));

test("a secret that could not be printed is revoked", async () => {
  const { path, file } = await database();
  ensureUser(file, "ann", 0);
  const { lines } = await printed("token create --user ann", ["--database", path], refused);
  expect(lines.at(-1)).toBe("1: token ID could not be written and is revoked: no space");
  expect((await printed("token list", ["--database", path])).lines).toEqual([
    "ID\tann\ttoken\tTIME\trevoked TIME\t\tread\tnever used",
  ]);
});

test("a configured token that is revoked is to be removed where it stands, too", async () => {
  const { path, file } = await database();
  await addConfigured(file, { ann: ["a-token-of-ann-000"] }, new Map([["a-token-of-ann-000", "tokens.json"]]), 0);
  const id = listCredentials(file)[0]?.id ?? "";
  expect((await printed("token list", ["--database", path])).lines).toEqual([
    "ID\tann\tconfigured\t1970-01-01T00:00:00.000Z\tgood where it is configured\ttokens.json\tread\tnever used",
  ]);
  expect((await printed(`token revoke ${id}`, ["--database", path])).lines).toEqual([
    "revoked ID",
    "ID is configured: it stays revoked; remove it from tokens.json, too",
  ]);
});

test("a fault of the database is reported with its file", async () => {
  const { path, file } = await database();
  file.database.exec("DROP TABLE credentials");
  expect((await printed("statistics", ["--database", path])).lines).toEqual([
    "1: cannot use the database FILE: no such table: credentials",
  ]);
});

const noTimes = { expiresAt: null, revokedAt: null, lastUsedAt: null, userDisabledAt: null };

test.for<[Partial<Record<keyof typeof noTimes | "kind", string>>, string, string]>([
  [{}, "good", "never used"],
  [{ kind: "configured" }, "good where it is configured", "never used"],
  [{ expiresAt: "1970-01-01T00:00:02Z" }, "good until 1970-01-01T00:00:02.000Z", "never used"],
  [{ expiresAt: "1970-01-01T00:00:01Z" }, "expired 1970-01-01T00:00:01.000Z", "never used"],
  [{ lastUsedAt: "1970-01-01T00:00:01+01:00" }, "good", "used 1969-12-31T23:00:01.000Z"],
  [
    { kind: "configured", userDisabledAt: "1970-01-01T00:00:00Z" },
    "user disabled 1970-01-01T00:00:00.000Z",
    "never used",
  ],
  [
    { revokedAt: "1970-01-01T00:00:00Z", userDisabledAt: "1970-01-01T00:00:01Z" },
    "revoked 1970-01-01T00:00:00.000Z",
    "never used",
  ],
])("a credential with %j is %s, %s", ([given, state, used]) => {
  const credential = {
    id: "x",
    user: "ann",
    kind: "token",
    scope: "read",
    label: "ci",
    createdAt: "1970-01-01T00:00Z",
  };
  const [kind, createdAt] = [given.kind ?? "token", "1970-01-01T00:00:00.000Z"];
  expect(lineOf({ ...credential, ...noTimes, ...given }, 1_000)).toBe(
    ["x", "ann", kind, createdAt, state, "ci", "read", used].join("\t"),
  );
});

interface Scripted {
  readonly status?: number;
  readonly type?: string;
  readonly body: unknown;
}

/** A server with an answer for each request, the last one for all that follow, and the requests that it had. */
const scripted = async (...answers: ReadonlyArray<Scripted>) => {
  const requests: Array<string> = [];
  const server = createServer(async (request, response) => {
    let body = "";
    for await (const part of request) body += String(part);
    const { authorization, "bytenite-management": header } = request.headers;
    requests.push([request.method, request.url, authorization, header, ...(body === "" ? [] : [body])].join(" "));
    const {
      status = 200,
      type = "application/json",
      body: sent,
    } = answers[requests.length - 1] ?? answers.at(-1) ?? {};
    response.writeHead(status, type === "" ? {} : { "content-type": type });
    response.end(typeof sent === "string" ? sent : JSON.stringify(sent));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  vi.stubEnv("BYTENITE_MANAGE_TOKEN", " token-of-root ");
  onTestFinished(() => void vi.unstubAllEnvs());
  return { origin, requests };
};

const row = { tag: "a@0.1", owner: "ann", status: "active", isPublic: false, revision: 1, id: "x" };
const engine = { ...row, updatedAt: "2026-11-28T00:00:00Z" };
const change = { at: "2026-11-28T00:00:00Z", actor: "root", action: "x", subject: "y", detail: { a: 1 } };

test.for<[string, Scripted, string]>([
  ["engines", { body: "" }, "it is not JSON"],
  ["engines", { body: "<html>", type: "Text/HTML; charset=utf-8" }, "no JSON but text/html"],
  ["engines", { body: "x", type: "" }, "no JSON but an unknown type"],
  ["engines", { body: "1" }, "it is not a JSON object where one is expected"],
  ["engines", { body: "null" }, "it is not a JSON object where one is expected"],
  ["engines", { body: { engines: [] } }, "it has no next that can be read"],
  ["engines", { body: { engines: {}, next: null } }, "it has no list engines"],
  ["engines", { body: { engines: ["x"], next: null } }, "it is not a JSON object where one is expected"],
  ["engines", { body: { engines: [row], next: null } }, "it has no updatedAt that can be read"],
  [
    "engines",
    { body: { engines: [{ ...engine, updatedAt: "soon" }], next: null } },
    "it has no updatedAt that can be read",
  ],
  ["engines", { body: { engines: [{ ...engine, updatedAt: 7 }], next: null } }, "it has no updatedAt that can be read"],
  ["engines", { body: { engines: [{ ...engine, tag: {} }], next: null } }, "it has no tag that can be read"],
  ["engines", { body: { engines: [engine], next: 5 } }, "its next leads nowhere"],
  ["engines", { body: { engines: [engine], next: "b" } }, "its next leads nowhere"],
  ["engines", { body: { engines: [], next: "b" } }, "its next leads nowhere"],
  ["audit", { body: { audit: [{ ...change, at: "x" }], next: null } }, "it has no at that can be read"],
  ["statistics", { body: { users: 1 } }, "it has no disabledUsers that can be read"],
])("%s that is answered with %j is an error: %s", async ([line, answer, problem]) => {
  const { origin } = await scripted(answer);
  const { lines } = await printed(line, ["--base-url", origin]);
  expect(lines.at(-1)).toContain(problem);
});

const page = (count: number, next: string | null): Scripted => ({
  body: { engines: Array.from({ length: count }, () => engine), next },
});

test("a registry elsewhere is asked page by page, for no more rows than are wanted, and nothing twice", async () => {
  const { origin, requests } = await scripted(page(1_000, "a b"), page(500, "c"), { status: 503, body: {} });
  const wanted = await printed("engines --user ann --limit 1500", ["--base-url", `${origin}/v1/dev//`]);
  expect(wanted.rows).toHaveLength(1_500);
  const failed = await printed("users delete ann --delete-engines --yes", ["--base-url", origin]);
  expect(failed.lines).toHaveLength(1);
  expect(requests).toEqual([
    "GET /manage/v1/engines?user=ann&limit=1000 token-of-root 1",
    "GET /manage/v1/engines?user=ann&limit=500&after=a%20b token-of-root 1",
    "DELETE /manage/v1/users/ann?engines=delete token-of-root 1",
  ]);
});

test("a registry elsewhere may not say how many engines went with a user", async () => {
  const { origin } = await scripted({ body: { name: "ann" } });
  const { lines } = await printed("users delete ann --delete-engines --yes", ["--base-url", origin]);
  expect(lines).toEqual(["deleted ann\twith 0 engines"]);
});

test("a registry elsewhere has thirty seconds to answer", async () => {
  const { promise: isAsked, resolve: asked } = Promise.withResolvers<void>();
  const server = createServer(() => asked());
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => server.close().closeAllConnections());
  vi.stubEnv("BYTENITE_MANAGE_TOKEN", "token-of-root");
  onTestFinished(() => void vi.unstubAllEnvs());
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "Date", "performance"] });
  onTestFinished(() => void vi.useRealTimers());
  const ended = printed("users", ["--base-url", `http://127.0.0.1:${(server.address() as AddressInfo).port}`]);
  await isAsked;
  await vi.advanceTimersByTimeAsync(60_000);
  expect((await ended).lines).toEqual([
    expect.stringMatching(/: No answer within the attempt timeout of 30000 ms \[GET /),
  ]);
});

test("an audit entry of another registry may have no time of use, and any detail", async () => {
  const { origin, requests } = await scripted({ body: { audit: [change, { ...change, at: null }], next: null } });
  const { lines } = await printed("audit", ["--base-url", `${origin}/`]);
  expect(lines).toEqual([
    '2026-11-28T00:00:00Z\troot\tx\ty\t{"a":1}'.replace("2026-11-28T00:00:00Z", "TIME"),
    '\troot\tx\ty\t{"a":1}',
  ]);
  expect(requests).toEqual(["GET /manage/v1/audit?limit=1000 token-of-root 1"]);
});

test.for([
  ["http://engines.example", "2: --base-url is https://HOST, or http:// on this machine: a token is sent there"],
  ["ftp://localhost", "2: --base-url is https://HOST, or http:// on this machine: a token is sent there"],
  ["engines", "2: --base-url is https://HOST, or http:// on this machine: a token is sent there"],
  [
    "https://:x@engines.example",
    "2: --base-url has a user name or password: leave them out, and set BYTENITE_MANAGE_TOKEN",
  ],
  [
    "https://x@engines.example",
    "2: --base-url has a user name or password: leave them out, and set BYTENITE_MANAGE_TOKEN",
  ],
  ["https://engines.example --database x", "2: --base-url or --database, not both"],
  ["https://engines.example", "2: set BYTENITE_MANAGE_TOKEN to a token of scope manage"],
  ["http://[::1]:1", "2: set BYTENITE_MANAGE_TOKEN to a token of scope manage"],
])("--base-url %s is refused: %s", async ([url = "", problem = ""]) => {
  vi.stubEnv("BYTENITE_MANAGE_TOKEN", " ");
  expect((await printed(`users --base-url ${url}`, [])).lines).toEqual([problem]);
  vi.unstubAllEnvs();
});

test("a token that no header can carry is not sent", async () => {
  vi.stubEnv("BYTENITE_MANAGE_TOKEN", "tök");
  expect((await printed("users --base-url http://localhost:1", [])).lines).toEqual([
    "2: BYTENITE_MANAGE_TOKEN has line breaks or characters beyond ASCII, which no token has",
  ]);
  vi.unstubAllEnvs();
});
