// Shares of the server per address: sockets, turns, queued requests, responses.
import type { IncomingMessage, ServerResponse } from "node:http";
import { BlockList, isIPv6, type Socket } from "node:net";
import { countedAddress } from "../api/RateLimit.ts";
import type { RequestHead } from "../api/Answer.ts";
import type { ServerLimits } from "./ServerLimits.ts";
import { makeShares } from "./Shares.ts";

/** One exchange: the request for the routes, and Node's request and response. */
export interface Exchange {
  readonly head: RequestHead;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** Approximate memory of a queued request without its headers, in bytes. */
const waitingRequestBytes = 4_096;

/** Called when a connection from an address reaches a limit. */
export type OnLimit = (limit: keyof ServerLimits, address: string) => void;

/** Limits of connections, and who is exempt. */
export interface ConnectionOptions {
  readonly limits: ServerLimits;
  /** Whether an address is exempt from the limit per address. */
  readonly isTrusted: (address: string | undefined) => boolean;
  readonly onLimit: OnLimit;
}

/** Answers a request now; with a limit, refuses it for that limit. */
export type OnTurn = (limit?: keyof ServerLimits) => void;

/** One connection. Its requests are answered one after the other. */
interface Connection {
  readonly address: string;
  /** Client of the current request; between requests, the peer itself, which may be a trusted proxy. */
  readonly client: () => string;
  readonly isProxy: boolean;
  readonly socket: Socket;
  /** What is being answered, if it is not idle. */
  readonly current: () => Exchange | undefined;
  /** Answers a request now, or after the earlier ones are answered and read. */
  readonly take: (exchange: Exchange, onTurn: OnTurn) => void;
  /** Makes a chunk of a stream in the turn of the client. */
  readonly chunk: <A>(make: () => Promise<A>) => Promise<A>;
  /** Call once an answer was written to the socket. */
  readonly sent: () => void;
}

/** The connections of a server. */
export interface Connections {
  /** Adds a new connection, closing it or another one at a limit. */
  readonly add: (socket: Socket) => void;
  readonly of: (socket: Socket) => Connection | undefined;
  /** Ends all at once. */
  readonly destroyAll: () => void;
}

/** Whether an address is in a list of addresses and networks. Throws TypeError for an entry that is neither. */
export const makeAddressList = (entries: ReadonlyArray<string>): ((address: string | undefined) => boolean) => {
  const list = new BlockList();
  for (const entry of entries) {
    const [address = "", prefix] = entry.split("/");
    const family = isIPv6(address) ? "ipv6" : "ipv4";
    try {
      if (prefix === undefined) list.addAddress(address, family);
      else list.addSubnet(address, /^\d+$/.test(prefix) ? Number(prefix) : Number.NaN, family);
    } catch {
      throw new TypeError(`${JSON.stringify(entry)} is neither an address nor a network as 10.0.0.0/8`);
    }
  }
  return (address) => address !== undefined && list.check(address, isIPv6(address) ? "ipv6" : "ipv4");
};

/** Chunks of streams that are made at once: as many as Node has threads for files and encryption. */
const chunksAtOnce = 4;

/** Connections of a new server. */
export const makeConnections = ({ limits, isTrusted, onLimit }: ConnectionOptions): Connections => {
  /** By time of opening; those of trusted proxies by the time they became idle. */
  const open = new Map<Socket, Connection>();
  /** Concurrent requests through trusted proxies, by client: each counts as a connection. */
  const proxied = new Map<string, number>();
  const turns = makeTurns();
  const share = makeShares(chunksAtOnce);
  /** Bytes by connection, in the order in which they first held any. */
  const held = new Map<Connection, number>();
  let total = 0;

  const hold = (connection: Connection, bytes: number): void => {
    total += bytes - (held.get(connection) ?? 0);
    if (bytes === 0) held.delete(connection);
    else held.set(connection, bytes);
    // What is cut holds nothing, which leads here again.
    if (total > limits.bytesInFlight) cut(greediest(held), "bytesInFlight");
  };
  const remove = (connection: Connection): void => {
    hold(connection, 0);
    open.delete(connection.socket);
  };
  const cut = (connection: Connection, limit: keyof ServerLimits): void => {
    remove(connection);
    onLimit(limit, connection.client());
    connection.socket.resetAndDestroy();
  };

  /** Counts a request of a client of a trusted proxy until its response is closed. False at the client's limit. */
  const enter = (client: string, { response }: Exchange): boolean => {
    const count = proxied.get(client) ?? 0;
    if (count >= limits.connectionsPerAddress) return false;
    proxied.set(client, count + 1);
    response.once("close", () => {
      const left = (proxied.get(client) as number) - 1;
      if (left === 0) proxied.delete(client);
      else proxied.set(client, left);
    });
    return true;
  };

  const connectionOn = (socket: Socket, address: string, isProxy: boolean): Connection => {
    const waiting: Array<readonly [exchange: Exchange, start: () => void]> = [];
    let client = address;
    let current: Exchange | undefined;
    let timer: NodeJS.Timeout | undefined;
    const holdAll = (): void => {
      hold(
        connection,
        waiting.reduce((sum, [{ request }]) => sum + bytesOf(request), socket.writableLength),
      );
    };
    const next = (): void => {
      clearTimeout(timer);
      if (!socket.writable) return;
      current = undefined;
      if (isProxy) {
        client = address;
        // After those that became idle earlier.
        open.delete(socket);
        open.set(socket, connection);
      }
      const [, start] = waiting.shift() ?? [];
      holdAll();
      start?.();
    };
    const connection: Connection = {
      address,
      client: () => client,
      isProxy,
      socket,
      current: () => current,
      take: (exchange, onTurn) => {
        if (socket.destroyed) return;
        const start = (): void => {
          current = exchange;
          exchange.response.once("close", next);
          if (isProxy) client = countedAddress(exchange.head.address);
          if (isProxy && !enter(client, exchange)) {
            onLimit("connectionsPerAddress", client);
            onTurn("connectionsPerAddress");
            return;
          }
          turns.run(client, () => {
            if (!socket.destroyed) onTurn();
          });
        };
        if (current === undefined) {
          start();
          return;
        }
        if (waiting.length >= limits.pipelinedRequests) {
          cut(connection, "pipelinedRequests");
          return;
        }
        waiting.push([exchange, start]);
        holdAll();
      },
      chunk: (make) => share(client, make),
      sent: () => {
        // Almost always the system has accepted all bytes by now.
        if (socket.writableLength === 0) return;
        timer = setTimeout(() => cut(connection, "responseTimeoutMs"), limits.responseTimeoutMs).unref();
        holdAll();
      },
    };
    socket.once("close", () => remove(connection));
    return connection;
  };

  /**
   * The connection that a new one of a client with so many others may replace: the oldest idle one of the busiest client.
   * Idle connections of a trusted proxy count as the proxy's.
   */
  const replaceable = (others: number): Connection | undefined => {
    const byClient = Map.groupBy(open.values(), ({ client }) => client());
    const [most = []] = [...byClient.values()].toSorted((a, b) => b.length - a.length);
    return most.length <= others + 1 ? undefined : (most.find(({ current }) => current() === undefined) ?? most[0]);
  };

  return {
    of: (socket) => open.get(socket),
    destroyAll: () => {
      for (const socket of open.keys()) socket.destroy();
    },
    add: (socket) => {
      turns.arrived();
      const address = countedAddress(socket.remoteAddress);
      const isProxy = isTrusted(socket.remoteAddress);
      const others = [...open.values()].filter((other) => !other.isProxy && other.address === address).length;
      const refuse = (limit: keyof ServerLimits): void => {
        onLimit(limit, address);
        socket.destroy();
      };
      if (!isProxy && others >= limits.connectionsPerAddress) {
        refuse("connectionsPerAddress");
        return;
      }
      if (open.size >= limits.connections) {
        const replaced = replaceable(others);
        if (replaced === undefined) {
          refuse("connections");
          return;
        }
        cut(replaced, "connections");
      }
      open.set(socket, connectionOn(socket, address, isProxy));
    },
  };
};

/** Queue of connections and requests before they are answered. */
interface Turns {
  readonly run: (address: string, task: () => void) => void;
  /** Call for each new connection. */
  readonly arrived: () => void;
}

/** Most tasks started in a round of the event loop: one round each would cost more than small requests do. */
const maxTasksInRound = 8;

/** Duration in milliseconds of a long round, after which the next one starts one task. */
const longRoundMs = 2;

/**
 * Runs tasks round robin by address, few in a round of the event loop. Between rounds sockets are read, so the first request of
 * an address waits for one of each other address only. A round accepts one connection: while more wait, rounds without tasks
 * follow, for as long as the last one with tasks took.
 */
const makeTurns = (): Turns => {
  const waiting = new Map<string, Array<() => void>>();
  let isTaken = false;
  let hasArrived: boolean | undefined;
  let tasksInRound = 1;
  let startedMs = Number.NaN;
  let acceptingUntilMs: number | undefined;
  const begin = (): void => {
    isTaken = true;
    startedMs = performance.now();
    acceptingUntilMs = undefined;
    setImmediate(next);
  };
  const next = (): void => {
    const nowMs = performance.now();
    if (acceptingUntilMs === undefined) {
      const roundMs = nowMs - startedMs;
      acceptingUntilMs = nowMs + roundMs;
      tasksInRound = roundMs < longRoundMs ? Math.min(2 * tasksInRound, maxTasksInRound) : 1;
    }
    if (hasArrived && nowMs < acceptingUntilMs) {
      hasArrived = false;
      setImmediate(next);
      return;
    }
    if (waiting.size === 0) {
      isTaken = false;
      return;
    }
    begin();
    for (let count = 0; count < tasksInRound; count++) startFirst();
  };
  const startFirst = (): void => {
    const [first] = waiting;
    if (first === undefined) return;
    const [address, tasks] = first;
    const task = tasks.shift();
    // At the end of the queue.
    waiting.delete(address);
    if (tasks.length > 0) waiting.set(address, tasks);
    task?.();
  };
  return {
    arrived: () => (hasArrived = true),
    run: (address, task) => {
      const tasks = waiting.get(address);
      if (tasks !== undefined) tasks.push(task);
      else if (isTaken) waiting.set(address, [task]);
      else {
        begin();
        task();
      }
    },
  };
};

const bytesOf = (request: IncomingMessage): number =>
  request.rawHeaders.reduce((sum, text) => sum + text.length, waitingRequestBytes + `${request.url}`.length);

/** Connections of a client with their bytes, the oldest first. */
type Held = ReadonlyArray<readonly [connection: Connection, bytes: number]>;

const sumOf = (of: Held): number => of.map(([, bytes]) => bytes).reduce((sum, bytes) => sum + bytes);

/** The oldest connection of the client that holds most: clients that read their answers hold next to nothing. */
const greediest = (held: ReadonlyMap<Connection, number>): Connection => {
  const byClient = Map.groupBy(held, ([connection]) => connection.client());
  const [most = []] = [...byClient.values()].toSorted((a, b) => sumOf(b) - sumOf(a));
  const [[oldest] = []] = most;
  return oldest as Connection;
};
