// Management in one process: limits, and changes by others meanwhile.
import { expect, test } from "vitest";
import { addConfigured, addCredential, ensureUser } from "../manage/Accounts.ts";
import { change, publishAll } from "../manage/Engines.ts";
import { openSqlite } from "../node/SqliteFile.ts";
import { fetchHandler, makeApp } from "./App.ts";
import { makeManagement } from "./Management.ts";
import { migrate } from "./Migrations.ts";
import { makeSecretBox, type SecretBox } from "./SecretBox.ts";
import { makeSerializer } from "./Serializer.ts";
import { DatabaseUnavailable, type SqlDriver } from "./SqlDriver.ts";
import { operatorActor } from "./Statements.ts";

const at = Date.parse("2026-11-28T10:20:30.000Z");
const header = { "Bytenite-Management": "1" };

interface Answered {
  readonly status: number;
  readonly headers: Headers;
  // oxlint-disable-next-line typescript/no-explicit-any -- what a test expects of it is compared, member by member.
  readonly json: any;
}

/** A registry with the user root. `meanwhile` runs before each change that is written. */
const world = async (box?: SecretBox) => {
  const file = openSqlite(":memory:");
  await migrate(file.port, 0);
  const user = (name: string) => ensureUser(file, name, 0);
  await addCredential(file, user("root"), "token", "root", 0, "manage");
  const others = { meanwhile: (): void => {} };
  const write: SqlDriver["write"] = (statements) => {
    others.meanwhile();
    return file.port.write(statements);
  };
  const sql = { ...file.port, write };
  const asRoot = fetchHandler(
    makeApp({ sql, box, serializer: makeSerializer(), accessTokens: undefined, accepts: ["token"], now: () => at }),
  );
  const operator = {
    id: "",
    kind: "token",
    scope: "manage",
    user: { number: -1, id: "", name: operatorActor },
  } as const;
  const asOperator = fetchHandler(makeManagement({ sql, box, authorize: async () => operator, now: () => at }));
  const ask = async (
    method: string,
    path: string,
    body?: unknown,
    headers: Readonly<Record<string, string>> = {},
    send = asRoot,
  ): Promise<Answered> => {
    const type = body === undefined ? {} : { "Content-Type": "application/json" };
    const answer = await send(
      new Request(`http://registry.invalid/manage/v1/${path}`, {
        method,
        headers: { ...header, Authorization: "root", ...type, ...headers },
        ...(body === undefined
          ? {}
          : { body: typeof body === "string" || body instanceof Blob ? body : JSON.stringify(body) }),
      }),
    );
    const text = await answer.text();
    return { status: answer.status, headers: answer.headers, json: text === "" ? undefined : JSON.parse(text) };
  };
  const said = async (...request: Parameters<typeof ask>): Promise<string> => {
    const { status, json } = await ask(...request);
    return `${status} ${json?.message ?? ""}`;
  };
  return { file, user, others, ask, said, asOperator, [Symbol.dispose]: () => file.close() };
};

test("what is at a limit is taken, and one more is not", async () => {
  using registry = await world();
  const { said, ask } = registry;
  for (const [method, path, body, expected] of [
    ["POST", "users", { name: "x".repeat(64) }, "201 "],
    ["POST", "users", { name: "x".repeat(65) }, "400 name is one line of text of at most 64 characters"],
    ["POST", "users", '{"name":"padded"}'.padEnd(16_384), "201 "],
    ["POST", "users", '{"name":"more"}'.padEnd(16_385), "413 body is longer than 16384 bytes"],
    ["POST", "users", { name: "none", maxEngines: 0, maxBytes: 0 }, "201 "],
    ["POST", "users", { name: "most", maxBytes: 2 ** 53 - 1 }, "201 "],
    ["POST", "users", { name: "any", maxEngines: null, maxBytes: null }, "201 "],
    [
      "POST",
      "users",
      { name: "a", maxBytes: 2 ** 53 },
      "400 maxBytes is a whole number from 0 on, or null for no limit",
    ],
    ["POST", "users", { name: "a", maxEngines: -1 }, "400 maxEngines is a whole"],
    ["POST", "users", { name: "a", maxEngines: 1.5 }, "400 maxEngines is a whole"],
    ["POST", "users", { name: "a", maxEngines: "1" }, "400 maxEngines is a whole"],
    [
      "POST",
      "users",
      { name: "a", ["m".repeat(101)]: 1 },
      `400 there is no member "${"m".repeat(100)}": there are name,`,
    ],
    ["POST", "users", "1", "400 the body is a JSON object"],
    ["POST", "users", "null", "400 the body is a JSON object"],
    ["POST", "users", "[]", "400 the body is a JSON object"],
    ["POST", "users", new Blob([Buffer.from('{"name":"\xe4"}', "latin1")]), "400 the body is not UTF-8"],
    ["POST", "users", '{"name":"a","name":"b"}', '400 body:1:13: there is a second "name"'],
    ["POST", "users/root/credentials", { label: "l".repeat(200) }, "201 "],
    ["POST", "users/root/credentials", { label: "l".repeat(201) }, "400 label is one line of text of at most 200"],
    ["POST", "users/root/credentials", { expiresInDays: 1 }, "201 "],
    ["POST", "users/root/credentials", { expiresInDays: 3_650 }, "201 "],
    ["POST", "users/root/credentials", { expiresInDays: 3_651 }, "400 expiresInDays is a whole number from 1 to 3650"],
    ["POST", "users/root/credentials", { expiresInDays: 1.5 }, "400 expiresInDays"],
    ["POST", "users/root/credentials", { kind: "api-key" }, "201 "],
    ["PATCH", "users/root", { disabled: true }, "409 you cannot disable yourself"],
    ["PATCH", "users/root", { disabled: false }, "200 "],
    ["DELETE", "users/root", undefined, "409 you cannot delete yourself"],
    ["GET", "users?limit=1", undefined, "200 "],
    ["GET", "users?limit=1000", undefined, "200 "],
    ["GET", "users?limit=1001", undefined, "400 limit is a number from 1 to 1000"],
    ["GET", "users?limit=1e1", undefined, "400 limit"],
    ["GET", `audit?after=${"9".repeat(15)}`, undefined, "200 "],
    ["GET", `audit?after=${"9".repeat(16)}`, undefined, '400 after is the "next" of the page before'],
    ["GET", "audit?since=2026-11-28", undefined, "200 "],
    ["GET", "audit?since=2026-11-28T10:20:30.123%2B01:00", undefined, "200 "],
    ["GET", "audit?since=2026-13-01", undefined, "400 since is a date"],
    ["GET", "audit?since=28%20Nov%202026", undefined, "400 since is a date"],
    ["GET", "audit?user=nobody&after=9", undefined, "200 "],
    ["GET", "audit?user=nobody", undefined, '404 there is no user "nobody"'],
    ["GET", "audit?user=&after=9", undefined, '404 there is no user ""'],
  ] as const) {
    expect([method, path, body, await said(method, path, body)]).toEqual([
      method,
      path,
      body,
      expect.stringContaining(expected),
    ]);
  }
  for (const [kind, form] of [
    ["token", /^bnt_[0-9a-f]{64}$/],
    ["api-key", /^bnk_[0-9a-f]{64}$/],
  ] as const) {
    expect((await ask("POST", "users/any/credentials", { kind })).json).toMatchObject({
      kind,
      scope: "read",
      label: "",
      expiresAt: null,
      user: "any",
      secret: expect.stringMatching(form),
    });
  }
  const { json } = await ask("GET", "credentials?user=root");
  expect(json.credentials.map(({ kind, expiresAt }: Record<string, unknown>) => [kind, expiresAt])).toEqual([
    ["token", null],
    ["token", null],
    ["token", "2026-11-29T10:20:30.000Z"],
    ["token", "2036-11-25T10:20:30.000Z"],
    ["api-key", null],
  ]);
});

test("a body is JSON in UTF-8, as it is", async () => {
  using registry = await world();
  for (const [name, headers, expected] of [
    ["a", { "Content-Type": "application/json; charset=utf-8" }, "201 "],
    ["b", { "Content-Type": 'application/json; charset="UTF8" ; a=b' }, "201 "],
    ["c", { "Content-Type": "application/json", "Content-Encoding": " Identity" }, "201 "],
    ["d", { "Content-Type": "application/json; charset=utf-16" }, "415 the body is sent in UTF-8"],
    ["d", { "Content-Type": "application/x-protobuf" }, "415 the body is sent as application/json"],
    ["d", { "Content-Encoding": "br" }, "415 the body is sent without Content-Encoding"],
  ] as const) {
    expect([headers, await registry.said("POST", "users", { name }, headers)]).toEqual([headers, expected]);
  }
});

test("a page has 100 rows, or as many as are asked for, and says where the next begins", async () => {
  using registry = await world();
  for (let number = 100; number < 200; number++) registry.user(`a${number}`);
  const page = async (query: string): Promise<readonly [rows: number, next: string | null]> => {
    const { json } = await registry.ask("GET", `users?${query}`);
    return [json.users.length, json.next];
  };
  expect(await page("")).toEqual([100, "a199"]);
  expect(await page("after=a199")).toEqual([1, null]);
  expect(await page("limit=101")).toEqual([101, "root"]);
  expect(await page("limit=102")).toEqual([101, null]);
  expect(await page("after=root")).toEqual([0, null]);
});

test("a change of a user leaves alone what it does not name, and HEAD is answered as GET is", async () => {
  using registry = await world();
  await registry.ask("POST", "users", { name: "carol", maxEngines: 1 });
  const disabledAt = new Date(at).toISOString();
  const carol = { id: expect.any(String), name: "carol", createdAt: disabledAt, engines: 0 };
  for (const [body, expected] of [
    [{}, { maxEngines: 1, maxBytes: null, disabledAt: null }],
    [{ maxBytes: 7 }, { maxEngines: 1, maxBytes: 7, disabledAt: null }],
    [{ maxEngines: 0 }, { maxEngines: 0, maxBytes: 7, disabledAt: null }],
    [{ disabled: true }, { maxEngines: 0, maxBytes: 7, disabledAt }],
    [{ maxEngines: null }, { maxEngines: null, maxBytes: 7, disabledAt }],
    [{ maxBytes: null }, { maxEngines: null, maxBytes: null, disabledAt }],
    [{ disabled: false }, { maxEngines: null, maxBytes: null, disabledAt: null }],
  ]) {
    expect((await registry.ask("PATCH", "users/carol", body)).json).toEqual({ ...carol, ...expected });
  }
  const head = await registry.ask("HEAD", "users/carol");
  expect([head.status, head.headers.get("content-type"), head.json]).toEqual([200, "application/json", undefined]);
  const options = await registry.ask("OPTIONS", "users");
  expect([options.status, options.headers.get("cache-control")]).toEqual([204, "no-store"]);
  expect((await registry.ask("GET", "statistics")).json).toEqual({
    users: 2,
    disabledUsers: 0,
    engines: 0,
    publicEngines: 0,
    credentials: 1,
  });
});

test("what becomes of a user's engines is said, and fits", async () => {
  using registry = await world();
  const [carol, dave] = [registry.user("carol"), registry.user("dave")];
  await publishAll(
    registry.file,
    carol,
    [
      { name: "a", version: "0.1" },
      { name: "b", version: "0.1" },
    ],
    undefined,
    0,
  );
  await publishAll(registry.file, dave, [{ name: "c", version: "0.1" }], undefined, 0);
  await publishAll(registry.file, registry.user("erin"), [{ name: "b", version: "0.1" }], undefined, 0);
  await registry.ask("PATCH", "users/dave", { maxEngines: 2 });
  for (const [query, expected] of [
    ["", "409 the user has engines: engines=delete or handOverTo=USER says what becomes of them"],
    ["?engines=keep", "400 engines=delete, or handOverTo=USER, or neither for a user without engines"],
    ["?engines=delete&handOverTo=dave", "400 engines=delete, or handOverTo=USER"],
    ["?handOverTo=carol", "400 handOverTo is another user"],
    ["?handOverTo=erin", "409 erin has these already: b@0.1"],
    ["?handOverTo=nobody", '404 there is no user "nobody"'],
    ["?handOverTo=dave", "409 dave may have 2 engines: raise the quota first"],
  ]) {
    expect([query, await registry.said("DELETE", `users/carol${query}`)]).toEqual([
      query,
      expect.stringContaining(expected as string),
    ]);
  }
  expect((await registry.ask("GET", "users/carol")).json).toMatchObject({ disabledAt: null, engines: 2 });
  await registry.ask("PATCH", "users/dave", { maxEngines: 3, disabled: true });
  const disabled = "409 dave is disabled: enable the user first";
  expect(await registry.said("DELETE", "users/carol?handOverTo=dave")).toBe(disabled);
  expect(await registry.said("POST", "users/dave/credentials", {})).toBe(disabled);
  await registry.ask("PATCH", "users/dave", { disabled: false });
  const handed = await registry.ask("DELETE", "users/carol?handOverTo=dave");
  expect(handed.json).toEqual({ name: "carol", handedOverTo: "dave", engines: 2 });
  const { json } = await registry.ask("GET", "engines?user=dave");
  expect(json.engines.map(({ tag, owner, updatedAt }: Record<string, unknown>) => [tag, owner, updatedAt])).toEqual([
    ["a@0.1", "dave", new Date(at).toISOString()],
    ["b@0.1", "dave", new Date(at).toISOString()],
    ["c@0.1", "dave", new Date(0).toISOString()],
  ]);
  registry.user("frank");
  expect((await registry.ask("DELETE", "users/frank")).json).toEqual({ name: "frank", deletedEngines: 0 });
  expect((await registry.ask("GET", "audit?limit=1")).json.audit).toEqual([
    {
      at: new Date(at).toISOString(),
      actor: "root",
      action: "delete user",
      subject: "frank",
      detail: { deletedEngines: 0 },
    },
  ]);
});

test("engines of a user are deleted or handed over by fifties", async () => {
  using registry = await world();
  const erin = registry.user("erin");
  for (const [name, count, writes] of [
    ["carol", 50, 3],
    ["dave", 51, 4],
  ] as const) {
    const engines = Array.from({ length: count }, (_, at) => ({ name: `${name}-${at}`, version: "0.1" }));
    await publishAll(registry.file, registry.user(name), engines, undefined, 0);
    let written = 0;
    registry.others.meanwhile = () => void written++;
    expect((await registry.ask("DELETE", `users/${name}?handOverTo=erin`)).json).toMatchObject({ engines: count });
    expect(written).toBe(writes);
  }
  expect((await registry.ask("GET", `users/${erin.name}`)).json).toMatchObject({ engines: 101 });
});

test("an engine is switched by what is named alone, and one with a secret is not made public", async () => {
  const box = await makeSecretBox("a key for tests, which is no secret");
  using registry = await world(box);
  const carol = registry.user("carol");
  const sealed = { name: "sealed", version: "0.1", platformConfig: { token: "hunter2" } };
  await publishAll(registry.file, carol, [{ name: "open", version: "1.2" }, sealed], box, 0);
  for (const [tag, body, expected] of [
    ["open", { status: "on" }, "400 status is active or inactive"],
    ["open", { isPublic: "yes" }, "400 isPublic is true or false"],
    ["open@1", { isPublic: true }, { tag: "open@1.2", status: "inactive", isPublic: true, hasId: true }],
    ["open@1.2", { status: "active" }, { tag: "open@1.2", status: "active", isPublic: true, hasId: true }],
    [
      "open",
      { status: "inactive", isPublic: false },
      { tag: "open@1.2", status: "inactive", isPublic: false, hasId: true },
    ],
    ["sealed", { isPublic: true }, "409 an engine with a platform_config.token cannot be made public"],
    [
      "sealed",
      { isPublic: false, status: "active" },
      { tag: "sealed@0.1", status: "active", isPublic: false, hasId: true },
    ],
    ["a b", {}, "400 the tag is name, name@major or name@major.minor"],
  ] as const) {
    const { status, json } = await registry.ask("PATCH", `users/carol/engines/${tag}`, body);
    const { id, ...shown } = json;
    const got = status === 200 ? { ...shown, hasId: id !== undefined } : `${status} ${json.message}`;
    expect([tag, body, got]).toEqual([tag, body, expected]);
  }
  expect(await registry.said("DELETE", "users/carol/engines/open@1")).toBe("400 the tag is name@major.minor");
  await registry.ask("PATCH", "users/carol/engines/open", { isPublic: true });
  const { json } = await registry.ask("GET", "engines");
  expect(json.engines).toMatchObject([
    { tag: "open@1.2", isPublic: true, revision: 1, status: "inactive" },
    { tag: "sealed@0.1", isPublic: false, revision: 1, status: "active" },
  ]);
});

test("a sealed secret is handed over with the key only, and opens for the new owner", async () => {
  const box = await makeSecretBox("a key for tests, which is no secret");
  for (const [key, expected] of [
    [undefined, "409 an engine has a sealed secret: set BYTENITE_REGISTRY_KEY to hand it over"],
    [box, "200 "],
  ] as const) {
    using registry = await world(key);
    const sealed = { name: "sealed", version: "0.1", platformConfig: { token: "hunter2" } };
    await publishAll(registry.file, registry.user("carol"), [sealed], box, 0);
    const dave = registry.user("dave");
    expect(await registry.said("DELETE", "users/carol")).toContain("409 the user has engines");
    expect(await registry.said("DELETE", "users/carol?handOverTo=dave")).toBe(expected);
    await addCredential(registry.file, dave, "token", "dave", 0);
    const engine = await registry.ask("GET", "../../v1/dev/engines/sealed", undefined, { Authorization: "dave" });
    expect(engine.json.platformConfig?.token).toBe(key === undefined ? undefined : "hunter2");
  }
});

test("a change that comes between is not written over", async () => {
  using registry = await world();
  const { file, others, said } = registry;
  const carol = registry.user("carol");
  await registry.ask("PATCH", "users/carol", { maxEngines: 8, maxBytes: 9 });
  const names = ["patched", "deleted", "kept"];
  await publishAll(
    file,
    carol,
    names.map((name) => ({ name, version: "0.1" })),
    undefined,
    0,
  );
  let changes = 0;
  const touch = (name: string) =>
    (others.meanwhile = () =>
      void change(file, carol, `${name}@0.1`, changes++ % 2 === 0 ? "activate" : "deactivate", at + changes));
  const refusal = "409 somebody else has changed the engine meanwhile: try again";
  touch("patched");
  expect(await said("PATCH", "users/carol/engines/patched", { status: "active" })).toBe(refusal);
  touch("deleted");
  expect(await said("DELETE", "users/carol/engines/deleted@0.1")).toBe(refusal);
  const busy = "409 the engines of the user are being changed: try again";
  others.meanwhile = () => {
    for (const name of names)
      change(file, carol, `${name}@0.1`, changes++ % 2 === 0 ? "activate" : "deactivate", at + changes);
  };
  expect(await said("DELETE", "users/carol?engines=delete")).toBe(busy);
  // One that is published when the others are gone.
  let writes = 0;
  others.meanwhile = () => {
    writes += 1;
    if (writes === 3)
      file.transaction((run) => run("UPDATE users SET live_engines = 1 WHERE number = ?", carol.number));
  };
  expect(await said("DELETE", "users/carol?engines=delete")).toBe(busy);
  others.meanwhile = () => {};
  const left = { name: "carol", disabledAt: new Date(at).toISOString(), maxEngines: 8, maxBytes: 9 };
  expect((await registry.ask("GET", "users/carol")).json).toMatchObject(left);
  registry.user("gone");
  others.meanwhile = () => file.transaction((run) => run("UPDATE users SET deleted_at = 1 WHERE name = 'gone'"));
  expect(await said("PATCH", "users/gone", { maxBytes: 1 })).toBe("404 there is no such user");
  file.transaction((run) => run("UPDATE users SET deleted_at = NULL WHERE name = 'gone'"));
  expect(await said("POST", "users/gone/credentials", {})).toBe("404 there is no such user");
  others.meanwhile = () => {
    throw new DatabaseUnavailable("gone");
  };
  expect(await said("PATCH", "users/carol", { maxBytes: 1 })).toBe("503 the database cannot be reached");
  others.meanwhile = () => file.transaction((run) => run("UPDATE credentials SET revoked_at = 1"));
  expect(await said("PATCH", "users/carol", { maxBytes: 1 })).toBe("401 access token is not valid");
});

test("the operator of the database may revoke the last credential, and is told where a configured one stands", async () => {
  using registry = await world();
  const { file, ask, said, asOperator } = registry;
  await addConfigured(file, { root: ["configured"] }, new Map([["configured", "users.json"]]), 0);
  const { json } = await ask("GET", "credentials");
  const [last, configured] = json.credentials as ReadonlyArray<Record<string, string>>;
  expect(await said("DELETE", `credentials/${last?.["id"]}`)).toBe(
    "409 this is the last credential that can manage: create another one first",
  );
  const revoked = await ask("DELETE", `credentials/${configured?.["id"]}`, undefined, {}, asOperator);
  expect(revoked.json).toEqual({ id: configured?.["id"], revoked: true, configuredIn: "users.json" });
  expect((await ask("DELETE", `credentials/${last?.["id"]}`, undefined, {}, asOperator)).json).toEqual({
    id: last?.["id"],
    revoked: true,
    configuredIn: null,
  });
  expect((await ask("DELETE", "credentials/none", undefined, {}, asOperator)).status).toBe(404);
  const { audit } = (await ask("GET", "audit", undefined, {}, asOperator)).json;
  expect(audit.map(({ subject }: Record<string, unknown>) => subject)).toEqual([last?.["id"], configured?.["id"]]);
  expect((await ask("GET", "credentials", undefined, {}, asOperator)).json.credentials[0]).toEqual({
    id: last?.["id"],
    user: "root",
    kind: "token",
    scope: "manage",
    label: "token",
    createdAt: new Date(0).toISOString(),
    expiresAt: null,
    revokedAt: new Date(at).toISOString(),
    lastUsedAt: null,
    userDisabledAt: null,
  });
});
