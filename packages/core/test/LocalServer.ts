// HTTP server on a free loopback port.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface LocalServer extends AsyncDisposable {
  /** Base URL with `/v1/dev`. */
  readonly baseUrl: string;
  readonly requests: ReadonlyArray<IncomingMessage>;
}

/** Starts it. `answer` is called with the running number of the request, from 1. */
export const startServer = async (
  answer: (request: IncomingMessage, response: ServerResponse, count: number) => void,
): Promise<LocalServer> => {
  const requests: Array<IncomingMessage> = [];
  const server = createServer((request, response) => {
    requests.push(request);
    answer(request, response, requests.length);
  });
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    baseUrl: `http://127.0.0.1:${port}/v1/dev`,
    requests,
    [Symbol.asyncDispose]: () => {
      server.closeAllConnections();
      return new Promise((resolve) => void server.close(() => resolve()));
    },
  };
};

/** Answers with JSON. */
export const json = (
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
): void => {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(body));
};
