// Bodies in memory, bounded per isolate and per user.

export const maxBodyBytesUnderWay = 24 * 1024 * 1024; // in transit in an isolate; stored responses are counted separately
export const maxBodyBytesPerUser = 6 * 1024 * 1024; // the share of one user, or of one client without a token
const maxBufferedBytes = 4 * 1024 * 1024; // read as a whole, and perhaps stored; longer bodies are streamed, and stored nowhere
export const minCountedBytes = 64 * 1024; // shorter bodies are not counted: the buffers of the connection take them
const maxIdleMs = 30_000; // for a piece to be taken. Then bytes count as released, too: the runtime may end a request silently

export type Bytes = Uint8Array<ArrayBuffer>;

export type BodyBudget = ReturnType<typeof createBodyBudget>;
export type Lease = ReturnType<BodyBudget["lease"]>;

export const createBodyBudget = (now: () => number) => {
  const byUser = new Map<string, number>();
  /** The end of each lease, by the moment from which it counts as released. */
  const ends = new Map<() => void, number>();
  let total = 0;
  const add = (user: string, bytes: number): void => {
    total += bytes;
    const ofUser = (byUser.get(user) ?? 0) + bytes;
    if (ofUser === 0) byUser.delete(user);
    else byUser.set(user, ofUser);
  };
  const underWay = (): number => {
    for (const [end, untilMs] of ends) {
      if (now() < untilMs) break;
      end();
    }
    return total;
  };
  const lease = (user: string) => {
    let held = 0;
    let holders = 1;
    const end = (): void => {
      ends.delete(end);
      add(user, -held);
      holders = 0;
    };
    return {
      /** Says that it is in use. False: so many more bytes are beyond the share of the user, or the whole, or nobody holds it any more. */
      grow: (bytes: number): boolean => {
        const isRoom = underWay() + bytes <= maxBodyBytesUnderWay;
        const ofUser = (byUser.get(user) ?? 0) + bytes;
        if (holders < 1 || !isRoom || ofUser > maxBodyBytesPerUser) return false;
        add(user, bytes);
        held += bytes;
        ends.delete(end);
        ends.set(end, now() + maxIdleMs);
        return true;
      },
      /** False: nobody holds it any more. */
      hold: (): boolean => holders > 0 && ++holders > 0,
      release: (): void => {
        if (--holders === 0) end();
      },
    };
  };
  return { lease, bytes: underWay };
};

/** A body as a whole, or as a stream, which `ended` says the end of. */
export interface Body {
  readonly bytes: Bytes;
  readonly stream?: ReadableStream<Bytes>;
  readonly ended?: Promise<void>;
}

export const emptyBody: Body = { bytes: new Uint8Array() };

/** Reads a body as far as its length and the lease allow. Rejects where it breaks off before that. */
export const readBody = async (
  body: ReadableStream<Bytes>,
  lease: Lease,
  maxBytes = maxBufferedBytes,
): Promise<Body> => {
  const reader = body.getReader();
  const chunks: Array<Bytes> = [];
  let length = 0;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return { bytes: joined(chunks) };
    chunks.push(value);
    length += value.byteLength;
    if (length > maxBytes || !lease.grow(value.byteLength)) {
      reader.releaseLock();
      return streamBody(body, lease, chunks);
    }
  }
};

export const joined = (chunks: ReadonlyArray<Bytes>): Bytes => {
  const bytes = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.byteLength, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.byteLength;
  }
  return bytes;
};

/** A body that is read as the client takes it: what was read of it, and then the rest. */
export const streamBody = (body: ReadableStream<Bytes>, lease: Lease, chunks: ReadonlyArray<Bytes> = []) => {
  lease.hold();
  return pumped(new IdentityTransformStream(), lease, chunks, body);
};

/** A stream without a queue of its own. */
declare const IdentityTransformStream: new () => TransformStream<Uint8Array, Bytes>;
/** A stream of a known length: the runtime announces it in Content-Length. */
declare const FixedLengthStream: new (length: number) => TransformStream<Uint8Array, Bytes>;

/** Chunks, and then the rest of a body, as they are taken. Where one side ends early, the other does too; `ended` never rejects. */
const pumped = (
  { readable, writable }: TransformStream<Uint8Array, Bytes>,
  lease: Lease,
  chunks: Iterable<Bytes>,
  rest?: ReadableStream<Bytes>,
) => {
  const writer = writable.getWriter();
  const write = async (): Promise<void> => {
    for (const chunk of chunks) {
      lease.grow(0);
      const timer = setTimeout(() => void writer.abort(new Error("nobody reads it")), maxIdleMs);
      await writer.write(chunk).finally(() => clearTimeout(timer));
    }
  };
  const pump = async (): Promise<void> => {
    try {
      await write().finally(lease.release);
      if (rest === undefined) return await writer.close();
      writer.releaseLock();
      // From here on the runtime moves the bytes.
      await rest.pipeTo(writable);
    } catch (error) {
      await Promise.allSettled([rest?.cancel(error), writable.abort(error)]);
    }
  };
  return { bytes: emptyBody.bytes, stream: readable, ended: pump() };
};

/** A body of a request, of the length that it had. `passed` is called with the bytes of each chunk, and without after the last. */
export const watchBody = (
  body: ReadableStream<Bytes>,
  length: string | null,
  passed: (bytes?: number) => void,
  broken: () => void,
): ReadableStream<Bytes> => {
  const reader = body.getReader();
  const pull = async (controller: ReadableStreamDefaultController<Bytes>): Promise<void> => {
    // The runtime sends a stream that ends with an error as a whole one: it stays open, and `broken` aborts its request.
    const { done, value } = await reader.read().catch(() => new Promise<never>(broken));
    if (done) controller.close();
    else controller.enqueue(value);
    passed(value?.byteLength);
  };
  const watched = new ReadableStream<Bytes>({ pull, cancel: (reason) => reader.cancel(reason) });
  return length === null ? watched : watched.pipeThrough(new FixedLengthStream(Number(length)));
};

/** A part of an answer as a body. The answer is counted until the client took it, once for all. Undefined: beyond the user's share. */
export const sendBytes = (
  answer: { readonly bytes: Bytes; lease?: Lease | undefined },
  bytes: Bytes,
  budget: BodyBudget,
  user: string,
): Body | undefined => {
  if (bytes.byteLength < minCountedBytes) return { bytes };
  let lease = answer.lease;
  if (lease?.hold() !== true) {
    lease = budget.lease(user);
    if (!lease.grow(answer.bytes.byteLength)) return undefined;
    answer.lease = lease;
  }
  const pieces = function* () {
    for (let at = 0; at < bytes.byteLength; at += minCountedBytes) yield bytes.subarray(at, at + minCountedBytes);
  };
  return pumped(new FixedLengthStream(bytes.byteLength), lease, pieces());
};
