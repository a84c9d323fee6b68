// Streaming reader for tar and tar.gz, with checks.
import { createTarDecoder, type TarHeader } from "modern-tar";
import { archiveLimits, cleanPath, makePathCheck, type ArchiveLimits } from "./ArchivePath.ts";

/** An archive that is not taken; the message says which entry and why. */
export class ArchiveError extends Error {
  override readonly name = "ArchiveError";
}

/** A file or folder of an archive. */
export interface ArchiveEntry {
  /** Relative, without `.` and `..`, without a slash at the end. */
  readonly path: string;
  readonly type: "file" | "directory";
  /** Bytes; 0 for a folder. */
  readonly size: number;
  readonly isExecutable: boolean;
  /** The bytes, to be read before the next entry is asked for; what is not read is left out. */
  readonly body: AsyncIterable<Uint8Array>;
}

/** Bytes of a block of tar: a header is one, and a body is filled up to whole ones. */
const blockBytes = 512;

/** Blocks of zeros that end an archive. */
const endBlocks = 2;

const gzipMagic = [0x1f, 0x8b] as const;

/** What entries of a type flag are. Old tars write NUL for a file. */
const typeOf: Readonly<Record<string, string>> = {
  "1": "a hard link",
  "2": "a symbolic link",
  "3": "a device",
  "4": "a device",
  "6": "a FIFO",
  S: "a sparse file",
};

/** The records of a PAX header that a whole archive may have: what `git archive` writes. */
const onlyComment = /^\d+ comment=[^\n]*\n$/;

/**
 * The files and folders of an archive, plain or gzip by its first bytes. Reads the source to its end. Holds one chunk of it in
 * memory, and the names of all entries. Throws ArchiveError, or what the source throws.
 */
export const readArchive = async function* (
  source: AsyncIterable<Uint8Array>,
  limits: ArchiveLimits = archiveLimits,
): AsyncGenerator<ArchiveEntry> {
  const raw = makeByteReader(source, Infinity);
  const bytes = makeByteReader((await isGzip(raw)) ? unzipped(raw.rest()) : raw.rest(), limits.unpackedBytes);
  try {
    yield* entriesIn(bytes, limits);
  } finally {
    raw.close();
  }
};

/** Whether what a reader gives next begins as gzip does. */
export const isGzip = async (bytes: ByteReader): Promise<boolean> => {
  const start = await bytes.peek(gzipMagic.length);
  return gzipMagic.every((byte, index) => start[index] === byte);
};

const entriesIn = async function* (bytes: ByteReader, limits: ArchiveLimits): AsyncGenerator<ArchiveEntry> {
  const check = makePathCheck(limits);
  let entries = 0;
  for (;;) {
    const header = await nextHeader(bytes, limits, entries === 0);
    if (header === undefined) return;
    entries += 1;
    if (entries > limits.entries) throw new ArchiveError(`the archive has more than ${limits.entries} entries`);
    const path = cleanPath(header.name);
    const type = header.type === "directory" ? "directory" : "file";
    if (path === "" && type === "directory") continue;
    const problem = path === "" ? "it has no name" : check(path, type);
    if (problem !== undefined) throw refused(header, problem);
    if (header.size > limits.unpackedBytes) throw tooLarge(limits.unpackedBytes);
    let left = header.size;
    const body = async function* (): AsyncGenerator<Uint8Array> {
      while (left > 0) {
        const chunk = await bytes.some(left);
        if (chunk === undefined) throw cutShort();
        left -= chunk.length;
        yield chunk;
      }
    };
    yield { path, type, size: header.size, isExecutable: ((header.mode as number) & 0o111) !== 0, body: body() };
    const rest = body();
    while ((await rest.next()).done !== true);
    await bytes.exactly(-header.size & (blockBytes - 1));
  }
};

const refused = ({ name }: TarHeader, problem: string): ArchiveError =>
  new ArchiveError(`entry ${JSON.stringify(name.slice(0, 200))}: ${problem}`);

const cutShort = (): ArchiveError => new ArchiveError("the archive ends in the middle: it was cut short");

const tooLarge = (bytes: number): ArchiveError =>
  new ArchiveError(`the archive has more than ${bytes} bytes when unpacked`);

/** Zero bytes at the end that a gzip stream itself can have: its last fields are not longer. */
const maxOwnZeros = 8;

/** The bytes of a gzip stream. */
const unzipped = async function* (source: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  let failure: unknown;
  let zeros = 0;
  const watched = async function* (): AsyncGenerator<Uint8Array> {
    try {
      for await (const chunk of source) {
        const last = chunk.findLastIndex((byte) => byte !== 0);
        zeros = last === -1 ? zeros + chunk.length : chunk.length - 1 - last;
        yield chunk;
      }
    } catch (error) {
      failure = error;
      throw error;
    }
  };
  try {
    yield* streamOf(watched()).pipeThrough(new DecompressionStream("gzip"));
  } catch (error) {
    const problem = (error as Error).message || "it was cut short";
    if (failure === undefined && zeros > maxOwnZeros) {
      throw new ArchiveError(
        `the archive has ${zeros} zero bytes at its end, after its gzip stream, as bsdtar adds them in a pipe: write it to a file, or compress it with gzip`,
      );
    }
    throw failure ?? new ArchiveError(`the archive is not a gzip stream from start to end: ${problem}`);
  }
};

/** A stream of what an iterable gives, one chunk at a time. */
export const streamOf = (source: AsyncIterable<Uint8Array>): ReadableStream<Uint8Array<ArrayBuffer>> => {
  const iterator = source[Symbol.asyncIterator]();
  return new ReadableStream(
    {
      pull: async (controller) => {
        const { done, value } = await iterator.next();
        if (done === true) controller.close();
        else controller.enqueue(value as Uint8Array<ArrayBuffer>);
      },
      cancel: async () => {
        await iterator.return?.();
      },
    },
    { highWaterMark: 0 },
  );
};

/** Bytes of a source, taken in whatever pieces they are needed. */
export interface ByteReader {
  /** The next bytes without taking them; fewer at the end. */
  readonly peek: (count: number) => Promise<Uint8Array>;
  /** Exactly so many. Throws ArchiveError when there are fewer. */
  readonly exactly: (count: number) => Promise<Uint8Array>;
  /** Between one and so many; undefined at the end. */
  readonly some: (most: number) => Promise<Uint8Array | undefined>;
  /** All that is left. Ends the source where it is not read to its end. */
  readonly rest: () => AsyncGenerator<Uint8Array>;
  /** Ends the source. Does not wait for a chunk that is on its way. */
  readonly close: () => void;
}

export const makeByteReader = (source: AsyncIterable<Uint8Array>, maxBytes: number): ByteReader => {
  const iterator = source[Symbol.asyncIterator]();
  let held: Uint8Array = new Uint8Array();
  let total = 0;
  const more = async (): Promise<boolean> => {
    const { done, value } = await iterator.next();
    if (done === true) return false;
    total += value.length;
    if (total > maxBytes) throw tooLarge(maxBytes);
    if (held.length === 0) held = value;
    else {
      const joined = new Uint8Array(held.length + value.length);
      joined.set(held);
      joined.set(value, held.length);
      held = joined;
    }
    return true;
  };
  const take = (count: number): Uint8Array => {
    const taken = held.subarray(0, count);
    held = held.subarray(count);
    return taken;
  };
  const filled = async (count: number): Promise<void> => {
    while (held.length < count && (await more()));
  };
  const some: ByteReader["some"] = async (most) => {
    await filled(1);
    return held.length === 0 ? undefined : take(Math.min(most, held.length));
  };
  const close = (): void => void iterator.return?.().catch(() => {});
  return {
    some,
    close,
    peek: async (count) => {
      await filled(count);
      return held.subarray(0, count);
    },
    exactly: async (count) => {
      await filled(count);
      if (held.length < count) throw cutShort();
      return take(count);
    },
    rest: async function* () {
      try {
        for (let chunk = await some(Infinity); chunk !== undefined; chunk = await some(Infinity)) yield chunk;
      } finally {
        close();
      }
    },
  };
};

/** The header of the next entry with what stands before it (PAX, GNU long names) applied; undefined at the end of the archive. */
const nextHeader = async (
  bytes: ByteReader,
  limits: ArchiveLimits,
  isFirst: boolean,
): Promise<TarHeader | undefined> => {
  const parts: Array<Uint8Array> = [];
  let length = 0;
  let globals = isFirst ? 1 : 0;
  if (isFirst) {
    const { length: found } = await bytes.peek(blockBytes);
    if (found < blockBytes) throw new ArchiveError(`the archive is not a tar file: it has ${found} bytes`);
  }
  for (;;) {
    const block = await bytes.exactly(blockBytes);
    if (isZero(block)) {
      const [pending] = parts;
      if (pending !== undefined) throw cutShort();
      await end(bytes);
      return undefined;
    }
    checkFormat(block);
    const flag = String.fromCharCode(block[156] as number);
    const size = sizeIn(block);
    if (flag === "x" || flag === "g" || flag === "L" || flag === "K") {
      length += size;
      if (length > limits.headerBytes) {
        throw new ArchiveError(`the archive says more than ${limits.headerBytes} bytes about one entry`);
      }
      const body = await bytes.exactly(size + (-size & (blockBytes - 1)));
      const content = body.subarray(0, size);
      checkExtension(flag, content);
      if (flag === "g") {
        globals -= 1;
        if (globals < 0 || !onlyComment.test(utf8.decode(content))) {
          throw new ArchiveError("the archive has PAX records for all entries that are more than one comment");
        }
      }
      parts.push(block.slice(), body.slice());
      continue;
    }
    const header = await parsed([...parts, block.slice()]);
    if (header === undefined) throw new ArchiveError("the archive has a header that cannot be read");
    checkType(header, flag, size);
    return header;
  }
};

/** A loop: archives can end with hundreds of MiB of zeros. */
const isZero = (block: Uint8Array): boolean => {
  for (let at = 0; at < block.length; at++) if (block[at] !== 0) return false;
  return true;
};

/** After the first block of zeros there are only more of them. */
const end = async (bytes: ByteReader): Promise<void> => {
  const block = await bytes.exactly((endBlocks - 1) * blockBytes);
  if (!isZero(block)) throw new ArchiveError("the archive has a block of zeros in the middle");
  for await (const chunk of bytes.rest()) {
    if (!isZero(chunk)) throw new ArchiveError("the archive goes on after its end");
  }
};

/** The entry that headers describe, as the library reads them; undefined when they describe none. */
const parsed = async (blocks: ReadonlyArray<Uint8Array>): Promise<TarHeader | undefined> => {
  const decoder = createTarDecoder({ strict: true });
  const writer = decoder.writable.getWriter();
  const reader = decoder.readable.getReader();
  // Asked for first, so that it is there before the end of these blocks is an error: the body is not among them.
  const first = reader.read();
  const written = (async () => {
    for (const block of blocks) await writer.write(block);
    await writer.close();
  })();
  written.catch(() => {});
  reader.closed.catch(() => {});
  try {
    const { value } = await first;
    value?.body.cancel().catch(() => {});
    return value?.header;
  } catch (error) {
    throw new ArchiveError(`the archive is not a tar file: ${(error as Error).message}`);
  }
};

const utf8 = new TextDecoder();

/** One character for each byte. */
const latin1 = new TextDecoder("latin1");

/**
 * Refuses PAX records and GNU names that programs read in different ways: lengths that do not fit, a key twice, NUL in the
 * middle or none at the end, and a byte order mark in front of a key, which the library drops.
 */
const checkExtension = (flag: string, body: Uint8Array): void => {
  const refused = new ArchiveError("the archive has PAX records or a GNU name that can be read in several ways");
  if (flag === "L" || flag === "K") {
    if (body.length === 0 || body.indexOf(0) !== body.length - 1) throw refused;
    return;
  }
  const text = latin1.decode(body);
  const length = /[1-9]\d{0,5}(?= )/y;
  const keys = new Set<string>();
  for (let at = 0; at < text.length;) {
    length.lastIndex = at;
    const next = at + Number(length.exec(text)?.[0]);
    const [, key] = /^\d+ (?!\xef\xbb\xbf)([^=\0]+)=[^\0]*\n$/.exec(text.slice(at, next)) ?? [];
    if (key === undefined || keys.has(key) || next > text.length) throw refused;
    keys.add(key);
    at = next;
  }
};

/** Magic of POSIX (1988 and 2001) and of GNU; what comes before both is read in different ways. */
const magics = { posix: "ustar\0", gnu: "ustar " } as const;

const checkFormat = (block: Uint8Array): void => {
  const magic = String.fromCharCode(...block.subarray(257, 263));
  if (magic === magics.posix) return;
  // GNU keeps times where POSIX has the start of a name.
  if (magic === magics.gnu && block[345] === 0) return;
  throw new ArchiveError("the archive is not a tar file of POSIX or GNU");
};

/** The size that a header block itself gives: octal digits, or a number in base 256. */
const sizeIn = (block: Uint8Array): number => {
  const field = block.subarray(124, 136);
  const lead = field[0] as number;
  if ((lead & 0x80) !== 0) {
    const value = field.subarray(1).reduce((sum, byte) => sum * 256 + byte, lead & 0x7f);
    if (!Number.isSafeInteger(value)) throw new ArchiveError("the archive has an entry with an invalid size");
    return value;
  }
  const text = String.fromCharCode(...field)
    .replace(/[\0 ]+$/, "")
    .trimStart();
  if (!/^[0-7]*$/.test(text)) throw new ArchiveError("the archive has an entry with an invalid size");
  return text === "" ? 0 : Number.parseInt(text, 8);
};

/** Refuses what is neither a file nor a folder. The library takes types that it does not know for files, and a size in PAX records that it cannot read for none. */
const checkType = (header: TarHeader, flag: string, size: number): void => {
  if (flag !== "0" && flag !== "\0" && flag !== "5") {
    throw refused(header, `it is ${typeOf[flag] ?? "of an unknown type"}; there may be files and folders only`);
  }
  const { pax = {} } = header;
  if (Object.keys(pax).some((name) => name.startsWith("GNU.sparse") || name === "SCHILY.realsize")) {
    throw refused(header, "it is a sparse file; there may be files and folders only");
  }
  if (flag !== "5" && header.name.endsWith("/")) throw refused(header, "it is a file whose name ends with a slash");
  if (header.type === "directory" && size > 0) throw refused(header, "it is a folder with contents");
  const stated = String(header.size);
  if ((pax["size"] ?? stated) !== stated) throw refused(header, "it has an invalid size");
};
