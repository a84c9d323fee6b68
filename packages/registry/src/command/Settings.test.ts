import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { settingsOf } from "./Settings.ts";

test("flags win over the environment, and the environment over the file", async () => {
  const folder = await mkdtemp(join(tmpdir(), "registry-settings-"));
  const config = join(folder, "settings.json");
  await writeFile(config, JSON.stringify({ database: "/of/the/file.sqlite" }));
  const environment = { REGISTRY_DATABASE: "/of/the/environment.sqlite" };
  const databaseOf = async (flags: ReadonlyArray<string>, environment: Readonly<Record<string, string>>) =>
    (await settingsOf(["--config", config, ...flags], environment)).database;
  expect(await databaseOf([], {})).toBe("/of/the/file.sqlite");
  expect(await databaseOf([], { REGISTRY_DATABASE: "" })).toBe("/of/the/file.sqlite");
  expect(await databaseOf([], environment)).toBe("/of/the/environment.sqlite");
  expect(await databaseOf(["--database", "/of/the/flag.sqlite"], environment)).toBe("/of/the/flag.sqlite");
  await rm(folder, { recursive: true });
});
