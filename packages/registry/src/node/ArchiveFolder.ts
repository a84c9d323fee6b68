// Archives as private files of a folder, synced before renaming.
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, open, opendir, rename, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { StorageUnavailable, type ObjectStore, type Sha256 } from "../archive/ArchiveStore.ts";

/** The folder of archives of a database; for one in memory a temporary folder, removed at the end. */
export const archiveFolderOf = async (
  { archives, database }: { readonly archives?: string | undefined; readonly database: string },
  closing: Array<() => Promise<void> | void>,
): Promise<string> => {
  if (archives !== undefined) return archives;
  if (database !== ":memory:") return `${database}.archives`;
  const folder = await mkdtemp(join(tmpdir(), "registry-archives-"));
  closing.push(() => rm(folder, { recursive: true, force: true }));
  return folder;
};

/** Folder of unfinished objects. */
const incoming = "incoming";

const key = /^[0-9a-f-]{36}$/;

const failing = async <A>(work: () => Promise<A>): Promise<A> => {
  try {
    return await work();
  } catch (error) {
    throw new StorageUnavailable(error);
  }
};

/** Resolves when a file or folder is on disk. */
export const synced = async (path: string): Promise<void> => {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
};

/** A folder of objects, created with the first one. */
export const makeArchiveFolder = (folder: string): ObjectStore => ({
  begin: () =>
    failing(async () => {
      const name = crypto.randomUUID();
      const path = join(folder, incoming, name);
      await mkdir(join(folder, incoming), { recursive: true, mode: 0o700 });
      const handle = await open(path, "wx", 0o600);
      const abort = async (): Promise<void> => {
        await handle.close().catch(() => {});
        await rm(path, { force: true });
      };
      return {
        key: name,
        write: (bytes) => failing(() => handle.writeFile(bytes)),
        finish: () =>
          failing(async () => {
            await handle.sync();
            await handle.close();
            await rename(path, join(folder, name));
            await synced(folder);
          }),
        abort: () => failing(abort),
      };
    }),
  read: (name, start, end) =>
    failing(async () => {
      const path = join(folder, name);
      const found = key.test(name) ? await stat(path).catch(onMissing) : undefined;
      if (found === undefined) return undefined;
      return end > start ? createReadStream(path, { start, end: end - 1 }) : (async function* () {})();
    }),
  remove: (name) =>
    failing(async () => {
      for (const path of [join(folder, name), join(folder, incoming, name)]) await rm(path, { force: true });
    }),
  list: async function* () {
    for (const place of [folder, join(folder, incoming)]) {
      const entries = await opendir(place).catch(onMissing);
      if (entries === undefined) continue;
      for await (const entry of entries) {
        // A copy that a restore has begun is an object, too.
        if (!entry.isFile() || !key.test(entry.name.replace(/\.partial$/, ""))) continue;
        const found = await stat(join(place, entry.name)).catch(onMissing);
        if (found !== undefined) yield { key: entry.name, changedMs: found.mtimeMs };
      }
    }
  },
});

const onMissing = (error: NodeJS.ErrnoException): undefined => {
  if (error.code !== "ENOENT" && error.code !== "ENOTDIR") throw error;
};

/** SHA-256 by Node's own crypto. */
export const nodeSha256 = (): Sha256 => {
  const hash = createHash("sha256");
  return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest() };
};
