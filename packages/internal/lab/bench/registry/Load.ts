// Load over keep-alive connections with one request each.
import { connect, type Socket } from "node:net";

/** One request, as bytes. */
export const requestOf = (path: string, token: string, mediaType: string): Buffer =>
  Buffer.from(`GET ${path} HTTP/1.1\r\nHost: bench\r\nAuthorization: ${token}\r\nAccept: ${mediaType}\r\n\r\n`);

/** What a load has seen. */
export interface LoadResult {
  readonly perSecond: number;
  /** Milliseconds of each exchange, in order of size. */
  readonly latenciesMs: ReadonlyArray<number>;
}

const contentLength = /^content-length: ?(\d+)/im;

/** One answer of a connection, whole; rejects unless it is a 200. */
const exchange = (socket: Socket, request: Buffer): Promise<void> =>
  new Promise((resolve, reject) => {
    let needed = Number.NaN;
    let received = 0;
    const onData = (chunk: Buffer): void => {
      received += chunk.length;
      if (Number.isNaN(needed)) {
        const end = chunk.indexOf("\r\n\r\n");
        const head = chunk.subarray(0, end).toString("latin1");
        if (!head.startsWith("HTTP/1.1 200")) {
          reject(new Error(`the server answered ${head.split("\r\n")[0]}`));
          return;
        }
        needed = end + 4 + Number(contentLength.exec(head)?.[1]);
      }
      if (received < needed) return;
      socket.off("data", onData);
      resolve();
    };
    socket.on("data", onData);
    socket.write(request);
  });

/** Sends `calls` requests over `connections` connections at once. */
export const load = async (
  port: number,
  next: () => Buffer,
  calls: number,
  connections: number,
): Promise<LoadResult> => {
  const sockets = await Promise.all(Array.from({ length: connections }, () => connected(port)));
  const latenciesMs: Array<number> = [];
  let left = calls;
  const start = performance.now();
  await Promise.all(
    sockets.map(async (socket) => {
      while (left > 0) {
        left -= 1;
        const from = performance.now();
        await exchange(socket, next());
        latenciesMs.push(performance.now() - from);
      }
    }),
  );
  const seconds = (performance.now() - start) / 1_000;
  for (const socket of sockets) socket.destroy();
  return { perSecond: latenciesMs.length / seconds, latenciesMs: latenciesMs.toSorted((a, b) => a - b) };
};

const connected = (port: number): Promise<Socket> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => resolve(socket));
    socket.setNoDelay(true);
    socket.once("error", reject);
  });

/** The value below which a share of sorted numbers lies. */
export const percentile = (sorted: ReadonlyArray<number>, share: number): number =>
  sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
