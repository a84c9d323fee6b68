// Files that this process has open.
import { readdirSync, readlinkSync } from "node:fs";

/** How many descriptors are of files whose path begins so. Linux only. */
export const descriptorsOf = (path: string): number =>
  readdirSync("/proc/self/fd").filter((descriptor) => {
    try {
      return readlinkSync(`/proc/self/fd/${descriptor}`).startsWith(path);
    } catch {
      // Closed meanwhile, as that of the folder is.
      return false;
    }
  }).length;
