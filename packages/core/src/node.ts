// A fetch for Node over node:http and node:https.
import type * as http from "node:http";
import type * as https from "node:https";
import { isIPv4, type Socket } from "node:net";
import { onAbort } from "./Cancellation.ts";
import { framingField, type Fetch, type FetchInit, type FetchResponse } from "./Fetch.ts";
import { isLoopback } from "./HttpRules.ts";
import { Connections, hostOf, portOf, type ConnectionSettings, type Proxy } from "./node/Connections.ts";
import { acceptEncoding, NodeResponse } from "./node/Response.ts";
import { assertObject, assertOptionNames } from "./OptionNames.ts";
import { idempotentMethods } from "./Retry.ts";

/** Options of `nodeFetch`. */
export interface NodeFetchOptions {
  /** How long an idle connection is kept for the next request, in milliseconds. Default 60,000; 0 closes it after each response. */
  readonly idleTimeoutMs?: number | undefined;
  /** Connections per origin at most; further requests wait for one. Default: no limit. */
  readonly maxConnections?: number | undefined;
  /** TLS settings: own certificate authorities, a client certificate. */
  readonly tls?:
    | Pick<https.AgentOptions, "ca" | "cert" | "key" | "pfx" | "passphrase" | "servername" | "minVersion">
    | undefined;
  /**
   * Variables that name a proxy: HTTP_PROXY, HTTPS_PROXY and NO_PROXY, in either case. Default `process.env`; `false` ignores
   * them. A proxy is http or https; `host:port` is http. NO_PROXY lists, between commas, hosts with or without port, ranges such as
   * `10.0.0.1-10.0.0.9`, or `*`: `api.test` is that host alone, `*.api.test` its subdomains, `.api.test` both. `10.0.0.0/8` and
   * `[2001:db8::1]` cover nothing; write `2001:db8::1`. `localhost`, 127.0.0.0/8 and `::1` have no proxy.
   */
  readonly proxyEnv?: Readonly<Record<string, string | undefined>> | false | undefined;
}

/** Options of `nodeFetch` besides those of every `Fetch`. */
export interface NodeFetchInit extends FetchInit {
  /** Called with the number of bytes handed to the system so far, up to all of them. */
  onBodySent?: (bytes: number, totalBytes: number) => void;
}

/** A response of `nodeFetch`. */
export interface NodeFetchResponse extends FetchResponse {
  readonly url: string;
  bytesWithin(maxBytes: number, tooLong: () => Error): Promise<Uint8Array<ArrayBuffer>>;
  /** The whole body, without a limit. */
  arrayBuffer(): Promise<ArrayBuffer>;
}

/** A `Fetch` that owns its connections. */
export interface NodeFetch extends Pick<Fetch, "takesOnAbort"> {
  (url: string, init?: NodeFetchInit): Promise<NodeFetchResponse>;
  /** The origin of the proxy that requests for a URL go through. */
  proxyOf(url: string): string | undefined;
  /** Closes all connections. Requests under way fail, as do those that wait for a connection. */
  close(): void;
}

/** Default of `idleTimeoutMs`. */
export const defaultIdleTimeoutMs = 60_000;

/**
 * A fetch over `node:http` and `node:https`, to be given to a client as `fetch`. It keeps connections alive, reads gzip, br and
 * zstd (zstd from Node 22.15; as in the built-in `fetch`, each member of gzip is read, other bytes behind one are an error, and those
 * behind a br body are ignored), and uses the proxies that the environment names. An idempotent request on a connection that the
 * server has closed is sent again at once, on a new one. Redirects are not followed: the client does that. A connection is busy
 * until the body of its response is read or cancelled. Throws TypeError or RangeError for options that cannot be. Rejects with
 * the error of Node, or with the reason of the signal.
 */
export const nodeFetch = (options: NodeFetchOptions = {}): NodeFetch => {
  assertOptionNames(options, optionNames);
  assertOptionNames(options.tls, tlsNames, "tls");
  const { idleTimeoutMs, maxConnections, tls = {}, proxyEnv = process.env } = options;
  const settings: ConnectionSettings = {
    idleMs: checked("idleTimeoutMs", idleTimeoutMs ?? defaultIdleTimeoutMs, 0),
    max: maxConnections === undefined ? Infinity : checked("maxConnections", maxConnections, 1),
    tls,
    proxyOf: proxyEnv === false ? () => undefined : proxiesIn(proxyEnv),
  };
  let connections = new Connections(settings);
  const fetch = (text: string, init: NodeFetchInit = {}): Promise<NodeFetchResponse> =>
    new Promise<NodeFetchResponse>((resolve, reject) => {
      const url = new URL(text);
      if (url.protocol !== "http:" && url.protocol !== "https:")
        throw new TypeError(`nodeFetch: ${url.protocol} is not http: or https:`);
      init.signal?.throwIfAborted();
      const method = (init.method ?? "GET").toUpperCase();
      send({ connections, url, method, body: bytesOf(init.body), init, resolve, reject }, false);
    });
  const close = () => {
    connections.close();
    connections = new Connections(settings);
  };
  const proxyOf = (url: string) => settings.proxyOf(new URL(url))?.url.origin;
  return Object.assign(fetch, { close, proxyOf, takesOnAbort: true });
};

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

/** Largest number in an option: a timer takes no more. */
const maxNumber = 2_147_483_647;

const checked = (name: string, value: number, least: number): number => {
  if (Number.isInteger(value) && value >= least && value <= maxNumber) return value;
  throw new RangeError(`nodeFetch: ${name} must be a whole number from ${least} to ${maxNumber}, not ${String(value)}`);
};

type ProxyEnv = Exclude<NonNullable<NodeFetchOptions["proxyEnv"]>, false>;

/**
 * Reads HTTP_PROXY, HTTPS_PROXY and NO_PROXY, in either case. Returns what finds the proxy of a URL. Throws TypeError for a
 * value that names no proxy: to connect directly instead could leak a request. A value may hold a password, and is not shown.
 * As in Chromium and Go, loopback has none: there, another host would get what is meant for this one.
 */
const proxiesIn = (env: ProxyEnv): ((url: URL) => Proxy | undefined) => {
  assertObject(env, "proxyEnv");
  const proxies: Readonly<Record<string, Proxy | undefined>> = {
    "http:": proxyIn(env, "http_proxy"),
    "https:": proxyIn(env, "https_proxy"),
  };
  const without = (env["no_proxy"] || env["NO_PROXY"] || "").split(",").map((entry) => entry.trim().toLowerCase());
  return (url) =>
    isLoopback(url.hostname) || without.some((entry) => covers(entry, url)) ? undefined : proxies[url.protocol];
};

const proxyIn = (env: ProxyEnv, lower: string): Proxy | undefined => {
  const name = env[lower] ? lower : lower.toUpperCase();
  const given = env[name]?.trim() ?? "";
  if (given === "") return undefined;
  const text = given.includes("://") ? given : `http://${given}`;
  // A lone word is more likely a slip than the name of a host.
  const isAddress = given.includes("://") ? /^https?:/i.test(given) : /[.:\]]|^localhost$/i.test(given);
  try {
    const url = new URL(isAddress ? text : "");
    const user = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    return { url, authorization: user === ":" ? undefined : `Basic ${Buffer.from(user).toString("base64")}` };
  } catch {
    throw new TypeError(`${name} is not the URL of an http or https proxy, as in http://127.0.0.1:3128`);
  }
};

/** Whether an entry of NO_PROXY covers a URL. */
const covers = (entry: string, url: URL): boolean => {
  const host = hostOf(url);
  if (entry === "*" || entry === host || entry === `${host}:${portOf(url)}`) return true;
  if (entry.startsWith("*.")) return host.endsWith(entry.slice(1));
  if (entry.startsWith(".")) return `.${host}`.endsWith(entry);
  const [first = "", last = ""] = entry.split("-").map((each) => each.trim());
  if (![host, first, last].every(isIPv4)) return false;
  return inOrder(first) <= inOrder(host) && inOrder(host) <= inOrder(last);
};

/** A text that comes before those of higher addresses. */
const inOrder = (ip: string): string => String.fromCharCode(...ip.split(".").map(Number));

/** A request, and what settles its promise. */
interface Exchange {
  readonly connections: Connections;
  readonly url: URL;
  readonly method: string;
  readonly body: Uint8Array | undefined;
  readonly init: NodeFetchInit;
  readonly resolve: (response: NodeFetchResponse) => void;
  readonly reject: (cause: unknown) => void;
}

const send = (exchange: Exchange, isResend: boolean): void => {
  const { connections, url, method, body, init, resolve, reject } = exchange;
  const headers = headersOf(url, init, method, body);
  const claim = connections.request(url, method, headers, isResend, (incoming) => {
    if (incoming.statusCode === 101) return rejectUpgrade(incoming);
    response = new NodeResponse(url.href, incoming, method);
    if (ignoreSignal !== undefined) response.afterwards(ignoreSignal);
    resolve(response);
    // Nobody needs the rest of a body that was answered; its connection would wait for the server to read it.
    if (body !== undefined) incoming.once("end", () => request.writableFinished || request.destroy());
  });
  const { request } = claim;
  let response: NodeResponse | undefined;
  let isAborted = false;
  const abort = (reason: unknown): void => {
    isAborted = true;
    reject(reason);
    (response ?? request).destroy(reason as Error);
    connections.leave(claim);
  };
  // What is given `onAbort` goes with its one attempt; a signal may outlast the request.
  init.onAbort?.(abort);
  const ignoreSignal = init.signal && onAbort(init.signal, abort);
  request.on("error", (error) => {
    if (response !== undefined) return response.breakOff(error);
    ignoreSignal?.();
    const isOwnDoing = isAborted || connections.isClosed;
    const metClosedConnection = claim.isReused && isReset(error) && !isOwnDoing;
    if (metClosedConnection && idempotentMethods.has(method)) send(exchange, true);
    else reject(error);
  });
  // An upgrade was not requested.
  const rejectUpgrade = ({ statusCode, socket }: http.IncomingMessage): void => {
    ignoreSignal?.();
    socket.destroy();
    reject(new Error(`nodeFetch: the server answered ${statusCode} and switched to another protocol`));
  };
  request.on("upgrade", rejectUpgrade);
  if (body !== undefined) request.once("socket", ignoreResets);
  if (body !== undefined && init.onBodySent !== undefined) sendInPieces(request, body, init.onBodySent);
  else request.end(body);
};

const bytesOf = (body: NodeFetchInit["body"]): Uint8Array | undefined => {
  // As bytes: Node writes the header in the encoding of a text.
  if (typeof body === "string") return Buffer.from(body);
  if (body === undefined || body instanceof Uint8Array) return body;
  throw new TypeError("nodeFetch: a body is a string or a Uint8Array");
};

/** As a list, which Node sends as it is: that takes a quarter less time. Names are in lower case, so that none is sent twice. */
const headersOf = (
  { host }: URL,
  { headers = {} }: NodeFetchInit,
  method: string,
  body: Uint8Array | undefined,
): Array<string> => {
  if (method === "CONNECT") throw new TypeError("nodeFetch: the method CONNECT makes a tunnel, and no response");
  const list = ["host", host];
  let codings = acceptEncoding;
  const given = inLowerCase(headers);
  for (const name of Object.keys(given)) {
    const value = given[name];
    if (value === undefined) continue;
    if (framingField.test(name)) throw new TypeError(`nodeFetch: the header ${name} is not yours to set`);
    if (name === "accept-encoding") codings = value;
    else list.push(name, value);
  }
  list.push("accept-encoding", codings);
  if (body !== undefined && (method === "GET" || method === "HEAD"))
    throw new TypeError(`nodeFetch: a ${method} cannot have a body`);
  if (body !== undefined || !bodilessMethods.has(method)) list.push("content-length", String(body?.byteLength ?? 0));
  return list;
};

const inLowerCase = (headers: Readonly<Record<string, string>>): Readonly<Record<string, string>> =>
  /[A-Z]/.test(Object.keys(headers).join())
    ? Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
    : headers;

/** Methods that need not say that they have no body (RFC 9110, 8.6). */
const bodilessMethods: ReadonlySet<string> = new Set(["GET", "HEAD", "DELETE", "OPTIONS", "TRACE"]);

/** The reset of a connection is left to who reads: an answer that came before all was sent is still there. */
const ignoreResets = (socket: Socket): void => {
  const { _writeGeneric: write } = socket as WritingSocket;
  if (Object.hasOwn(socket, "_writeGeneric")) return;
  const writeOnly: typeof write = (isMany, data, encoding, done) =>
    write.call(socket, isMany, data, encoding, (error) => (error && isReset(error) ? undefined : done(error)));
  Object.assign(socket, { _writeGeneric: writeOnly });
};

/** What connections of Node have, besides what is documented. */
interface WritingSocket extends Socket {
  readonly _writeGeneric: (
    isMany: boolean,
    data: unknown,
    encoding: string,
    done: (error?: Error | null) => void,
  ) => void;
}

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
      if (error) return;
      onSent(end, body.byteLength);
      if (end < body.byteLength) sendFrom(end);
      else request.end();
    });
  };
  if (body.byteLength === 0) request.end();
  else sendFrom(0);
};

const isReset = (error: NodeJS.ErrnoException): boolean => error.code === "ECONNRESET" || error.code === "EPIPE";

/**
 * The options `token` and `baseUrl` from `BYTENITE_TOKEN` and `BYTENITE_BASE_URL`, as `bne` does, without unset and empty ones: `createEngineClient({ ...optionsFromEnv(), fetch: nodeFetch() })`.
 */
export const optionsFromEnv = (
  env: Readonly<Record<string, string | undefined>> = process.env,
): { readonly token?: string; readonly baseUrl?: string } => {
  const { BYTENITE_TOKEN: token = "", BYTENITE_BASE_URL: baseUrl = "" } = env;
  return { ...(token === "" ? {} : { token }), ...(baseUrl === "" ? {} : { baseUrl }) };
};
