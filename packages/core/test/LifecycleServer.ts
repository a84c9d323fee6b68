// Engines service with uploads in memory.
import { createHash } from "node:crypto";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { close, listen, portOf } from "@bytenite-engines/test-kit/ports";
import { create, toBinary, type DescMessage, type Message } from "@bufbuild/protobuf";
import { EngineMessageSchema, EngineSchema, type Engine } from "@bytenite-engines/proto";
import {
  decode,
  encodeJson,
  formatOf,
  matchRequest,
  schemaDigestHeader,
  schemaDigests,
} from "@bytenite-engines/core/wire";

/** What a test does with a request before or instead of the server; `"after"` resets the connection once it was carried out. */
export type Trouble =
  | "reset"
  | "after"
  | { readonly status: number; readonly headers?: Record<string, string> }
  | undefined;

export interface LifecycleServer extends AsyncDisposable {
  readonly baseUrl: string;
  readonly requests: Array<{ readonly line: string; readonly headers: IncomingMessage["headers"] }>;
  readonly engines: Map<string, { engine: Engine; archive: Uint8Array }>;
  /** Changes what is under a tag, as another client would. */
  store(tag: string, archive: Uint8Array, status?: string): void;
}

const hashOf = (bytes: Uint8Array): string => createHash("sha256").update(bytes).digest("base64");

type Reply =
  | { readonly schema: DescMessage; readonly message: Message }
  | { readonly status: number; readonly code: number; readonly message: string };
const failed = (status: number, code: number, message: string): Reply => ({ status, code, message });
const conditionHolds = ({ headers }: IncomingMessage, engine: Engine | undefined): boolean => {
  const match = headers["if-match"];
  if (match !== undefined && (engine === undefined || match !== `"revision-${engine.revision}"`)) return false;
  return headers["if-none-match"] === undefined || engine === undefined;
};

/** Starts it. `trouble` is asked about each request, by its running number among those of the same line. */
export const startLifecycle = async (
  options: {
    readonly trouble?: (line: string, count: number) => Trouble;
    readonly link?: (tag: string, port: number) => string;
    readonly sendArchive?: (response: ServerResponse, archive: Uint8Array, hash: string) => void;
    readonly namesSchema?: boolean;
  } = {},
): Promise<LifecycleServer> => {
  const engines: LifecycleServer["engines"] = new Map();
  const requests: LifecycleServer["requests"] = [];
  const counts = new Map<string, number>();
  const store: LifecycleServer["store"] = (tag, archive, status) => {
    const [name = "", version = ""] = tag.split("@");
    const before = engines.get(tag)?.engine;
    const hash = hashOf(archive);
    const engine = create(EngineSchema, {
      id: before?.id ?? `id-${tag}`,
      name,
      version,
      hash,
      revision: before === undefined ? 1 : before.hash === hash ? before.revision : before.revision + 1,
      status: status ?? before?.status ?? "inactive",
    });
    engines.set(tag, { engine, archive });
  };
  const server = createServer((request, response) => {
    const chunks: Array<Buffer> = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      const path = (request.url ?? "").replace(/\?.*$/, "");
      const line = `${request.method} ${path}`;
      requests.push({ line, headers: request.headers });
      const count = (counts.get(line) ?? 0) + 1;
      counts.set(line, count);
      const trouble = options.trouble?.(line, count);
      if (trouble === "reset") request.socket.destroy();
      else if (typeof trouble === "object") {
        response.writeHead(trouble.status, { "content-type": "application/json", ...trouble.headers }).end("{}");
      } else if (path.startsWith("/archives/")) sendArchive(path, response);
      else {
        const answer = handle(request, path, Buffer.concat(chunks));
        if (trouble === "after") request.socket.destroy();
        else send(request, response, answer);
      }
    });
  });
  const sendArchive = (path: string, response: ServerResponse): void => {
    const entry = engines.get(decodeURIComponent(path.slice("/archives/".length)));
    if (entry === undefined) {
      response.writeHead(404).end();
      return;
    }
    const { archive, engine } = entry;
    if (options.sendArchive !== undefined) options.sendArchive(response, archive, engine.hash);
    else
      response
        .writeHead(200, { "content-type": "application/x-tar", "content-length": archive.byteLength })
        .end(archive);
  };

  /** The extension DELETE /engines/{tag}. */
  const deletion = ({ method }: IncomingMessage, path: string): Reply | undefined => {
    const tag = decodeURIComponent(path.slice(path.lastIndexOf("/") + 1));
    if (method !== "DELETE" || !engines.delete(tag)) return undefined;
    return { schema: EngineMessageSchema, message: create(EngineMessageSchema, { engineTag: tag }) };
  };

  /** A name alone stands for its latest version: here the one that was stored last. */
  const whole = (tag: string): string =>
    tag.includes("@") ? tag : ([...engines.keys()].findLast((key) => key.startsWith(`${tag}@`)) ?? tag);

  const handle = (request: IncomingMessage, path: string, body: Buffer): Reply => {
    if (request.headers.authorization !== "good") return failed(401, 16, "no token");
    const match = matchRequest(request.method ?? "", path.replace("/v1/dev", ""));
    if (match === undefined) return deletion(request, path) ?? failed(404, 5, "Not Found");
    const isProtobuf = formatOf(request.headers["content-type"]) === "protobuf";
    const message =
      body.length === 0
        ? create(EngineMessageSchema)
        : decode(EngineMessageSchema, new Uint8Array(body), isProtobuf ? "protobuf" : "json");
    const tag = match.name === "upload" ? message.engineTag : whole(match.tag ?? "");
    const entry = engines.get(tag);
    if (match.name === "upload") {
      if (!conditionHolds(request, entry?.engine)) return failed(412, 10, "another revision");
      store(tag, message.engineData, message.engineStatus === "" ? undefined : message.engineStatus);
      return { schema: EngineSchema, message: engines.get(tag)?.engine as Engine };
    }
    if (entry === undefined) return failed(404, 5, "engine not found");
    if (match.name === "get") return { schema: EngineSchema, message: entry.engine };
    if (!conditionHolds(request, entry.engine)) return failed(412, 10, "another revision");
    if (match.name === "activate" || match.name === "deactivate") {
      entry.engine.status = match.name === "activate" ? "active" : "inactive";
      return {
        schema: EngineMessageSchema,
        message: create(EngineMessageSchema, { engineTag: tag, engineStatus: entry.engine.status }),
      };
    }
    const port = portOf(server);
    const engineLink = options.link?.(tag, port) ?? `http://127.0.0.1:${port}/archives/${tag}?signature=secret`;
    return { schema: EngineMessageSchema, message: create(EngineMessageSchema, { engineTag: tag, engineLink }) };
  };
  const send = (request: IncomingMessage, response: ServerResponse, reply: Reply): void => {
    if ("status" in reply) {
      response.writeHead(reply.status, { "content-type": "application/json" });
      response.end(JSON.stringify({ code: reply.code, message: reply.message, details: [] }));
      return;
    }
    const isProtobuf = formatOf(request.headers.accept) === "protobuf";
    response.writeHead(200, {
      "content-type": isProtobuf ? "application/x-protobuf" : "application/json",
      ...(options.namesSchema === false ? {} : { [schemaDigestHeader]: schemaDigests[reply.schema.typeName] }),
    });
    response.end(
      isProtobuf ? toBinary(reply.schema, reply.message) : JSON.stringify(encodeJson(reply.schema, reply.message)),
    );
  };
  const origin = await listen(server);
  return {
    baseUrl: `${origin}/v1/dev`,
    requests,
    engines,
    store,
    [Symbol.asyncDispose]: () => close(server),
  };
};
