// GET load over plain sockets.
import { createHash, type Hash } from "node:crypto";
import { connect, type Socket } from "node:net";
import { cpuSecondsOf } from "../../parts/Footprint.ts";

/** A GET as the bytes on a connection. */
export const requestOf = (path: string, authorization: string, accept?: string): string =>
  `GET ${path} HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: ${authorization}\r\n${accept === undefined ? "" : `accept: ${accept}\r\n`}\r\n`;

/** Expected answer. Another one ends the run, since it would measure something else. */
export interface Expected {
  readonly status: number;
  /** Of the body, in bytes. Default: any. */
  readonly length?: number;
  /** SHA-256 of the body, in hex: checked of the first answer on a connection, as it takes time from the server. Default: any. */
  readonly sha256?: string;
  /** Part of the Cache-Status field. Default: none is asked for. */
  readonly cacheStatus?: string;
}

/** What is expected where it is this body. */
export const bodyOf = (bytes: Uint8Array): Required<Pick<Expected, "status" | "length" | "sha256">> => ({
  status: 200,
  length: bytes.length,
  sha256: createHash("sha256").update(bytes).digest("hex"),
});

/** A request, and what its answer must be. */
export interface Exchange {
  readonly request: string;
  readonly expected: Expected;
}

const none = Buffer.alloc(0);

/** One connection: one request after the other. Answers must have a Content-Length. */
export class Connection {
  readonly #socket: Socket;
  #waiting: ((status: number) => void) | undefined;
  #failed: ((error: Error) => void) | undefined;
  #head: Buffer = none;
  #left = -1;
  #status = 0;
  #expected: Expected | undefined;
  #hash: Hash | undefined;

  private constructor(socket: Socket, expected: Expected | undefined) {
    this.#socket = socket;
    this.#expected = expected;
    this.#hash = createHash("sha256");
    socket.setNoDelay(true);
    socket.on("data", (chunk: Buffer) => this.#read(chunk));
    socket.on("error", (error) => this.#failed?.(error));
    socket.on("close", () => this.#failed?.(new Error("the connection closed")));
  }

  static open(port: number, expected?: Expected): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = connect(port, "127.0.0.1", () => resolve(new Connection(socket, expected)));
      socket.once("error", reject);
    });
  }

  static openMany(port: number, count: number, expected?: Expected): Promise<ReadonlyArray<Connection>> {
    return Promise.all(Array.from({ length: count }, () => Connection.open(port, expected)));
  }

  /** The status of the answer, once all of it is here. Rejects when it is not what was expected: by default, of this connection. */
  send(request: string, expected = this.#expected): Promise<number> {
    this.#expected = expected;
    return new Promise((resolve, reject) => {
      this.#waiting = resolve;
      this.#failed = reject;
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#failed = undefined;
    this.#socket.destroy();
  }

  #read(chunk: Buffer): void {
    let body = chunk.length;
    if (this.#left < 0) {
      const bytes = this.#head.length === 0 ? chunk : Buffer.concat([this.#head, chunk]);
      const end = bytes.indexOf("\r\n\r\n");
      this.#head = end < 0 ? bytes : none;
      if (end < 0) return;
      // The head alone: to make a text of the body would cost as much as the server's part of an answer.
      const head = bytes.toString("latin1", 0, end);
      this.#status = Number(head.slice(9, 12));
      this.#left = Number(/\r\ncontent-length: (\d+)/i.exec(head)?.[1] ?? 0);
      const problem = problemOf(head, this.#status, this.#left, this.#expected);
      if (problem !== undefined) return this.#end(problem);
      body = bytes.length - end - 4;
      this.#hash?.update(bytes.subarray(end + 4));
    } else {
      this.#hash?.update(chunk);
    }
    this.#left -= body;
    if (this.#left > 0) return;
    this.#left = -1;
    const sha256 = this.#hash?.digest("hex");
    this.#hash = undefined;
    const wanted = this.#expected?.sha256 ?? sha256;
    if (sha256 !== undefined && sha256 !== wanted)
      return this.#end(`answered a body of SHA-256 ${sha256}, not ${wanted}`);
    this.#waiting?.(this.#status);
  }

  #end(problem: string): void {
    this.#failed?.(new Error(problem));
    this.#socket.destroy();
  }
}

/** Problem of an answer, or undefined. */
const problemOf = (
  head: string,
  status: number,
  length: number,
  expected: Expected | undefined,
): string | undefined => {
  if (expected === undefined) return undefined;
  const cacheStatus = /\r\ncache-status: ([^\r]*)/i.exec(head)?.[1] ?? "";
  const isRight =
    status === expected.status &&
    length === (expected.length ?? length) &&
    cacheStatus.includes(expected.cacheStatus ?? "");
  if (isRight) return undefined;
  return `answered ${status} with ${length} bytes and Cache-Status ${JSON.stringify(cacheStatus)}, not ${JSON.stringify(expected)}`;
};

/** Result of a burst of load. */
export interface Burst {
  readonly requests: number;
  readonly perSecond: number;
  /** Processor time of the server for one request, in microseconds. */
  readonly cpuUs: number;
  /** Answers by status. */
  readonly statuses: ReadonlyMap<number, number>;
}

/** As many requests as the server answers in that time, over these connections. */
export const saturate = async (
  connections: ReadonlyArray<Connection>,
  request: string,
  pid: number,
  forMs: number,
): Promise<Burst> => {
  const statuses = new Map<number, number>();
  const cpu = cpuSecondsOf(pid);
  const start = performance.now();
  let requests = 0;
  await Promise.all(
    connections.map(async (connection) => {
      while (performance.now() - start < forMs) {
        const status = await connection.send(request);
        requests += 1;
        statuses.set(status, (statuses.get(status) ?? 0) + 1);
      }
    }),
  );
  const seconds = (performance.now() - start) / 1000;
  const cpuUs = ((cpuSecondsOf(pid) - cpu) / requests) * 1e6;
  return { requests, perSecond: requests / seconds, cpuUs, statuses };
};

/** Latencies at a fixed rate, in milliseconds, from when each request was due; sorted. */
export const atRate = async (
  port: number,
  request: string,
  expected: Expected,
  perSecond: number,
  forMs: number,
): Promise<ReadonlyArray<number>> => {
  const all = await Connection.openMany(port, 64, expected);
  const idle = [...all];
  const latencies: Array<number> = [];
  const total = Math.floor((perSecond * forMs) / 1000);
  const start = performance.now();
  let due = 0;
  const under = new Set<Promise<void>>();
  while (due < total) {
    const now = performance.now() - start;
    while (due < total && (due * 1000) / perSecond <= now && idle.length > 0) {
      const dueAt = start + (due * 1000) / perSecond;
      due += 1;
      const connection = idle.pop();
      if (connection === undefined) break;
      const timed = async (): Promise<void> => {
        await connection.send(request);
        latencies.push(performance.now() - dueAt);
        idle.push(connection);
      };
      const sent = timed().finally(() => under.delete(sent));
      under.add(sent);
    }
    await new Promise((resolve) => setImmediate(resolve));
  }
  await Promise.all(under);
  for (const connection of all) connection.close();
  return latencies.toSorted((a, b) => a - b);
};

/** Sends so many requests over so many connections at once. Latencies in milliseconds, sorted. */
export const load = async (
  port: number,
  next: () => Exchange,
  calls: number,
  count: number,
): Promise<{ readonly perSecond: number; readonly latenciesMs: ReadonlyArray<number> }> => {
  const connections = await Connection.openMany(port, count);
  const latenciesMs: Array<number> = [];
  let left = calls;
  const start = performance.now();
  await Promise.all(
    connections.map(async (connection) => {
      while (left-- > 0) {
        const from = performance.now();
        const { request, expected } = next();
        await connection.send(request, expected);
        latenciesMs.push(performance.now() - from);
      }
    }),
  );
  const seconds = (performance.now() - start) / 1_000;
  for (const connection of connections) connection.close();
  return { perSecond: calls / seconds, latenciesMs: latenciesMs.toSorted((a, b) => a - b) };
};
