// Plain HTTP client that validates with If-None-Match.
import { decode, endpoints, encodeQuery, formatOf, pathOf, type Format } from "@bytenite-engines/core/wire";
import { create } from "@bufbuild/protobuf";
import { EngineListRequestSchema } from "@bytenite-engines/proto";
import { schemaOf, type Asked } from "./Expected.ts";
import type { Came } from "./Judge.ts";
import { outcomeOf, type Outcome } from "./Staleness.ts";
import type { Token } from "./Tokens.ts";

/** Bodies that are remembered to be validated. */
const maxRemembered = 300;

/** A request. */
export interface RawQuestion {
  readonly token: Token;
  readonly asked: Asked;
  readonly format: Format;
  readonly headers: Readonly<Record<string, string>>;
  readonly signal: AbortSignal | undefined;
}

/** Received data; a word for an answer without engines. */
export interface RawAnswer {
  readonly came: Came | string;
  readonly outcome: Outcome;
}

/** Sends requests, with a private cache. */
export class RawReader {
  readonly #baseUrl: string;
  readonly #fetch: (url: string, init: RequestInit) => Promise<Response>;
  readonly #remembered = new Map<string, { readonly etag: string; readonly bytes: Uint8Array<ArrayBuffer> }>();

  constructor(baseUrl: string, fetch: (url: string, init: RequestInit) => Promise<Response>) {
    this.#baseUrl = baseUrl;
    this.#fetch = fetch;
  }

  async ask({ token, asked, format, headers, signal }: RawQuestion): Promise<RawAnswer> {
    const target = targetOf(asked);
    const key = `${token.secret} ${format} ${target}`;
    const remembered = this.#remembered.get(key);
    const response = await this.#fetch(`${this.#baseUrl}${target}`, {
      headers: {
        ...headers,
        authorization: token.secret,
        ...(remembered === undefined ? {} : { "if-none-match": remembered.etag }),
      },
      ...(signal === undefined ? {} : { signal }),
    });
    const received = new Uint8Array(await response.arrayBuffer());
    const outcome = outcomeOf(response.headers.get("cache-status"));
    const { status } = response;
    if (status === 404) return { came: { kind: "absent" }, outcome: "collapsed" };
    if (status === 401) return { came: { kind: "refused" }, outcome };
    const bytes = status === 304 ? remembered?.bytes : status === 200 ? received : undefined;
    if (bytes === undefined) return { came: `HTTP ${status}${problemIn(received)}`, outcome };
    if (status === 200 && formatOf(response.headers.get("content-type")) !== format) {
      return { came: "not the form that was asked for", outcome };
    }
    if (!isReadable(asked, bytes, format)) return { came: "unreadable", outcome };
    this.#remember(key, response.headers.get("etag"), bytes);
    return { came: { kind: "bytes", bytes, format }, outcome };
  }

  #remember(key: string, etag: string | null, bytes: Uint8Array<ArrayBuffer>): void {
    if (etag === null) return;
    this.#remembered.delete(key);
    this.#remembered.set(key, { etag, bytes });
    for (const oldest of this.#remembered.keys()) {
      if (this.#remembered.size <= maxRemembered) break;
      this.#remembered.delete(oldest);
    }
  }
}

/** The edge's report on its upstream, in either format. */
const problemIn = (bytes: Uint8Array): string => / \([a-z-]+\)/.exec(Buffer.from(bytes).toString("latin1"))?.[0] ?? "";

/** Whether they are a message at all: what a faulty upstream says is handed on as it is. */
const isReadable = (asked: Asked, bytes: Uint8Array, format: Format): boolean => {
  try {
    decode(schemaOf[asked.endpoint], bytes, format);
    return bytes.byteLength > 0;
  } catch {
    return false;
  }
};

const targetOf = (asked: Asked): string => {
  if (asked.endpoint !== "list") return pathOf(asked.endpoint, asked.tag) ?? "";
  const { limit, offset, ...params } = asked.params;
  const request = create(EngineListRequestSchema, { ...params, pagination: { limit, offset } });
  return `${pathOf("list")}?${encodeQuery(endpoints.list.request, request)}`;
};
