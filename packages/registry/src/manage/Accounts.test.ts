import { expect, onTestFinished, test } from "vitest";
import { migrate, schemaOf } from "../api/Migrations.ts";
import { openSqlite, type SqliteFile } from "../node/SqliteFile.ts";
import {
  AccountError,
  addConfigured,
  addCredential,
  createCredential,
  ensurePlanned,
  ensureUser,
  firstManageToken,
  listCredentials,
  listUsers,
  plannedUser,
  revokeCredential,
  UnknownUserError,
  userOf,
  userWithId,
} from "./Accounts.ts";

const opened = async (): Promise<SqliteFile> => {
  const file = openSqlite(":memory:");
  onTestFinished(() => file.close());
  await migrate(file.port, 0);
  return file;
};

const auditOf = (file: SqliteFile): ReadonlyArray<unknown> =>
  file.rows({ sql: "SELECT action, subject FROM audit ORDER BY number", values: [] });

test("a user is made once, under the id that is planned", async () => {
  const file = await opened();
  const planned = plannedUser(file, "ann", "an-id");
  expect(planned).toEqual({ number: 0, id: "an-id", name: "ann" });
  expect(plannedUser(file, "bob").id).toMatch(/^[0-9a-f-]{36}$/);
  expect(listUsers(file)).toEqual([]);
  const ann = file.transaction((run) => ensurePlanned(run, planned, 0));
  expect(ann).toEqual({ number: 1, id: "an-id", name: "ann" });
  expect(file.transaction((run) => ensurePlanned(run, planned, 0))).toEqual(ann);
  expect(plannedUser(file, "ann", "other")).toEqual(ann);
  expect(() => file.transaction((run) => ensurePlanned(run, { ...planned, id: "other" }, 0))).toThrow(
    "another command has made or replaced user ann meanwhile: try again",
  );
  expect([userOf(file, "ann"), userWithId(file, "an-id"), userWithId(file, "x")]).toEqual([ann, ann, undefined]);
  expect(ensureUser(file, "ann", 0)).toEqual(ann);
  expect(ensureUser(file, "bob", 0).id).toMatch(/^[0-9a-f-]{36}$/);
  expect(listUsers(file).map(({ user, engines }) => [user.name, engines])).toEqual([
    ["ann", 0],
    ["bob", 0],
  ]);
});

test("a name that no user has is an error, with those that are close; one that none may have, too", async () => {
  const file = await opened();
  expect(() => userOf(file, "ann")).toThrow(new UnknownUserError('there is no user "ann"'));
  ensureUser(file, "anna", 0);
  ensureUser(file, "anne", 0);
  expect(() => userOf(file, "ann")).toThrow('there is no user "ann" (did you mean anna or anne?)');
  expect(() => userOf(file, "x".repeat(101))).toThrow(`there is no user "${"x".repeat(100)}"`);
  for (const name of ["", "a b", "a@1", "x".repeat(65), "ä"]) {
    const problem = `user name ${JSON.stringify(name)} is not 1 to 64 letters, digits, - or _`;
    expect(() => ensureUser(file, name, 0)).toThrow(new AccountError(problem));
    expect(() => plannedUser(file, name)).toThrow(problem);
  }
  expect(() => ensureUser(file, `${"x".repeat(100)} y`, 0)).toThrow(`user name "${"x".repeat(100)}" is not`);
});

test("a credential is listed without its secret, by its user and age, and revoked once and for all", async () => {
  const file = await opened();
  const [ann, bob] = [ensureUser(file, "ann", 0), ensureUser(file, "bob", 0)];
  const key = await createCredential(file, ann, "api-key", "ci", 2_000, 3_000, "publish");
  const token = await createCredential(file, bob, "token", "", 1_000);
  expect([key.secret, token.secret]).toEqual([
    expect.stringMatching(/^bnk_[0-9a-f]{64}$/),
    expect.stringMatching(/^bnt_[0-9a-f]{64}$/),
  ]);
  const ends = { lastUsedAt: undefined, revokedAt: undefined, userDisabledAt: undefined };
  const ofAnn = { id: key.id, user: "ann", kind: "api-key", scope: "publish", label: "ci", ...ends };
  const ofBob = { id: token.id, user: "bob", kind: "token", scope: "read", label: "", expiresAt: undefined, ...ends };
  const [listedAnn, listedBob] = [
    { ...ofAnn, createdAt: new Date(2_000), expiresAt: new Date(3_000) },
    { ...ofBob, createdAt: new Date(1_000) },
  ];
  expect(listCredentials(file)).toEqual([listedBob, listedAnn]);
  expect(listCredentials(file, ann)).toEqual([listedAnn]);
  await expect(createCredential(file, ann, "token", "a\tb", 0)).rejects.toThrow("a label is one line of text");
  expect(revokeCredential(file, key.id, 4_000)).toBeUndefined();
  expect(listCredentials(file, ann)).toEqual([{ ...listedAnn, revokedAt: new Date(4_000) }]);
  expect(() => revokeCredential(file, "x", 0)).toThrow('there is no credential "x"');
  expect(auditOf(file)).toEqual([
    { action: "create credential", subject: "ann" },
    { action: "create credential", subject: "bob" },
    { action: "revoke credential", subject: key.id },
  ]);
});

test("of a database from before scopes all credentials read", async () => {
  const file = openSqlite(":memory:");
  onTestFinished(() => file.close());
  for (const sql of schemaOf(3)) file.database.exec(sql);
  file.database.exec(`INSERT INTO users (id, name, created_at) VALUES ('a', 'ann', 0);
    INSERT INTO credentials (id, user, kind, selector, digest, label, created_at) VALUES ('x', 1, 'token', 's', x'00', 'ci', 1)`);
  expect(listCredentials(file)).toMatchObject([{ id: "x", user: "ann", scope: "read", userDisabledAt: undefined }]);
});

test("the first manage token is given out once, even when it was revoked", async () => {
  const file = await opened();
  await createCredential(file, ensureUser(file, "ann", 0), "token", "", 0, undefined, "publish");
  expect(await firstManageToken(file, 0)).toMatch(/^bnt_/);
  expect(listCredentials(file, userOf(file, "operator"))).toMatchObject([
    { kind: "token", scope: "manage", label: "first manage token", expiresAt: undefined },
  ]);
  file.transaction((run) => run("UPDATE credentials SET revoked_at = 1"));
  expect(await firstManageToken(file, 0)).toBeUndefined();
  expect(await firstManageToken({ ...(await opened()), access: "frozen" }, 0)).toBeUndefined();
});

test("configured tokens are added where they are not, and revoked ones are named with their place", async () => {
  const file = await opened();
  const places = new Map([["one", "tokens.json"]]);
  expect(await addConfigured(file, { ann: ["one", "two"], bob: [] }, places, 0)).toEqual([]);
  const changes = (): unknown => file.rows({ sql: "SELECT total_changes() AS n", values: [] })[0]?.["n"];
  const before = changes();
  // A registry that cannot write its database is served with the tokens that it has.
  const unwritable = { ...file, transaction: () => expect.unreachable("nothing is to be written") };
  expect(await addConfigured(unwritable, { ann: ["one", "two"], bob: [] }, places, 0)).toEqual([]);
  expect(changes()).toBe(before);
  expect(await addConfigured(file, { carol: [] }, places, 0)).toEqual([]);
  expect(listUsers(file).map(({ user }) => user.name)).toEqual(["ann", "bob", "carol"]);
  const anyPlace = "the file of --tokens, or REGISTRY_TOKENS";
  const configured = listCredentials(file);
  const shown = configured.map(({ user, kind, scope, label }) => [user, kind, scope, label].join(" "));
  expect(new Set(shown)).toEqual(new Set([`ann configured read ${anyPlace}`, "ann configured read tokens.json"]));
  // The same token of another user, and one that is a user's own already.
  await addCredential(file, userOf(file, "bob"), "token", "three", 0, "publish");
  expect(await addConfigured(file, { bob: ["one", "three"] }, new Map(), 0)).toEqual([]);
  expect(listCredentials(file, userOf(file, "bob"))).toHaveLength(3);
  const one = configured.find(({ label }) => label === "tokens.json")?.id ?? "";
  expect(revokeCredential(file, one, 1)).toBe("tokens.json");
  expect(await addConfigured(file, { ann: ["one"] }, places, 0)).toEqual([
    { id: one, user: "ann", place: "tokens.json" },
  ]);
  // As databases from before places were kept.
  file.transaction((run) => run("UPDATE credentials SET label = 'configured' WHERE label = ?", anyPlace));
  const two = listCredentials(file).find(({ label }) => label === "configured")?.id ?? "";
  expect(revokeCredential(file, two, 1)).toBe(anyPlace);
});
