// The response of a nodeFetch, and its content codings.
import type * as http from "node:http";
import type { Readable, Transform, TransformCallback } from "node:stream";
import { GrowingBytes } from "../Body.ts";
import { UnknownCoding, type BodyReader, type FetchResponse, type ResponseHeaders } from "../Fetch.ts";

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
      // Who gives the body up destroys its decoder, which then decodes nothing more.
      if (error || left === 0 || decoder.destroyed) done(error);
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

/** The content codings that are asked for. */
export const acceptEncoding = hasZstd ? "gzip, br, zstd" : "gzip, br";

/** A response, whose body is read once: by `bytes` or by the one reader of `body`. */
export class NodeResponse implements FetchResponse {
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

  bytesWithin(maxBytes: number, tooLong: () => Error): Promise<Uint8Array<ArrayBuffer>> {
    return new Promise((resolve, reject) => {
      const bytes = new GrowingBytes(maxBytes);
      const settle = () => (this.#error === undefined ? resolve(bytes.whole()) : reject(this.#error));
      this.#wake = settle;
      if (this.#error !== undefined || this.#content.readableEnded) return settle();
      const take = (chunk: Buffer): void => {
        if (!bytes.add(chunk)) this.destroy(tooLong());
      };
      this.#content.on("data", take).on("end", settle);
    });
  }

  async arrayBuffer(): Promise<ArrayBuffer> {
    return (await this.bytesWithin(Infinity, cancelled)).buffer;
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
