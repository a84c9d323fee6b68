// Clients of the lifecycle table: both entries of core, plain HTTP, `bne`.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { EngineClient } from "@bytenite-engines/core";
import { createEngineClient } from "@bytenite-engines/core/promise";
import { decode, mediaTypeOf, rpcCodeOf, type Format } from "@bytenite-engines/core/wire";
import { EngineMessageSchema, EngineSchema, StatusSchema } from "@bytenite-engines/proto";
import { hashOf } from "@bytenite-engines/test-kit/archives";
import * as Effect from "effect/Effect";
import * as Stream from "effect/Stream";
import { refusalOf } from "../TestClient.ts";
import { builtBne, runBne } from "../trust/CommandCaller.ts";
import { archiveOf, version, writeFolder } from "./Archives.ts";
import type { Caller, LifecycleCall, LifecycleRefusal } from "./Rows.ts";
import { tokens } from "./Servers.ts";

/** Result of a call: nothing, the bytes of an archive, or a refusal as the client sees it. */
export type LifecycleOutcome =
  | "done"
  | { readonly bytes: Buffer }
  | { readonly link: { readonly status: number; readonly bytes: Buffer } }
  | { readonly refused: Partial<LifecycleRefusal> };

/** A client that makes the calls of the table for one engine. */
export interface LifecycleClient {
  readonly kind: "core" | "http" | "bne";
  readonly send: (call: LifecycleCall, as: Caller) => Promise<LifecycleOutcome>;
  readonly stop?: () => void;
}

/** Makes a client for the engine of a name, in one form. */
export type MakeClient = (baseUrl: string, engine: string, format: Format) => LifecycleClient;

const condition = ({ ifRevision }: { readonly ifRevision?: number | undefined }) =>
  ifRevision === undefined ? {} : { ifRevision };

const uploadOf = async (call: Extract<LifecycleCall, { readonly do: "upload" }>, engine: string) => ({
  archive: await archiveOf(call.archive, engine),
  params: {
    tag: `${engine}@${call.version ?? version}`,
    ...(call.activate === undefined ? {} : { activate: call.activate }),
    ...condition(call),
  },
});

/** The promise entry. */
export const promiseClient: MakeClient = (baseUrl, engine, format) => {
  const tag = `${engine}@${version}`;
  const plain = httpClient(baseUrl, engine, format);
  return {
    kind: "core",
    send: async (call, as) => {
      const client = createEngineClient({ baseUrl, format, ...(as === "nobody" ? {} : { token: tokens[as] }) });
      try {
        switch (call.do) {
          case "upload": {
            const { archive, params } = await uploadOf(call, engine);
            await client.upload(archive, params);
            return "done";
          }
          case "activate":
          case "deactivate":
          case "delete":
            await client[call.do](tag, condition(call));
            return "done";
          case "archive":
            return { bytes: Buffer.from(await (await client.archive(tag)).bytes()) };
          default:
            return await plain.send(call, as);
        }
      } catch (error) {
        return refusalOf(error);
      }
    },
  };
};

/** The Effect entry. */
export const effectClient: MakeClient = (baseUrl, engine, format) => {
  const tag = `${engine}@${version}`;
  const plain = httpClient(baseUrl, engine, format);
  return {
    kind: "core",
    send: async (call, as) => {
      if (call.do === "link") return plain.send(call, as);
      const upload = call.do === "upload" ? await uploadOf(call, engine) : undefined;
      const program = Effect.gen(function* () {
        const client = yield* EngineClient;
        if (call.do === "archive") return { bytes: Buffer.concat(yield* Stream.runCollect(client.archive(tag))) };
        if (call.do === "activate") yield* client.activate(tag, condition(call));
        else if (call.do === "deactivate") yield* client.deactivate(tag, condition(call));
        else if (call.do === "delete") yield* client.delete(tag, condition(call));
        else if (upload !== undefined) yield* client.upload(upload.archive, upload.params);
        return "done" as const;
      }).pipe(
        Effect.catch((error) => Effect.succeed(refusalOf(error))),
        Effect.provide(EngineClient.layer({ baseUrl, format, ...(as === "nobody" ? {} : { token: tokens[as] }) })),
      );
      return Effect.runPromise(program);
    },
  };
};

const matching = ({ ifRevision }: { readonly ifRevision?: number | undefined }): Record<string, string> => {
  if (ifRevision === undefined) return {};
  return ifRevision === 0 ? { "If-None-Match": "*" } : { "If-Match": `"revision-${ifRevision}"` };
};

/** Plain HTTP, as anything else uses it. */
export const httpClient: MakeClient = (baseUrl, engine, format) => {
  const path = `/engines/${engine}@${version}`;
  const mediaType = mediaTypeOf(format);
  let link = "";
  const ask = async (target: string, method: string, as: Caller, init: RequestInit = {}): Promise<Response> => {
    const headers = { Accept: mediaType, ...(as === "nobody" ? {} : { Authorization: tokens[as] }) };
    return fetch(baseUrl + target, {
      ...init,
      method,
      headers: { ...headers, ...(init.headers as Record<string, string>) },
    });
  };
  const refusalIn = async (response: Response): Promise<LifecycleOutcome> => {
    const bytes = new Uint8Array(await response.arrayBuffer());
    const said = response.headers.get("content-type");
    if (said !== mediaType) throw new Error(`${response.status} came as ${said}`);
    return { refused: { status: response.status, code: rpcCodeOf(decode(StatusSchema, bytes, format).code) ?? "" } };
  };
  const upload = async (
    call: Extract<LifecycleCall, { readonly do: "upload" }>,
    as: Caller,
  ): Promise<LifecycleOutcome> => {
    const { archive, params } = await uploadOf(call, engine);
    const message = { engineTag: params.tag, engineStatus: call.activate === true ? "active" : "" };
    const body =
      format === "json"
        ? JSON.stringify({ ...message, engineData: archive.toString("base64") })
        : new Uint8Array(
            toBinary(EngineMessageSchema, create(EngineMessageSchema, { ...message, engineData: archive })),
          );
    const response = await ask("/engines", "POST", as, {
      body,
      headers: { "Content-Type": mediaType, ...matching(call) },
    });
    if (!response.ok) return refusalIn(response);
    const answered = new Uint8Array(await response.arrayBuffer());
    const { name, hash } =
      format === "json"
        ? (JSON.parse(Buffer.from(answered).toString()) as { name: string; hash: string })
        : fromBinary(EngineSchema, answered);
    if (name !== engine || hash !== hashOf(archive)) throw new Error(`the answer is of ${name}, ${hash}`);
    return "done";
  };
  const archive = async (as: Caller): Promise<LifecycleOutcome> => {
    const response = await ask(`${path}/download`, "GET", as);
    if (!response.ok) return refusalIn(response);
    const { engineLink } = decode(EngineMessageSchema, new Uint8Array(await response.arrayBuffer()), format);
    link = engineLink;
    return { bytes: Buffer.from(await (await fetch(engineLink)).arrayBuffer()) };
  };
  const follow = async (call: Extract<LifecycleCall, { readonly do: "link" }>): Promise<LifecycleOutcome> => {
    const url =
      call.isForged === true
        ? link.replace(/signature=./, (text) => `signature=${text.endsWith("A") ? "B" : "A"}`)
        : link;
    const tag = (await fetch(link, { method: "HEAD" })).headers.get("etag") ?? "";
    const headers = Object.fromEntries(
      Object.entries(call.headers ?? {}).map(([name, value]) => [name, value === "ETAG" ? tag : value]),
    );
    const response = await fetch(url, { method: call.method ?? "GET", headers });
    const bytes = Buffer.from(await response.arrayBuffer());
    return { link: { status: response.status, bytes: response.ok ? bytes : Buffer.alloc(0) } };
  };
  return {
    kind: "http",
    send: async (call, as) => {
      switch (call.do) {
        case "upload":
          return upload(call, as);
        case "archive":
          return archive(as);
        case "link":
          return follow(call);
        case "delete":
        case "activate":
        case "deactivate": {
          const [target, method] = call.do === "delete" ? [path, "DELETE"] : [`${path}/${call.do}`, "POST"];
          const response = await ask(target, method, as, { headers: matching(call) });
          if (!response.ok) return refusalIn(response);
          await response.arrayBuffer();
          return "done";
        }
      }
    },
  };
};

/** Pushes an engine and lists all, with an API key and a home that knows no token: the exit codes, and the names in the list. */
export const pushWithApiKey = async (baseUrl: string, engine: string, apiKey: string) => {
  const home = mkdtempSync(join(tmpdir(), "lifecycle-bne-"));
  try {
    mkdirSync(join(home, "folder"));
    writeFolder(join(home, "folder"), "first", engine);
    const settings = { BYTENITE_BASE_URL: baseUrl, BYTENITE_API_KEY: apiKey };
    const pushed = await runBne([...builtBne, "push", "folder"], home, settings);
    const listed = await runBne([...builtBne, "list", "--all", "--output", "name"], home, settings);
    return { exits: [pushed.code, listed.code], names: listed.stdout.trim().split("\n") };
  } finally {
    rmSync(home, { recursive: true });
  }
};

/** `bne`, a process for each call. */
export const bneClient: MakeClient = (baseUrl, engine, format) => {
  const home = mkdtempSync(join(tmpdir(), "lifecycle-bne-"));
  const tag = `${engine}@${version}`;
  const run = async (as: Caller, args: ReadonlyArray<string>): Promise<LifecycleOutcome> => {
    const token = as === "nobody" ? {} : { BYTENITE_TOKEN: tokens[as] };
    const { code } = await runBne([...builtBne, ...args], home, {
      BYTENITE_BASE_URL: baseUrl,
      BYTENITE_WIRE_FORMAT: format,
      ...token,
    });
    return code === 0 ? "done" : { refused: { exit: code ?? -1 } };
  };
  return {
    kind: "bne",
    stop: () => rmSync(home, { recursive: true }),
    send: async (call, as) => {
      const revision =
        "ifRevision" in call && call.ifRevision !== undefined ? ["--if-revision", `${call.ifRevision}`] : [];
      switch (call.do) {
        case "upload": {
          if (!existsSync(join(home, call.archive))) {
            mkdirSync(join(home, call.archive));
            writeFolder(join(home, call.archive), call.archive, engine);
          }
          return run(as, ["push", call.archive, ...revision, ...(call.activate === true ? ["--activate"] : [])]);
        }
        case "archive": {
          rmSync(join(home, "pulled"), { recursive: true, force: true });
          const outcome = await run(as, ["pull", tag, "pulled"]);
          return outcome === "done" ? { bytes: readFileSync(join(home, "pulled", "app", "main.py")) } : outcome;
        }
        case "delete":
          return run(as, ["delete", tag, "--yes"]);
        case "activate":
        case "deactivate":
          return run(as, [call.do, tag]);
        case "link":
          throw new Error("bne follows no links of its own");
      }
    },
  };
};
