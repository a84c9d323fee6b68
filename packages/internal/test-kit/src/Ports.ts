// Free ports of loopback, and servers on them.
import { once } from "node:events";
import * as http from "node:http";
import * as https from "node:https";
import { createServer, type AddressInfo, type Server } from "node:net";

/** Everything listens on loopback only. */
export const host = "127.0.0.1";

/** Listens on a free port; resolves with the origin, such as `http://127.0.0.1:40123`. */
export const listen = async (server: Server, hostname = host): Promise<string> => {
  server.listen(0, hostname);
  await once(server, "listening");
  return `http${server instanceof https.Server ? "s" : ""}://${hostname}:${portOf(server)}`;
};

/** The port of a server that listens. */
export const portOf = (server: Server): number => (server.address() as AddressInfo).port;

/** Closes a server and all of its connections; resolves when it is closed. */
export const close = async (server: Server & { readonly closeAllConnections?: () => void }): Promise<void> => {
  const closed = once(server, "close");
  server.close();
  server.closeAllConnections?.();
  await closed;
};

/** Ports that systems give neither to port 0 nor to outgoing connections: Linux begins at 32,768. */
const unassignedPorts = { first: 15_000, count: 17_000 };

/** A port that nobody listens on. Where a server can take port 0 itself, it should. */
export const freePort = async (): Promise<number> => {
  for (;;) {
    const port = unassignedPorts.first + Math.floor(Math.random() * unassignedPorts.count);
    const server = createServer();
    try {
      await once(server.listen(port, host), "listening");
    } catch {
      continue;
    }
    await close(server);
    return port;
  }
};

/** An HTTP server on a free port. */
export interface LocalServer extends AsyncDisposable {
  readonly origin: string;
  /** Base URL of the API, with `/v1/dev`. */
  readonly baseUrl: string;
  /** Received bytes. */
  readonly requests: ReadonlyArray<http.IncomingMessage>;
}

/** Starts it, over TLS with a key and a certificate. `answer` also gets the running number of the request, from 1. */
export const startServer = async (
  answer: (request: http.IncomingMessage, response: http.ServerResponse, count: number) => void,
  tls?: { readonly key: string; readonly cert: string },
): Promise<LocalServer> => {
  const requests: Array<http.IncomingMessage> = [];
  const listener: http.RequestListener = (request, response) => {
    requests.push(request);
    answer(request, response, requests.length);
  };
  const server = tls === undefined ? http.createServer(listener) : https.createServer(tls, listener);
  // Certificates are for names.
  const origin = await listen(server, tls === undefined ? host : "localhost");
  return { origin, baseUrl: `${origin}/v1/dev`, requests, [Symbol.asyncDispose]: () => close(server) };
};

/** Answers with JSON. */
export const json = (
  response: http.ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void => {
  response.writeHead(status, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(body));
};

/** Passes a request on to a URL and its response back, as they are but for added headers. */
export const pass = (
  incoming: http.IncomingMessage,
  outgoing: http.ServerResponse,
  url: string,
  added: Readonly<Record<string, string>> = {},
): void => {
  const { method = "GET", headers } = incoming;
  const request = http.request(url, { method, headers }, (answer) => {
    outgoing.writeHead(answer.statusCode ?? 502, { ...answer.headers, ...added });
    answer.pipe(outgoing);
  });
  incoming.pipe(request.on("error", () => outgoing.destroy()));
};
