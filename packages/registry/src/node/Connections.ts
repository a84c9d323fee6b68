// Limits on what connections hold: sockets by address, waiting requests, answers that nobody takes.
import type { IncomingMessage, ServerResponse } from "node:http";
import { BlockList, isIPv6, type Socket } from "node:net";
import { countedAddress } from "../api/RateLimit.ts";
import type { RequestHead } from "../api/Routes.ts";
import type { ServerLimits } from "./ServerLimits.ts";

/** One exchange: the request as the routes see it, and what Node has of it. */
export interface Exchange {
  readonly head: RequestHead;
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
}

/** Memory that a waiting request takes beside its headers, in bytes, roughly. */
const waitingRequestBytes = 4_096;

/** Hears that a limit was reached by a connection from an address. */
export type OnLimit = (limit: keyof ServerLimits, address: string) => void;

/** What connections are held to. */
export interface ConnectionOptions {
  readonly limits: ServerLimits;
  /** Addresses and networks (`10.0.0.0/8`) that may have any number of connections. */
  readonly trustedProxies: ReadonlyArray<string>;
  readonly onLimit: OnLimit;
}

/** One connection: its requests are answered one after the other, so that one answer is under way at a time. */
interface Connection {
  readonly address: string;
  readonly socket: Socket;
  /** Answers a request now, or when those before it are answered and taken. */
  readonly take: (exchange: Exchange, answer: (exchange: Exchange) => void) => void;
  /** To be called once an answer was handed to the socket. */
  readonly sent: () => void;
}

/** The connections of a server. */
export interface Connections {
  /** Adds a new connection, or closes it. */
  readonly add: (socket: Socket) => void;
  readonly of: (socket: Socket) => Connection | undefined;
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

/** No connections yet. */
export const makeConnections = ({ limits, trustedProxies, onLimit }: ConnectionOptions): Connections => {
  const isTrusted = makeAddressList(trustedProxies);
  const open = new WeakMap<Socket, Connection>();
  const countByAddress = new Map<string, number>();
  /** Bytes by connection, in the order in which they began to hold any. */
  const held = new Map<Connection, number>();
  let total = 0;

  const hold = (connection: Connection, bytes: number): void => {
    total += bytes - (held.get(connection) ?? 0);
    if (bytes === 0) held.delete(connection);
    else held.set(connection, bytes);
    while (total > limits.bytesInFlight) cut(greediest(held), "bytesInFlight");
  };
  const cut = (connection: Connection, limit: keyof ServerLimits): void => {
    hold(connection, 0);
    onLimit(limit, connection.address);
    connection.socket.resetAndDestroy();
  };

  const connectionOn = (socket: Socket, address: string): Connection => {
    const waiting: Array<readonly [exchange: Exchange, start: () => void]> = [];
    let isBusy = false;
    let timer: NodeJS.Timeout | undefined;
    const holdAll = (): void => {
      const bytes = waiting.reduce((sum, [{ request }]) => sum + bytesOf(request), socket.writableLength);
      hold(connection, socket.destroyed ? 0 : bytes);
    };
    const next = (): void => {
      clearTimeout(timer);
      isBusy = false;
      const [, start] = waiting.shift() ?? [];
      if (held.has(connection)) holdAll();
      start?.();
    };
    const connection: Connection = {
      address,
      socket,
      take: (exchange, answer) => {
        if (socket.destroyed) return;
        const start = (): void => {
          isBusy = true;
          exchange.response.once("close", next);
          answer(exchange);
        };
        if (!isBusy) {
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
      sent: () => {
        // The system has taken it, almost always.
        if (socket.writableLength === 0) return;
        clearTimeout(timer);
        timer = setTimeout(() => cut(connection, "responseTimeoutMs"), limits.responseTimeoutMs).unref();
        holdAll();
      },
    };
    socket.once("close", () => {
      clearTimeout(timer);
      waiting.length = 0;
      hold(connection, 0);
    });
    return connection;
  };

  return {
    of: (socket) => open.get(socket),
    add: (socket) => {
      const address = countedAddress(socket.remoteAddress);
      if (!isTrusted(socket.remoteAddress)) {
        const count = countByAddress.get(address) ?? 0;
        if (count >= limits.connectionsPerAddress) {
          onLimit("connectionsPerAddress", address);
          socket.resetAndDestroy();
          return;
        }
        countByAddress.set(address, count + 1);
        socket.once("close", () => {
          const left = (countByAddress.get(address) ?? 1) - 1;
          if (left === 0) countByAddress.delete(address);
          else countByAddress.set(address, left);
        });
      }
      open.set(socket, connectionOn(socket, address));
    },
  };
};

const bytesOf = (request: IncomingMessage): number =>
  request.rawHeaders.reduce((sum, text) => sum + text.length, waitingRequestBytes + (request.url?.length ?? 0));

/** The oldest connection of the address that holds most: who takes what is asked for holds next to nothing. */
const greediest = (held: ReadonlyMap<Connection, number>): Connection => {
  const byAddress = new Map<string, { bytes: number; readonly oldest: Connection }>();
  for (const [connection, bytes] of held) {
    const known = byAddress.get(connection.address);
    if (known === undefined) byAddress.set(connection.address, { bytes, oldest: connection });
    else known.bytes += bytes;
  }
  const [most] = [...byAddress.values()].toSorted((a, b) => b.bytes - a.bytes);
  return (most as { readonly oldest: Connection }).oldest;
};
