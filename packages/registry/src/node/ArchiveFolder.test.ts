import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { open } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { StorageUnavailable } from "../archive/ArchiveStore.ts";
import { descriptorsOf } from "../../test/descriptors.ts";
import { makeArchiveFolder } from "./ArchiveFolder.ts";

const place = (): string => {
  const directory = mkdtempSync(join(tmpdir(), "registry-folder-"));
  onTestFinished(() => rmSync(directory, { recursive: true }));
  return directory;
};

const openedIn = (folder: string): number => (process.platform === "linux" ? descriptorsOf(folder) : 0);

test("an object is on the disk before it has its name, and its name before it is finished", async () => {
  const folder = join(place(), "archives");
  const store = makeArchiveFolder(folder);
  const handle = await open(tmpdir());
  const steps: Array<string> = [];
  const sync = vi.spyOn(Object.getPrototypeOf(handle) as typeof handle, "sync").mockImplementation(async () => {
    steps.push(readdirSync(folder).length === 1 ? "file" : "folder");
  });
  await handle.close();
  onTestFinished(() => sync.mockRestore());
  const writer = await store.begin();
  await writer.write(Buffer.from("an archive"));
  await writer.finish();
  expect(steps).toEqual(["file", "folder"]);
  expect(openedIn(folder)).toBe(0);
  expect(statSync(join(folder, writer.key)).mode & 0o777).toBe(0o600);
  const parts: Array<Buffer> = [];
  for await (const part of (await store.read(writer.key, 3, 10)) ?? []) parts.push(Buffer.from(part));
  expect(Buffer.concat(parts).toString()).toBe("archive");
});

test("an object that is given up leaves nothing, whatever has become of it", async () => {
  const folder = join(place(), "archives");
  const store = makeArchiveFolder(folder);
  const writer = await store.begin();
  await writer.abort();
  expect([openedIn(folder), readdirSync(join(folder, "incoming"))]).toEqual([0, []]);
  await writer.abort();
  await expect(writer.write(Buffer.from("x"))).rejects.toThrow(StorageUnavailable);
});

test("a folder that is none yet, or below a file, has no objects", async () => {
  const directory = place();
  writeFileSync(join(directory, "file"), "");
  for (const folder of [join(directory, "none"), join(directory, "file", "archives")]) {
    const store = makeArchiveFolder(folder);
    expect(await store.read(crypto.randomUUID(), 0, 1)).toBeUndefined();
    for await (const { key } of store.list()) throw new Error(key);
  }
  await expect(makeArchiveFolder(join(directory, "file", "archives")).begin()).rejects.toThrow(StorageUnavailable);
});
