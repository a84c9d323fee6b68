// HTTP server with limits and draining.
import { once } from "node:events";
import { createServer, STATUS_CODES, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { setTimeout as wait } from "node:timers/promises";
import { ApiError, statusBody } from "../api/ApiError.ts";
import { countedAddress } from "../api/RateLimit.ts";
import { earlyErrorAnswer, errorAnswer, type Answer, type RequestHead } from "../api/Answer.ts";
import { type RpcCode } from "@bytenite-engines/core/wire";
import { makeAddressList, makeConnections, type Exchange, type OnLimit } from "./Connections.ts";
import { headOf, headWhenAsked, isStreamed } from "./RequestReading.ts";
import type { ServerLimits } from "./ServerLimits.ts";

/**
 * Answers, or takes the socket over: `faulted` after it has written to it or ended it itself, `unanswered` when the client has
 * disconnected or gets no answer.
 */
export type Handler = (exchange: Exchange) => Promise<Answer | "faulted" | "unanswered">;

/** Called for events that handlers do not see. */
export interface ServerObserver {
  readonly connected: () => void;
  readonly disconnected: () => void;
  /** A connection ended before its client had read the whole answer. */
  readonly dropped: () => void;
  /** Malformed HTTP, or a limit of connections, ended a request. */
  readonly refused: (status: number, requestId: string, address: string | undefined) => void;
}

/** Parts and options of a server. */
export interface ServerOptions {
  readonly host: string;
  readonly port: number;
  readonly limits: ServerLimits;
  /** Addresses and networks whose connections are not counted by address. */
  readonly trustedProxies?: ReadonlyArray<string> | undefined;
  readonly onLimit?: OnLimit | undefined;
  readonly observer?: ServerObserver | undefined;
  /** The answer to a request that is refused before a handler. Default: in the format of `Accept`. */
  readonly refusal?: ((error: ApiError, head: RequestHead) => Promise<Answer>) | undefined;
  /**
   * Whether a client that has closed its side of the connection counts as disconnected, which faults that wait need.
   * Default false: it gets the answers to its requests.
   */
  readonly endsWithClient?: boolean | undefined;
}

/** A server that accepts requests. */
export interface RunningServer {
  readonly host: string;
  readonly port: number;
  readonly draining: () => boolean;
  /** Passes requests to a handler; earlier requests have waited for it. */
  readonly answerWith: (handle: Handler) => void;
  /** Accepts no new connections, finishes running requests, then closes. */
  readonly stop: () => Promise<void>;
}

/** Starts to listen. Rejects with the error of `listen`, e.g. EADDRINUSE. */
export const startServer = async ({
  host,
  port,
  limits,
  trustedProxies = [],
  onLimit = () => {},
  observer,
  refusal: refusalOf = async (error, head) => earlyErrorAnswer(error, head, { jsonOnly: false }),
  endsWithClient,
}: ServerOptions): Promise<RunningServer> => {
  const isTrusted = makeAddressList(trustedProxies);
  const connections = makeConnections({ limits, isTrusted, onLimit });
  let draining = false;
  const given = Promise.withResolvers<Handler>();
  let handle: Handler = async (exchange) => (await given.promise)(exchange);
  const server = createServer({
    maxHeaderSize: limits.headerBytes,
    headersTimeout: limits.headersTimeoutMs,
    // Node has one for all requests; all but uploads are held to `requestTimeoutMs` below.
    requestTimeout: Math.max(limits.uploadTimeoutMs, limits.requestTimeoutMs, limits.headersTimeoutMs),
    keepAliveTimeout: limits.keepAliveTimeoutMs,
    connectionsCheckingInterval: 1_000,
    // A request without Host is answered with a Status like any other, not with Node's own page.
    requireHostHeader: false,
  });
  Object.assign(server, { httpAllowHalfOpen: !endsWithClient });
  server.on("connection", (socket: Socket) => {
    observer?.connected();
    socket.once("close", () => observer?.disconnected());
    connections.add(socket);
  });
  /** Refuses what a socket sends, unless its client would take that for the answer to another request; ends the connection. */
  const refuse = (socket: Duplex, refusal: RawRefusal): void => {
    // Node listens no more, and a reset without a listener would end the process.
    socket.on("error", () => socket.destroy());
    const [current, incoming] = [connections.of(socket as Socket)?.current(), incomingOf(socket)];
    if (!socket.writable) socket.destroy();
    else if (current !== undefined && current.request !== incoming) {
      socket.pause();
      // Node no longer tells the response after CONNECT.
      socket.on("drain", () => current.response.emit("drain"));
      current.response.prependOnceListener("close", () => endConnection(socket));
    } else if (current?.request === incoming && current?.response.headersSent !== true) {
      refuseRaw(socket, refusal, observer);
    } else socket.destroy();
  };
  const take = (exchange: Exchange): void => {
    if (!exchange.request.socket.writable) return;
    const isAnonymous = exchange.request.headers.authorization === undefined;
    const limit =
      isAnonymous && limits.anonymousTimeoutMs < limits.requestTimeoutMs ? "anonymousTimeoutMs" : "requestTimeoutMs";
    watchBody(exchange, limits[limit], (error) =>
      server.emit("clientError", Object.assign(error, { limit }), exchange.request.socket),
    );
    const connection = connections.of(exchange.request.socket);
    connection?.take(exchange, (limit) => {
      const { response, head } = exchange;
      response.once("close", () => {
        if (!response.writableFinished) observer?.dropped();
      });
      const { headers, httpVersion } = exchange.request;
      const isWithoutHost = httpVersion === "1.1" && headers.host === undefined;
      const refusal = limit !== undefined ? tooMany : isWithoutHost ? withoutHost : undefined;
      const refused = async (error: ApiError): Promise<Answer> => {
        const answer = await refusalOf(error, head);
        observer?.refused(answer.status, answer.headers["X-Request-Id"] ?? "", head.address);
        return answer;
      };
      const handler = refusal === undefined ? handle : () => refused(refusal);
      void answer(handler, exchange, {
        maxBytes: limits.answerBytes,
        idleMs: limits.responseTimeoutMs,
        draining: () => draining,
        chunk: connection.chunk,
        sent: connection.sent,
      });
    });
  };
  const onRequest = (request: IncomingMessage, response: ServerResponse): void =>
    take({ head: headOf(request, isTrusted), request, response });
  server.on("request", onRequest);
  server.on("checkContinue", (request: IncomingMessage, response: ServerResponse) =>
    take({ head: headWhenAsked(request, response, isTrusted), request, response }),
  );
  server.on("checkExpectation", onRequest);
  server.on("connect", (_request: IncomingMessage, socket: Duplex) =>
    refuse(socket, [501, "UNIMPLEMENTED", "method not allowed"]),
  );
  server.on("clientError", (error: ClientError, socket) => {
    const limit = limitOf(error, socket);
    if (limit !== undefined) {
      const by = connections.of(socket as Socket)?.client() ?? countedAddress((socket as Socket).remoteAddress);
      onLimit(limit, by);
    }
    refuse(socket, clientErrorOf(error));
  });
  server.listen({ host, port, backlog: 1_024 });
  await once(server, "listening");
  return {
    host,
    port: (server.address() as AddressInfo).port,
    draining: () => draining,
    answerWith: (handler) => {
      handle = handler;
      given.resolve(handler);
    },
    stop: async () => {
      if (draining) return;
      draining = true;
      // A load balancer sees /readyz fail, and sends nothing more, before the port is closed.
      await wait(limits.drainDelayMs);
      // Requests that still wait for a handler are not answered any more.
      given.resolve(hangUp);
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      // Not only those that Node knows: it forgets one with CONNECT.
      const late = setTimeout(connections.destroyAll, limits.drainMs);
      await closed;
      clearTimeout(late);
    },
  };
};

const hangUp: Handler = async ({ request }) => {
  request.socket.destroy();
  return "unanswered";
};

/** Pieces of a body that may have any length, and the least bytes of the average one beyond: each is an object with its costs. */
const freePieces = 512;
const minPieceBytes = 32;

/** Called when a body is late (all of it, or the next bytes of a streamed one), or comes in too many pieces. */
const watchBody = (
  { request, response }: Exchange,
  timeoutMs: number,
  onRefused: (error: ClientError) => void,
): void => {
  const { "content-length": length = "0", "transfer-encoding": coding } = request.headers;
  if (length === "0" && coding === undefined) return;
  let [pieces, bytes] = [0, 0];
  const push = request.push.bind(request);
  // Here, since a stream that waits for its reader would keep the pieces.
  request.push = (piece: Buffer | null) => {
    if (piece === null) return push(piece);
    pieces += 1;
    bytes += piece.length;
    if (pieces <= freePieces || bytes >= pieces * minPieceBytes) return push(piece);
    request.push = () => false;
    onRefused(Object.assign(new Error("too many pieces"), { code: "ERR_TOO_MANY_PIECES" }));
    return false;
  };
  let read = request.socket.bytesRead;
  const timer = setInterval(() => {
    const isMoving = isStreamed(request) && !response.headersSent && request.socket.bytesRead > read;
    read = request.socket.bytesRead;
    if (isMoving) return;
    clearInterval(timer);
    // Node does not close a request that was answered before its body came.
    if (request.complete || request.socket.destroyed) return;
    onRefused(Object.assign(new Error("request timeout"), { code: "ERR_HTTP_REQUEST_TIMEOUT" }));
  }, timeoutMs).unref();
  request.once("close", () => clearInterval(timer));
};

/** How an answer is sent. */
interface Sending {
  readonly maxBytes: number;
  /** Milliseconds until the client must have read a part of a stream. */
  readonly idleMs: number;
  readonly draining: () => boolean;
  readonly chunk: <A>(make: () => Promise<A>) => Promise<A>;
  readonly sent: () => void;
}

/** Never rejects: nobody waits for it. */
const answer = async (handle: Handler, exchange: Exchange, sending: Sending): Promise<void> => {
  const { maxBytes, draining, sent } = sending;
  const { request, response } = exchange;
  const answer = await handle(exchange).catch(onHandlerError);
  if (answer === "faulted" || answer === "unanswered") return;
  if (response.destroyed) {
    await answer.stream?.bytes?.cancel().catch(() => {});
    return;
  }
  // After `Expect: 100-continue` an unrequested body may come or not, so the next bytes are ambiguous. Any other unread body is
  // skipped by Node; closing on it would be a reset, and a client that still sends would lose this answer.
  const isUnasked = request.headers.expect !== undefined && !request.complete;
  // Of the bytes behind a request for another protocol Node loses the rest of the packet.
  const isUpgrade = request.headers.upgrade !== undefined;
  if (draining() || isUnasked || isUpgrade) answer.headers["Connection"] = "close";
  try {
    if (answer.stream === undefined) send(response, answer, maxBytes);
    else await sendStream(response, answer, answer.stream, sending);
    sent();
    boundUnread(request);
  } catch (error) {
    // Headers or a body that cannot be written.
    console.error("request failed:", error);
    response.destroy();
  }
};

/** Bytes of a body that are still read after the answer; beyond, the connection is closed. */
const maxUnreadBytes = 1_024 * 1_024;

/** Milliseconds that a client has to read its last answer before the connection is reset (RFC 9112, 9.6). */
const lingerMs = 1_000;

/** Ends a connection whose client may go on sending: nothing of that completes a request. */
const endConnection = (socket: Duplex, last = ""): void => {
  const incoming = incomingOf(socket);
  if (incoming !== undefined) incoming.push = () => false;
  socket.end(last);
  const late = setTimeout(() => socket.destroy(), lingerMs).unref();
  socket.once("close", () => clearTimeout(late));
};

const boundUnread = (request: IncomingMessage): void => {
  if (request.complete) return;
  const { socket } = request;
  const most = socket.bytesRead + maxUnreadBytes;
  const onData = (): void => {
    if (socket.bytesRead <= most) return;
    request.pause();
    endConnection(socket);
  };
  request.on("data", onData);
};

/** Handlers answer their own failures; any other is a bug, which must not end the process. */
export const onHandlerError = (error: unknown): Answer => {
  console.error("request failed:", error);
  return errorAnswer(new ApiError("INTERNAL", "internal error"));
};

/** The refusal, for a second, of a client of a trusted proxy with too many concurrent requests. */
const tooMany = new ApiError("RESOURCE_EXHAUSTED", "too many requests at once", {
  headers: { "Retry-After": "1" },
  retryDelayMs: 1_000,
});

/** RFC 9112, 3.2. */
const withoutHost = new ApiError("INVALID_ARGUMENT", "a request of HTTP/1.1 names its Host");

/** The answer that replaces one that is too long. */
const tooLong = ({ headers: given, logFields }: Answer, maxBytes: number): Answer => {
  const { ETag: _tag, ...headers } = given;
  const refusal = new ApiError("OUT_OF_RANGE", `the answer is longer than ${maxBytes} bytes: ask for smaller pages`);
  return errorAnswer(refusal, { ...headers, "Content-Type": "application/json" }, { logFields });
};

/** Texts from this length on are written as bytes, so that memory does not hold both. */
const longText = 64 * 1_024;

/** Writes an answer, or an error if it is too long. */
const send = (response: ServerResponse, answer: Answer, maxBytes: number): void => {
  const { status, headers, body } = answer;
  const length = typeof body === "string" ? Buffer.byteLength(body) : body.length;
  if (length > maxBytes) {
    send(response, tooLong(answer, maxBytes), Infinity);
    return;
  }
  if (status !== 204 && status !== 304) headers["Content-Length"] = String(length);
  response.writeHead(status, headers);
  // Node leaves the body out of a response to HEAD.
  response.end(typeof body === "string" && length >= longText ? Buffer.from(body) : body);
};

/** Writes a stream as fast as the client takes it. An archive that cannot be read to its end is cut: its length was sent before. */
const sendStream = async (
  response: ServerResponse,
  { status, headers }: Answer,
  { length, bytes }: NonNullable<Answer["stream"]>,
  { idleMs, chunk: inTurn }: Sending,
): Promise<void> => {
  headers["Content-Length"] = String(length);
  response.writeHead(status, headers);
  if (bytes !== undefined) {
    for await (const chunk of steppedBy(inTurn, bytes)) {
      // Closed while the chunk was read: `drain` would never come, and the file would stay open.
      if (response.destroyed) return;
      if (!response.write(chunk)) await drained(response, idleMs);
    }
  }
  response.end();
};

/** A stream whose chunks are made by `step`. */
const steppedBy = async function* (
  step: Sending["chunk"],
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
): AsyncGenerator<Uint8Array> {
  const chunks = stream[Symbol.asyncIterator]();
  try {
    for (let next = await step(() => chunks.next()); next.done !== true; next = await step(() => chunks.next())) {
      yield next.value;
    }
  } finally {
    await chunks.return?.();
  }
};

const drained = (response: ServerResponse, idleMs: number): Promise<void> =>
  new Promise((resolve) => {
    const late = setTimeout(() => response.destroy(), idleMs);
    const go = (): void => {
      clearTimeout(late);
      response.off("drain", go);
      response.off("close", go);
      resolve();
    };
    response.on("drain", go);
    response.on("close", go);
  });

const clientErrors: Readonly<Record<string, RawRefusal>> = {
  HPE_HEADER_OVERFLOW: [431, "INVALID_ARGUMENT", "request headers are too long"],
  ERR_HTTP_REQUEST_TIMEOUT: [408, "DEADLINE_EXCEEDED", "the request did not arrive in time"],
  ERR_TOO_MANY_PIECES: [400, "INVALID_ARGUMENT", `the body comes in chunks under ${minPieceBytes} bytes`],
};

type ClientError = Error & { readonly code?: string; readonly limit?: keyof ServerLimits };

/** The limit that refused a request while it was parsed. */
const limitOf = ({ code, limit }: ClientError, socket: Duplex): keyof ServerLimits | undefined => {
  if (limit !== undefined) return limit;
  if (code === "HPE_HEADER_OVERFLOW") return "headerBytes";
  if (code !== "ERR_HTTP_REQUEST_TIMEOUT") return undefined;
  return incomingOf(socket) === undefined ? "headersTimeoutMs" : "requestTimeoutMs";
};

/** The request whose body a connection is receiving. */
const incomingOf = (socket: Duplex): IncomingMessage | undefined => {
  const { incoming } = (socket as { readonly parser?: { readonly incoming?: IncomingMessage | null } }).parser ?? {};
  return incoming?.complete === false ? incoming : undefined;
};

type RawRefusal = readonly [status: number, code: RpcCode, message: string];

const clientErrorOf = ({ code = "" }: ClientError): RawRefusal =>
  clientErrors[code] ?? [400, "INVALID_ARGUMENT", "the request is not HTTP/1.1"];

/** Answers on a socket that has no ServerResponse, and ends its connection. */
const refuseRaw = (socket: Duplex, [status, code, message]: RawRefusal, observer: ServerObserver | undefined): void => {
  const requestId = crypto.randomUUID();
  observer?.refused(status, requestId, (socket as Socket).remoteAddress);
  const body = statusBody(code, message, "json") as string;
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? ""}`,
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    `X-Request-Id: ${requestId}`,
    `Date: ${new Date().toUTCString()}`,
    "Connection: close",
  ];
  endConnection(socket, `${head.join("\r\n")}\r\n\r\n${body}`);
};
