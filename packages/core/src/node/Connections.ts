// The connections of a nodeFetch.
import { AsyncResource } from "node:async_hooks";
import * as http from "node:http";
import { connect, isIP, type Socket } from "node:net";
import type { ConnectionOptions, SecureContext } from "node:tls";

export interface ConnectionSettings {
  /** How long an idle connection is kept, in milliseconds; 0: not at all. */
  readonly idleMs: number;
  /** Connections per origin at most. */
  readonly max: number;
  readonly tls: ConnectionOptions;
  readonly proxyOf: (url: URL) => Proxy | undefined;
}

/** A proxy, and what it is told of its user. */
export interface Proxy {
  readonly url: URL;
  /** The value of `proxy-authorization`. */
  readonly authorization: string | undefined;
}

/** Idle connections per origin at most. */
const maxIdle = 256;

/** Origins that are remembered, with a TLS session each, without a connection to them, at most. */
const maxOrigins = 100;

/** Milliseconds before the end that a server announces at which its connection is used no more. */
const idleReserveMs = 1000;

/** Modules loaded on demand: each costs milliseconds at the start. */
const httpsModule = () => process.getBuiltinModule("node:https");
const tlsModule = () => process.getBuiltinModule("node:tls");

interface Connection {
  readonly socket: Socket;
  isIdle: boolean;
  /** To the request under way. */
  answer: http.IncomingMessage | undefined;
}

/** What a request gets its connection by. */
interface Claim {
  readonly origin: Origin;
  readonly request: RequestOfNode;
  /** Whether the connection has had a request before. */
  isReused: boolean;
  connection: Connection | undefined;
  /** The async context of its call, where it waits. */
  context: AsyncResource | undefined;
  /** The request for its tunnel. */
  tunnel: http.ClientRequest | undefined;
}

/** A server, the connections to it, and what waits for one. */
interface Origin {
  readonly url: URL;
  readonly host: string;
  readonly port: number;
  readonly request: (options: http.RequestOptions) => http.ClientRequest;
  readonly agent: http.Agent;
  readonly proxy: Proxy | undefined;
  /** Whether the proxy reads the requests; else it makes a tunnel. */
  readonly isForwarded: boolean;
  /** Header fields about the connection. */
  readonly fields: ReadonlyArray<string>;
  /** Connections, and requests for a tunnel. */
  readonly open: Set<Socket | http.ClientRequest>;
  idle: Array<Connection>;
  /** No Set: its old tables keep its former members until the next full garbage collection, a fifth of the time of a call. */
  readonly waiting: Array<Claim>;
  /** The last TLS session, which makes the next handshake shorter. */
  session?: Buffer;
}

/** Sends requests on connections that are kept for the next one. */
export class Connections {
  /** What ends then was not ended by the server. */
  isClosed = false;
  readonly #settings: ConnectionSettings;
  readonly #origins = new Map<string, Origin>();
  /** Made of the settings once: certificates take time to read. */
  #secureContext: SecureContext | undefined;

  constructor(settings: ConnectionSettings) {
    this.#settings = settings;
  }

  /**
   * Makes a request on an idle connection, on a new one, or, where the origin has as many as it may, on the next one that is free.
   * `isNew`: on a new one in any case, in place of one that the server has closed. `headers` has names and values in turn; those of
   * the connection are added. The caller ends the request. Throws what Node does for header fields or TLS settings that cannot be.
   */
  request(
    url: URL,
    method: string,
    headers: Array<string>,
    isNew: boolean,
    onAnswer: (answer: http.IncomingMessage) => void,
  ): Claim {
    const origin = this.#originOf(url);
    const path = url.pathname + url.search;
    headers.push(...origin.fields);
    const request = origin.request({
      agent: origin.agent,
      host: origin.host,
      port: origin.port,
      path: origin.isForwarded ? `http://${url.host}${path}` : path,
      method,
      headers,
    });
    const claim: Claim = {
      origin,
      request,
      isReused: false,
      connection: undefined,
      context: undefined,
      tunnel: undefined,
    };
    request.on("response", (answer) => {
      if (claim.connection !== undefined) claim.connection.answer = answer;
      onAnswer(answer);
    });
    this.#serve(claim, isNew);
    return claim;
  }

  /** Gives up a claim: a destroyed request without a connection would wait for one. */
  leave(claim: Claim): void {
    const { waiting } = claim.origin;
    const at = waiting.indexOf(claim);
    if (at >= 0) waiting.splice(at, 1).forEach((each) => fail(each));
    claim.tunnel?.destroy();
  }

  /** Closes all connections. Requests under way fail, as do those that wait. */
  close(): void {
    this.isClosed = true;
    for (const { open, waiting } of this.#origins.values()) {
      for (const claim of waiting.splice(0)) fail(claim);
      for (const each of open) each.destroy();
    }
  }

  #originOf(url: URL): Origin {
    const { origin: key, protocol } = url;
    const known = this.#origins.get(key);
    if (known !== undefined) return known;
    const isSecure = protocol === "https:";
    if (isSecure) this.#secureContext ??= tlsModule().createSecureContext(this.#settings.tls);
    const proxy = this.#settings.proxyOf(url);
    const isForwarded = proxy !== undefined && !isSecure;
    const made: Origin = {
      url,
      host: hostOf(url),
      port: portOf(url),
      request: (isSecure ? httpsModule() : http).request,
      proxy,
      isForwarded,
      agent: this.#agentFor(protocol),
      fields: isForwarded ? proxyFields(proxy) : [],
      open: new Set(),
      idle: [],
      waiting: [],
    };
    this.#origins.set(key, made);
    return made;
  }

  /** Does nothing: `createConnection`, Node's way without an agent, takes 3 % of the time of a call. */
  #agentFor(protocol: string): http.Agent {
    const agent: object = { addRequest: () => {}, keepAlive: this.#settings.idleMs > 0, protocol };
    return agent as http.Agent;
  }

  #serve(claim: Claim, isNew: boolean): void {
    const { idle, open, waiting } = claim.origin;
    if (isNew) return this.#open(claim);
    for (let connection = idle.pop(); connection !== undefined; connection = idle.pop())
      if (connection.socket.writable) return this.#reuse(claim, connection);
    if (open.size < this.#settings.max) return this.#open(claim);
    claim.context = new AsyncResource("nodeFetch");
    waiting.push(claim);
  }

  /** Lets what has come before be read: an end, or bytes, which answer nothing (RFC 9112, 6.3). */
  #reuse(claim: Claim, connection: Connection): void {
    const { socket } = connection;
    const takeOrOpen = (): void => {
      if (socket.writable) this.#take(claim, connection);
      else if (this.isClosed || claim.request.destroyed) fail(claim);
      else this.#serve(claim, false);
    };
    setImmediate(() => setImmediate(takeOrOpen));
  }

  #take(claim: Claim, connection: Connection): void {
    const { socket } = connection;
    connection.isIdle = false;
    connection.answer = undefined;
    claim.connection = connection;
    claim.isReused = true;
    const { _handle: handle } = socket.ref() as SocketOfNode;
    // Its events have the async context of this request from now on.
    handle?.asyncReset?.(handle);
    claim.request.onSocket(socket);
  }

  #open(claim: Claim): void {
    const { proxy, isForwarded } = claim.origin;
    if (proxy === undefined) this.#start(claim, this.#connectTo(claim.origin));
    else if (isForwarded) this.#start(claim, connectTo(proxy.url));
    else this.#openTunnel(claim, proxy);
  }

  #connectTo({ url, session }: Origin, tunnel?: Socket): Socket {
    const secureContext = this.#secureContext;
    const { servername } = this.#settings.tls;
    return connectTo(url, { secureContext, servername, session, socket: tunnel });
  }

  /** Asks a proxy for a tunnel (RFC 9110, 9.3.6). */
  #openTunnel(claim: Claim, proxy: Proxy): void {
    const { origin } = claim;
    const authority = `${origin.url.hostname}:${origin.port}`;
    const request = http.request({
      method: "CONNECT",
      path: authority,
      headers: ["host", authority, ...proxyFields(proxy)],
      setDefaultHeaders: false,
      createConnection: () => connectTo(proxy.url),
    });
    claim.tunnel = request;
    origin.open.add(request);
    request.on("error", (error) => fail(claim, error));
    request.on("connect", ({ statusCode, statusMessage }, socket: Socket, rest) => {
      if (statusCode === 200 && rest.byteLength === 0) return this.#start(claim, this.#connectTo(origin, socket));
      socket.destroy();
      const answer = statusCode === 200 ? "bytes behind its header" : `${statusCode} ${statusMessage}`;
      fail(claim, new Error(`nodeFetch: the proxy ${proxy.url.host} answered CONNECT with ${answer}`));
    });
    request.on("close", () => this.#closed(origin, request));
    request.end();
  }

  #start(claim: Claim, socket: Socket): void {
    const { origin } = claim;
    const connection: Connection = { socket, isIdle: false, answer: undefined };
    // What comes between two requests would be taken for the answer to the next one.
    const endUnused = (): void => {
      if (connection.isIdle || connection.answer?.complete === true) socket.destroy();
    };
    socket.on("data", endUnused).on("timeout", endUnused).on("error", endUnused);
    socket.on("free", () => this.#free(origin, connection));
    socket.on("session", (session: Buffer) => (origin.session = session));
    socket.on("close", (isError) => {
      if (isError) delete origin.session;
      origin.idle = origin.idle.filter((each) => each !== connection);
      this.#closed(origin, socket);
    });
    origin.open.add(socket);
    claim.connection = connection;
    claim.request.onSocket(socket);
  }

  #closed(origin: Origin, one: Socket | http.ClientRequest): void {
    const { open, url } = origin;
    open.delete(one);
    if (open.size < this.#settings.max) this.#serveNext(origin, (claim) => this.#open(claim));
    if (open.size === 0 && this.#origins.size > maxOrigins) this.#origins.delete(url.origin);
  }

  /** Whether a request waited. */
  #serveNext({ waiting }: Origin, serve: (claim: Claim) => void): boolean {
    const claim = waiting.shift();
    claim?.context?.runInAsyncScope(serve, undefined, claim);
    return claim !== undefined;
  }

  /** Gives a connection to the next request, or keeps it for one. */
  #free(origin: Origin, connection: Connection): void {
    const { socket, answer } = connection;
    // A request that was aborted before it was sent has no answer: how long the server waits was told to the last one.
    if (!socket.writable || answer === undefined) return void socket.destroy();
    if (this.#serveNext(origin, (claim) => this.#reuse(claim, connection))) return;
    const ms = Math.min(this.#settings.idleMs, announcedMs(answer));
    if (ms <= 0 || origin.idle.length >= maxIdle) return void socket.destroy();
    if (socket.timeout !== ms) socket.setTimeout(ms);
    connection.isIdle = true;
    connection.answer = undefined;
    // Else the connection would keep its last request, and the body of the answer.
    Object.assign(socket.unref(), { _httpMessage: null });
    origin.idle.push(connection);
  }
}

/** What connections and requests of Node have, besides what is documented. A connection tells by the event `free` that it is free. */
interface SocketOfNode extends Socket {
  readonly _handle: { asyncReset?(resource: object): void } | null;
}
interface RequestOfNode extends http.ClientRequest {
  /** Gives it a connection; null ends a destroyed request. */
  onSocket(socket: Socket | null): void;
}

/** How long the server of an answer keeps its connection, less a reserve. */
const announcedMs = ({ headers }: http.IncomingMessage): number => {
  const hint = headers["keep-alive"];
  const seconds = hint && /(?:^|[\s,;])timeout\s*=\s*"?(\d+)/i.exec(String(hint))?.[1];
  return seconds ? Number(seconds) * 1000 - idleReserveMs : Infinity;
};

/** Connects to a server or proxy; `options` are for TLS. */
const connectTo = (url: URL, options: ConnectionOptions = {}): Socket => {
  const host = hostOf(url);
  const to = { host, port: portOf(url), noDelay: true, keepAlive: true, keepAliveInitialDelay: 1000 };
  if (url.protocol === "http:") return connect(to);
  const servername = options.servername ?? (isIP(host) === 0 ? host : "");
  return tlsModule().connect({ ...to, ...options, servername, ALPNProtocols: ["http/1.1"] });
};

/** The host for the resolver: IPv6 without brackets. */
export const hostOf = ({ hostname }: URL): string => (hostname.startsWith("[") ? hostname.slice(1, -1) : hostname);

export const portOf = ({ port, protocol }: URL): number => Number(port) || (protocol === "https:" ? 443 : 80);

const proxyFields = ({ authorization }: Proxy): ReadonlyArray<string> => [
  "proxy-connection",
  "keep-alive",
  ...(authorization === undefined ? [] : ["proxy-authorization", authorization]),
];

/** Ends a request that has no connection. */
const fail = ({ request }: Claim, error?: Error): void => {
  request.destroy(error);
  request.onSocket(null);
};
