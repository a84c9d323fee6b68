// Archives as objects of Cloudflare R2, written in parts.
import { StorageUnavailable, type ObjectStore, type Sha256 } from "@bytenite-engines/registry/api";

/** Bytes of a part: R2 wants equal parts of at least 5 MiB, but for the last. Also the memory of one upload. */
const partBytes = 8 * 1_024 * 1_024;

/** Prefix of archives, so that a bucket can hold other objects. */
const prefix = "archives/";

interface R2Part {
  readonly partNumber: number;
  readonly etag: string;
}

interface R2Upload {
  readonly uploadPart: (number: number, value: Uint8Array) => Promise<R2Part>;
  readonly complete: (parts: ReadonlyArray<R2Part>) => Promise<unknown>;
  readonly abort: () => Promise<void>;
}

/** The used part of an R2 bucket. */
export interface R2Binding {
  readonly put: (key: string, value: Uint8Array) => Promise<unknown>;
  readonly get: (
    key: string,
    options?: { readonly range: { readonly offset: number; readonly length: number } },
  ) => Promise<{ readonly body: ReadableStream<Uint8Array> } | null>;
  readonly delete: (key: string) => Promise<void>;
  readonly list: (options: { readonly prefix: string; readonly cursor?: string | undefined }) => Promise<{
    readonly objects: ReadonlyArray<{ readonly key: string; readonly uploaded: Date }>;
    readonly truncated: boolean;
    readonly cursor?: string;
  }>;
  readonly createMultipartUpload: (key: string) => Promise<R2Upload>;
}

/** The result of `work`; its errors become StorageUnavailable. */
export const failing = async <A>(work: () => Promise<A>): Promise<A> => {
  try {
    return await work();
  } catch (error) {
    throw new StorageUnavailable(error);
  }
};

/** Objects in a bucket. R2 aborts unfinished multipart uploads after a week. */
export const makeR2Store = (bucket: R2Binding): ObjectStore => ({
  begin: () => {
    const key = crypto.randomUUID();
    const name = prefix + key;
    const buffer = new Uint8Array(partBytes);
    let filled = 0;
    let upload: R2Upload | undefined;
    const parts: Array<R2Part> = [];
    const flush = async (): Promise<void> => {
      upload ??= await bucket.createMultipartUpload(name);
      parts.push(await upload.uploadPart(parts.length + 1, buffer.subarray(0, filled)));
      filled = 0;
    };
    const write = async (bytes: Uint8Array): Promise<void> => {
      const taken = bytes.subarray(0, partBytes - filled);
      buffer.set(taken, filled);
      filled += taken.length;
      if (filled < partBytes) return;
      await flush();
      await write(bytes.subarray(taken.length));
    };
    return Promise.resolve({
      key,
      write: (bytes) => failing(() => write(bytes)),
      finish: () =>
        failing(async () => {
          if (upload === undefined) {
            await bucket.put(name, buffer.subarray(0, filled));
            return;
          }
          if (filled > 0) await flush();
          await upload.complete(parts);
        }),
      abort: () => failing(async () => upload?.abort()),
    });
  },
  read: (key, offset, end) =>
    failing(async () => {
      if (end === offset) return (async function* () {})();
      const object = await bucket.get(prefix + key, { range: { offset, length: end - offset } });
      return object === null ? undefined : object.body;
    }),
  remove: (key) => bucket.delete(prefix + key),
  list: () => objectsOf(bucket, prefix),
});

/** The objects below a prefix, by the rest of their keys. */
export const objectsOf = async function* (
  bucket: R2Binding,
  prefix: string,
): AsyncGenerator<{ readonly key: string; readonly changedMs: number }> {
  let cursor: string | undefined;
  do {
    const page = await bucket.list({ prefix, cursor });
    for (const { key, uploaded } of page.objects) {
      yield { key: key.slice(prefix.length), changedMs: uploaded.getTime() };
    }
    cursor = page.truncated ? page.cursor : undefined;
  } while (cursor !== undefined);
};

/** SHA-256 of a stream, by the runtime of Workers. */
export const workerSha256 = (): Sha256 => {
  const { DigestStream } = crypto as unknown as {
    readonly DigestStream: new (
      algorithm: string,
    ) => WritableStream<Uint8Array> & { readonly digest: Promise<ArrayBuffer> };
  };
  const stream = new DigestStream("SHA-256");
  const writer = stream.getWriter();
  return {
    update: (bytes) => writer.write(bytes),
    digest: async () => {
      await writer.close();
      return new Uint8Array(await stream.digest);
    },
  };
};
