// Reproducible archives of engines, and their safe extraction.
import { UserError } from "@bytenite-engines/registry/command";
import { createHash } from "node:crypto";
import { ArchiveError, readArchive } from "@bytenite-engines/registry/archive";
import { packTar } from "modern-tar";
import { exitCodes } from "../Errors.ts";
import { safeText } from "../terminal/SafeText.ts";
import { contentOf, manifestName, type EngineFile, type EngineFolder } from "./EngineFolder.ts";

/** Modes of files in an archive, as most systems give them. */
const plainMode = 0o644;
const executableMode = 0o755;
/** Nothing of when and by whom a folder was written is in its archive, so that the same files always give the same bytes. */
const epoch = new Date(0);

/** The tar archive of a folder. The same files give the same bytes. */
export const packed = async (folder: EngineFolder): Promise<Uint8Array<ArrayBuffer>> =>
  await packTar([...entriesOf(folder)]);

function* entriesOf(folder: EngineFolder) {
  for (const file of folder.files) {
    const body = contentOf(folder, file);
    const mode = file.isExecutable ? executableMode : plainMode;
    yield {
      header: { name: file.path, size: body.length, mode, mtime: epoch, type: "file" as const, uid: 0, gid: 0 },
      body,
    };
  }
}

/** The SHA-256 of an archive, as engines carry it. */
export const hashOf = (archive: Uint8Array): string => createHash("sha256").update(archive).digest("base64");

/** A file of an archive. */
export interface ArchivedFile extends EngineFile {
  readonly content: Uint8Array;
}

/**
 * The files of a tar archive, plain or gzip; where its manifest lies in one folder that holds everything, the paths begin below
 * that. Throws UserError for anything but files and folders below it.
 */
export const unpacked = async (archive: Uint8Array): Promise<ReadonlyArray<ArchivedFile>> => {
  const files: Array<ArchivedFile> = [];
  try {
    for await (const { path, type, size, isExecutable, body } of readArchive(chunksOf(archive))) {
      if (type === "directory") continue;
      const content = new Uint8Array(size);
      let length = 0;
      for await (const chunk of body) {
        content.set(chunk, length);
        length += chunk.byteLength;
      }
      files.push({ path, bytes: size, isExecutable, content });
    }
  } catch (error) {
    if (!(error instanceof ArchiveError)) throw error;
    throw new UserError(
      `The archive is not unpacked: ${safeText(error.message)}`,
      exitCodes.undecodable,
      "Nothing was written.",
    );
  }
  return withoutCommonFolder(files);
};

/** Bytes that are read at once. */
const chunkBytes = 1_048_576;

async function* chunksOf(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  for (let start = 0; start < bytes.byteLength; start += chunkBytes) yield bytes.subarray(start, start + chunkBytes);
}

const withoutCommonFolder = (files: ReadonlyArray<ArchivedFile>): ReadonlyArray<ArchivedFile> => {
  const [first] = files;
  const folder = first?.path.slice(0, first.path.indexOf("/") + 1) ?? "";
  const isCommon = files.every(({ path }) => path.startsWith(folder));
  if (!isCommon || !files.some(({ path }) => path === folder + manifestName)) return files;
  return files.map((file) => ({ ...file, path: file.path.slice(folder.length) }));
};
