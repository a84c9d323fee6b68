// Servers for nodeFetch, and what its tests see of it.
import { subscribe, unsubscribe } from "node:diagnostics_channel";
import * as http from "node:http";
import { createServer, type Server, type Socket } from "node:net";
import { listen } from "@bytenite-engines/test-kit/ports";
import { onTestFinished } from "vitest";
import { nodeFetch, type NodeFetchOptions } from "../src/node.ts";
import { createEngineClient, EngineError, type ClientOptions, type FetchInit } from "../src/promise.ts";

export const engine = JSON.stringify({ id: "1", name: "zipper", version: "0.1", description: "x".repeat(2000) });

/** Makes a nodeFetch that ends with the test. */
export const madeFetch = (options?: NodeFetchOptions) => {
  const fetch = nodeFetch(options);
  onTestFinished(() => fetch.close());
  return fetch;
};

/** Listens until the test ends; resolves with the origin. */
export const listening = async (server: Server): Promise<string> => {
  const origin = await listen(server);
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => void sockets.add(socket));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  return origin;
};

export const served = (answer: http.RequestListener): Promise<string> => listening(http.createServer(answer));

/** A server that handles bytes: `answer` gets the socket and the number of the request on it, from 1. */
export const rawServer = async (answer: (socket: Socket, count: number, text: string) => void): Promise<string> => {
  const server = createServer((socket) => {
    let count = 0;
    socket.on("error", () => socket.destroy());
    socket.on("data", (data) => answer(socket, ++count, data.toString()));
  });
  return listening(server);
};

/** Collects what is published on a channel of Node until the test ends. */
export const published = <A>(channel: string, read: (message: unknown) => A): Array<A> => {
  const seen: Array<A> = [];
  const note = (message: unknown): void => void seen.push(read(message));
  subscribe(channel, note);
  onTestFinished(() => void unsubscribe(channel, note));
  return seen;
};

/** The sockets of clients that are made from now on. */
export const clientSockets = () => published("net.client.socket", (message) => (message as { socket: Socket }).socket);

export const clientOf = (origin: string, options: ClientOptions = {}) =>
  createEngineClient({
    baseUrl: `${origin}/v1/dev`,
    fetch: madeFetch(),
    format: "json",
    retry: { maxAttempts: 1 },
    ...options,
  });

export const init = (more: Partial<FetchInit> = {}): FetchInit => ({
  method: "GET",
  headers: {},
  redirect: "manual",
  signal: new AbortController().signal,
  ...more,
});

export const head = (body: string, headers = ""): string =>
  `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\n${headers}\r\n${body}`;

export const reasonOf = async (call: Promise<unknown>) => {
  const error = await call.catch((cause: unknown) => cause);
  if (!(error instanceof EngineError)) throw new Error("no EngineError", { cause: error });
  return error.reason;
};
