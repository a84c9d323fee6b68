import { execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { run, serve } from "./process.ts";
import { mounts, onSmallDisk } from "./smallDisk.ts";

const lines = (count: number, from = 0): string =>
  Array.from(
    { length: count },
    (_, index) => `{"name":"e-${from + index}","version":"0.1","description":"${"long ".repeat(100)}"}`,
  ).join("\n");

// Mounting needs the rights of root; elsewhere these two cases are left out.
test.skipIf(!mounts())(
  "a full disk is a clear error, keeps what was there, and does not stop a registry that runs",
  async () => {
    await onSmallDisk(async (directory) => {
      const database = ["--database", join(directory, "engines.sqlite")];
      const registry = await serve(database);
      const flags = ["--user", "alice", ...database];
      expect((await run(["import", "-", ...flags], {}, lines(100))).stdout).toBe("imported 100 engines\n");
      const full = await run(["import", "-", ...flags], {}, lines(5_000, 1_000));
      expect([full.code, full.stdout]).toEqual([1, ""]);
      expect(full.stderr).toMatch(/^registry: cannot use the database .*: the disk is full: nothing of this was kept/);
      const list = await fetch(`${registry.origin}/v1/dev/engines`, { headers: { Authorization: "local-alice" } });
      expect(await list.json()).toMatchObject({ pagination: { total: 105 } });
      expect((await run(["import", "-", ...flags], {}, lines(10, 9_000))).stdout).toBe("imported 10 engines\n");
      const big = await run(["backup", join(directory, "backup.sqlite"), ...database]);
      expect([0, 1]).toContain(big.code);
      await registry.end("SIGTERM");
      expect((await run(["export", ...database])).stdout.trim().split("\n")).toHaveLength(118);
    });
  },
);

test.skipIf(!mounts())(
  "an import into a file on a disk that cannot be written is a clear error, and changes nothing",
  async () => {
    await onSmallDisk(async (directory) => {
      const database = ["--database", join(directory, "engines.sqlite")];
      await run(["import", "-", "--user", "carol", ...database], {}, lines(3));
      await writeFile(join(directory, "manifest.json"), '{"name":"late","version":"0.1"}');
      execFileSync("mount", ["-o", "remount,ro", directory]);
      const { code, stderr } = await run(["import", directory, "--user", "carol", ...database]);
      expect(code).toBe(1);
      expect(stderr).toMatch(/^registry: cannot use the database .*(may not be written|cannot be opened)/);
      execFileSync("mount", ["-o", "remount,rw", directory]);
      expect((await run(["export", ...database])).stdout.trim().split("\n")).toHaveLength(3);
    });
  },
);
