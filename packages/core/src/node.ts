// A fetch for Node over node:http and node:https.
import type * as http from "node:http";
import type * as https from "node:https";
import type { Socket } from "node:net";
import type { Readable, Transform, TransformCallback } from "node:stream";
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
import { Connections, type ConnectionSettings } from "./node/Connections.ts";
import { proxiesIn } from "./node/Proxies.ts";
import { assertOptionNames } from "./OptionNames.ts";
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
   * `[::1]` cover nothing; write `::1`.
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

/** Loaded on demand: it costs milliseconds at the start. */
const zlibModule = () => process.getBuiltinModule("node:zlib");

const hasZstd = process.versions["zstd"] !== undefined;

/** Makes the decoding stream of a content coding; output comes in bounded chunks. */
const decoders: Readonly<Record<string, () => Decoder>> = {
  gzip: () => zlibModule().createGunzip(),
  "x-gzip": () => zlibModule().createGunzip(),
  deflate: () => zlibModule().createInflate(),
  br: () => zlibModule().createBrotliDecompress(),
  ...(hasZstd ? { zstd: () => everyFrame(zlibModule().createZstdDecompress()) } : {}),
};

/** What Node's decoders have; `push`, `_transform` and `_flush` are those of every Transform. */
interface Decoder extends Transform {
  /** Bytes that were read so far: what is left of a chunk follows the end of a frame. */
  readonly bytesWritten: number;
  push: (part: unknown) => boolean;
  _transform: (chunk: Buffer, encoding: BufferEncoding, done: TransformCallback) => void;
  _flush: (done: TransformCallback) => void;
}

/** Goes on with the next frame (RFC 8878, 3.1), where Node's decoder would end. */
const everyFrame = (decoder: Decoder): Decoder => {
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

/** Ends where nothing came: what has no byte is empty in every coding. */
const orNothing = (decoder: Decoder): Decoder => {
  const { _flush: flush } = decoder;
  const flushSome: typeof flush = (done) => (decoder.bytesWritten === 0 ? done() : flush.call(decoder, done));
  return Object.assign(decoder, { _flush: flushSome });
};

const acceptEncoding = hasZstd ? "gzip, br, zstd" : "gzip, br";

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
  const fetch = (text: string, init: NodeFetchInit = {}): Promise<FetchResponse> =>
    new Promise<FetchResponse>((resolve, reject) => {
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
  return Object.assign(fetch, { close, takesOnAbort: true });
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

/** A request, and what settles its promise. */
interface Exchange {
  readonly connections: Connections;
  readonly url: URL;
  readonly method: string;
  readonly body: Uint8Array | undefined;
  readonly init: NodeFetchInit;
  readonly resolve: (response: FetchResponse) => void;
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
  if (body !== undefined) request.once("socket", readBeforeWriteError);
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

/** An error of a write is left to the end of what is read: an answer that came before all was sent is still there. */
const readBeforeWriteError = (socket: Socket): void => {
  const { _writeGeneric: write } = socket as WritingSocket;
  if (Object.hasOwn(socket, "_writeGeneric")) return;
  const writeSome: typeof write = (isMany, data, encoding, done) =>
    write.call(socket, isMany, data, encoding, (error) => error ?? done());
  Object.assign(socket, { _writeGeneric: writeSome });
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
  }

  /** The connection broke: a body without length would end there as if it were whole. */
  breakOff(error: Error): void {
    if (!this.#incoming.complete) this.destroy(error);
  }

  /** Calls back once the body was read or given up. */
  afterwards(listener: () => void): void {
    this.#content.once("close", listener);
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
      this.#content = source.pipe(orNothing(decoder)).on("error", (error) => this.destroy(error));
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
    if (!this.has(name)) return null;
    const value = this.#headers[name.toLowerCase()] ?? "";
    return typeof value === "string" ? value : value.join(", ");
  }

  has(name: string): boolean {
    return Object.hasOwn(this.#headers, name.toLowerCase());
  }

  forEach(callback: (value: string, name: string) => void): void {
    for (const name of Object.keys(this.#headers)) callback(this.get(name) as string, name);
  }
}

/** A copy, unless one chunk has its memory for itself: mostly it shares that with other reads. */
const joined = (chunks: ReadonlyArray<Buffer>): Uint8Array<ArrayBuffer> => {
  const [first] = chunks;
  if (chunks.length === 1 && first?.buffer instanceof ArrayBuffer && first.buffer.byteLength === first.byteLength)
    return new Uint8Array(first.buffer);
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
