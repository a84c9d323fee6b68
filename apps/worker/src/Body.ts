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

export class BodyBudget {
  readonly #byUser = new Map<string, number>();
  readonly #leases = new Set<Lease>();
  readonly #now: () => number;
  #bytes = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  get bytes(): number {
    return this.#bytes;
  }

  lease(user: string): Lease {
    const lease = new Lease(this, user, this.#now());
    this.#leases.add(lease);
    return lease;
  }

  take(user: string, bytes: number): boolean {
    for (const lease of this.#leases) {
      if (this.#now() - lease.startedAtMs < maxHeldMs) break;
      lease.end();
    }
    const ofUser = (this.#byUser.get(user) ?? 0) + bytes;
    if (ofUser > maxBodyBytesPerUser || this.#bytes + bytes > maxBodyBytesUnderWay) return false;
    this.#byUser.set(user, ofUser);
    this.#bytes += bytes;
    return true;
  }

  end(lease: Lease, user: string, bytes: number): void {
    this.#leases.delete(lease);
    this.#bytes -= bytes;
    const ofUser = (this.#byUser.get(user) ?? 0) - bytes;
    if (ofUser > 0) this.#byUser.set(user, ofUser);
    else this.#byUser.delete(user);
  }
}

/** The bytes of one body, held by whoever reads, stores or sends it. */
export class Lease {
  readonly startedAtMs: number;
  readonly #budget: BodyBudget;
  readonly #user: string;
  #bytes = 0;
  #holders = 1;

  constructor(budget: BodyBudget, user: string, startedAtMs: number) {
    this.#budget = budget;
    this.#user = user;
    this.startedAtMs = startedAtMs;
  }

  get isHeld(): boolean {
    return this.#holders > 0;
  }

  /** False: so many more bytes are beyond the share of the user, or beyond the whole. */
  grow(bytes: number): boolean {
    if (!this.#budget.take(this.#user, bytes)) return false;
    this.#bytes += bytes;
    return true;
  }

  hold(): this {
    this.#holders += 1;
    return this;
  }

  release(): void {
    this.#holders -= 1;
    if (this.#holders === 0) this.end();
  }

  end(): void {
    this.#holders = 0;
    this.#budget.end(this, this.#user, this.#bytes);
    this.#bytes = 0;
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

const joined = (chunks: ReadonlyArray<Uint8Array<ArrayBuffer>>, length: number): Uint8Array<ArrayBuffer> => {
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

/** A body that was sent, with the work that ends when the client has taken it or is gone. */
export interface Sent {
  readonly body: BodyInit;
  readonly work: Promise<void> | undefined;
}

/**
 * The bytes as a body, counted until the client has taken them; once for all clients that take the same bytes. Undefined: they are
 * beyond the share of the user.
 */
export const sendBytes = (
  answer: { readonly bytes: Uint8Array<ArrayBuffer>; lease?: Lease },
  budget: BodyBudget,
  user: string,
): Sent | undefined => {
  const { bytes } = answer;
  if (bytes.byteLength < minCountedBytes) return { body: bytes, work: undefined };
  let lease = answer.lease;
  if (lease?.isHeld === true) {
    lease.hold();
  } else {
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
