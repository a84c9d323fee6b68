// Bodies in memory, bounded per isolate and per user.

/** Most bytes of bodies in transit in an isolate. Stored responses are counted separately. */
export const maxBodyBytesUnderWay = 24 * 1024 * 1024;
/** The share of one user, or of one client without a token. */
export const maxBodyBytesPerUser = 6 * 1024 * 1024;
/** Longest body that is read as a whole, and may be stored. Longer ones are streamed, and stored nowhere. */
export const maxBufferedBytes = 4 * 1024 * 1024;
/** Shorter bodies are not counted: the buffers of the connection take them. */
export const minCountedBytes = 64 * 1024;
/** Bytes count as released after this time, in milliseconds, since the runtime may end a request silently. */
const maxHeldMs = 600_000;

/** The bytes of one body, held by whoever reads, stores or sends it. */
export interface Lease {
  /** False: so many more bytes are beyond the share of the user, or beyond the whole. */
  readonly grow: (bytes: number) => boolean;
  /** False: nobody holds it any more. */
  readonly hold: () => boolean;
  readonly release: () => void;
}

export class BodyBudget {
  readonly #byUser = new Map<string, number>();
  /** The end of each lease, by the moment from which it counts as released. */
  readonly #ends = new Map<() => void, number>();
  readonly #now: () => number;
  #bytes = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  get bytes(): number {
    return this.#bytes;
  }

  lease(user: string): Lease {
    let held = 0;
    let holders = 1;
    const end = (): void => {
      this.#ends.delete(end);
      this.#add(user, -held);
      held = 0;
      holders = 0;
    };
    this.#ends.set(end, this.#now() + maxHeldMs);
    return {
      grow: (bytes) => {
        for (const [endOther, untilMs] of this.#ends) {
          if (this.#now() < untilMs) break;
          endOther();
        }
        const ofUser = (this.#byUser.get(user) ?? 0) + bytes;
        if (ofUser > maxBodyBytesPerUser || this.#bytes + bytes > maxBodyBytesUnderWay) return false;
        this.#add(user, bytes);
        held += bytes;
        return true;
      },
      hold: () => holders > 0 && ++holders > 0,
      release: () => {
        holders -= 1;
        if (holders === 0) end();
      },
    };
  }

  #add(user: string, bytes: number): void {
    this.#bytes += bytes;
    const ofUser = (this.#byUser.get(user) ?? 0) + bytes;
    if (ofUser > 0) this.#byUser.set(user, ofUser);
    else this.#byUser.delete(user);
  }
}

/** A body that was read as a whole, or one that is streamed; `ended` resolves when the client has taken it or is gone. */
export type Body =
  | { readonly bytes: Uint8Array<ArrayBuffer> }
  | { readonly stream: ReadableStream<Uint8Array<ArrayBuffer>>; readonly ended: Promise<void> };

export const emptyBody: Body = { bytes: new Uint8Array() };

/** Reads a body as far as its length and the lease allow. Rejects where it breaks off before that. */
export const readBody = async (
  body: ReadableStream<Uint8Array<ArrayBuffer>> | null,
  lease: Lease,
  maxBytes = maxBufferedBytes,
): Promise<Body> => {
  if (body === null) return emptyBody;
  const reader = body.getReader();
  const chunks: Array<Uint8Array<ArrayBuffer>> = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return { bytes: joined(chunks, length) };
    chunks.push(value);
    length += value.byteLength;
    if (length > maxBytes || !lease.grow(value.byteLength)) {
      reader.releaseLock();
      return streamBody(body, lease, chunks);
    }
  }
};

const joined = (chunks: ReadonlyArray<Uint8Array>, length: number): Uint8Array<ArrayBuffer> => {
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
};

/** A body that is read as the client takes it: what was read of it, and then the rest. */
export const streamBody = (
  body: ReadableStream<Uint8Array<ArrayBuffer>>,
  lease: Lease,
  chunks: ReadonlyArray<Uint8Array<ArrayBuffer>> = [],
): Body => {
  const { readable, writable } = new IdentityTransformStream();
  lease.hold();
  const pump = async (): Promise<void> => {
    try {
      const writer = writable.getWriter();
      for (const chunk of chunks) await writer.write(chunk);
      writer.releaseLock();
      // From here on the runtime moves the bytes.
      await body.pipeTo(writable);
    } catch (error) {
      // When client or upstream disconnect, the other side is aborted.
      await Promise.allSettled([body.cancel(error), writable.abort(error)]);
    } finally {
      lease.release();
    }
  };
  return { stream: readable, ended: pump() };
};

/** A stream without a queue of its own. */
declare const IdentityTransformStream: new () => {
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly writable: WritableStream<Uint8Array>;
};

/** A stream of a known length: the runtime announces it in Content-Length. */
declare const FixedLengthStream: new (length: number) => {
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  readonly writable: WritableStream<Uint8Array>;
};

/**
 * The bytes as a body, counted until the client has taken them; once for all clients that take the same bytes. Undefined: they are
 * beyond the share of the user.
 */
export const sendBytes = (
  answer: { readonly bytes: Uint8Array<ArrayBuffer>; lease?: Lease | undefined },
  budget: BodyBudget,
  user: string,
): { readonly body: BodyInit; readonly work?: Promise<void> } | undefined => {
  const { bytes } = answer;
  if (bytes.byteLength < minCountedBytes) return { body: bytes };
  let lease = answer.lease;
  if (lease?.hold() !== true) {
    lease = budget.lease(user);
    if (!lease.grow(bytes.byteLength)) {
      lease.release();
      return undefined;
    }
    answer.lease = lease;
  }
  const { readable, writable } = new FixedLengthStream(bytes.byteLength);
  return { body: readable, work: write(bytes, writable, lease) };
};

const write = async (
  bytes: Uint8Array<ArrayBuffer>,
  writable: WritableStream<Uint8Array>,
  lease: Lease,
): Promise<void> => {
  const writer = writable.getWriter();
  try {
    for (let at = 0; at < bytes.byteLength; at += minCountedBytes) {
      await writer.write(bytes.subarray(at, at + minCountedBytes));
    }
    await writer.close();
  } catch {
    // The client is gone.
  } finally {
    lease.release();
  }
};
