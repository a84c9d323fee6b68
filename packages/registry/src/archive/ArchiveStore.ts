// Storage interface for archives, and their encryption.
import { importKey, type SecretBox } from "../api/SecretBox.ts";
import { makeByteReader, streamOf } from "./ArchiveReader.ts";

/** Objects that are written once and never changed. */
export interface ObjectStore {
  /** Begins an object under a new key. It can be read once `finish` has resolved, and is on disk then. */
  readonly begin: () => Promise<ObjectWriter>;
  /** Bytes from `start` to before `end`, or undefined where there is no such object. Rejects with StorageUnavailable. */
  readonly read: (key: string, start: number, end: number) => Promise<AsyncIterable<Uint8Array> | undefined>;
  /** Removes an object; does nothing where there is none. */
  readonly remove: (key: string) => Promise<void>;
  /** All objects, unfinished ones too, with the time of their last change. */
  readonly list: () => AsyncIterable<{ readonly key: string; readonly changedMs: number }>;
}

/** One object that is being written. All of it rejects with StorageUnavailable. */
export interface ObjectWriter {
  readonly key: string;
  readonly write: (bytes: Uint8Array) => Promise<void>;
  readonly finish: () => Promise<void>;
  /** Removes what was written. */
  readonly abort: () => Promise<void>;
}

/** The place of archives failed: full, gone, damaged. The caller is answered 503; `cause` says why. */
export class StorageUnavailable extends Error {
  override readonly name = "StorageUnavailable";
  constructor(cause: unknown) {
    super("archives cannot be stored or read now", { cause });
  }
}

/** A SHA-256 of bytes that come one after the other. */
export interface Sha256 {
  readonly update: (bytes: Uint8Array) => Promise<void> | void;
  readonly digest: () => Promise<Uint8Array> | Uint8Array;
}

/** What the database keeps of an archive. */
export interface StoredArchive {
  readonly key: string;
  /** Base64 of the SHA-256 of the archive as it was uploaded. */
  readonly hash: string;
  readonly bytes: number;
  /** The AES-256 key of its object. */
  readonly dataKey: Uint8Array;
}

/** Where the sealed data key of an archive belongs. */
export const archivePlace = (key: string): string => `archive ${key}`;

/** The same archive with its data key sealed by the operator's: it holds a secret. */
export const sealDataKey = async <A extends StoredArchive>(archive: A, box: SecretBox): Promise<A> => ({
  ...archive,
  dataKey: await box.seal(btoa(String.fromCharCode(...archive.dataKey)), archivePlace(archive.key)),
});

/** Bytes of an archive that are encrypted together: memory that one upload or download takes, about. */
const chunkBytes = 64 * 1_024;

/** Bytes that AES-GCM adds to each chunk. */
const tagBytes = 16;

const keyBytes = 32;

/** Bytes of the object of an archive. */
export const objectBytes = (bytes: number): number => bytes + Math.ceil(bytes / chunkBytes) * tagBytes;

const openKey = (bytes: Uint8Array): Promise<CryptoKey> =>
  importKey(new Uint8Array(bytes), "AES-GCM", ["encrypt", "decrypt"]);

/** The nonce of a chunk is its number: no two archives have one key (NIST SP 800-38D, 8.2.1). */
const algorithmOf = (chunk: number): AesGcmParams => {
  const iv = new Uint8Array(12);
  new DataView(iv.buffer).setUint32(8, chunk);
  return { name: "AES-GCM", iv };
};

/** Writes one archive. */
export interface ArchiveWriter {
  readonly write: (bytes: Uint8Array) => Promise<void>;
  readonly finish: () => Promise<StoredArchive>;
  readonly abort: () => Promise<void>;
}

/**
 * Begins to store an archive. Every object is encrypted with a key of its own, from its first byte on, since only the manifest in
 * it says whether it holds a secret: what a crash leaves behind opens with nothing.
 */
export const beginArchive = async (store: ObjectStore, sha256: Sha256): Promise<ArchiveWriter> => {
  const dataKey = crypto.getRandomValues(new Uint8Array(keyBytes));
  const key = await openKey(dataKey);
  const object = await store.begin();
  const buffer = new Uint8Array(chunkBytes);
  let filled = 0;
  let bytes = 0;
  let chunk = 0;
  const flush = async (): Promise<void> => {
    const sealed = await crypto.subtle.encrypt(algorithmOf(chunk), key, buffer.subarray(0, filled));
    chunk += 1;
    filled = 0;
    await object.write(new Uint8Array(sealed));
  };
  const fill = async (part: Uint8Array): Promise<void> => {
    const taken = part.subarray(0, chunkBytes - filled);
    buffer.set(taken, filled);
    filled += taken.length;
    if (filled < chunkBytes) return;
    await flush();
    await fill(part.subarray(taken.length));
  };
  return {
    write: async (part) => {
      await sha256.update(part);
      bytes += part.length;
      await fill(part);
    },
    finish: async () => {
      if (filled > 0) await flush();
      await object.finish();
      const digest = await sha256.digest();
      return { key: object.key, hash: btoa(String.fromCharCode(...digest)), bytes, dataKey };
    },
    abort: object.abort,
  };
};

/** Whether there is an object of a key. */
export const hasObject = async (store: ObjectStore, key: string): Promise<boolean> => {
  const bytes = await store.read(key, 0, 1);
  if (bytes === undefined) return false;
  // Read to its end: what is left open stays open.
  for await (const chunk of bytes) void chunk;
  return true;
};

/** Whether the object of an archive is there and has its hash: reads all of it. */
export const isWholeArchive = async (store: ObjectStore, archive: StoredArchive, sha256: Sha256): Promise<boolean> => {
  try {
    const opened = await openArchive(store, archive);
    if (opened === undefined) return false;
    for await (const chunk of opened) await sha256.update(chunk);
    return btoa(String.fromCharCode(...(await sha256.digest()))) === archive.hash;
  } catch (error) {
    if (error instanceof StorageUnavailable) return false;
    throw error;
  }
};

/** Bytes from `start` to before `end` of an archive, or undefined where it is gone. Rejects where the start is damaged; the stream fails on what is damaged later. */
export const openArchive = async (
  store: ObjectStore,
  { key: name, bytes, dataKey }: StoredArchive,
  start = 0,
  end = bytes,
): Promise<ReadableStream<Uint8Array<ArrayBuffer>> | undefined> => {
  const first = Math.floor(start / chunkBytes);
  const last = Math.ceil(end / chunkBytes);
  const sealedChunk = chunkBytes + tagBytes;
  const source = await store.read(name, first * sealedChunk, Math.min(last * sealedChunk, objectBytes(bytes)));
  if (source === undefined) return undefined;
  const key = await openKey(dataKey);
  const opened = async function* (): AsyncGenerator<Uint8Array> {
    const reader = makeByteReader(source, Infinity);
    try {
      for (let chunk = first; chunk < last; chunk++) {
        const length = Math.min(chunkBytes, bytes - chunk * chunkBytes);
        const sealed = await reader.exactly(length + tagBytes);
        const plain = await crypto.subtle.decrypt(algorithmOf(chunk), key, new Uint8Array(sealed));
        const from = Math.max(0, start - chunk * chunkBytes);
        yield new Uint8Array(plain).subarray(from, end - chunk * chunkBytes);
      }
    } catch (error) {
      throw new StorageUnavailable(error);
    } finally {
      reader.close();
    }
  };
  // What cannot be read from its start on is still an answer: nothing has been sent.
  const chunks = opened();
  const begun = [await chunks.next()];
  return streamOf({
    [Symbol.asyncIterator]: () => ({
      next: () => {
        const chunk = begun.pop();
        return chunk === undefined ? chunks.next() : Promise.resolve(chunk);
      },
      return: () => chunks.return(undefined),
    }),
  });
};
