import { createCipheriv } from "node:crypto";
import { buffer } from "node:stream/consumers";
import { expect, test } from "vitest";
import { nodeSha256 } from "../node/ArchiveFolder.ts";
import {
  beginArchive,
  hasObject,
  isWholeArchive,
  objectBytes,
  openArchive,
  StorageUnavailable,
  type ObjectStore,
  type StoredArchive,
} from "./ArchiveStore.ts";

const chunk = 65_536;

/** Objects in memory, and the ranges that are read. */
const memory = () => {
  const objects = new Map<string, Uint8Array>();
  const read: Array<readonly [start: number, end: number]> = [];
  const state = { open: 0 };
  const store: ObjectStore = {
    begin: async () => {
      const parts: Array<Uint8Array> = [];
      const finish = async (): Promise<void> => void objects.set("key", Buffer.concat(parts));
      return { key: "key", write: async (bytes) => void parts.push(bytes), finish, abort: async () => undefined };
    },
    read: async (key, start, end) => {
      read.push([start, end]);
      const bytes = objects.get(key)?.subarray(start, end);
      return bytes === undefined
        ? undefined
        : (async function* () {
            state.open += 1;
            try {
              yield bytes;
            } finally {
              state.open -= 1;
            }
          })();
    },
    remove: async (key) => void objects.delete(key),
    list: async function* () {},
  };
  return { objects, read, state, store };
};

/** Bytes that differ from chunk to chunk. */
const bytesOf = (length: number): Uint8Array => Uint8Array.from({ length }, (_, at) => (at * 31 + (at >>> 8)) & 0xff);

const stored = async (store: ObjectStore, bytes: Uint8Array): Promise<StoredArchive> => {
  const writer = await beginArchive(store, nodeSha256());
  for (let at = 0; at < bytes.length; at += 40_001) await writer.write(bytes.subarray(at, at + 40_001));
  return writer.finish();
};

const readAll = async (
  store: ObjectStore,
  archive: StoredArchive,
  start?: number,
  end?: number,
): Promise<Uint8Array> => {
  const stream = await openArchive(store, archive, start, end);
  return new Uint8Array(await buffer(stream as NonNullable<typeof stream>));
};

test.for([0, 1, chunk - 1, chunk, chunk + 1, 2 * chunk, 2 * chunk + 5])(
  "an archive of %i bytes is stored in chunks of 64 KiB, each with its number as nonce and a tag of 16 bytes",
  async (length) => {
    const { objects, store } = memory();
    const bytes = bytesOf(length);
    const archive = await stored(store, bytes);
    expect(archive.dataKey).toHaveLength(32);
    const sealed: Array<Uint8Array> = [];
    for (let number = 0; number * chunk < length; number++) {
      const nonce = Buffer.alloc(12);
      nonce.writeUInt32BE(number, 8);
      const cipher = createCipheriv("aes-256-gcm", archive.dataKey, nonce);
      sealed.push(
        cipher.update(bytes.subarray(number * chunk, (number + 1) * chunk)),
        cipher.final(),
        cipher.getAuthTag(),
      );
    }
    const object = Buffer.concat(sealed);
    expect(object.equals(objects.get("key") ?? Buffer.alloc(1))).toBe(true);
    expect([archive.bytes, objectBytes(length)]).toEqual([length, object.length]);
    expect(archive.hash).toBe(
      Buffer.from(await crypto.subtle.digest("SHA-256", new Uint8Array(bytes))).toString("base64"),
    );
    expect(Buffer.from(bytes).equals(await readAll(store, archive))).toBe(true);
    expect(await isWholeArchive(store, archive, nodeSha256())).toBe(true);
    expect(await isWholeArchive(store, { ...archive, hash: "x" }, nodeSha256())).toBe(false);
  },
);

test("a part of an archive is read from the chunks that hold it, and from no others", async () => {
  const { read, store } = memory();
  const bytes = bytesOf(2 * chunk + 5);
  const archive = await stored(store, bytes);
  const sealed = chunk + 16;
  for (const [start, end, from, to] of [
    [0, 1, 0, sealed],
    [chunk - 1, chunk, 0, sealed],
    [chunk - 1, chunk + 1, 0, 2 * sealed],
    [chunk, 2 * chunk, sealed, 2 * sealed],
    [2 * chunk - 1, 2 * chunk + 5, sealed, 2 * sealed + 21],
    [2 * chunk + 4, 2 * chunk + 5, 2 * sealed, 2 * sealed + 21],
  ] as const) {
    read.length = 0;
    expect(Buffer.from(bytes.subarray(start, end)).equals(await readAll(store, archive, start, end))).toBe(true);
    expect(read).toEqual([[from, to]]);
  }
});

test("what is gone or damaged is not there", async () => {
  const { objects, read, state, store } = memory();
  const archive = await stored(store, bytesOf(chunk + 1));
  expect([await hasObject(store, "key"), read]).toEqual([true, [[0, 1]]]);
  const object = objects.get("key") as Uint8Array;
  object[object.length - 1] = (object.at(-1) ?? 0) ^ 1;
  await expect(readAll(store, archive)).rejects.toThrow(StorageUnavailable);
  expect(await isWholeArchive(store, archive, nodeSha256())).toBe(false);
  object[0] = (object[0] ?? 0) ^ 1;
  await expect(openArchive(store, archive)).rejects.toThrow(StorageUnavailable);
  await expect.poll(() => state.open).toBe(0);
  objects.clear();
  expect(await hasObject(store, "key")).toBe(false);
  expect(await openArchive(store, archive)).toBeUndefined();
  expect(await isWholeArchive(store, archive, nodeSha256())).toBe(false);
});
