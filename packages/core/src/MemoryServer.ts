// The API from memory, for tests without a network.
import { create, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import {
  EngineListResponseSchema,
  EngineMessageSchema,
  EngineSchema,
  StatusSchema,
  type Engine,
} from "@bytenite-engines/proto";
import { endpoints, matchRequest, methodsOf } from "./Endpoint.ts";
import { compareVersions, parseTag, parseVersion, type EngineTag } from "./EngineTag.ts";
import { encode, type Format } from "./MediaType.ts";
import { negotiate } from "./Negotiation.ts";
import { decodePlainQuery as decodeQuery, QueryParameterError } from "./QueryParameters.ts";
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
 * Engines in memory, answered as our registry answers its one user: list, get, status, activate and deactivate; pages, tags, parameters,
 * media types, refusals. Base URL and token may be any; engines stay in the order given. Uploads and download links are Unimplemented
 * unless `answer` answers them.
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
  const { pathname, search, searchParams } = new URL(request.url);
  const format = negotiate(request.headers.get("accept"))?.format ?? "json";
  const path = /(?<!\/)\/engines(?:\/.*)?$/.exec(pathname)?.[0] ?? "";
  const methods = methodsOf(path);
  if (methods.length === 0) return failed("NOT_FOUND", "no such path", format);
  const match = matchRequest(request.method, path);
  if (match === undefined || match.name === "upload" || match.name === "download")
    return failed("UNIMPLEMENTED", "a server in memory has no such call", format, 405);
  if (/%(?![0-9A-Fa-f]{2})/.test(search)) return failed("INVALID_ARGUMENT", "a malformed escape", format);
  try {
    if (match.name === "list") return listed(engines, searchParams, format);
    decodeQuery(endpoints[match.name].request, searchParams, ["engine_tag"]);
  } catch (cause) {
    if (cause instanceof QueryParameterError) return failed("INVALID_ARGUMENT", cause.message, format);
    throw cause;
  }
  const tag = parseTag(match.tag ?? "");
  if (tag === undefined) return failed("INVALID_ARGUMENT", "a tag looks like name, name@1 or name@1.2", format);
  const found = resolve(engines, tag);
  if (found === undefined) return failed("NOT_FOUND", "engine not found", format);
  if (match.name === "get") return answered(EngineSchema, found, format);
  if (match.name !== "status") found.status = match.name === "activate" ? "active" : "inactive";
  const { id: engineId, name, version, status: engineStatus } = found;
  const status = create(EngineMessageSchema, { engineId, engineTag: `${name}@${version}`, engineStatus });
  return answered(EngineMessageSchema, status, format);
};

const listed = (engines: ReadonlyArray<Engine>, parameters: URLSearchParams, format: Format): Response => {
  const query = decodeQuery(endpoints.list.request, parameters);
  if (!["", "createdAt", "created_at"].includes(query.orderBy))
    return failed("INVALID_ARGUMENT", `cannot order by ${query.orderBy}`, format);
  const visible = query.isPublic ? engines.filter(({ isPublic }) => isPublic) : engines;
  const offset = query.pagination?.offset ?? 0;
  const page = visible.slice(offset, offset + (query.pagination?.limit || memoryPageSize));
  const pagination = {
    total: visible.length,
    offset,
    hasPrevious: offset > 0,
    hasNext: page.length > 0 && offset + page.length < visible.length,
  };
  return answered(EngineListResponseSchema, create(EngineListResponseSchema, { engines: page, pagination }), format);
};

const resolve = (engines: ReadonlyArray<Engine>, tag: EngineTag): Engine | undefined => {
  const none = { major: -1, minor: -1 };
  return engines
    .filter(({ name, version }) => {
      const { major, minor } = parseVersion(version) ?? none;
      return name === tag.name && (tag.major ?? major) === major && (tag.minor ?? minor) === minor;
    })
    .toSorted((a, b) => compareVersions(parseVersion(b.version) ?? none, parseVersion(a.version) ?? none))[0];
};

const answered = <D extends DescMessage>(schema: D, message: MessageShape<D>, format: Format): Response => {
  const digest = schemaDigests[schema.typeName];
  return reply(schema, message, format, 200, digest === undefined ? {} : { [schemaDigestHeader]: digest });
};

const failed = (code: RpcCode, message: string, format: Format, status = httpStatusOf(code)): Response =>
  reply(StatusSchema, create(StatusSchema, { code: rpcCodes[code], message }), format, status, {});

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
