// The API from memory, for tests without a network.
import { create, type DescMessage, type MessageInitShape, type MessageShape } from "@bufbuild/protobuf";
import { base64Encode } from "@bufbuild/protobuf/wire";
import {
  EngineListResponseSchema,
  EngineMessageSchema,
  EngineSchema,
  StatusSchema,
  type Engine,
  type EngineMessage,
} from "@bytenite-engines/proto";
import { matchRequest, methodsOf } from "./Endpoint.ts";
import { endpoints } from "./gen/endpointSchemas.ts";
import { compareVersions, parseTag, parseVersion, type EngineTag } from "./EngineTag.ts";
import { decode, encode } from "./Encoding.ts";
import { formatOf, mediaTypeOf, type Format } from "./MediaType.ts";
import { negotiate } from "./Negotiation.ts";
import { assertOptionNames, assertOptionTypes } from "./OptionNames.ts";
import { decodeQuery, QueryParameterError } from "./QueryParameters.ts";
import { httpStatusOf, rpcCodes, type RpcCode } from "./RpcCode.ts";
import { schemaDigestHeader } from "./SchemaDigest.ts";
import type { Fetch } from "./Fetch.ts";
import { schemaDigests } from "./gen/schemaDigests.ts";

/** Engines on a page without a limit. */
export const memoryPageSize = 20;

/** A server in memory. */
export interface MemoryServer {
  /** For the option `fetch` of a client. */
  readonly fetch: Fetch;
  /** The requests so far. */
  readonly requests: ReadonlyArray<Request>;
}

/** Options of a server in memory. */
export interface MemoryServerOptions {
  /** The engines it has; left out fields are empty. */
  readonly engines?: ReadonlyArray<MessageInitShape<typeof EngineSchema>> | undefined;
  /** Answers in its place, e.g. with a failure; undefined leaves the answer to it. `count` is the number of the request, from 1. */
  readonly answer?: ((request: Request, count: number) => Response | Promise<Response> | undefined) | undefined;
}

/**
 * Engines in memory, answered as our registry answers its one user: all calls; pages, tags, parameters, media types, conditions, refusals.
 * Base URL and token may be any. Engines count as created in the order given; their times stay as given, and an upload has none. An
 * upload needs its tag, since archives are not read here.
 */
export const memoryServer = (options: MemoryServerOptions = {}): MemoryServer => {
  assertOptionNames(options, ["engines", "answer"], "memoryServer");
  assertOptionTypes(options, {
    engines: ["an array of engines", Array.isArray],
    answer: ["a function", (value) => typeof value === "function"],
  });
  const engines = (options.engines ?? []).map((engine) => create(EngineSchema, engine));
  const archives = new Map<string, Uint8Array<ArrayBuffer>>();
  const requests: Array<Request> = [];
  return {
    requests,
    fetch: async (url, init) => {
      init.signal?.throwIfAborted();
      const request = new Request(url, init);
      requests.push(request);
      return (await options.answer?.(request, requests.length)) ?? respond({ engines, archives }, request);
    },
  };
};

interface Stored {
  readonly engines: Array<Engine>;
  /** By hash. */
  readonly archives: Map<string, Uint8Array<ArrayBuffer>>;
}

/** Where links to archives lead; answered by the same `fetch`. */
const archiveOrigin = "https://archives.memory.invalid";

const respond = async (stored: Stored, request: Request): Promise<Response> => {
  const { engines } = stored;
  if (request.url.startsWith(`${archiveOrigin}/`)) return archived(stored, request);
  const { pathname, search, searchParams } = new URL(request.url);
  const representation = negotiate(request.headers.get("accept"));
  if (representation === undefined) return failed("INVALID_ARGUMENT", "Accept allows no format", "json", 406);
  const { format } = representation;
  const path = /(?<!\/)\/engines(?:\/.*)?$/.exec(pathname)?.[0] ?? "";
  if (methodsOf(path).length === 0) return failed("NOT_FOUND", "no such path", format);
  const isDeletion = request.method === "DELETE";
  const match = matchRequest(isDeletion ? "GET" : request.method, path);
  if (match === undefined || (isDeletion && match.name !== "get"))
    return failed("UNIMPLEMENTED", "a server in memory has no such call", format, 405);
  const { name } = match;
  if (name === "upload") return uploaded(stored, request, format);
  if (/%(?![0-9A-Fa-f]{2})/.test(search)) return failed("INVALID_ARGUMENT", "a malformed escape", format);
  try {
    if (name === "list") return listed(engines, searchParams, format);
    decodeQuery(endpoints[name].request, searchParams, ["engine_tag"]);
  } catch (cause) {
    if (cause instanceof QueryParameterError) return failed("INVALID_ARGUMENT", cause.message, format);
    throw cause;
  }
  const tag = parseTag(match.tag ?? "");
  if (tag === undefined) return failed("INVALID_ARGUMENT", "a tag looks like name, name@1 or name@1.2", format);
  if (isDeletion && tag.minor === undefined)
    return failed("INVALID_ARGUMENT", "a version is deleted as name@major.minor", format);
  const found = resolve(engines, tag);
  if (found === undefined) return failed("NOT_FOUND", "engine not found", format);
  const engineTag = `${found.name}@${found.version}`;
  const message = (rest: MessageInitShape<typeof EngineMessageSchema>): Response =>
    answered(EngineMessageSchema, create(EngineMessageSchema, { engineId: found.id, engineTag, ...rest }), format);
  if (isDeletion) {
    if (!conditionHolds(request, found)) return conditionFailed(format);
    engines.splice(engines.indexOf(found), 1);
    return message({});
  }
  switch (name) {
    case "get":
      return answered(EngineSchema, found, format);
    case "status":
      return message({ engineStatus: found.status });
    case "download":
      if (!stored.archives.has(found.hash)) return failed("NOT_FOUND", "the engine has no archive", format);
      return message({ engineLink: `${archiveOrigin}/${engineTag}` });
    case "activate":
    case "deactivate":
      if (!conditionHolds(request, found)) return conditionFailed(format);
      found.status = name === "activate" ? "active" : "inactive";
      return message({ engineStatus: found.status });
  }
};

const conditionHolds = ({ headers }: Request, engine: Engine | undefined): boolean => {
  const match = headers.get("if-match");
  if (match !== null && (engine === undefined || (match !== "*" && match !== `"revision-${engine.revision}"`)))
    return false;
  return headers.get("if-none-match") === null || engine === undefined;
};

const conditionFailed = (format: Format): Response => failed("ABORTED", "the engine has another revision", format, 412);

const uploaded = async ({ engines, archives }: Stored, request: Request, format: Format): Promise<Response> => {
  const sent = formatOf(request.headers.get("content-type"));
  if (sent === undefined) return failed("INVALID_ARGUMENT", "Content-Type is neither JSON nor protobuf", format, 415);
  let message: EngineMessage;
  try {
    message = decode(EngineMessageSchema, new Uint8Array(await request.arrayBuffer()), sent);
  } catch {
    return failed("INVALID_ARGUMENT", "the body is not an EngineMessage", format);
  }
  const { name, major, minor } = parseTag(message.engineTag) ?? {};
  if (name === undefined || minor === undefined)
    return failed("INVALID_ARGUMENT", "a server in memory reads no manifest: give the tag, name@major.minor", format);
  const version = `${major}.${minor}`;
  const before = engines.find((engine) => engine.name === name && engine.version === version);
  if (!conditionHolds(request, before)) return conditionFailed(format);
  const archive = new Uint8Array(message.engineData);
  const hash = base64Encode(new Uint8Array(await crypto.subtle.digest("SHA-256", archive)));
  archives.set(hash, archive);
  const engine = before ?? create(EngineSchema, { id: crypto.randomUUID(), name, version, status: "inactive" });
  if (before === undefined) engines.push(engine);
  if (engine.hash !== hash) engine.revision += 1;
  engine.hash = hash;
  if (message.engineStatus !== "") engine.status = message.engineStatus;
  return answered(EngineSchema, engine, format);
};

const archived = ({ engines, archives }: Stored, request: Request): Response => {
  const tag = decodeURIComponent(new URL(request.url).pathname.slice(1));
  const engine = engines.find(({ name, version }) => `${name}@${version}` === tag);
  const archive = engine === undefined ? undefined : archives.get(engine.hash);
  if (archive === undefined) return new Response(null, { status: 404 });
  return new Response(archive, { headers: { "content-type": "application/x-tar" } });
};

const listed = (engines: ReadonlyArray<Engine>, parameters: URLSearchParams, format: Format): Response => {
  const query = decodeQuery(endpoints.list.request, parameters);
  const { $typeName: _, $unknown: __, orderBy, isPublic, pagination: asked, ...unread } = query;
  // A parameter that is not read here would be ignored.
  unread satisfies Record<string, never>;
  const order = /^(?:(createdAt|created_at|name)(?: (asc|desc))?)?$/.exec(orderBy);
  if (order === null) return failed("INVALID_ARGUMENT", `cannot order by ${orderBy}`, format);
  const [, field, direction] = order;
  const visible = engines.filter((engine) => !isPublic || engine.isPublic);
  if (field === "name") visible.sort(byName);
  if (direction === "desc") visible.reverse();
  const offset = asked?.offset ?? 0;
  const page = visible.slice(offset, offset + (asked?.limit || memoryPageSize));
  const total = visible.length;
  const hasNext = page.length > 0 && offset + page.length < total;
  const pagination = { total, offset, hasPrevious: offset > 0, hasNext };
  return answered(EngineListResponseSchema, create(EngineListResponseSchema, { engines: page, pagination }), format);
};

/** Below all versions. */
const none = { major: -Infinity, minor: -Infinity };

const byVersion = (a: Engine, b: Engine): number =>
  compareVersions(parseVersion(a.version) ?? none, parseVersion(b.version) ?? none);

const byName = (a: Engine, b: Engine): number => (a.name === b.name ? byVersion(a, b) : a.name < b.name ? -1 : 1);

const resolve = (engines: ReadonlyArray<Engine>, tag: EngineTag): Engine | undefined =>
  engines
    .filter(({ name, version }) => {
      const { major, minor } = parseVersion(version) ?? none;
      return name === tag.name && (tag.major ?? major) === major && (tag.minor ?? minor) === minor;
    })
    .toSorted(byVersion)
    .at(-1);

const answered = <D extends DescMessage>(
  schema: D,
  message: MessageShape<D>,
  format: Format,
  status = 200,
): Response => {
  const digest = schemaDigests[schema.typeName];
  const headers = { "content-type": mediaTypeOf(format), ...(digest && { [schemaDigestHeader]: digest }) };
  return new Response(encode(schema, message, format), { status, headers });
};

const failed = (code: RpcCode, message: string, format: Format, status = httpStatusOf(code)): Response =>
  answered(StatusSchema, create(StatusSchema, { code: rpcCodes[code], message }), format, status);
