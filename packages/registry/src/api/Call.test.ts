import { expect, test } from "vitest";
import { ensureUser } from "../manage/Accounts.ts";
import { publishAll } from "../manage/Engines.ts";
import { openSqlite } from "../node/SqliteFile.ts";
import { readCall } from "./Call.ts";
import { migrate } from "./Migrations.ts";
import { makeSecretBox } from "./SecretBox.ts";
import { makeSerializer } from "./Serializer.ts";

const textOf = (body: string | Uint8Array): string =>
  typeof body === "string" ? body : new TextDecoder().decode(body);

test("the body of a list is kept while the data stays, is made anew after a change, and never holds an opened secret", async () => {
  const file = openSqlite(":memory:");
  const box = await makeSecretBox("k".repeat(32));
  await migrate(file.port, 0, box);
  const alice = ensureUser(file, "alice", 0);
  const list = readCall({ name: "list" }, new URLSearchParams());
  const body = () => list({ sql: file.port, box }, makeSerializer(), alice, "json");
  await publishAll(file, alice, [{ name: "zipper", version: "0.1" }], box, 0);
  // The rows of a statement are remembered from its second read on.
  await body();
  const second = await body();
  expect(textOf(second)).toContain('"zipper"');
  expect(await body()).toBe(second);
  await publishAll(file, alice, [{ name: "passthrough", version: "0.1" }], box, 0);
  expect(textOf(await body())).toContain('"passthrough"');
  const secret = { name: "sealed", version: "0.1", platformConfig: { token: "s3cret" } };
  await publishAll(file, alice, [secret], box, 0);
  await body();
  const opened = await body();
  expect(textOf(opened)).toContain("s3cret");
  // A text, made again: only bytes are kept.
  expect(typeof opened).toBe("string");
  file.close();
});
