import { execFileSync } from "node:child_process";
import { mkdtempSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { descriptorsOf } from "../../test/descriptors.ts";
import { maxSettingsBytes, openRegular, readBounded, regularFileExists } from "./BoundedFile.ts";

const directory = mkdtempSync(join(tmpdir(), "registry-files-"));
afterAll(() => rm(directory, { recursive: true }));

test("a file is read whole up to its length", async () => {
  const path = join(directory, "file");
  // Longer than a part.
  const bytes = Buffer.alloc(200_000, "0123456789");
  writeFileSync(path, bytes);
  expect((await readBounded(path, 200_000)).equals(bytes)).toBe(true);
  await expect(readBounded(path, 199_999)).rejects.toMatchObject({
    message: "is longer than 199999 bytes",
    code: "ERR_UNREADABLE_FILE",
  });
  await expect(readBounded(join(directory, "missing"), 1)).rejects.toMatchObject({ code: "ENOENT" });
  expect([regularFileExists(path), regularFileExists(join(directory, "missing"))]).toEqual([true, false]);
  expect(process.platform === "linux" ? descriptorsOf(path) : 0).toBe(0);
  expect(maxSettingsBytes).toBe(8_388_608);
});

// Its length is 0 before it is read, as that of a file that grows.
test.runIf(process.platform === "linux")("a file that turns out to be longer is not read", async () => {
  const { length } = await readBounded("/proc/self/limits", 10_000);
  expect((await readBounded("/proc/self/limits", length)).length).toBe(length);
  await expect(readBounded("/proc/self/limits", length - 1)).rejects.toThrow(`is longer than ${length - 1} bytes`);
});

test.skipIf(process.platform === "win32")("nothing but a regular file is opened", async () => {
  const place = mkdtempSync(join(directory, "odd-"));
  const fifo = join(place, "fifo");
  execFileSync("mkfifo", [fifo]);
  const path = join(place, "socket");
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(path, resolve));
  for (const [what, kind] of [
    [directory, "a directory"],
    [fifo, "a FIFO"],
    [path, "a socket"],
    ["/dev/null", "a device"],
  ] as const) {
    await expect(openRegular(what)).rejects.toThrow(`is ${kind}, not a regular file`);
    expect(() => regularFileExists(what)).toThrow(`is ${kind}, not a regular file`);
  }
  await new Promise((resolve) => server.close(resolve));
});
