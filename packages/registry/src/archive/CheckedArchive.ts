// Archives that are checked while they are stored.
import { ApiError } from "../api/ApiError.ts";
import { archiveLimits } from "./ArchivePath.ts";
import { ArchiveError, isGzip, makeByteReader, readArchive } from "./ArchiveReader.ts";
import { beginArchive, type ObjectStore, type Sha256, type StoredArchive } from "./ArchiveStore.ts";

/** The name of the manifest in an archive. */
export const manifestName = "manifest.json";

/** Longest manifest in an archive, in bytes. */
const maxManifestBytes = 256 * 1_024;

/** Where archives are stored, and how large they may be. */
export interface CheckOptions {
  readonly store: ObjectStore;
  readonly sha256: () => Sha256;
  readonly limits: { readonly archiveBytes: number; readonly unpackedBytes: number };
}

/** A stored archive that nothing names yet. */
export interface CheckedArchive {
  readonly archive: StoredArchive;
  readonly mediaType: string;
  /** The text of its manifest. */
  readonly manifest: string;
  /** Removes it, or leaves it to the sweeper. Never rejects. */
  readonly discard: () => Promise<void>;
}

const invalid = (problem: string): ApiError => new ApiError("INVALID_ARGUMENT", problem);

/** Stores an archive while it is read. Rejects with an ApiError, and nothing stored, where it is too long or no archive of an engine. */
export const storeArchive = async (
  { store, sha256, limits }: CheckOptions,
  source: AsyncIterable<Uint8Array>,
): Promise<CheckedArchive> => {
  const writer = await beginArchive(store, sha256());
  let bytes = 0;
  const stored = async function* (): AsyncGenerator<Uint8Array> {
    for await (const chunk of source) {
      bytes += chunk.length;
      if (bytes > limits.archiveBytes) {
        throw new ApiError("INVALID_ARGUMENT", `the archive is longer than ${limits.archiveBytes} bytes`, {
          status: 413,
        });
      }
      await writer.write(chunk);
      yield chunk;
    }
  };
  try {
    const reader = makeByteReader(stored(), Infinity);
    const mediaType = (await isGzip(reader)) ? "application/gzip" : "application/x-tar";
    const manifest = await manifestIn(reader.rest(), limits.unpackedBytes);
    const archive = await writer.finish();
    return {
      archive,
      mediaType,
      manifest,
      discard: () => store.remove(archive.key).catch(() => {}),
    };
  } catch (error) {
    await writer.abort().catch(() => {});
    throw error instanceof ArchiveError ? invalid(error.message) : error;
  }
};

/** The text of the manifest at the top of an archive, or in the one folder there. Reads the archive to its end. */
const manifestIn = async (source: AsyncIterable<Uint8Array>, unpackedBytes: number): Promise<string> => {
  const found = new Map<string, Uint8Array>();
  const tops = new Set<string>();
  for await (const { path, type, size, body } of readArchive(source, { ...archiveLimits, unpackedBytes })) {
    const parts = path.split("/");
    // macOS writes metadata files that say nothing about the engine.
    if (!(parts.at(-1) ?? "").startsWith("._")) tops.add(parts[0] ?? "");
    if (parts.at(-1) !== manifestName || type !== "file" || parts.length > 2) continue;
    if (parts.length === 2 && tops.size > 1) continue;
    if (size > maxManifestBytes) throw invalid(`${path} is longer than ${maxManifestBytes} bytes`);
    const bytes = new Uint8Array(size);
    let at = 0;
    for await (const chunk of body) {
      bytes.set(chunk, at);
      at += chunk.length;
    }
    found.set(path, bytes);
  }
  const [top = ""] = tops;
  const path = found.has(manifestName) ? manifestName : tops.size === 1 ? `${top}/${manifestName}` : "";
  const bytes = found.get(path);
  if (bytes === undefined) throw invalid(`the archive has no ${manifestName} at its top, nor in the one folder there`);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    throw invalid(`${path} is not UTF-8`);
  }
};
