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
  const notes: Array<string> = [];
  const databaseOf = async (flags: ReadonlyArray<string>, environment: Readonly<Record<string, string>>) =>
    (await settingsOf(["--config", config, ...flags], environment, (line) => void notes.push(line))).database;
  expect(await databaseOf([], {})).toBe("/of/the/file.sqlite");
  expect(await databaseOf([], { REGISTRY_DATABASE: "" })).toBe("/of/the/file.sqlite");
  expect(notes).toEqual([]);
  expect(await databaseOf([], environment)).toBe("/of/the/environment.sqlite");
  expect(notes).toEqual([`REGISTRY_DATABASE is used instead of "database" in ${config}`]);
  expect(await databaseOf(["--database", "/of/the/flag.sqlite"], environment)).toBe("/of/the/flag.sqlite");
  expect(notes).toHaveLength(1);
  await writeFile(config, JSON.stringify({ limits: { maxHeaderByte: 1 } }));
  await expect(databaseOf([], {})).rejects.toMatchObject({
    message: `${config}: there is no setting "maxHeaderByte" in /limits`,
    hint: expect.stringMatching(/^(Did you mean|There are:) /) as unknown,
  });
  await writeFile(config, JSON.stringify({ databse: "x" }));
  await expect(databaseOf([], {})).rejects.toMatchObject({
    message: `${config}: there is no setting "databse"`,
    hint: "Did you mean database?",
  });
  const problems: Array<string> = [];
  for (const drainDelayMs of [-1, 0, 600_000, 600_001]) {
    await writeFile(config, JSON.stringify({ limits: { drainDelayMs } }));
    await databaseOf(["--database", "/of/the/flag.sqlite"], {}).catch((error: Error) => problems.push(error.message));
  }
  expect(problems).toEqual([
    `${config}: /limits/drainDelayMs must be >= 0`,
    `${config}: /limits/drainDelayMs must be <= 600000`,
  ]);
  for (const host of ["https://a/", "*.example", "a b", "[::1", "a/"]) {
    await expect(settingsOf(["--allowed-hosts", host], {}, () => undefined)).rejects.toMatchObject({
      message: expect.stringContaining(`allowedHosts: ${JSON.stringify(host)} is not a host`) as unknown,
      exitCode: 2,
    });
  }
  await rm(folder, { recursive: true });
});
