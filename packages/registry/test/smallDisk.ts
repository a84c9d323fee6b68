// A disk of a few MB for the time of a test.
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Size of the disk that is filled. */
const diskSize = "size=4m";

/** Whether this user may mount one: that needs the rights of root. */
export const mounts = (): boolean => {
  const directory = mkdtempSync(join(tmpdir(), "registry-probe-"));
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", diskSize, "tmpfs", directory], { stdio: "ignore" });
    execFileSync("umount", [directory], { stdio: "ignore" });
    return true;
  } catch {
    return false;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
};

/** Runs `work` with the directory of one. */
export const onSmallDisk = async (work: (directory: string) => Promise<void>): Promise<void> => {
  const directory = await mkdtemp(join(tmpdir(), "registry-disk-"));
  execFileSync("mount", ["-t", "tmpfs", "-o", diskSize, "tmpfs", directory]);
  try {
    await work(directory);
  } finally {
    execFileSync("umount", ["-l", directory]);
    await rm(directory, { recursive: true, force: true });
  }
};
