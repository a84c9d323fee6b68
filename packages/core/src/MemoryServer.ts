// API server in memory, for tests.
import { create, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import {
  EngineListResponseSchema,
  EngineMessageSchema,
  EngineSchema,
  StatusSchema,
  type Engine,
} from "@bytenite-engines/proto";
import { endpoints, matchPath, type EndpointMatch } from "./Endpoint.ts";
import { compareVersions, parseTag, parseVersion } from "./EngineTag.ts";
import { encode, type Format } from "./MediaType.ts";
import { negotiate } from "./Negotiation.ts";
import { decodeQuery } from "./QueryParameters.ts";
import { httpStatusOf, rpcCodes, type RpcCode } from "./RpcCode.ts";
import { schemaDigestHeader } from "./SchemaDigest.ts";
import type { Fetch } from "./Fetch.ts";
import { schemaDigests } from "./gen/schemaDigests.ts";

/** Engines on a page when no limit is asked for. */
export const memoryPageSize = 20;

/** A server in memory. */
export interface MemoryServer {
  /** For the option `fetch` of a client. */
  readonly fetch: Fetch;
  /** The requests so far. */
  readonly requests: ReadonlyArray<Request>;
}

/** What a server in memory is made of. */
export interface MemoryServerOptions {
  /** The engines it has; left out fields are empty. */
  readonly engines?: ReadonlyArray<MessageInitShape<typeof EngineSchema>>;
  /** Answers in its place, e.g. with a failure; undefined leaves the answer to it. `count` is the number of the request, from 1. */
  readonly answer?: (request: Request, count: number) => Response | Promise<Response> | undefined;
}

/**
 * The three calls over engines in memory: pages, tags and media types as the real server has them, whatever the base URL and
 * the token. Only what `answer` returns can fail.
 */
export const memoryServer = (options: MemoryServerOptions = {}): MemoryServer => {
  const engines = (options.engines ?? []).map((engine) => create(EngineSchema, engine));
  const requests: Array<Request> = [];
  return {
    requests,
    fetch: async (url, init) => {
      init.signal?.throwIfAborted();
      const request = new Request(url, init);
      requests.push(request);
      return (await options.answer?.(request, requests.length)) ?? respond(engines, request);
    },
  };
};

const respond = (engines: ReadonlyArray<Engine>, request: Request): Response => {
  const { pathname, searchParams } = new URL(request.url);
  const format = negotiate(request.headers.get("accept"))?.format ?? "json";
  const match = matchPath(/\/engines(?:\/.*)?$/.exec(pathname)?.[0] ?? "");
  if (match === undefined) return failed("NOT_FOUND", "no such path", format);
  if (match.name === "list") return listed(engines, searchParams, format);
  const found = resolve(engines, match);
  if (found === undefined) return failed("NOT_FOUND", "engine not found", format);
  if (match.name === "get") return answered(EngineSchema, found, format);
  const { id: engineId, status: engineStatus } = found;
  return answered(
    EngineMessageSchema,
    create(EngineMessageSchema, { engineId, engineTag: match.tag ?? "", engineStatus }),
    format,
  );
};

const listed = (engines: ReadonlyArray<Engine>, parameters: URLSearchParams, format: Format): Response => {
  const query = decodeQuery(endpoints.list.request, parameters);
  const visible = query.isPublic ? engines.filter(({ isPublic }) => isPublic) : engines;
  const offset = query.pagination?.offset ?? 0;
  const page = visible.slice(offset, offset + (query.pagination?.limit || memoryPageSize));
  const pagination = {
    total: visible.length,
    offset,
    hasPrevious: offset > 0,
    hasNext: offset + page.length < visible.length,
  };
  return answered(EngineListResponseSchema, create(EngineListResponseSchema, { engines: page, pagination }), format);
};

const resolve = (engines: ReadonlyArray<Engine>, { tag: text = "" }: EndpointMatch): Engine | undefined => {
  const tag = parseTag(text);
  const none = { major: -1, minor: -1 };
  return engines
    .filter(({ name, version }) => {
      const { major, minor } = parseVersion(version) ?? none;
      return name === tag?.name && (tag.major ?? major) === major && (tag.minor ?? minor) === minor;
    })
    .toSorted((a, b) => compareVersions(parseVersion(b.version) ?? none, parseVersion(a.version) ?? none))[0];
};

const answered = <D extends DescMessage>(schema: D, message: MessageShape<D>, format: Format): Response => {
  const digest = schemaDigests[schema.typeName];
  return reply(schema, message, format, 200, digest === undefined ? {} : { [schemaDigestHeader]: digest });
};

const failed = (code: RpcCode, message: string, format: Format): Response =>
  reply(StatusSchema, create(StatusSchema, { code: rpcCodes[code], message }), format, httpStatusOf(code), {});

const reply = <D extends DescMessage>(
  schema: D,
  message: MessageShape<D>,
  format: Format,
  status: number,
  headers: Record<string, string>,
): Response =>
  new Response(encode(schema, message, format), {
    status,
    headers: { ...headers, "content-type": format === "json" ? "application/json" : "application/x-protobuf" },
  });
