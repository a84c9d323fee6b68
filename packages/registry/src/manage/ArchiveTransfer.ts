// Archives of exports and imports, as files of a folder.
import { createReadStream } from "node:fs";
import { mkdir, open, readdir, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { addArchive, archiveOf, releaseOthers } from "../archive/ArchiveRows.ts";
import { openArchive, sealDataKey, StorageUnavailable } from "../archive/ArchiveStore.ts";
import { manifestName, storeArchive } from "../archive/CheckedArchive.ts";
import { dataKeyOf } from "../archive/Download.ts";
import { ApiError } from "../api/ApiError.ts";
import { tagIn, type User } from "../api/EngineStore.ts";
import type { SecretBox } from "../api/SecretBox.ts";
import type { Statement } from "../api/SqlDriver.ts";
import { makeArchiveFolder, nodeSha256 } from "../node/ArchiveFolder.ts";
import type { SqliteFile } from "../node/SqliteFile.ts";
import { parseManifest } from "./Manifest.ts";

/** Folder of an export or import, and the folder of the database's archives. */
export interface TransferFolders {
  readonly folder: string;
  readonly archives: string;
}

/** Extensions of archives, by media type. */
const extensions: Readonly<Record<string, string>> = { "application/x-tar": ".tar", "application/gzip": ".tar.gz" };

/** The name of an archive in such a folder: its SHA-256, as base64url. */
const nameOf = (hash: string): string => hash.replaceAll("+", "-").replaceAll("/", "_").replace(/=+$/, "");

/**
 * Writes the archives of engines into a folder, readable by this user alone, each whole before it has its name. Those with secrets
 * only with a box: without, the tags of their engines are returned. Rejects where one is missing or damaged.
 */
export const exportArchives = async (
  file: SqliteFile,
  { folder, archives }: TransferFolders,
  user: User | undefined,
  box: SecretBox | undefined,
): Promise<ReadonlyArray<string>> => {
  const store = makeArchiveFolder(archives);
  const withheld: Array<string> = [];
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const sql = `SELECT a.*, e.name, e.major, e.minor FROM archives a JOIN engines e ON e.number = a.engine
    WHERE a.released_at IS NULL AND e.deleted_at IS NULL ${user === undefined ? "" : "AND e.owner = ?"} ORDER BY a.key`;
  for (const row of file.rows({ sql, values: user === undefined ? [] : [user.number] })) {
    const engine = tagIn(row);
    const archive = archiveOf(row);
    if (archive.isSealed && box === undefined) {
      withheld.push(engine);
      continue;
    }
    const source = join(archives, archive.key);
    const path = join(folder, nameOf(archive.hash) + (extensions[archive.mediaType] ?? ".tar"));
    const dataKey = await dataKeyOf(archive, box);
    try {
      const bytes = await openArchive(store, { ...archive, dataKey });
      if (bytes === undefined) throw new TransferError(`the archive of ${engine} is missing: ${source}`);
      await writeWhole(path, bytes);
    } catch (error) {
      if (!(error instanceof StorageUnavailable)) throw error;
      const { message } = error.cause as Error;
      throw new TransferError(`the archive of ${engine} cannot be read: ${source}: ${message}`, { cause: error });
    }
  }
  return withheld;
};

/** Archives that cannot be exported or imported; the message is for the operator. */
export class TransferError extends Error {
  override readonly name = "TransferError";
}

const writeWhole = async (path: string, bytes: AsyncIterable<Uint8Array>): Promise<void> => {
  const partial = `${path}.partial`;
  await using handle = await open(partial, "w", 0o600);
  try {
    for await (const chunk of bytes) await handle.writeFile(chunk);
    await handle.sync();
  } catch (error) {
    await rm(partial);
    throw error;
  }
  await rename(partial, path);
};

/** An archive of an import, for the engine of an id. */
export type ImportedArchive = (engineId: string, at: number) => ReadonlyArray<Statement>;

/** Archives of an import. */
export interface ImportedArchives {
  /** Stores the archive of a hash; undefined where the folder has none. Rejects with TransferError for an invalid one. */
  readonly take: (hash: string) => Promise<ImportedArchive | undefined>;
  /** Removes the stored archives. */
  readonly discard: () => Promise<void>;
}

/** No limit but that of the registry that exported it. */
const limits = { archiveBytes: Infinity, unpackedBytes: Infinity };

/** The archives of a folder that `exportArchives` wrote. */
export const archivesIn = async (
  { folder, archives }: TransferFolders,
  box: SecretBox | undefined,
): Promise<ImportedArchives> => {
  const store = makeArchiveFolder(archives);
  const names = new Set(
    await readdir(folder).catch((error: NodeJS.ErrnoException) => {
      throw new TransferError(`${folder}: ${error.message}`);
    }),
  );
  const stored: Array<string> = [];
  return {
    take: async (hash) => {
      const name = Object.values(extensions)
        .map((extension) => nameOf(hash) + extension)
        .find((candidate) => names.has(candidate));
      if (name === undefined) return undefined;
      const path = join(folder, name);
      try {
        const { archive, mediaType, manifest } = await storeArchive(
          { store, sha256: nodeSha256, limits },
          createReadStream(path),
        );
        stored.push(archive.key);
        if (archive.hash !== hash) throw new TransferError(`${path}: its SHA-256 is ${archive.hash}, not ${hash}`);
        const isSealed = (parseManifest(manifest, manifestName).platformConfig?.token ?? "") !== "";
        let kept = archive;
        if (isSealed) {
          if (box === undefined) throw new TransferError(`${path}: it has a secret: set BYTENITE_REGISTRY_KEY`);
          kept = await sealDataKey(archive, box);
        }
        return (engineId, at) => [
          addArchive({ ...kept, mediaType, isSealed }, engineId, at),
          releaseOthers(kept.key, at),
        ];
      } catch (error) {
        throw error instanceof ApiError ? new TransferError(`${path}: ${error.message}`) : error;
      }
    },
    discard: async () => {
      for (const key of stored) await store.remove(key);
    },
  };
};
