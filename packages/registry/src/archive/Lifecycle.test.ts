// Lifecycle calls in one process: limits, and changes by others meanwhile.
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { archiveOf, hashOf } from "@bytenite-engines/test-kit/archives";
import { packTar } from "modern-tar";
import { expect, test } from "vitest";
import { fetchHandler, makeApp } from "../api/App.ts";
import { migrate } from "../api/Migrations.ts";
import { makeSecretBox, type SecretBox } from "../api/SecretBox.ts";
import { makeSerializer } from "../api/Serializer.ts";
import type { SqlDriver, Statement } from "../api/SqlDriver.ts";
import { statements } from "../api/Statements.ts";
import { addCredential, ensureUser } from "../manage/Accounts.ts";
import { change, publishAll } from "../manage/Engines.ts";
import { makeArchiveFolder, nodeSha256 } from "../node/ArchiveFolder.ts";
import { openSqlite } from "../node/SqliteFile.ts";
import { streamOf } from "./ArchiveReader.ts";
import { StorageUnavailable } from "./ArchiveStore.ts";
import type { ArchiveOptions } from "./Lifecycle.ts";
import { linkSeconds, makeLinks } from "./Link.ts";
import type { Staging } from "./Staging.ts";
import { sweep } from "./Sweep.ts";

const key = "a key for tests, which is no secret";

/** Longest archives of these registries: as sent, and at a link. */
const [archiveBytes, stagedBytes] = [8_192, 10_240];

interface Sent {
  readonly token?: string;
  readonly body?: BodyInit | object;
  readonly headers?: Readonly<Record<string, string>>;
}

interface Answered {
  readonly status: number;
  readonly headers: Headers;
  // oxlint-disable-next-line typescript/no-explicit-any -- what a test expects of it is compared, member by member.
  readonly json: any;
}

interface WorldOptions extends Partial<ArchiveOptions> {
  readonly box?: SecretBox | undefined;
  readonly has?: "no archives";
}

const said = ({ status, json }: Answered): string => `${status} ${json?.message ?? ""}`;

/** A registry of carol and dave. `meanwhile` runs before each change that is written, `reading` before what is read. */
const world = async ({ box, has, ...options }: WorldOptions = {}) => {
  const folder = mkdtempSync(join(tmpdir(), "lifecycle-unit-"));
  const file = openSqlite(":memory:");
  await migrate(file.port, 0);
  const [carol, dave] = [ensureUser(file, "carol", 0), ensureUser(file, "dave", 0)];
  for (const user of [carol, dave]) await addCredential(file, user, "token", user.name, 0, "publish");
  const state = {
    nowMs: 1_000_000,
    meanwhile: (): void => {},
    reading: undefined as ((asked: ReadonlyArray<Statement>) => void) | undefined,
    faults: [] as Array<unknown>,
  };
  const read: SqlDriver["read"] = (asked) => {
    state.reading?.(asked);
    return file.port.read(asked);
  };
  const write: SqlDriver["write"] = (statements) => {
    state.meanwhile();
    return file.port.write(statements);
  };
  const store = makeArchiveFolder(folder);
  const archives = {
    store,
    sha256: nodeSha256,
    links: await makeLinks(key),
    publicUrl: "https://engines.example//",
    limits: { archiveBytes, unpackedBytes: 100_000, uploads: 2, uploadsPerUser: 1 },
    ...options,
  };
  const send = fetchHandler(
    makeApp({
      sql: { ...file.port, read, write },
      box,
      serializer: makeSerializer(),
      accessTokens: undefined,
      accepts: ["token"],
      now: () => state.nowMs,
      onFault: (error) => void state.faults.push(error),
      ...(has === undefined ? { archives } : {}),
    }),
  );
  const ask = async (
    method: string,
    path: string,
    { token = "carol", body, headers = {} }: Sent = {},
  ): Promise<Answered> => {
    const isJson = body?.constructor === Object;
    const answer = await send(
      new Request(`https://engines.example/v1/dev/${path}`, {
        method,
        headers: { Authorization: token, ...(isJson ? { "Content-Type": "application/json" } : {}), ...headers },
        ...(body === undefined ? {} : { body: isJson ? JSON.stringify(body) : (body as BodyInit) }),
      }),
    );
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, json: text === "" ? undefined : JSON.parse(text) };
  };
  const upload = (archive: Uint8Array, fields: object = {}, sent: Sent = {}) =>
    ask("POST", "engines", { ...sent, body: { engineData: Buffer.from(archive).toString("base64"), ...fields } });
  /** A download by the link of a tag. */
  const get = async (tag: string, headers: Readonly<Record<string, string>> = {}, method = "GET"): Promise<Response> =>
    send(new Request(String((await ask("GET", `engines/${tag}/download`)).json.engineLink), { method, headers }));
  const objects = (): number =>
    readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile()).length;
  const audit = (): ReadonlyArray<string> =>
    file
      .rows({ sql: "SELECT action FROM audit WHERE actor <> ? ORDER BY number", values: ["(bne registry --database)"] })
      .map(({ action }) => String(action));
  /** Subject, and detail, of each change. */
  const trail = (): ReadonlyArray<readonly [subject: string, detail: unknown]> =>
    file
      .rows({
        sql: "SELECT subject, detail FROM audit WHERE action IN ('upload', 'change engine') ORDER BY number",
        values: [],
      })
      .map(({ subject, detail }) => [String(subject), JSON.parse(String(detail))]);
  const quota = (engines: number | null, bytes: number | null) =>
    file.transaction((run) =>
      run("UPDATE users SET max_engines = ?, max_bytes = ? WHERE name = 'carol'", engines, bytes),
    );
  const end = (): void => {
    file.close();
    rmSync(folder, { recursive: true, force: true });
  };
  return {
    file,
    folder,
    store,
    carol,
    dave,
    state,
    send,
    ask,
    upload,
    get,
    objects,
    audit,
    trail,
    quota,
    [Symbol.dispose]: end,
  };
};

type World = Awaited<ReturnType<typeof world>>;

const one = { name: "one", version: "0.1" };

/** Lets somebody else change the engine before each of so many writes. */
const interrupt = ({ state, file, carol }: World, times: number): void => {
  let left = times;
  let isActive = false;
  state.meanwhile = () => {
    left -= 1;
    if (left < 0) return;
    isActive = !isActive;
    change(file, carol, "one@0.1", isActive ? "activate" : "deactivate", (state.nowMs += 1_000));
  };
};

test("the tag of an upload is that of the manifest, as far as it goes", async () => {
  using registry = await world();
  const archive = await archiveOf(one);
  for (const engineTag of ["", "one", "one@0", "one@0.1"]) {
    expect((await registry.upload(archive, { engineTag })).status).toBe(200);
  }
  for (const engineTag of ["two", "one@1", "one@0.2", "a b", "x".repeat(101)]) {
    expect(said(await registry.upload(archive, { engineTag }))).toBe(
      `400 engineTag "${engineTag.slice(0, 100)}" is not that of the manifest, one@0.1`,
    );
  }
  expect(said(await registry.upload(archive, { engineStatus: {} }))).toContain("400 the body is not an EngineMessage");
  expect([registry.audit(), registry.objects()]).toEqual([["upload"], 1]);
});

test("the id of an upload is that of the engine that it overwrites", async () => {
  using registry = await world();
  const { upload } = registry;
  const ids = await Promise.all(
    [
      [one, "carol"],
      [{ ...one, name: "public", is_public: true }, "dave"],
    ].map(
      async ([manifest, token]) =>
        (await upload(await archiveOf(manifest as object), {}, { token: token as string })).json.id,
    ),
  );
  const hidden = (await upload(await archiveOf({ ...one, name: "hidden" }), {}, { token: "dave" })).json.id;
  const other = await archiveOf({ ...one, description: "x" });
  for (const [engineId, expected] of [
    [ids[1], "403 engineId is that of another user's engine"],
    [hidden, "404 engineId is that of no engine of this name and version"],
    ["none", "404 engineId is that of no engine of this name and version"],
    [ids[0], "200 "],
  ]) {
    expect(said(await upload(other, { engineId }))).toBe(expected);
  }
  const second = await archiveOf({ ...one, version: "0.2", is_public: true });
  expect(said(await upload(second, { engineId: ids[0] }))).toBe(
    "404 engineId is that of no engine of this name and version",
  );
  expect((await upload(second)).status).toBe(200);
  const third = await archiveOf({ ...one, version: "0.3" });
  const own = (await registry.ask("GET", "engines/one@0.2")).json.id;
  expect(said(await upload(third, { engineId: own }))).toBe(
    "404 engineId is that of no engine of this name and version",
  );
});

test("the same archive again changes the status at most; another one keeps id, status and who sees it", async () => {
  using registry = await world();
  const { upload, state, audit, objects } = registry;
  const archive = await archiveOf({ ...one, is_public: true });
  const first = (await upload(archive, { engineStatus: "active" })).json;
  expect(first).toMatchObject({ status: "active", isPublic: true, revision: 1, createdAt: "1970-01-01T00:16:40Z" });
  state.nowMs += 1_000;
  for (const fields of [{}, { engineStatus: "active" }]) expect((await upload(archive, fields)).json).toEqual(first);
  expect([audit(), objects()]).toEqual([["upload"], 1]);
  const off = (await upload(archive, { engineStatus: "inactive" })).json;
  expect(off).toEqual({ ...first, status: "inactive", updatedAt: "1970-01-01T00:16:41Z" });
  expect([audit(), objects()]).toEqual([["upload", "change engine"], 1]);
  const other = await archiveOf(one);
  const second = (await upload(other)).json;
  expect(second).toEqual({ ...off, hash: hashOf(other), revision: 2, updatedAt: "1970-01-01T00:16:41.001Z" });
  state.nowMs += 1_000;
  expect((await upload(archive, { engineStatus: "active" })).json).toMatchObject({ status: "active", revision: 3 });
  expect(registry.trail()).toEqual(
    [
      { hash: hashOf(archive), revision: 1 },
      { status: "inactive" },
      { hash: hashOf(other), revision: 2 },
      { hash: hashOf(archive), revision: 3 },
    ].map((detail) => ["carol/one@0.1", detail]),
  );
  // Changed by somebody else between what is read and what is written.
  state.meanwhile = () => {
    state.meanwhile = () => {};
    registry.file.transaction((run) => run("UPDATE engines SET updated_at = updated_at + 1"));
  };
  expect((await upload(archive, { engineStatus: "inactive" })).json).toMatchObject({ status: "inactive" });
  expect((await registry.ask("GET", "engines/one")).json).toMatchObject({ status: "inactive", revision: 3 });
  expect(said(await upload(archive, { engineStatus: "on" }))).toBe("400 engineStatus is active or inactive, or absent");
});

test("a lost object is stored again without a new revision", async () => {
  using registry = await world();
  const { upload, store, file } = registry;
  const archive = await archiveOf(one);
  const first = (await upload(archive)).json;
  const keyOf = () =>
    String(file.rows({ sql: "SELECT key FROM archives WHERE released_at IS NULL", values: [] })[0]?.["key"]);
  await store.remove(keyOf());
  const lost = await registry.ask("GET", "engines/one/download");
  expect(said(lost)).toBe("404 the archive of the engine is lost: its owner uploads it again");
  const again = (await upload(archive)).json;
  expect(again).toEqual({ ...first, updatedAt: again.updatedAt });
  expect(Buffer.from(await (await registry.get("one")).arrayBuffer()).equals(archive)).toBe(true);
  await publishAll(file, registry.carol, [{ name: "bare", version: "0.1" }], undefined, 0);
  expect(said(await registry.ask("GET", "engines/bare/download"))).toBe(
    "404 the engine has no archive here: it was not uploaded",
  );
});

test("the largest revision cannot be overwritten", async () => {
  using registry = await world();
  const { upload, file } = registry;
  const archive = await archiveOf(one);
  await upload(archive);
  const set = (revision: number) =>
    file.transaction((run) =>
      run("UPDATE engines SET revision = ?, json = json_set(json, '$.revision', ?)", revision, revision),
    );
  set(2 ** 31 - 1);
  const other = await archiveOf({ ...one, description: "x" });
  expect(said(await upload(other))).toBe("400 one@0.1 has the largest revision there is: delete it first");
  expect((await upload(archive)).status).toBe(200);
  set(2 ** 31 - 2);
  expect((await upload(other)).json.revision).toBe(2 ** 31 - 1);
});

test("a quota holds for what is new, and counts what an overwrite frees", async () => {
  using registry = await world();
  const { upload, quota, objects } = registry;
  const archive = await archiveOf(one);
  const wide = await archiveOf(one, { "app/x": Buffer.alloc(1_024) });
  quota(1, archive.length);
  expect((await upload(archive)).status).toBe(200);
  expect(said(await upload(await archiveOf({ ...one, version: "0.2" })))).toContain(
    `quota exceeded: 1 of 1 engines, ${archive.length} of ${archive.length} bytes`,
  );
  quota(null, wide.length - 1);
  expect(said(await upload(wide))).toContain("of any number engines");
  expect(objects()).toBe(1);
  quota(1, wide.length);
  expect((await upload(wide)).json.revision).toBe(2);
  quota(1, null);
  expect((await upload(archive)).json.revision).toBe(3);
  quota(null, 2 * archive.length - 1);
  expect(said(await upload(await archiveOf({ ...one, version: "0.2" })))).toContain("quota exceeded");
  quota(null, 2 * archive.length);
  expect((await upload(await archiveOf({ ...one, version: "0.2" }))).status).toBe(200);
  // What has no archive frees none.
  await publishAll(registry.file, registry.carol, [{ name: "bare", version: "0.1" }], undefined, 0);
  const bare = await archiveOf({ name: "bare", version: "0.1" });
  quota(null, 2 * archive.length + bare.length - 1);
  expect(said(await upload(bare))).toContain("quota exceeded");
  quota(null, 2 * archive.length + bare.length);
  expect((await upload(bare)).status).toBe(200);
});

test("a secret needs a key, comes back to its owner, and keeps its archive with its owner", async () => {
  const box = await makeSecretBox(key);
  const archive = await archiveOf({ ...one, platform_config: { token: "hunter2" } });
  using without = await world();
  expect(said(await without.upload(archive))).toBe(
    "400 one@0.1 has a platform_config.token: set BYTENITE_REGISTRY_KEY, with which it is encrypted",
  );
  expect(without.objects()).toBe(0);
  using registry = await world({ box });
  const { upload, file, state } = registry;
  const first = (await upload(archive)).json;
  expect(first.platformConfig.token).toBe("hunter2");
  expect((await upload(archive)).json).toEqual(first);
  expect((await upload(archive, { engineStatus: "active" })).json.platformConfig.token).toBe("hunter2");
  expect(Buffer.from(await (await registry.get("one")).arrayBuffer()).equals(archive)).toBe(true);
  file.transaction((run) => run("UPDATE engines SET is_public = 1"));
  expect(said(await registry.ask("GET", "engines/one/download", { token: "dave" }))).toBe(
    "403 the archive holds a secret: only its owner downloads it",
  );
  const { engineLink } = (await registry.ask("GET", "engines/one/download")).json;
  // The same database without its key.
  const store = registry.store;
  const links = await makeLinks(key);
  const closed = fetchHandler(
    makeApp({
      sql: file.port,
      box: undefined,
      serializer: makeSerializer(),
      accessTokens: undefined,
      accepts: ["token"],
      now: () => state.nowMs,
      archives: {
        store,
        sha256: nodeSha256,
        links,
        publicUrl: undefined,
        limits: { archiveBytes, unpackedBytes: 1e6, uploads: 1, uploadsPerUser: 1 },
      },
    }),
  );
  const download = await closed(new Request(String(engineLink)));
  expect([download.status, ((await download.json()) as { message: string }).message]).toEqual([
    503,
    "the archive holds a secret: it opens with BYTENITE_REGISTRY_KEY alone",
  ]);
  const again = await closed(
    new Request("https://engines.example/v1/dev/engines", {
      method: "POST",
      headers: { Authorization: "carol", "Content-Type": "application/json" },
      body: JSON.stringify({ engineData: archive.toString("base64") }),
    }),
  );
  expect([again.status, ((await again.json()) as { revision: number }).revision]).toEqual([200, 1]);
  expect(registry.objects()).toBe(1);
});

test("a change is tried five times while others change the same engine", async () => {
  using registry = await world();
  const { upload, ask, state } = registry;
  await upload(await archiveOf(one));
  const busy = "409 the engine is being changed by somebody else: try again";
  const calls: ReadonlyArray<readonly [what: string, call: () => Promise<Answered>]> = [
    ["upload", async () => upload(await archiveOf({ ...one, description: String(state.nowMs) }))],
    ["delete", () => ask("DELETE", "engines/one@0.1")],
  ];
  for (const [what, call] of calls) {
    interrupt(registry, 5);
    expect([what, said(await call())]).toEqual([what, busy]);
    interrupt(registry, 4);
    expect([what, said(await call())]).toEqual([what, "200 "]);
  }
  state.meanwhile = () => {};
  expect(registry.objects()).toBe(2);
});

test("activate, deactivate and delete change what they say, once", async () => {
  using registry = await world();
  const { ask, audit, state } = registry;
  const { id, updatedAt } = (await registry.upload(await archiveOf(one))).json;
  const tag = { engineId: id, engineTag: "one@0.1" };
  for (const [path, engineStatus] of [
    ["activate", "active"],
    ["activate", "active"],
    ["deactivate", "inactive"],
    ["deactivate", "inactive"],
  ]) {
    expect((await ask("POST", `engines/one/${path}`)).json).toMatchObject({ ...tag, engineStatus });
  }
  expect(audit()).toEqual(["upload", "activate engine", "deactivate engine"]);
  expect(Date.parse((await ask("GET", "engines/one")).json.updatedAt) - Date.parse(updatedAt)).toBe(2);
  const json = { "Content-Type": "application/json" };
  for (const [body, headers, expected] of [
    ['{"engineId":"x"}', json, "404 engineId is not that of the engine"],
    [JSON.stringify({ engineId: id }), json, "200 "],
    ["", {}, "200 "],
    ["{}", { "Content-Type": "text/plain" }, "415 the body is sent as application/json or application/x-protobuf"],
    ["[]", json, "400 the body is not an EngineMessage"],
    ["{}".padEnd(16_384), json, "200 "],
    ["{}".padEnd(16_385), json, "413 body is longer than 16384 bytes"],
  ] as const) {
    expect(said(await ask("POST", "engines/one/activate", { body, headers }))).toContain(expected);
  }
  expect((await ask("POST", "engines/one/activate", { headers: { "If-Match": '"revision-2"' } })).status).toBe(412);
  expect(said(await ask("DELETE", "engines/one@0"))).toBe("400 the tag of what is deleted is name@major.minor");
  expect(said(await ask("POST", "engines/a%20b/activate"))).toBe(
    "400 engine tag must be name, name@major or name@major.minor",
  );
  // Deleted by somebody else, and published anew.
  state.meanwhile = () => {
    state.meanwhile = () => {};
    change(registry.file, registry.carol, "one@0.1", "delete", 5);
  };
  expect(said(await ask("DELETE", "engines/one@0.1"))).toBe("404 engine not found");
});

test("an engine that is deleted or handed over between two reads is looked up again", async () => {
  using registry = await world();
  const { ask, upload, state, file, carol, dave } = registry;
  const activate = () => ask("POST", "engines/one/activate");
  const handOver = (id: string, { number }: typeof carol): void =>
    void file.transaction((run) => run("UPDATE engines SET owner = ? WHERE id = ?", number, id));
  /** Runs once, before the statement that begins so is read. */
  const before = (text: string, run: () => void): void => {
    state.reading = ([asked]) => {
      if (asked?.sql.startsWith(text) !== true) return;
      state.reading = undefined;
      run();
    };
  };
  const publish = async () =>
    (await upload(await archiveOf({ ...one, is_public: true }), {}, { token: "dave" })).json.id as string;
  const open = await publish();
  expect(said(await activate())).toBe("403 the engine is another user's: only its owner changes it");
  before("SELECT owner, is_public", () => handOver(open, carol));
  expect((await activate()).json.engineId).toBe(open);
  const other = await publish();
  handOver(open, ensureUser(file, "erin", 0));
  before(statements.version, () => handOver(open, carol));
  expect((await activate()).json.engineId).toBe(open);
  expect((await ask("DELETE", "engines/one@0.1")).json).toMatchObject({
    engineId: open,
    engineTag: "one@0.1",
    engineStatus: "",
  });
  before(statements.version, () => change(file, dave, "one@0.1", "delete", 5));
  expect(said(await activate())).toBe("404 engine not found");
  expect(other).not.toBe(open);
});

test("a token to read changes nothing, and a change of what there is needs no condition that it be new", async () => {
  using registry = await world({ staging: staging().port });
  const { ask, file, carol } = registry;
  await addCredential(file, carol, "token", "reading", 0, "read");
  await registry.upload(await archiveOf(one));
  for (const [method, path] of [
    ["POST", "engines"],
    ["POST", "uploads"],
    ["POST", "engines/one/activate"],
    ["POST", "engines/one/deactivate"],
    ["DELETE", "engines/one@0.1"],
  ] as const) {
    const refused = await ask(method, path, { token: "reading", headers: { "Upload-Length": "1" } });
    expect([path, said(refused)]).toEqual([path, "403 this needs a token with scope publish; this one has scope read"]);
  }
  expect((await ask("GET", "engines/one/download", { token: "reading" })).status).toBe(200);
  const isNew = { headers: { "If-None-Match": "*" } };
  expect((await ask("POST", "engines/one/activate", isNew)).status).toBe(400);
  expect((await registry.upload(await archiveOf(one), {}, isNew)).status).toBe(412);
  expect((await registry.upload(await archiveOf({ ...one, name: "two" }), {}, isNew)).status).toBe(200);
});

test("a registry without archives says so", async () => {
  using registry = await world({ has: "no archives" });
  await publishAll(registry.file, registry.carol, [one], undefined, 0);
  for (const [method, path, expected] of [
    ["POST", "engines", "501 this registry keeps no archives"],
    ["GET", "engines/one/download", "501 this registry keeps no archives"],
    ["POST", "uploads", "501 this registry takes archives in the upload alone"],
  ] as const) {
    expect(said(await registry.ask(method, path))).toBe(expected);
  }
  using nowhere = await world({ publicUrl: undefined });
  await nowhere.upload(await archiveOf(one));
  expect(said(await nowhere.ask("GET", "engines/one/download"))).toBe(
    "400 the registry does not know its own address: set its public URL",
  );
});

const text = (name: string, length = 0): string => JSON.stringify({ name, version: "0.1" }).padEnd(length);

test("an upload has its manifest at its top or in its one folder, and one type", async () => {
  using registry = await world({
    limits: { archiveBytes: 600_000, unpackedBytes: 600_000, uploads: 1, uploadsPerUser: 1 },
  });
  const none = "400 the archive has no manifest.json at its top, nor in the one folder there";
  for (const [files, expected] of [
    [{ "manifest.json": text("a") }, "a"],
    [{ "x/manifest.json": text("a") }, "a"],
    [{ "x/manifest.json": text("b"), "manifest.json": text("a") }, "a"],
    [{ "manifest.json": text("a"), "x/manifest.json": text("b"), "y/manifest.json": text("c") }, "a"],
    [{ "._x": "", "x/._manifest.json": "", "x/manifest.json": text("a"), "x/y/manifest.json": text("b") }, "a"],
    [{ "x/y/manifest.json": text("a") }, none],
    [{ "x/manifest.json": text("a"), y: "" }, none],
    [{ "y/a": "", "x/manifest.json": text("a") }, none],
    [{ y: "", "x/manifest.json": text("a", 262_145) }, none],
    [{ "manifest.json": text("a"), "x/y/manifest.json": text("b", 262_145), "x/z": text("c", 262_145) }, "a"],
    [{ "manifest.json/x": "" }, none],
    [{ "x/a": "", "x/manifest.json/b": "" }, none],
    [{ "manifest.json": text("a", 262_144) }, "a"],
    [{ "manifest.json": text("a", 262_145) }, "400 manifest.json is longer than 262144 bytes"],
    [{ "x/manifest.json": Buffer.from([0xff]) }, "400 x/manifest.json is not UTF-8"],
  ] as ReadonlyArray<readonly [Record<string, string | Uint8Array>, string]>) {
    const answer = await registry.upload(await archiveOf(undefined, files));
    expect([Object.keys(files), answer.json.name ?? said(answer)]).toEqual([Object.keys(files), expected]);
  }
  const folder = await packTar([{ header: { name: "manifest.json", type: "directory", size: 0 } }]);
  expect(said(await registry.upload(folder))).toBe(none);
  const plain = await archiveOf({ name: "typed", version: "0.1" });
  for (const [archive, type, extension] of [
    [plain, "application/x-tar", "tar"],
    [gzipSync(plain), "application/gzip", "tar.gz"],
  ] as const) {
    // In chunks of one byte.
    const chunks = new ReadableStream<Uint8Array>({
      start: (controller) => {
        for (const byte of Buffer.from(`{"engineData":"${archive.toString("base64")}"}`))
          controller.enqueue(Uint8Array.of(byte));
        controller.close();
      },
    });
    const answer = await registry.send(
      new Request("https://engines.example/v1/dev/engines", {
        method: "POST",
        headers: { Authorization: "carol", "Content-Type": "application/json" },
        body: chunks,
        duplex: "half",
      } as RequestInit),
    );
    expect(answer.status).toBe(200);
    const got = await registry.get("typed");
    expect([got.headers.get("content-type"), got.headers.get("content-disposition")]).toEqual([
      type,
      `attachment; filename="typed-0.1.${extension}"`,
    ]);
    expect((await got.arrayBuffer()).byteLength).toBe(archive.length);
  }
});

/** An upload whose body goes on until it is ended. */
const begun = (registry: World, token: string) => {
  const ended = Promise.withResolvers<void>();
  const parts = async function* () {
    yield Buffer.from('{"engineData":"AAAA');
    await ended.promise;
  };
  const body = streamOf(parts());
  const headers = { Authorization: token, "Content-Type": "application/json" };
  const init = { method: "POST", headers, body, duplex: "half" } as RequestInit;
  const answer = registry.send(new Request("https://engines.example/v1/dev/engines", init));
  return async (): Promise<number> => {
    ended.resolve();
    return (await answer).status;
  };
};

test("uploads at once are bounded for each user and in all, until they end", async () => {
  const archive = await archiveOf(one);
  const sizes = { archiveBytes, unpackedBytes: 100_000 };
  using registry = await world({ limits: { ...sizes, uploads: 3, uploadsPerUser: 1 } });
  const statuses = (): Promise<ReadonlyArray<number>> =>
    Promise.all(["carol", "dave"].map(async (token) => (await registry.upload(archive, {}, { token })).status));
  const ends = ["carol", "dave"].map((token) => begun(registry, token));
  await expect.poll(registry.objects).toBe(2);
  expect(await statuses()).toEqual([429, 429]);
  expect(await ends[0]?.()).toBe(400);
  expect(await statuses()).toEqual([200, 429]);
  expect(await ends[1]?.()).toBe(400);
  expect(await statuses()).toEqual([200, 200]);
  using full = await world({ limits: { ...sizes, uploads: 2, uploadsPerUser: 2 } });
  const both = [begun(full, "carol"), begun(full, "carol")];
  await expect.poll(full.objects).toBe(2);
  const refused = await full.upload(archive, {}, { token: "dave" });
  expect([said(refused), refused.headers.get("retry-after")]).toEqual(["429 too many uploads at once", "5"]);
  expect(await Promise.all(both.map((end) => end()))).toEqual([400, 400]);
  expect((await full.upload(archive)).status).toBe(200);
});

test("an archive of the greatest length is taken, and one byte more is not", async () => {
  const archive = await archiveOf(one);
  const limits = { archiveBytes: archive.length, unpackedBytes: archive.length, uploads: 1, uploadsPerUser: 1 };
  using exact = await world({ limits });
  expect((await exact.upload(archive)).status).toBe(200);
  using less = await world({ limits: { ...limits, archiveBytes: archive.length - 1 } });
  expect(said(await less.upload(archive))).toBe(`413 the archive is longer than ${archive.length - 1} bytes`);
  using unpacked = await world({ limits: { ...limits, unpackedBytes: archive.length - 1 } });
  expect(said(await unpacked.upload(archive))).toBe(
    `400 the archive has more than ${archive.length - 1} bytes when unpacked`,
  );
  expect([less.objects(), unpacked.objects()]).toEqual([0, 0]);
});

test("an archive is downloaded whole or in one range, by a link of ten minutes", async () => {
  using registry = await world();
  const archive = await archiveOf(one);
  const size = archive.length;
  await registry.upload(archive);
  const etag = `"${hashOf(archive)}"`;
  for (const [headers, status, from, to] of [
    [{}, 200, 0, size],
    [{ Range: "bytes=0-0" }, 206, 0, 1],
    [{ Range: `bytes=${size - 1}-` }, 206, size - 1, size],
    [{ Range: `bytes=5-${size - 1}` }, 206, 5, size],
    [{ Range: "bytes=5-5" }, 206, 5, 6],
    [{ Range: `bytes=5-${"9".repeat(15)}` }, 206, 5, size],
    [{ Range: "bytes=-1" }, 206, size - 1, size],
    [{ Range: `bytes=-${size}` }, 206, 0, size],
    [{ Range: `bytes=-${size + 1}` }, 206, 0, size],
    [{ Range: `bytes=${size}-` }, 416, 0, 0],
    [{ Range: "bytes=-0" }, 416, 0, 0],
    [{ Range: "bytes=5-4" }, 200, 0, size],
    [{ Range: "bytes=-" }, 200, 0, size],
    [{ Range: `bytes=5-${"9".repeat(16)}` }, 200, 0, size],
    [{ Range: "bytes=0-0", "If-Range": etag }, 206, 0, 1],
    [{ Range: "bytes=0-0", "If-Range": `W/${etag}` }, 200, 0, size],
    [{ Range: "bytes=0-0", "If-None-Match": '"x"' }, 200, 0, size],
    [{ "If-Match": '"x"' }, 412, 0, 0],
    [{ "If-Match": `"x",${etag} ` }, 200, 0, size],
  ] as ReadonlyArray<readonly [Record<string, string>, number, number, number]>) {
    const got = await registry.get("one", headers);
    const range = { 206: `bytes ${from}-${to - 1}/${size}`, 416: `bytes */${size}` }[status] ?? null;
    expect([headers, got.status, got.headers.get("content-range")]).toEqual([headers, status, range]);
    const length = status < 400 ? String(to - from) : null;
    expect([got.headers.get("content-length"), got.headers.get("vary")]).toEqual([length, null]);
    const bytes = Buffer.from(await got.arrayBuffer());
    expect(status >= 400 || bytes.equals(archive.subarray(from, to))).toBe(true);
  }
  const head = await registry.get("one", { Range: "bytes=0-0" }, "HEAD");
  expect([head.status, head.headers.get("content-length"), await head.text()]).toEqual([200, String(size), ""]);
  expect((await registry.get("one", {}, "POST")).status).toBe(405);
  registry.state.nowMs = 1_000_999;
  const { engineLink } = (await registry.ask("GET", "engines/one/download")).json;
  for (const changed of [engineLink.replace("1600", "1.6e3"), engineLink.replace(/signature=./, "signature=!")]) {
    expect((await registry.send(new Request(changed))).status).toBe(403);
  }
  expect(engineLink).toMatch(/^https:\/\/engines\.example\/archives\/[0-9a-f-]{36}\?expires=1600&signature=[\w-]{43}$/);
  const at = async (ms: number): Promise<number> => {
    registry.state.nowMs = ms;
    return (await registry.send(new Request(engineLink))).status;
  };
  expect([await at((1_000 + linkSeconds) * 1_000 - 1), await at((1_000 + linkSeconds) * 1_000)]).toEqual([200, 403]);
  expect(registry.state.faults).toEqual([]);
});

test("an archive that is lost is a fault with the id of the request", async () => {
  using registry = await world();
  await registry.upload(await archiveOf(one));
  const { engineLink } = (await registry.ask("GET", "engines/one/download")).json;
  rmSync(registry.folder, { recursive: true });
  const got = await registry.send(new Request(engineLink, { headers: { "X-Request-Id": "mine" } }));
  expect((await registry.send(new Request(engineLink, { method: "HEAD" }))).status).toBe(200);
  expect([got.status, got.headers.get("x-request-id"), registry.state.faults.map(String)]).toEqual([
    500,
    "mine",
    [expect.stringMatching(/the object of archive [0-9a-f-]{36} is missing: restore it from a backup/)],
  ]);
});

/** Places in storage, by user. */
const staging = () => {
  const arrived = new Map<string, Uint8Array>();
  const state = { links: 1, isBroken: false };
  const port: Staging = {
    maxBytes: stagedBytes,
    link: async (user, bytes) => (state.links-- > 0 ? `https://storage.example/${user}?${bytes}` : undefined),
    placeOf: (user, link) => (link === `https://storage.example/${user}` ? user : undefined),
    read: async (place) => {
      if (state.isBroken) throw new StorageUnavailable("broken");
      const bytes = arrived.get(place);
      return bytes && new Blob([new Uint8Array(bytes)]).stream();
    },
    remove: async (place) => void arrived.delete(place),
  };
  return { arrived, state, port };
};

test("a link for an archive is given by its length", async () => {
  const { state, port } = staging();
  using registry = await world({ staging: port });
  const { ask, carol } = registry;
  const link = (length?: string) =>
    ask("POST", "uploads", { headers: length === undefined ? {} : { "Upload-Length": length } });
  for (const length of [undefined, "0", "01", "1.5", "-1", "9".repeat(16)]) {
    expect(said(await link(length))).toBe("400 Upload-Length is missing: bytes of the archive");
  }
  for (const length of [String(stagedBytes + 1), "9".repeat(15)]) {
    expect(said(await link(length))).toBe(`413 the archive is longer than ${stagedBytes} bytes`);
  }
  registry.quota(null, 9_999);
  expect(said(await link("10000"))).toContain("quota exceeded: 0 of any number engines, 0 of 9999 bytes");
  registry.quota(null, 10_000);
  const given = await link("10000");
  expect([given.json.engineLink, given.headers.get("cache-control")]).toEqual([
    `https://storage.example/${carol.id}?10000`,
    "no-store",
  ]);
  registry.quota(null, null);
  state.links = 1;
  expect((await link(String(stagedBytes))).status).toBe(200);
  const none = await link("1");
  expect([said(none), none.headers.get("retry-after"), none.json.details]).toEqual([
    "429 too many uploads at once",
    "5",
    [expect.objectContaining({ retryDelay: "5s" })],
  ]);
});

test("an archive at a link is taken once, by its digest", async () => {
  const { arrived, state, port } = staging();
  using registry = await world({ staging: port });
  const { ask, carol } = registry;
  const archive = await archiveOf(one, { "app/x": Buffer.alloc(archiveBytes - 512) });
  expect([archive.length > archiveBytes, archive.length]).toEqual([true, stagedBytes]);
  const engineLink = `https://storage.example/${carol.id}`;
  const send = (digest: string | undefined, fields: object = {}) =>
    ask("POST", "engines", {
      body: { engineLink, ...fields },
      headers: digest === undefined ? {} : { "Repr-Digest": digest },
    });
  const right = `sha-512=:AA==:, sha-256=:${hashOf(archive)}:`;
  expect(said(await send(right, { engineLink: "https://storage.example/other" }))).toBe(
    "501 engineLink: archives are not fetched from elsewhere; send engineData",
  );
  expect(said(await send(undefined))).toBe("400 Repr-Digest is missing: sha-256=:...: of the archive at engineLink");
  expect(said(await send(right))).toBe("400 nothing has arrived at engineLink: PUT the archive there first");
  const put = (bytes: Uint8Array): void => void arrived.set(carol.id, bytes);
  const outcome = async (
    ...sent: Parameters<typeof send>
  ): Promise<readonly [said: string, isThere: boolean, objects: number]> => [
    said(await send(...sent)),
    arrived.size > 0,
    registry.objects(),
  ];
  put(archive);
  state.isBroken = true;
  expect(await outcome(right)).toEqual(["503 archives cannot be stored or read now", true, 0]);
  state.isBroken = false;
  const wrong = hashOf(Buffer.from("x"));
  expect(await outcome(`sha-256=:${wrong}:`)).toEqual([
    `400 the archive at engineLink has the SHA-256 ${hashOf(archive)}, not ${wrong}: send it again`,
    false,
    0,
  ]);
  put(Buffer.alloc(2_048, 1));
  expect(await outcome(right)).toEqual(["400 the archive is not a tar file of POSIX or GNU", false, 0]);
  put(Buffer.concat([archive, Buffer.alloc(1)]));
  expect(await outcome(right)).toEqual([`413 the archive is longer than ${stagedBytes} bytes`, false, 0]);
  put(archive);
  expect(await outcome(right, { engineStatus: "on" })).toEqual([
    "400 engineStatus is active or inactive, or absent",
    true,
    0,
  ]);
  expect(await outcome(right)).toEqual(["200 ", false, 1]);
});

test("objects go an hour after nothing names them any more", async () => {
  using registry = await world();
  const { file, store, state, objects, upload } = registry;
  state.nowMs = Date.now();
  for (let count = 0; count < 3; count++) await upload(await archiveOf({ ...one, description: `${count}` }));
  const released = Number(file.rows({ sql: "SELECT max(released_at) AS at FROM archives", values: [] })[0]?.["at"]);
  const hour = 3_600_000;
  expect(await sweep({ ...file.port, readOnly: true }, store, released + 2 * hour)).toBe(0);
  file.transaction((run) => run("INSERT INTO archive_holds VALUES ('backup', ?)", released + hour));
  expect(await sweep(file.port, store, released + hour - 1)).toBe(0);
  expect([await sweep(file.port, store, released + hour), objects()]).toEqual([1, 2]);
  expect([await sweep(file.port, store, released + hour + 1), objects()]).toEqual([1, 1]);
  writeFileSync(join(registry.folder, "00000000-0000-4000-8000-000000000000"), "x");
  const changedMs = await (async () => {
    for await (const object of store.list()) if (object.key.startsWith("00000000-")) return object.changedMs;
    return 0;
  })();
  expect(await sweep(file.port, store, changedMs + hour - 1)).toBe(0);
  expect([await sweep(file.port, store, changedMs + hour), objects()]).toEqual([1, 1]);
});
