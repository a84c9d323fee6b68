import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { fromBinary, type JsonObject } from "@bufbuild/protobuf";
import { decodeJson } from "@bytenite-engines/core/wire";
import { EngineSchema } from "@bytenite-engines/proto";
import * as fc from "fast-check";
import { expect, test } from "vitest";
import { migrate } from "../api/Migrations.ts";
import { makeSecretBox } from "../api/SecretBox.ts";
import { openSqlite, type SqliteFile } from "../node/SqliteFile.ts";
import { addCredential, createCredential, ensureUser } from "./Accounts.ts";
import { change, publishAll, type EngineInit } from "./Engines.ts";
import { exportLines, exportSql } from "./Export.ts";
import { importStream } from "./Import.ts";

const contents = (file: SqliteFile): unknown =>
  [
    "SELECT * FROM users",
    "SELECT * FROM engines",
    "SELECT * FROM public_total",
    "SELECT * FROM credentials ORDER BY id",
  ].map((sql) => file.rows({ sql, values: [] }));

test("SQL of an export, run line by line, makes the same database, whatever the texts hold", async () => {
  const text = fc.string({ unit: "binary", maxLength: 40 }).filter((text) => text.isWellFormed());
  await fc.assert(
    fc.asyncProperty(text, text, async (description, entrypoint) => {
      const file = openSqlite(":memory:");
      await migrate(file.port, 5);
      const carol = ensureUser(file, "carol", 1);
      await createCredential(file, carol, "api-key", "", 2);
      file.transaction((run) => run("UPDATE credentials SET label = ?", description));
      await publishAll(
        file,
        carol,
        ["0.1", "0.2", "0.3"].map((version) => ({
          name: "a",
          version,
          description,
          entrypoint,
          isPublic: version !== "0.1",
        })),
        undefined,
        3,
      );
      change(file, carol, "a@0.2", "delete", 4);
      const copy = openSqlite(":memory:");
      for (const line of [...exportSql(file, 5)].join("").split("\n")) copy.database.exec(line);
      expect(contents(copy)).toEqual(contents(file));
      file.close();
      copy.close();
    }),
    { numRuns: 50 },
  );
});

test("lines of an export, imported, make the same engines, whatever the texts and numbers hold", async () => {
  const text = fc.oneof(
    fc.string({ unit: "binary", maxLength: 40 }).filter((text) => text.isWellFormed()),
    fc.constantFrom("a\u2028b", "a\u2029b", "a\u0085b\r\n"),
  );
  const amount = fc.double({ min: 0, max: 3e38, noNaN: true });
  await fc.assert(
    fc.asyncProperty(text, text, amount, async (description, container, minCpu) => {
      const [file, copy] = [openSqlite(":memory:"), openSqlite(":memory:")];
      for (const one of [file, copy]) {
        await migrate(one.port, 5);
        ensureUser(one, "carol", 1, "c0000000-0000-4000-8000-000000000001");
      }
      const engine = (version: string): EngineInit => ({
        name: "a",
        version,
        description,
        platformConfig: { container },
        deviceRequirements: { minCpu },
      });
      await publishAll(file, ensureUser(file, "carol", 1), [engine("0.1"), engine("0.2")], undefined, 3);
      expect(await importStream(Readable.from(exportLines(file)), { file: copy, box: undefined })).toEqual({
        engines: 2,
        problems: [],
        withoutArchive: [],
      });
      expect(contents(copy)).toEqual(contents(file));
      for (const { json, protobuf } of file.rows({ sql: "SELECT json, protobuf FROM engines", values: [] })) {
        const fromText = decodeJson(EngineSchema, JSON.parse(String(json)) as JsonObject).message;
        expect(fromBinary(EngineSchema, protobuf as Uint8Array)).toEqual(fromText);
      }
      file.close();
      copy.close();
    }),
    {
      numRuns: 50,
      examples: [
        ["", "", 1e-60],
        ["", "", -0],
        ["\u2028", "", 0.1234567890123],
      ],
    },
  );
});

test("no statement is longer than D1 takes, however long an engine's texts are", async () => {
  const file = openSqlite(":memory:");
  await migrate(file.port, 0);
  const carol = ensureUser(file, "carol", 0);
  const box = await makeSecretBox("0123456789abcdef0123456789abcdef");
  for (const [index, letter] of ["x", "\u{1F600}", "'\n", "\u{FFFF}\0"].entries()) {
    const text = `${index % 2 === 0 ? "" : "-"}${letter.repeat(60_000)}`;
    const engine = { name: "long", version: `0.${index}`, description: text, platformConfig: { token: text } };
    await publishAll(file, carol, [engine], box, 0);
  }
  const lines = [...exportSql(file, 0)].join("").split("\n");
  const copy = openSqlite(":memory:");
  for (const line of lines) {
    expect(Buffer.byteLength(line)).toBeLessThan(100_000);
    copy.database.exec(line);
  }
  expect(contents(copy)).toEqual(contents(file));
});

test.for<[string, string, ReadonlyArray<string>]>([
  ["5,000 letters", "x".repeat(5_000), []],
  ["one more", `${"x".repeat(5_000)}y`, ["y"]],
  ["a pair of surrogates at the end", `${"x".repeat(4_999)}\u{1F600}`, []],
  ["a pair of surrogates across the end", `${"x".repeat(4_999)}\u{1F600}y`, ["y"]],
  ["a pair before the end", `${"x".repeat(4_998)}\u{1F600}y`, ["y"]],
  ["twice as many and one", `${"x".repeat(5_000)}${"y".repeat(5_000)}z`, ["y".repeat(5_000), "z"]],
])("a text of %s is one statement, and %s in others", async ([, text, rest]) => {
  const file = openSqlite(":memory:");
  await migrate(file.port, 0);
  for (const name of ["zoe", "ann"]) ensureUser(file, name, 0);
  file.transaction((run) => run("UPDATE users SET name = ? WHERE name = 'ann'", text));
  const ofUsers = [...exportSql(file, 0)].join("").match(/^(?:INSERT INTO|UPDATE) users .*/gm) ?? [];
  const first = rest.reduce((whole, piece) => whole.slice(0, -piece.length), text);
  expect(ofUsers.map((sql) => sql.replaceAll(/[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}/g, "ID"))).toEqual([
    expect.stringMatching(/^INSERT INTO users \(number, .*'zoe'/),
    expect.stringContaining(`'${first}'`),
    ...rest.map((piece) => `UPDATE users SET name = name || '${piece}' WHERE number = 2;`),
  ]);
  file.close();
});

test("all of an export is of one moment, whatever another process writes meanwhile", async () => {
  const folder = await mkdtemp(join(tmpdir(), "registry-export-"));
  const path = join(folder, "engines.sqlite");
  const file = openSqlite(path);
  await migrate(file.port, 0);
  await publishAll(file, ensureUser(file, "carol", 0), [{ name: "before", version: "0.1" }], undefined, 0);
  const other = openSqlite(path);
  const copy = openSqlite(":memory:");
  for (const line of exportSql(file, 0)) {
    copy.database.exec(line);
    // As soon as the users are read, there is one more, with an engine.
    if (!line.startsWith("INSERT INTO users") || line.includes("'dave'")) continue;
    await publishAll(other, ensureUser(other, "dave", 0), [{ name: "meanwhile", version: "0.1" }], undefined, 0);
  }
  expect(copy.rows({ sql: "SELECT name FROM engines", values: [] })).toEqual([{ name: "before" }]);
  expect([...exportSql(file, 0)].join("")).toContain("'meanwhile'");
  for (const open of [file, other, copy]) open.close();
  await rm(folder, { recursive: true });
});

test("trial and configured tokens stay behind", async () => {
  const file = openSqlite(":memory:");
  await migrate(file.port, 0);
  const carol = ensureUser(file, "carol", 0);
  await addCredential(file, carol, "trial", "local-carol", 0);
  await addCredential(file, carol, "configured", "configured-for-carol", 0);
  expect([...exportSql(file, 0)].join("")).not.toContain("INSERT INTO credentials");
  file.close();
});
