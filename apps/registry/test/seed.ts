// Runs in Node: what a registry on SQLite exports for D1.
import {
  addCredential,
  ensureUser,
  exportSql,
  makeSecretBox,
  migrate,
  openSqlite,
  publishAll,
} from "@bytenite-engines/registry";
import { managementTokens } from "@bytenite-engines/test-kit";

/** The key of both sides. */
export const key = "a key for tests, which is no secret";

/** Users, their tokens, API keys and engines, as SQL, one statement per line. */
export const seedSql = async (): Promise<string> => {
  const file = openSqlite(":memory:");
  const box = await makeSecretBox(key);
  await migrate(file.port, 0, box);
  const now = Date.UTC(2025, 4, 1);
  const alice = ensureUser(file, "alice", now);
  const bob = ensureUser(file, "bob", now);
  await addCredential(file, alice, "token", "token-of-alice", now);
  const root = ensureUser(file, "root", now);
  for (const scope of ["read", "publish", "manage"] as const) {
    await addCredential(file, root, "token", managementTokens[scope], now, scope);
  }
  await addCredential(file, root, "token", managementTokens.expired, now, "manage");
  file.transaction((run) => run("UPDATE credentials SET expires_at = 1 WHERE rowid = last_insert_rowid()"));
  await addCredential(file, bob, "token", "token-of-bob", now);
  await addCredential(file, bob, "api-key", "key-of-bob", now);
  const versions = ["0.9", "0.10", "1.0", "1.2"];
  await publishAll(
    file,
    alice,
    versions.map((version) => ({
      name: "zipper",
      version,
      status: "active",
      description: `It's 'quoted',\nof two lines; and ünïcode: ${version}`,
      platformConfig: { container: "python:latest", token: `secret of ${version}` },
      deviceRequirements: { minCpu: 0.1, gpu: ["tesla t4"] },
    })),
    box,
    now,
  );
  // No engine with a secret can become public; one of an older registry may be.
  file.transaction((run) => run("UPDATE engines SET is_public = 1 WHERE major || '.' || minor <> '1.2'"));
  await publishAll(
    file,
    bob,
    Array.from({ length: 45 }, (_, index) => ({ name: `engine-${index}`, version: "0.1", revision: index + 1 })),
    undefined,
    now,
  );
  const sql = [...exportSql(file, now)].join("");
  file.close();
  return sql;
};
