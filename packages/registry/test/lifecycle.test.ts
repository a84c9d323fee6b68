// Lifecycle of engines on SQLite and files, in both formats.
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { once } from "node:events";
import { request, type IncomingMessage } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { linkSeconds } from "../src/archive/Link.ts";
import { sweep, sweepGraceMs } from "../src/archive/Sweep.ts";
import { addCredential, ensureUser } from "../src/manage/Accounts.ts";
import { change } from "../src/manage/Engines.ts";
import { makeArchiveFolder } from "../src/node/ArchiveFolder.ts";
import { startRegistryServer, type RunningRegistry } from "../src/node/Registry.ts";
import { create, toBinary } from "@bufbuild/protobuf";
import { EngineMessageSchema } from "@bytenite-engines/proto";
import { archiveOf, hashOf } from "@bytenite-engines/test-kit/archives";
import { send, type Form } from "./archives.ts";

const folder = mkdtempSync(join(tmpdir(), "lifecycle-"));
const database = join(folder, "engines.sqlite");
const key = "a key for tests, which is no secret";
const forms: ReadonlyArray<Form> = ["json", "protobuf"];

let registry: RunningRegistry;
/** Milliseconds by which the registry's clock is ahead. */
let aheadMs = 0;
let engines = "";

beforeAll(async () => {
  registry = await startRegistryServer({
    database,
    port: 0,
    key,
    trial: false,
    tokens: {},
    allowedHosts: ["engines.example"],
    now: () => Date.now() + aheadMs,
    uploads: { archiveBytes: 2_000_000, unpackedBytes: 4_000_000, uploads: 3, uploadsPerUser: 2 },
    limits: { drainMs: 0, requestTimeoutMs: 700 },
  });
  engines = `${registry.url}/engines`;
  for (const name of ["carol", "dave", "erin"]) {
    const user = ensureUser(registry.file, name, Date.now());
    await addCredential(registry.file, user, "token", `token-of-${name}`, Date.now(), "publish");
  }
  await addCredential(registry.file, ensureUser(registry.file, "carol", 0), "token", "reading", Date.now(), "read");
});

afterAll(async () => {
  await registry.stop();
  rmSync(folder, { recursive: true });
});

const objects = (): ReadonlyArray<string> =>
  existsSync(`${database}.archives`)
    ? readdirSync(`${database}.archives`, { recursive: true, encoding: "utf8" }).filter((name) => name !== "incoming")
    : [];

const upload = async (
  manifest: object,
  { form = "json", token = "token-of-carol", more = {}, headers = {} }: UploadOptions = {},
) => send(engines, "POST", token, form, { engineData: await archiveOf(manifest), ...more }, headers);

interface UploadOptions {
  readonly form?: Form;
  readonly token?: string;
  readonly more?: object;
  readonly headers?: Record<string, string>;
}

const audit = (): ReadonlyArray<string> =>
  registry.file
    .rows({ sql: "SELECT actor, action, subject, detail FROM audit ORDER BY number", values: [] })
    .map((row) => Object.values(row).join(" "));

test.for(forms)("an engine is uploaded, activated, downloaded, deactivated and deleted in %s", async (form) => {
  const tag = `life-${form}@0.1`;
  const archive = await archiveOf({ Name: `life-${form}`, Version: "0.1", Type: "partitioner", Entrypoint: "x.py" });
  const first = await send(engines, "POST", "token-of-carol", form, { engineData: archive });
  expect(first).toMatchObject({
    status: 200,
    body: {
      name: `life-${form}`,
      version: "0.1",
      status: "inactive",
      revision: 1,
      hash: hashOf(archive),
      entrypoint: "x.py",
    },
  });
  expect(first.headers.get("bytenite-schema-digest")).toBeTruthy();
  const again = await send(engines, "POST", "token-of-carol", form, { engineData: archive, engineTag: tag });
  expect(again.body).toEqual(first.body);
  const active = await send(`${engines}/${tag}/activate`, "POST", "token-of-carol", form, {});
  expect(active).toMatchObject({ status: 200, body: { engineTag: tag, engineStatus: "active" } });
  const other = gzipSync(await archiveOf({ name: `life-${form}`, version: "0.1" }, {}, "engine/"));
  const second = await send(engines, "POST", "token-of-carol", form, { engineData: other });
  expect(second).toMatchObject({
    status: 200,
    body: {
      id: first.body["id"],
      revision: 2,
      status: "active",
      hash: hashOf(other),
      createdAt: first.body["createdAt"],
    },
  });
  const link = await send(`${engines}/${tag}/download`, "GET", "token-of-carol", form);
  expect(link).toMatchObject({ status: 200, body: { engineTag: tag, engineId: first.body["id"] } });
  expect(link.headers.get("cache-control")).toBe("no-store");
  expect((await send(`${engines}/${tag}/download?engineData=!`, "GET", "token-of-carol", form)).status).toBe(400);
  // Who reached it by another name could not open a link to loopback.
  const elsewhere = request(`${engines}/${tag}/download`, {
    headers: { Host: "engines.example", Authorization: "token-of-carol" },
  }).end();
  const [refusal] = (await once(elsewhere, "response")) as [IncomingMessage];
  expect([refusal.statusCode, String(await refusal.toArray())]).toEqual([
    400,
    expect.stringContaining("set its public URL"),
  ]);
  const got = await fetch(String(link.body["engineLink"]));
  expect(Object.fromEntries(got.headers)).toMatchObject({
    "content-type": "application/gzip",
    "content-length": String(other.length),
    "content-disposition": `attachment; filename="life-${form}-0.1.tar.gz"`,
    "x-content-type-options": "nosniff",
    etag: `"${hashOf(other)}"`,
    "repr-digest": `sha-256=:${hashOf(other)}:`,
    "accept-ranges": "bytes",
  });
  expect(Buffer.from(await got.arrayBuffer()).equals(other)).toBe(true);
  const matched = async (condition: string): Promise<number> =>
    (await fetch(String(link.body["engineLink"]), { method: "HEAD", headers: { "If-Match": condition } })).status;
  const { etag = "" } = Object.fromEntries(got.headers);
  expect([await matched("*"), await matched(`"x", ${etag}`)]).toEqual([200, 200]);
  expect([await matched('"x"'), await matched(`W/${etag}`)]).toEqual([412, 412]);
  const inactive = await send(`${engines}/${tag}/deactivate`, "POST", "token-of-carol", form);
  expect(inactive).toMatchObject({ status: 200, body: { engineStatus: "inactive" } });
  const deleted = await send(`${engines}/${tag}`, "DELETE", "token-of-carol", form);
  expect(deleted).toMatchObject({ status: 200, body: { engineTag: tag, engineId: first.body["id"] } });
  expect((await send(`${engines}/${tag}`, "DELETE", "token-of-carol", form)).status).toBe(404);
  expect((await fetch(String(link.body["engineLink"]))).status).toBe(404);
  expect(
    audit()
      .filter((line) => line.includes(`life-${form}`))
      .map((line) => line.split(" carol/")[0]),
  ).toEqual([
    "carol upload",
    "carol activate engine",
    "carol upload",
    "carol deactivate engine",
    "carol delete engine",
  ]);
});

test("what an upload is refused for is said, and leaves nothing behind", async () => {
  const before = objects().length;
  const good = await archiveOf({ name: "good", version: "0.1" });
  const rows: ReadonlyArray<
    readonly [what: string, message: Record<string, unknown>, status: number, problem: string]
  > = [
    ["nothing", {}, 400, "engineData is missing"],
    ["a link", { engineLink: "https://downloads.example/x.tar" }, 501, "not fetched from elsewhere"],
    ["no tar", { engineData: Buffer.from("hello".repeat(300)) }, 400, "a tar file"],
    ["no manifest", { engineData: await archiveOf("{}", {}, "a/b/") }, 400, "has no manifest.json at its top"],
    [
      "two folders",
      {
        engineData: Buffer.concat([
          (await archiveOf("{}", {}, "a/")).subarray(0, 1_024),
          await archiveOf("{}", {}, "b/"),
        ]),
      },
      400,
      "has no manifest.json at its top",
    ],
    [
      "a wrong manifest",
      { engineData: await archiveOf('{\n "name": "a b",\n "versio": 1,\n "version": "1"}') },
      400,
      'manifest.json:3:2: "versio" is not a key',
    ],
    [
      "a long manifest",
      { engineData: await archiveOf(`{"name":"a","version":"0.1"${" ".repeat(300_000)}}`) },
      400,
      "longer than 262144 bytes",
    ],
    [
      "a manifest that is not UTF-8",
      { engineData: await archiveOf("", { "manifest.json": Buffer.from([0xff]) }) },
      400,
      "UTF-8",
    ],
    ["another tag", { engineData: good, engineTag: "other@0.1" }, 400, "not that of the manifest, good@0.1"],
    ["no tag", { engineData: good, engineTag: "a b" }, 400, "not that of the manifest"],
    ["another version", { engineData: good, engineTag: "good@0.2" }, 400, "not that of the manifest"],
    ["an unknown status", { engineData: good, engineStatus: "on" }, 400, "active or inactive"],
    ["an unknown id", { engineData: good, engineId: "nobody" }, 404, "engineId"],
    ["too much", { engineData: Buffer.alloc(2_100_000) }, 413, "longer than"],
    [
      "a public secret",
      { engineData: await archiveOf({ name: "s", version: "0.1", is_public: true, platform_config: { token: "x" } }) },
      400,
      "cannot be public",
    ],
  ];
  for (const form of forms) {
    for (const [what, message, status, problem] of rows) {
      const said = await send(engines, "POST", "token-of-carol", form, message);
      expect([what, said.status, said.body["message"]]).toEqual([what, status, expect.stringContaining(problem)]);
    }
  }
  expect(objects()).toHaveLength(before);
  const text = (await send(engines, "POST", "token-of-carol", "json", rows[5]?.[1])).body["message"];
  expect(text).toContain("manifest.json:2:10: name must be");
  expect(text).toContain("manifest.json:4:13: version must be major.minor");
});

test("invalid bodies and types are refused; nobody without scope gets to send one", async () => {
  const post = (init: RequestInit & { token?: string }) =>
    fetch(engines, {
      method: "POST",
      ...init,
      headers: { Authorization: init.token ?? "token-of-carol", ...(init.headers as Record<string, string>) },
    });
  const json = { "Content-Type": "application/json" };
  expect((await post({ body: "{}", headers: { "Content-Type": "text/plain" } })).status).toBe(415);
  const coded = { body: gzipSync("{}"), headers: { ...json, "Content-Encoding": "gzip" } };
  for (const answer of [
    await post(coded),
    await fetch(`${engines}/any/activate`, {
      method: "POST",
      ...coded,
      headers: { ...coded.headers, Authorization: "token-of-carol" },
    }),
  ]) {
    expect([answer.status, answer.headers.get("accept-encoding")]).toEqual([415, "identity"]);
    expect(await answer.text()).toContain("Content-Encoding");
  }
  for (const [body, headers] of [
    ['{"engineData":"AAAA"', json],
    ['{"engineData":"A"}', json],
    ['{"engineData":"AAAA","engine_data":"AAAA"}', json],
    ["\u001a\u0004\u0001", { "Content-Type": "application/x-protobuf" }],
    ["\u000b", { "Content-Type": "application/x-protobuf" }],
  ] as const) {
    expect((await post({ body, headers })).status).toBe(400);
  }
  const refused = await post({ body: "{}", headers: json, token: "reading" });
  expect([refused.status, refused.headers.get("www-authenticate")]).toEqual([
    403,
    'Bearer error="insufficient_scope", scope="publish"',
  ]);
  expect((await post({ body: "{}", headers: json, token: "nobody's" })).status).toBe(401);
  for (const path of ["x@0.1/activate", "x@0.1/deactivate"]) {
    expect((await send(`${engines}/${path}`, "POST", "reading")).status).toBe(403);
  }
  expect((await send(`${engines}/x@0.1`, "DELETE", "reading")).status).toBe(403);
});

test("a client that goes on sending after a refusal is answered, and read no further than 1 MiB", async () => {
  const { port } = new URL(registry.url);
  const socket = connect({ port: Number(port), host: "127.0.0.1" });
  let said = "";
  socket.on("error", () => {});
  socket.on("data", (chunk: Buffer) => (said += chunk.toString()));
  const closed = new Promise((resolve) => socket.once("close", resolve));
  socket.write(
    "POST /v1/dev/engines HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 900000000\r\n\r\n",
  );
  const piece = Buffer.alloc(64 * 1_024, "x");
  const more = (): void => {
    while (!socket.destroyed && socket.write(piece));
  };
  socket.on("drain", more);
  more();
  await closed;
  expect(said).toMatch(/^HTTP\/1\.1 401 /);
  // What waits in the buffers of both sides was written, too.
  expect(socket.bytesWritten).toBeLessThan(30_000_000);
  for (let count = 0; count < 5; count++) {
    const { status } = await fetch(engines, { method: "POST", body: Buffer.alloc(20_000_000) });
    expect(status).toBe(401);
  }
});

const ask = (manifest: object, headers: Record<string, string>) => upload(manifest, { headers });

test("conditions hold in the transaction of the write", async () => {
  const one = { name: "cond", version: "0.1" };
  expect((await ask(one, { "If-Match": "*" })).status).toBe(412);
  expect((await ask(one, { "If-Match": '"revision-1"' })).status).toBe(412);
  expect((await ask(one, { "If-None-Match": "*" })).status).toBe(200);
  const met = await ask(one, { "If-None-Match": "*" });
  expect([met.status, met.body["code"]]).toEqual([412, 10]);
  expect((await ask({ ...one, description: "2" }, { "If-Match": '"revision-1"' })).body["revision"]).toBe(2);
  expect((await ask({ ...one, description: "3" }, { "If-Match": '"revision-1"' })).status).toBe(412);
  for (const headers of [
    { "If-Match": "1" },
    { "If-Match": 'W/"revision-1"' },
    { "If-Match": '"revision-1", "revision-2"' },
    { "If-None-Match": '"revision-1"' },
    { "If-Match": "*", "If-None-Match": "*" },
  ]) {
    expect((await ask(one, headers as Record<string, string>)).status).toBe(400);
  }
  const url = `${engines}/cond@0.1`;
  expect(
    (await send(`${url}/activate`, "POST", "token-of-carol", "json", {}, { "If-Match": '"revision-1"' })).status,
  ).toBe(412);
  expect((await send(`${url}/activate`, "POST", "token-of-carol", "json", {}, { "If-None-Match": "*" })).status).toBe(
    400,
  );
  expect((await send(url, "DELETE", "token-of-carol", "json", undefined, { "If-Match": '"revision-1"' })).status).toBe(
    412,
  );
  expect((await send(url, "DELETE", "token-of-carol", "json", undefined, { "If-Match": '"revision-2"' })).status).toBe(
    200,
  );
  const many = await Promise.all(
    [1, 2].map((count) => ask({ name: "race", version: "0.1", description: `${count}` }, { "If-None-Match": "*" })),
  );
  expect(many.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([200, 412]);
});

test("uploads of one engine at once are all carried out, one after the other", async () => {
  const said = await Promise.all(
    [1, 2].map((count) => upload({ name: "many", version: "0.1", description: `${count}` })),
  );
  expect(said.map(({ body }) => Number(body["revision"])).toSorted((a, b) => a - b)).toEqual([1, 2]);
  const rows = registry.file.rows({
    sql: "SELECT a.hash, e.json FROM archives a JOIN engines e ON e.number = a.engine WHERE e.name = 'many' AND a.released_at IS NULL",
    values: [],
  });
  expect(rows).toHaveLength(1);
  expect(JSON.parse(String(rows[0]?.["json"]))).toMatchObject({ hash: rows[0]?.["hash"], revision: 2 });
});

test("only the owner writes: another's public engine can be read and downloaded, a private one does not exist", async () => {
  const open = await upload({ name: "open", version: "0.1", is_public: true });
  const closed = await upload({ name: "closed", version: "0.1" });
  for (const [tag, download, write] of [
    ["open@0.1", 200, 403],
    ["closed@0.1", 404, 404],
    ["none@0.1", 404, 404],
  ] as const) {
    const as = (path: string, method: string) => send(`${engines}/${tag}${path}`, method, "token-of-dave");
    expect([tag, (await as("/download", "GET")).status]).toEqual([tag, download]);
    expect([tag, (await as("/activate", "POST")).status]).toEqual([tag, write]);
    expect([tag, (await as("/deactivate", "POST")).status]).toEqual([tag, write]);
    expect([tag, (await as("", "DELETE")).status]).toEqual([tag, write]);
  }
  const mine = (engineId: unknown) =>
    upload({ name: "open", version: "0.1" }, { token: "token-of-dave", more: { engineId } });
  expect((await mine(open.body["id"])).status).toBe(403);
  expect((await mine(closed.body["id"])).status).toBe(404);
  expect((await upload({ name: "open", version: "0.1" }, { token: "token-of-dave" })).body["id"]).not.toBe(
    open.body["id"],
  );
  const wrongId = await send(`${engines}/open@0.1/activate`, "POST", "token-of-carol", "json", { engineId: "x" });
  expect(wrongId.status).toBe(404);
  expect((await upload({ name: "open", version: "0.1" }, { more: { engineId: open.body["id"] } })).status).toBe(200);
});

test("an archive with a secret is unreadable on disk, its owner's alone, and cannot become public", async () => {
  const manifest = { name: "secret", version: "0.1", platform_config: { token: "hunter2hunter2" } };
  const said = await upload(manifest);
  expect(said).toMatchObject({ status: 200, body: { platformConfig: { token: "hunter2hunter2" } } });
  for (const name of objects()) {
    const bytes = readFileSync(join(`${database}.archives`, name));
    expect(bytes.includes("hunter2")).toBe(false);
    expect(statSync(join(`${database}.archives`, name)).mode & 0o777).toBe(0o600);
  }
  expect(statSync(`${database}.archives`).mode & 0o777).toBe(0o700);
  const [row] = registry.file.rows({
    sql: "SELECT is_sealed, length(data_key) AS length FROM archives WHERE hash = ?",
    values: [String(said.body["hash"])],
  });
  expect(row).toMatchObject({ is_sealed: 1 });
  expect(Number(row?.["length"])).toBeGreaterThan(32);
  const link = await send(`${engines}/secret@0.1/download`, "GET", "token-of-carol");
  expect(hashOf(new Uint8Array(await (await fetch(String(link.body["engineLink"]))).arrayBuffer()))).toBe(
    said.body["hash"],
  );
  expect((await upload({ name: "was-open", version: "0.1", is_public: true })).status).toBe(200);
  const closing = await upload({ name: "was-open", version: "0.1", platform_config: { token: "hunter2hunter2" } });
  expect([closing.status, closing.body["message"]]).toEqual([400, expect.stringContaining("cannot be public")]);
});

test("links are for one archive and some minutes, and say which part is asked for", async () => {
  const archive = await archiveOf({ name: "linked", version: "0.1" }, { "app/data": Buffer.alloc(200_000, 7) });
  await send(engines, "POST", "token-of-carol", "json", { engineData: archive });
  const link = String((await send(`${engines}/linked@0.1/download`, "GET", "token-of-carol")).body["engineLink"]);
  expect(link.startsWith(`${registry.origin}/archives/`)).toBe(true);
  const ranges: ReadonlyArray<readonly [range: string, status: number, from: number, to: number]> = [
    ["bytes=0-0", 206, 0, 1],
    ["bytes=65535-65536", 206, 65_535, 65_537],
    ["bytes=65536-131071", 206, 65_536, 131_072],
    ["bytes=100-", 206, 100, archive.length],
    ["bytes=-5", 206, archive.length - 5, archive.length],
    ["bytes=0-99999999", 206, 0, archive.length],
    ["bytes=0-1,5-6", 200, 0, archive.length],
    ["bytes=5-4", 200, 0, archive.length],
    ["lines=1-2", 200, 0, archive.length],
  ];
  for (const [range, status, from, to] of ranges) {
    const got = await fetch(link, { headers: { Range: range } });
    const contentRange = status === 206 ? `bytes ${from}-${to - 1}/${archive.length}` : null;
    expect([range, got.status, got.headers.get("content-range")]).toEqual([range, status, contentRange]);
    expect(Buffer.from(await got.arrayBuffer()).equals(archive.subarray(from, to))).toBe(true);
  }
  for (const range of [`bytes=${archive.length}-`, "bytes=-0"]) {
    const got = await fetch(link, { headers: { Range: range } });
    expect([got.status, got.headers.get("content-range")]).toEqual([416, `bytes */${archive.length}`]);
    await got.body?.cancel();
  }
  const etag = `"${hashOf(archive)}"`;
  expect((await fetch(link, { headers: { Range: "bytes=0-0", "If-Range": etag } })).status).toBe(206);
  expect((await fetch(link, { headers: { Range: "bytes=0-0", "If-Range": '"other"' } })).status).toBe(200);
  expect((await fetch(link, { headers: { Range: "bytes=0-0", "If-None-Match": etag } })).status).toBe(304);
  const head = await fetch(link, { method: "HEAD" });
  expect([head.status, head.headers.get("content-length")]).toEqual([200, String(archive.length)]);
  const wrong = [
    link.replace(/expires=\d/, "expires=9"),
    link.replace(/signature=(.)/, (_, first) => `signature=${first === "A" ? "B" : "A"}`),
    link.replace(/\?.*/, ""),
    link.replace(/archives\/(.)/, (_, first) => `archives/${first === "0" ? "1" : "0"}`),
    link.replace("/archives/", "/archives/../archives/%2e%2e/"),
  ];
  for (const url of wrong) expect([url, (await fetch(url)).status]).toEqual([url, expect.toBeOneOf([403, 404])]);
  expect((await fetch(link, { method: "POST" })).status).toBe(405);
});

const linkTo = async (tag: string, token: string): Promise<string> =>
  String((await send(`${engines}/${tag}/download`, "GET", token)).body["engineLink"]);

const statusOf = async (link: string): Promise<number> => (await fetch(link)).status;

test("a link ends after ten minutes, and a new one is as good", async () => {
  await upload({ name: "timed", version: "0.1" });
  const link = await linkTo("timed@0.1", "token-of-carol");
  try {
    aheadMs = linkSeconds * 1_000 - 5_000;
    expect(await statusOf(link)).toBe(200);
    aheadMs = linkSeconds * 1_000 + 1_000;
    const late = await fetch(link);
    expect([late.status, ((await late.json()) as { message: string }).message]).toEqual([
      403,
      expect.stringContaining("the link has expired"),
    ]);
    expect(await statusOf(await linkTo("timed@0.1", "token-of-carol"))).toBe(200);
  } finally {
    aheadMs = 0;
  }
  expect(await statusOf(link)).toBe(200);
});

const disable = (at: number | null) =>
  registry.file.rows({ sql: "UPDATE users SET disabled_at = ? WHERE name = 'carol' RETURNING id", values: [at] });

/** Sends a body only after the registry asks for it, and so has let the token in; `meanwhile` runs before that. */
const answerAfter = async (url: string, type: string, body: Uint8Array, meanwhile: () => unknown) => {
  const call = request(url, {
    method: "POST",
    headers: {
      Authorization: "token-for-a-while",
      "Bytenite-Management": "1",
      "Content-Type": type,
      "Content-Length": String(body.length),
      Expect: "100-continue",
    },
  });
  call.flushHeaders();
  await once(call, "continue");
  meanwhile();
  call.end(body);
  const [response] = (await once(call, "response")) as [IncomingMessage];
  return [response.statusCode, String(await response.toArray())];
};

test("a token that ends while the body of its request arrives changes nothing, and the answer says why", async () => {
  const frank = ensureUser(registry.file, "frank", Date.now());
  await addCredential(registry.file, frank, "token", "token-for-a-while", Date.now(), "manage");
  await upload({ name: "ending", version: "0.1" }, { token: "token-for-a-while" });
  const run = (sql: string) => registry.file.transaction((exec) => exec(sql));
  const engineData = await archiveOf({ name: "another", version: "0.1" });
  const message = toBinary(EngineMessageSchema, create(EngineMessageSchema, { engineData }));
  const before = audit();
  for (const [end, undo] of [
    ["UPDATE users SET disabled_at = 1 WHERE name = 'frank'", "UPDATE users SET disabled_at = NULL"],
    [
      `UPDATE credentials SET revoked_at = 1 WHERE user = ${frank.number}`,
      `UPDATE credentials SET revoked_at = NULL WHERE user = ${frank.number}`,
    ],
    [
      `UPDATE credentials SET expires_at = 1 WHERE user = ${frank.number}`,
      `UPDATE credentials SET expires_at = NULL WHERE user = ${frank.number}`,
    ],
  ] as const) {
    for (const [url, type, body] of [
      [engines, "application/x-protobuf", message],
      [`${engines}/ending@0.1/activate`, "application/json", Buffer.from("{}")],
      [`${registry.origin}/manage/v1/users/carol/credentials`, "application/json", Buffer.from('{"scope":"manage"}')],
    ] as const) {
      expect([end, url, ...(await answerAfter(url, type, body, () => run(end)))]).toEqual([
        end,
        url,
        401,
        expect.stringContaining("access token is not valid"),
      ]);
      run(undo);
    }
  }
  expect(audit()).toEqual(before);
  const activate = `${engines}/ending@0.1/activate`;
  expect(await answerAfter(activate, "application/json", Buffer.from("{}"), () => {})).toEqual([
    200,
    expect.stringContaining("active"),
  ]);
});

test("links of a disabled user open nothing until the user is enabled", async () => {
  await upload({ name: "paused", version: "0.1" });
  const link = await linkTo("paused@0.1", "token-of-carol");
  try {
    disable(1);
    expect(await statusOf(link)).toBe(404);
  } finally {
    disable(null);
  }
  expect(await statusOf(link)).toBe(200);
});

test("a link of somebody else opens nothing once the engine is private", async () => {
  await upload({ name: "seen", version: "0.1", is_public: true });
  const [own, others] = [await linkTo("seen@0.1", "token-of-carol"), await linkTo("seen@0.1", "token-of-dave")];
  const statuses = () =>
    Promise.all([own, others, others.replace("&for=public", "")].map(async (link) => (await fetch(link)).status));
  expect(await statuses()).toEqual([200, 200, 403]);
  change(registry.file, ensureUser(registry.file, "carol", 0), "seen@0.1", "make-private", Date.now());
  expect(await statuses()).toEqual([200, 404, 403]);
});

const limited = (engineLimit: number | null, byteLimit: number | null) =>
  registry.file.transaction((run) =>
    run("UPDATE users SET max_engines = ?, max_bytes = ? WHERE name = 'erin'", engineLimit, byteLimit),
  );

test("a quota refuses before the body where it can, and always before the row", async () => {
  const as = { token: "token-of-erin" };
  limited(1, null);
  expect((await upload({ name: "one", version: "0.1" }, as)).status).toBe(200);
  const second = await upload({ name: "two", version: "0.1" }, as);
  expect([second.status, second.body["message"]]).toEqual([
    400,
    expect.stringContaining("quota exceeded: 1 of 1 engines"),
  ]);
  expect((await upload({ name: "one", version: "0.1", description: "x" }, as)).status).toBe(200);
  limited(null, 6_000);
  expect((await upload({ name: "two", version: "0.1" }, as)).status).toBe(400);
  const wide = await archiveOf({ name: "one", version: "0.1" }, { "app/x": Buffer.alloc(200_000) });
  expect((await send(engines, "POST", as.token, "protobuf", { engineData: wide })).status).toBe(400);
  limited(null, null);
  expect((await upload({ name: "two", version: "0.1" }, as)).status).toBe(200);
});

/** An upload that stops in the middle until it is ended; resolves to the status of its answer, or to how it failed. */
const halfUpload = (token: string) => {
  const call = request(engines, {
    method: "POST",
    headers: { Authorization: token, "Content-Type": "application/x-protobuf", "Content-Length": "1000000" },
  });
  const ended = new Promise<string>((resolve) => {
    call.on("response", (response) => resolve(`${response.statusCode} ${response.headers["retry-after"] ?? ""}`));
    call.on("error", (error) => resolve(error.message));
  });
  call.write(Buffer.from([0x1a, 0xc0, 0x84, 0x3d, ...new Uint8Array(600)]));
  return { call, ended };
};

test("uploads at once are bounded for a user and in all, and one that stops is ended", async () => {
  const open = [halfUpload("token-of-carol"), halfUpload("token-of-carol"), halfUpload("token-of-dave")];
  await expect.poll(() => readdirSync(join(`${database}.archives`, "incoming")).length).toBe(3);
  for (const token of ["token-of-carol", "token-of-dave"]) {
    const said = await upload({ name: "late", version: "0.1" }, { token });
    expect([said.status, said.headers.get("retry-after")]).toEqual([429, "5"]);
  }
  expect(await Promise.all(open.map(({ ended }) => ended))).toEqual(open.map(() => "408 "));
  await expect.poll(() => readdirSync(join(`${database}.archives`, "incoming")).length).toBe(0);
  const left = halfUpload("token-of-carol");
  await expect.poll(() => readdirSync(join(`${database}.archives`, "incoming")).length).toBe(1);
  left.call.destroy();
  await expect.poll(() => readdirSync(join(`${database}.archives`, "incoming")).length).toBe(0);
  expect((await upload({ name: "late", version: "0.1" })).status).toBe(200);
});

test("objects that no engine names go after the grace period, and not while a backup holds them", async () => {
  const store = makeArchiveFolder(`${database}.archives`);
  await upload({ name: "swept", version: "0.1" });
  await upload({ name: "swept", version: "0.1", description: "x" });
  const unfinished = await store.begin();
  onTestFinished(unfinished.abort);
  await unfinished.write(new Uint8Array(10));
  // As a restore that was killed leaves one.
  writeFileSync(join(`${database}.archives`, `${crypto.randomUUID()}.partial`), "");
  const count = objects().length;
  const { port } = registry.file;
  expect(await sweep(port, store, Date.now())).toBe(0);
  const later = Date.now() + sweepGraceMs + 60_000;
  registry.file.transaction((run) => run("INSERT INTO archive_holds VALUES ('backup', ?)", later + 1_000));
  expect(await sweep(port, store, later)).toBe(0);
  expect(objects()).toHaveLength(count);
  registry.file.transaction((run) => run("DELETE FROM archive_holds"));
  expect(await sweep(port, store, later)).toBeGreaterThan(2);
  const named = registry.file.rows({ sql: "SELECT key FROM archives", values: [] }).map((row) => String(row["key"]));
  expect(objects().toSorted()).toEqual(named.toSorted());
  const link = await send(`${engines}/swept@0.1/download`, "GET", "token-of-carol");
  expect((await fetch(String(link.body["engineLink"]))).status).toBe(200);
});

test("other methods of these paths are 405 with Allow", async () => {
  const allowed = async (path: string) =>
    (await fetch(`${engines}${path}`, { method: "OPTIONS" })).headers.get("allow");
  expect(await allowed("")).toBe("GET, HEAD, POST, OPTIONS");
  expect(await allowed("/a@0.1")).toBe("GET, HEAD, DELETE, OPTIONS");
  expect(await allowed("/a@0.1/activate")).toBe("POST, OPTIONS");
  expect(await allowed("/a@0.1/download")).toBe("GET, HEAD, OPTIONS");
  expect((await fetch(`${engines}/a@0.1/activate`)).status).toBe(405);
  expect((await send(`${engines}/a`, "DELETE", "token-of-carol")).status).toBe(400);
});

test("an archive that is damaged from its start on, or missing, is an answer and no closed connection", async () => {
  const archive = await archiveOf({ name: "struck", version: "0.1" });
  const before = new Set(objects());
  expect((await send(engines, "POST", "token-of-carol", "json", { engineData: archive })).status).toBe(200);
  const path = join(`${database}.archives`, objects().find((name) => !before.has(name)) ?? "");
  const whole = readFileSync(path);
  const { body } = await send(`${engines}/struck/download`, "GET", "token-of-carol", "json");
  const got = async (): Promise<number> => (await fetch(String(body["engineLink"]))).status;
  const changed = Buffer.from(whole);
  changed[200] = 1 ^ (changed[200] ?? 0);
  for (const bytes of [whole.subarray(0, 100), Buffer.alloc(0), changed]) {
    writeFileSync(path, bytes);
    expect(await got()).toBe(503);
  }
  rmSync(path);
  expect(await got()).toBe(500);
  writeFileSync(path, whole);
  expect(await got()).toBe(200);
});

/** The finished archives that this process has open. */
const openArchives = (): ReadonlyArray<string> =>
  readdirSync("/proc/self/fd").flatMap((name) => {
    try {
      const path = readlinkSync(`/proc/self/fd/${name}`);
      return path.startsWith(`${database}.archives`) && !path.includes("incoming") ? [path] : [];
    } catch {
      return [];
    }
  });

test.runIf(existsSync("/proc/self/fd"))(
  "a download leaves no file open: answered, not modified or given up",
  async () => {
    const archive = await archiveOf({ name: "open", version: "0.1" }, { "app/data": "x".repeat(1_500_000) });
    expect((await send(engines, "POST", "token-of-carol", "json", { engineData: archive })).status).toBe(200);
    const { body } = await send(`${engines}/open/download`, "GET", "token-of-carol", "json");
    const link = String(body["engineLink"]);
    const etag = `"${hashOf(archive)}"`;
    for (let count = 0; count < 5; count++) {
      expect((await fetch(link, { headers: { "If-None-Match": etag } })).status).toBe(304);
      expect((await (await fetch(link, { headers: { Range: "bytes=0-9" } })).bytes()).length).toBe(10);
      await (await fetch(link)).body?.cancel();
    }
    await expect.poll(openArchives, { timeout: 5_000 }).toEqual([]);
  },
);
