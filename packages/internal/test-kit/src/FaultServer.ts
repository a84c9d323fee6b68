// A server with scripted socket behaviour per request.
import { createServer, type Socket } from "node:net";
import { close, listen } from "./Ports.ts";

/** A request whose head has arrived. */
export interface Arrived {
  /** Path and query. */
  readonly target: string;
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>;
}

/** Handles the socket of a request; `count` is its number, from 1. */
export type Act = (socket: Socket, arrived: Arrived, count: number) => void;

/** A running fault server. */
export interface FaultServer extends AsyncDisposable {
  readonly origin: string;
  /** Base URL of the API, with `/v1/dev`. */
  readonly baseUrl: string;
  readonly arrived: ReadonlyArray<Arrived>;
  /** Connections that are open now. */
  readonly open: ReadonlySet<Socket>;
  /** Bytes written over all connections. */
  readonly sentBytes: () => number;
}

/** Starts a server on a free port of loopback. `onArrived` is called with each request before it is handled. */
export const startFaultServer = async (act: Act, onArrived: () => void = () => {}): Promise<FaultServer> => {
  const arrived: Array<Arrived> = [];
  const open = new Set<Socket>();
  let closedBytes = 0;
  const server = createServer((socket) => {
    open.add(socket);
    socket.on("error", () => {});
    socket.on("close", () => {
      open.delete(socket);
      closedBytes += socket.bytesWritten;
    });
    onHead(socket, (head) => {
      arrived.push(head);
      onArrived();
      act(socket, head, arrived.length);
    });
  });
  const origin = await listen(server);
  return {
    origin,
    baseUrl: `${origin}/v1/dev`,
    arrived,
    open,
    sentBytes: () => [...open].reduce((sum, socket) => sum + socket.bytesWritten, closedBytes),
    [Symbol.asyncDispose]: async () => {
      for (const socket of open) socket.destroy();
      await close(server);
    },
  };
};

/** Calls back with every head that arrives on a connection; requests here have no body. */
const onHead = (socket: Socket, callback: (arrived: Arrived) => void): void => {
  let text = "";
  socket.setEncoding("latin1").on("data", (part: string) => {
    text += part;
    for (let end = text.indexOf("\r\n\r\n"); end >= 0; end = text.indexOf("\r\n\r\n")) {
      const [first = "", ...lines] = text.slice(0, end).split("\r\n");
      text = text.slice(end + 4);
      const headers = lines.map((line) => {
        const colon = line.indexOf(":");
        return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const;
      });
      callback({ target: first.split(" ")[1] ?? "", headers: Object.fromEntries(headers) });
    }
  });
};
