// Switching proxy: one address for several registries.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { basePath } from "@bytenite-engines/core/wire";
import { close, listen } from "@bytenite-engines/test-kit";
import { exchange } from "./Exchange.ts";

/** Response to a request: that of a registry (base URL), perhaps with another header or status. */
export interface Routed {
  readonly baseUrl: string;
  readonly headers?: Readonly<Record<string, string>>;
  /** Answered instead, without a body. */
  readonly status?: number;
}

/** A request as it is routed. */
export interface FrontRequest {
  /** Path and query below the base URL. */
  readonly target: string;
  readonly accept: string;
  readonly token: string;
}

/** A running front. */
export interface Front {
  /** Base URL of the API, with `/v1/dev`. */
  readonly url: string;
  /** Requests so far. */
  readonly requests: Array<FrontRequest>;
  readonly stop: () => Promise<void>;
}

/** Starts a front that asks `route` about every request. */
export const startFront = async (route: (request: FrontRequest) => Routed): Promise<Front> => {
  const requests: Array<FrontRequest> = [];
  const server = createServer((incoming, outgoing) => {
    const request = requestOf(incoming);
    requests.push(request);
    // The registry may have ended by now, while a worker still renews what it has of it.
    answer(request, route(request), outgoing).catch(() => outgoing.destroy());
  });
  const origin = await listen(server);
  return {
    url: `${origin}${basePath}`,
    requests,
    stop: () => close(server),
  };
};

const answer = async (request: FrontRequest, routed: Routed, outgoing: ServerResponse): Promise<void> => {
  if (routed.status !== undefined) {
    outgoing.writeHead(routed.status, { "content-length": "0" }).end();
    return;
  }
  const asked = { accept: request.accept, authorization: request.token };
  const { status, headers, body } = await exchange(routed.baseUrl, request.target, asked);
  const { connection: _connection, "transfer-encoding": _encoding, ...kept } = headers;
  outgoing.writeHead(status, { ...kept, ...routed.headers, "content-length": String(body.length) }).end(body);
};

const requestOf = ({ url = "", headers }: IncomingMessage): FrontRequest => ({
  target: url.startsWith(basePath) ? url.slice(basePath.length) : url,
  accept: headers.accept ?? "",
  token: headers.authorization ?? "",
});
