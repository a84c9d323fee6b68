// A fetch for Node over node:http and node:https.
import { AsyncResource } from "node:async_hooks";
import * as http from "node:http";
import type * as https from "node:https";
import type { Socket } from "node:net";
import type { Duplex, Readable, Transform, TransformCallback } from "node:stream";
import { onAbort } from "./Cancellation.ts";
import {
  framingField,
  UnknownCoding,
  type BodyReader,
  type Fetch,
  type FetchInit,
  type FetchResponse,
  type ResponseHeaders,
} from "./Fetch.ts";
import { assertObject, assertOptionNames } from "./OptionNames.ts";
import { idempotentMethods } from "./Retry.ts";

/** Options of `nodeFetch`. */
export interface NodeFetchOptions {
  /** How long an idle connection is kept for the next request, in milliseconds. Default 60,000; 0 closes it after each response. */
  readonly idleTimeoutMs?: number;
  /** Connections per origin at most; further requests wait for one. Default: no limit. */
  readonly maxConnections?: number;
  /** TLS settings: own certificate authorities, a client certificate. */
  readonly tls?: Pick<https.AgentOptions, "ca" | "cert" | "key" | "pfx" | "passphrase" | "servername" | "minVersion">;
  /**
   * Variables that name a proxy: HTTP_PROXY, HTTPS_PROXY and NO_PROXY, in either case. Default `process.env`; `false` ignores
   * them. A proxy is http or https; `host:port` is http. NO_PROXY lists, between commas, hosts with or without port, ranges such as
   * `10.0.0.1-10.0.0.9`, or `*`: `api.test` is that host alone, `*.api.test` its subdomains, `.api.test` both. `10.0.0.0/8` and
   * `[::1]` cover nothing; write `::1`. Needs Node 22.21 or 24.5; on an older Node a set proxy variable is an error.
   */
  readonly proxyEnv?: Readonly<Record<string, string | undefined>> | false;
}

/** Options of `nodeFetch` besides those of every `Fetch`. */
export interface NodeFetchInit extends FetchInit {
  /** Called with the number of bytes handed to the system so far, up to all of them. */
  onBodySent?: (bytes: number, totalBytes: number) => void;
}

/** A `Fetch` that owns its connections. */
export interface NodeFetch extends Fetch {
  (url: string, init?: NodeFetchInit): Promise<FetchResponse>;
  /** Closes all connections. Requests under way fail, as do those that wait for a connection. */
  close(): void;
}

/** Default of `idleTimeoutMs`. */
export const defaultIdleTimeoutMs = 60_000;

/** Content codings that one response may have, one around the other, at most. */
const maxContentCodings = 3;

/** Bytes of a redirect's body that are thrown away to keep its connection, at most. */
const maxLeftBytes = 16_383;

/** Modules loaded on demand: each costs milliseconds at the start. */
const httpsModule = () => process.getBuiltinModule("node:https");
const zlibModule = () => process.getBuiltinModule("node:zlib");

const hasZstd = process.versions["zstd"] !== undefined;

/** Makes the decoding stream of a content coding; output comes in bounded chunks. */
const decoders: Readonly<Record<string, () => NodeJS.ReadWriteStream & Readable>> = {
  gzip: () => zlibModule().createGunzip(),
  "x-gzip": () => zlibModule().createGunzip(),
  deflate: () => zlibModule().createInflate(),
  br: () => zlibModule().createBrotliDecompress(),
  ...(hasZstd ? { zstd: () => everyFrame(zlibModule().createZstdDecompress()) } : {}),
};

/** What Node's zstd decoder has; `push` and `_transform` are those of every Transform. */
interface FrameDecoder extends Transform {
  /** Bytes that were read so far: what is left of a chunk follows the end of a frame. */
  readonly bytesWritten: number;
  push: (part: unknown) => boolean;
  _transform: (chunk: Buffer, encoding: BufferEncoding, done: TransformCallback) => void;
}

/** Goes on with the next frame (RFC 8878, 3.1), where Node's decoder would end. */
const everyFrame = (decoder: FrameDecoder): FrameDecoder => {
  const { _transform: decode, push } = decoder;
  let given = 0;
  decoder.push = (part) => (part === null && decoder.bytesWritten < given) || push.call(decoder, part);
  const transform: typeof decode = (chunk, encoding, done) => {
    given += chunk.byteLength;
    const decodeRest: TransformCallback = (error) => {
      const left = given - decoder.bytesWritten;
      if (error || left === 0) done(error);
      else decode.call(decoder, chunk.subarray(-left), encoding, decodeRest);
    };
    decode.call(decoder, chunk, encoding, decodeRest);
  };
  return Object.assign(decoder, { _transform: transform });
};

const acceptEncoding = hasZstd ? "gzip, br, zstd" : "gzip, br";

/**
 * A fetch over `node:http` and `node:https`, to be given to a client as `fetch`. It keeps connections alive, reads gzip, br and
 * zstd (zstd from Node 22.15), and uses the proxies that the environment names. An idempotent request on a connection that the
 * server has closed is sent again at once, on a new one. Redirects are not followed: the client does that. A connection is busy
 * until the body of its response is read or cancelled. Throws TypeError or RangeError for options that cannot be. Rejects with
 * the error of Node, or with the reason of the signal.
 */
export const nodeFetch = (options: NodeFetchOptions = {}): NodeFetch => {
  assertOptionNames(options, optionNames);
  assertOptionNames(options.tls, tlsNames, "tls");
  const env = options.proxyEnv === false ? undefined : proxiesIn(options.proxyEnv ?? process.env);
  const poolOf = makePools(options, env);
  const made: Partial<Record<string, Pool>> = {};
  const fetch = (text: string, init: NodeFetchInit = {}): Promise<FetchResponse> =>
    new Promise<FetchResponse>((resolve, reject) => {
      const url = new URL(text);
      if (url.protocol !== "http:" && url.protocol !== "https:")
        throw new TypeError(`nodeFetch: ${url.protocol} is not http: or https:`);
      if (init.method === "CONNECT")
        throw new TypeError("nodeFetch: the method CONNECT makes a tunnel, and no response");
      if (env !== undefined) assertProxySupport(url, env);
      init.signal?.throwIfAborted();
      const pool = (made[url.protocol] ??= poolOf(url.protocol === "https:" ? httpsModule() : http));
      send({ pool, url, init, resolve, reject }, false);
    });
  const close = () => {
    for (const [protocol, pool] of Object.entries(made)) {
      if (pool === undefined) continue;
      pool.isClosed = true;
      delete made[protocol];
      for (const request of pool.pending()) {
        request.destroy();
        pool.leave(request);
      }
      pool.agent.destroy();
    }
  };
  return Object.assign(fetch, { close, takesOnAbort: true });
};

/** The connections of one scheme. */
interface Pool extends Pending {
  readonly request: typeof http.request;
  /** Whether Node adds header fields for a proxy: it cannot add to a list. */
  readonly isRewritten: boolean;
  readonly agent: http.Agent;
  /** What ends then was not ended by the server, and is not sent again. */
  isClosed: boolean;
}

/** What is done with requests that have no connection yet. */
interface Pending {
  readonly pending: () => ReadonlyArray<http.ClientRequest>;
  /** Lets a destroyed request end without a connection: Node would wait for one. */
  readonly leave: (request: http.ClientRequest) => void;
}

const optionNames: ReadonlyArray<keyof NodeFetchOptions> = ["idleTimeoutMs", "maxConnections", "tls", "proxyEnv"];
const tlsNames: ReadonlyArray<keyof NonNullable<NodeFetchOptions["tls"]>> = [
  "ca",
  "cert",
  "key",
  "pfx",
  "passphrase",
  "servername",
  "minVersion",
];

const makePools = ({ idleTimeoutMs, maxConnections, tls }: NodeFetchOptions, env: ProxyEnv | undefined) => {
  const idle = checked("idleTimeoutMs", idleTimeoutMs ?? defaultIdleTimeoutMs, 0);
  const proxy = env === undefined ? {} : { proxyEnv: env };
  const maxSockets = maxConnections === undefined ? Infinity : checked("maxConnections", maxConnections, 1);
  return ({ request, Agent }: Pick<typeof http, "request" | "Agent">): Pool => {
    const agent = new Agent({ ...tls, ...proxy, keepAlive: idle > 0, maxSockets }) as PoolingAgent;
    agent.keepSocketAlive = (socket) => keepForNext(socket, idle);
    return {
      request,
      // What is sent to an http server through a proxy, Node rewrites; to an https server it goes through a tunnel.
      isRewritten: Agent === http.Agent && env?.["http_proxy"] !== undefined,
      agent,
      ...keepConnections(agent),
      isClosed: false,
    };
  };
};

/** What Node's connections have, besides what is documented. */
interface PooledSocket extends Socket {
  /** Reads the answer under way. */
  readonly parser?: object | null;
  /** The last request, and its answer where one came. */
  readonly _httpMessage?: { readonly res: http.IncomingMessage | null } | null;
  readonly _handle: { asyncReset?(resource: object): void } | null;
  readonly _writeGeneric?: (isMany: boolean, data: unknown, encoding: string, done: (error?: Error) => void) => void;
}

interface SendOptions extends http.RequestOptions {
  /** Whether it needs a new connection. */
  readonly isResend?: boolean;
}

/** What Node's agents have, besides what is documented. */
interface PoolingAgent extends http.Agent {
  addRequest: (request: http.ClientRequest, options: SendOptions) => void;
  createConnection: (
    options: http.ClientRequestArgs,
    callback?: (error: Error | null, socket: Duplex) => void,
  ) => Socket;
  createSocket: (
    request: http.ClientRequest,
    options: http.RequestOptions,
    callback: (error: Error | null, socket?: PooledSocket) => void,
  ) => void;
  keepSocketAlive(socket: PooledSocket): boolean;
}

const answerOn = ({ _httpMessage: request }: PooledSocket) => request?.res;

/** Milliseconds before the end that a server announces at which its connection is used no more. */
const idleReserveMs = 1000;

/** Whether a connection may wait for the next request; sets for how long. */
const keepForNext = (socket: PooledSocket, idleMs: number): boolean => {
  const hint = answerOn(socket)?.headers["keep-alive"];
  const seconds = hint && /(?:^|[\s,;])timeout\s*=\s*"?(\d+)/i.exec(String(hint))?.[1];
  const ms = seconds ? Math.min(idleMs, Number(seconds) * 1000 - idleReserveMs) : idleMs;
  if (ms <= 0) return false;
  socket.setKeepAlive(true, 1000).unref();
  if (socket.timeout !== ms) socket.setTimeout(ms);
  return true;
};

const keyOf = ({ host, port }: http.RequestOptions): string => `${host}:${port}`;

/** The connections of one origin, and the requests that wait for one. */
interface Origin {
  open: number;
  readonly idle: Array<PooledSocket>;
  /** No Set: its old tables keep its former members until the next full garbage collection, a fifth of the time of a call. */
  readonly waiting: Array<WaitingRequest>;
}

interface WaitingRequest {
  readonly request: http.ClientRequest;
  readonly options: SendOptions;
  /** The async context of its call. */
  readonly context: AsyncResource;
}

/**
 * Keeps the connections of an agent, and the requests that wait for one, in lists of their own: Node's way from one request to the
 * next copies all options and finds the connection by name several times, an eighth of the time of a call. And what waits in its
 * lists cannot be ended.
 */
const keepConnections = (agent: PoolingAgent): Pending => {
  if (agent.listenerCount("free") === 0) return { pending: () => [], leave: () => {} };
  const tunnels = new Map<http.ClientRequest, Socket>();
  const origins = new Map<string, Origin>();
  const originOf = (options: http.RequestOptions): Origin => {
    const key = keyOf(options);
    const known = origins.get(key);
    if (known !== undefined) return known;
    const made: Origin = { open: 0, idle: [], waiting: [] };
    origins.set(key, made);
    return made;
  };
  const { addRequest, createConnection, createSocket, maxSockets } = agent;
  agent.maxSockets = Infinity;
  const watch = (socket: PooledSocket, { idle }: Origin): void => {
    const endIdle = (): void => {
      if (!socket.parser) socket.destroy();
    };
    // What comes between two requests would be taken for the answer to the next one.
    socket.on("data", endIdle).on("error", endIdle).on("timeout", endIdle);
    socket.on("close", () => {
      if (idle.includes(socket)) idle.splice(idle.indexOf(socket), 1);
    });
  };
  const use = (socket: PooledSocket, request: http.ClientRequest): void => {
    const { _handle: handle } = socket;
    // Its events have the async context of this request from now on.
    handle?.asyncReset?.(handle);
    agent.reuseSocket(socket, request);
    request.onSocket(socket);
  };
  const startNext = (next: WaitingRequest | undefined, socket?: PooledSocket): void => {
    if (next === undefined) return;
    const { request, options, context } = next;
    if (socket === undefined) context.runInAsyncScope(addRequest, agent, request, options);
    else context.runInAsyncScope(use, undefined, socket, request);
  };
  let connection: Socket;
  agent.createConnection = (options, callback) => (connection = createConnection.call(agent, options, callback));
  agent.createSocket = (request, options, callback) => {
    const origin = originOf(options);
    let tunnel: Socket | undefined;
    let isMade = false;
    createSocket.call(agent, request, options, (error, socket) => {
      isMade = true;
      // The request has left.
      if (tunnel !== undefined && !tunnels.delete(request)) return;
      if (socket) watch(socket, origin);
      callback(error, socket);
    });
    origin.open++;
    connection.once("close", () => {
      origin.open--;
      if (origin.open < maxSockets) startNext(origin.waiting.shift());
      if (origin.open === 0) origins.delete(keyOf(options));
    });
    if (isMade) return;
    tunnel = connection;
    boundAnswer(tunnel);
    tunnels.set(request, tunnel);
  };
  agent.addRequest = (request, options) => {
    const origin = originOf(options);
    const { idle, open, waiting } = origin;
    // It takes the place of the connection that the server has closed.
    if (options.isResend) return addRequest.call(agent, request, options);
    for (let socket = idle.pop(); socket !== undefined; socket = idle.pop())
      if (socket.writable) return use(socket, request);
    if (open < maxSockets) return addRequest.call(agent, request, options);
    waiting.push({ request, options, context: new AsyncResource("WaitingRequest") });
  };
  agent.removeAllListeners("free");
  agent.on("free", (socket: PooledSocket, options: http.RequestOptions) => {
    // A request that was aborted before it was sent has no answer: how long the server waits was told to the last one.
    if (!socket.writable || socket.readableLength > 0 || !answerOn(socket)) return socket.destroy();
    const { idle, waiting } = originOf(options);
    if (waiting.length > 0) return startNext(waiting.shift(), socket);
    if (idle.length >= agent.maxFreeSockets || !agent.keepSocketAlive(socket)) return socket.destroy();
    // Else the connection would keep its last request, and the body of the answer.
    Object.assign(socket, { _httpMessage: null });
    socket.resume();
    idle.push(socket);
  });
  return {
    pending: () =>
      [...origins.values()].flatMap(({ waiting }) => waiting.map((each) => each.request)).concat(...tunnels.keys()),
    leave: (request) => {
      let isPending = tunnels.get(request)?.destroy() !== undefined;
      tunnels.delete(request);
      for (const { waiting } of origins.values()) {
        const at = waiting.findIndex((each) => each.request === request);
        if (at < 0) continue;
        waiting.splice(at, 1);
        isPending = true;
      }
      if (isPending) request.onSocket(null as unknown as Socket);
    },
  };
};

/** Ends a connection whose proxy answers CONNECT with more than the header of a response may have. */
const boundAnswer = (connection: Socket): void => {
  let bytes = 0;
  connection.on("error", () => {});
  connection.on("readable", () => {
    bytes += connection.readableLength;
    if (bytes > http.maxHeaderSize)
      connection.destroy(new Error(`nodeFetch: the proxy answered CONNECT with more than ${http.maxHeaderSize} bytes`));
  });
};

/** Largest number in an option: a timer takes no more. */
const maxNumber = 2_147_483_647;

const checked = (name: string, value: number, least: number): number => {
  if (Number.isInteger(value) && value >= least && value <= maxNumber) return value;
  throw new RangeError(`nodeFetch: ${name} must be a whole number from ${least} to ${maxNumber}, not ${String(value)}`);
};

type ProxyEnv = Readonly<Record<string, string | undefined>>;

/** The proxies of the environment as URLs. Throws TypeError where Node would connect directly; a value may hold a password. */
const proxiesIn = (env: ProxyEnv): ProxyEnv => {
  assertObject(env, "proxyEnv");
  const found: Record<string, string | undefined> = { no_proxy: env["no_proxy"] || env["NO_PROXY"] };
  for (const scheme of ["http_proxy", "https_proxy"]) {
    const name = env[scheme] ? scheme : scheme.toUpperCase();
    const given = env[name]?.trim() || undefined;
    if (given === undefined) continue;
    const text = given.includes("://") ? given : `http://${given}`;
    // A lone word is more likely a slip than the name of a host.
    const isAddress = given.includes("://") ? /^https?:/i.test(given) : /[.:\]]|^localhost$/i.test(given);
    if (!isAddress || !URL.canParse(text))
      throw new TypeError(`${name} is not the URL of an http or https proxy, as in http://127.0.0.1:3128`);
    found[scheme] = new URL(text).href;
  }
  return found;
};

/** Throws where a proxy is set for this URL and this Node cannot use it: connecting directly instead could leak a request. */
const assertProxySupport = (url: URL, env: ProxyEnv): void => {
  const name = `${url.protocol.slice(0, -1)}_proxy`;
  // The flag came with the option of agents.
  if (env[name] === undefined || process.allowedNodeEnvironmentFlags.has("--use-env-proxy")) return;
  const around = (env["no_proxy"] ?? "").split(",").map((each) => each.trim().replace(/^\*?\./, ""));
  const isAround = (host: string) => host !== "" && (host === "*" || `.${url.hostname}`.endsWith(`.${host}`));
  if (around.some(isAround)) return;
  throw new Error(
    `nodeFetch: ${name} is set, and Node ${process.versions.node} cannot use proxies: use Node 22.21, 24.5 or later, add the host to NO_PROXY, or pass proxyEnv: false`,
  );
};

/** A request, and what settles its promise. */
interface Exchange {
  readonly pool: Pool;
  readonly url: URL;
  readonly init: NodeFetchInit;
  readonly resolve: (response: FetchResponse) => void;
  readonly reject: (cause: unknown) => void;
}

const send = (exchange: Exchange, isResend: boolean): void => {
  const { pool, url, init, resolve, reject } = exchange;
  const { method = "GET", body, onBodySent } = init;
  // Node copies the options several times: their number is felt.
  const options: SendOptions = {
    agent: pool.agent,
    host: hostnameOf(url),
    port: url.port,
    path: url.pathname + url.search,
    method,
    headers: headersOf(url, init, pool.isRewritten),
  };
  const request = pool.request(isResend ? Object.assign(options, { isResend }) : options);
  let response: NodeResponse | undefined;
  let isAborted = false;
  const abort = (reason: unknown): void => {
    isAborted = true;
    reject(reason);
    (response ?? request).destroy(reason as Error);
    pool.leave(request);
  };
  // What is given `onAbort` goes with its one attempt; a signal may outlast the request.
  init.onAbort?.(abort);
  if (init.signal) {
    const ignore = onAbort(init.signal, abort);
    request.once("close", () => (response === undefined ? ignore() : response.afterwards(ignore)));
  }
  request.on("error", (error) => {
    if (response !== undefined) return response.breakOff(error);
    const isOwnDoing = isAborted || pool.isClosed;
    const metClosedConnection = request.reusedSocket && !isResend && isReset(error) && !isOwnDoing;
    if (metClosedConnection && idempotentMethods.has(method)) send(exchange, true);
    else reject(error);
  });
  // An upgrade was not requested.
  const rejectUpgrade = ({ statusCode, socket }: http.IncomingMessage): void => {
    socket.destroy();
    reject(new Error(`nodeFetch: the server answered ${statusCode} and switched to another protocol`));
  };
  request.on("response", (incoming) => {
    if (incoming.statusCode === 101) return rejectUpgrade(incoming);
    resolve((response = new NodeResponse(url.href, incoming, method)));
    // Nobody needs the rest of a body that was answered; its connection would wait for the server to read it.
    if (body !== undefined) incoming.once("end", () => request.writableFinished || request.destroy());
  });
  request.on("upgrade", rejectUpgrade);
  if (body !== undefined) request.once("socket", readBeforeWriteError);
  if (body instanceof Uint8Array && onBodySent !== undefined) sendInPieces(request, body, onBodySent);
  else request.end(body);
};

/** As a list, which Node sends as it is: that takes a quarter less time. Names are in lower case, so that none is sent twice. */
const headersOf = (
  { host }: URL,
  { headers = {}, method = "GET", body }: NodeFetchInit,
  isRewritten: boolean,
): Record<string, string> | Array<string> => {
  const list = ["host", host];
  let codings = acceptEncoding;
  for (const given of Object.keys(headers)) {
    const name = given.toLowerCase();
    const value = headers[given];
    if (value === undefined) continue;
    if (framingField.test(name)) throw new TypeError(`nodeFetch: the header ${name} is not yours to set`);
    if (name === "accept-encoding") codings = value;
    else list.push(name, value);
  }
  list.push("accept-encoding", codings);
  if (body !== undefined) {
    if (method === "GET" || method === "HEAD") throw new TypeError(`nodeFetch: a ${method} cannot have a body`);
    // Node leaves it out for a DELETE, and the server takes the body for the next request.
    list.push("content-length", String(Buffer.byteLength(body)));
  }
  if (method === "GET" && !isRewritten) return list;
  const fields: Record<string, string> = {};
  for (let at = 0; at < list.length; at += 2) fields[list[at] ?? ""] = list[at + 1] ?? "";
  return fields;
};

/** An error of a write waits for the end of what is read: an answer that came before all was sent is still there. */
const readBeforeWriteError = (socket: PooledSocket): void => {
  const { _writeGeneric: write } = socket;
  if (Object.hasOwn(socket, "_writeGeneric") || write === undefined) return;
  const writeAndWait: typeof write = (isMany, data, encoding, done) =>
    write.call(socket, isMany, data, encoding, (error) => {
      if (!error || socket.readableEnded || socket.destroyed) return done(error);
      socket.once("end", () => socket.destroy(error)).once("close", () => done(error));
    });
  Object.assign(socket, { _writeGeneric: writeAndWait });
};

/** Bytes of a body that are handed to the system at once where progress is reported. */
const pieceBytes = 262_144;

const sendInPieces = (
  request: http.ClientRequest,
  body: Uint8Array,
  onSent: NonNullable<NodeFetchInit["onBodySent"]>,
): void => {
  const sendFrom = (start: number): void => {
    const end = Math.min(start + pieceBytes, body.byteLength);
    request.write(body.subarray(start, end), (error) => {
      if (error !== null && error !== undefined) return;
      onSent(end, body.byteLength);
      if (end < body.byteLength) sendFrom(end);
      else request.end();
    });
  };
  if (body.byteLength === 0) request.end();
  else sendFrom(0);
};

/** The host for the resolver: IPv6 without brackets. */
const hostnameOf = ({ hostname }: URL): string => (hostname.startsWith("[") ? hostname.slice(1, -1) : hostname);

const isReset = (error: NodeJS.ErrnoException): boolean => error.code === "ECONNRESET" || error.code === "EPIPE";

/** A response, whose body is read once: by `bytes` or by the one reader of `body`. */
class NodeResponse implements FetchResponse {
  readonly url: string;
  readonly status: number;
  readonly headers: ResponseHeaders;
  readonly #incoming: http.IncomingMessage;
  /** The body without its content codings. */
  #content: Readable;
  readonly #hasBody: boolean;
  #error: Error | undefined;
  #wake: (() => void) | undefined;

  constructor(url: string, incoming: http.IncomingMessage, method: string) {
    this.url = url;
    this.status = incoming.statusCode as number;
    const isWithout = method === "HEAD" || this.status === 204 || this.status === 304;
    this.#hasBody = !isWithout && incoming.headers["content-length"] !== "0";
    this.headers = new NodeHeaders(incoming.headers);
    this.#incoming = incoming;
    this.#content = incoming;
    incoming.on("error", (error) => this.destroy(error));
    // The connection is free for the next request, also where nobody reads that nothing comes.
    if (!this.#hasBody) incoming.resume();
    else if (incoming.headers["content-encoding"] !== undefined) this.#decode(incoming.headers["content-encoding"]);
  }

  /** Closes the connection, unless all has come; the reader of the body gets the error. */
  destroy(error: Error): void {
    this.#error ??= error;
    this.#wake?.();
    this.#content.destroy();
    this.#incoming.destroy();
  }

  /** The connection broke: a body without length would end there as if it were whole. */
  breakOff(error: Error): void {
    if (!this.#incoming.complete) this.destroy(error);
  }

  /** Calls back once the body was read or given up. */
  afterwards(listener: () => void): void {
    if (this.#content.closed) listener();
    else this.#content.once("close", listener);
  }

  get body(): NonNullable<FetchResponse["body"]> {
    return { getReader: () => this.#reader(), cancel: () => this.#leave() };
  }

  /** The whole body. Without a limit of its own: for bodies of known length without content coding. */
  bytes(): Promise<Uint8Array<ArrayBuffer>> {
    return new Promise((resolve, reject) => {
      const chunks: Array<Buffer> = [];
      const settle = () => (this.#error === undefined ? resolve(joined(chunks)) : reject(this.#error));
      this.#wake = settle;
      if (this.#error !== undefined || this.#content.readableEnded) settle();
      else this.#content.on("data", (chunk: Buffer) => chunks.push(chunk)).on("end", settle);
    });
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return (await this.bytes()).buffer;
  }

  /** Reads chunk by chunk on demand, so that unread bytes stay within the buffer of the stream. */
  #reader(): BodyReader {
    const stream = this.#content;
    const wake = () => this.#wake?.();
    stream.on("readable", wake).on("end", wake);
    return {
      read: async () => {
        for (;;) {
          if (this.#error !== undefined) throw this.#error;
          const chunk: Buffer<ArrayBuffer> | null = stream.read();
          if (chunk !== null) return { done: false, value: chunk };
          if (stream.readableEnded) return { done: true };
          await new Promise<void>((resolve) => {
            this.#wake = resolve;
          });
        }
      },
      cancel: async () => this.destroy(cancelled()),
    };
  }

  /** Keeps the connection of a redirect whose short body has come already, and waits for no other. */
  async #leave(): Promise<void> {
    const incoming = this.#incoming;
    if (!this.#hasBody) return;
    const isRedirect = this.status >= 300 && this.status <= 399;
    if (isRedirect && !incoming.complete && this.#error !== undefined) throw this.#error;
    const isShort = incoming.complete && this.#content === incoming && incoming.readableLength <= maxLeftBytes;
    if (!isRedirect || !isShort) return this.destroy(cancelled());
    if (!incoming.closed) await new Promise((resolve) => incoming.once("close", resolve).resume());
  }

  /** Takes the content codings off (RFC 9110, 8.4). */
  #decode(coding: string): void {
    const refuse = (problem: string): void => this.destroy(new UnknownCoding(problem));
    const names = coding.split(",").map((each) => each.trim().toLowerCase());
    if (names.length > maxContentCodings) return refuse(`more than ${maxContentCodings} content codings`);
    for (const name of names.filter((each) => each !== "" && each !== "identity").toReversed()) {
      const decoder = Object.hasOwn(decoders, name) ? decoders[name]?.() : undefined;
      if (decoder === undefined) return refuse(`unknown content coding ${JSON.stringify(name)}`);
      const source = this.#content;
      this.#content = source.pipe(decoder).on("error", (error) => this.destroy(error));
      decoder.on("close", () => source.destroy());
    }
  }
}

const cancelled = (): Error => new Error("nodeFetch: the body was cancelled");

class NodeHeaders implements ResponseHeaders {
  readonly #headers: http.IncomingHttpHeaders;
  constructor(headers: http.IncomingHttpHeaders) {
    this.#headers = headers;
  }

  get(name: string): string | null {
    const value = this.#headers[name.toLowerCase()];
    return value === undefined ? null : typeof value === "string" ? value : value.join(", ");
  }

  has(name: string): boolean {
    return this.#headers[name.toLowerCase()] !== undefined;
  }

  forEach(callback: (value: string, name: string) => void): void {
    for (const name of Object.keys(this.#headers)) callback(this.get(name) as string, name);
  }
}

/** A copy, unless one chunk has its memory for itself: mostly it shares that with other reads. */
const joined = (chunks: ReadonlyArray<Buffer>): Uint8Array<ArrayBuffer> => {
  const [{ buffer, byteLength } = Buffer.alloc(0)] = chunks;
  if (chunks.length === 1 && buffer instanceof ArrayBuffer && buffer.byteLength === byteLength)
    return new Uint8Array(buffer);
  const whole = new Uint8Array(chunks.reduce((length, chunk) => length + chunk.byteLength, 0));
  let offset = 0;
  for (const chunk of chunks) {
    whole.set(chunk, offset);
    offset += chunk.byteLength;
  }
  return whole;
};

/**
 * The options `token` and `baseUrl` from `BYTENITE_TOKEN` and `BYTENITE_BASE_URL`, as `bne` does, without unset and empty ones: `createEngineClient({ ...optionsFromEnv(), fetch: nodeFetch() })`.
 */
export const optionsFromEnv = (
  env: Readonly<Record<string, string | undefined>> = process.env,
): { readonly token?: string; readonly baseUrl?: string } => {
  const { BYTENITE_TOKEN: token = "", BYTENITE_BASE_URL: baseUrl = "" } = env;
  return { ...(token === "" ? {} : { token }), ...(baseUrl === "" ? {} : { baseUrl }) };
};
