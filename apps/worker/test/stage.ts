// Test stack of the flow: a new isolate and a scripted upstream.
import { create } from "@bufbuild/protobuf";
import {
  decode,
  encode,
  rpcCodeOfHttp,
  rpcCodes,
  schemaDigestHeader,
  schemaDigests,
} from "@bytenite-engines/core/wire";
import { EngineSchema, type Engine } from "@bytenite-engines/proto";
import { beforeEach } from "vitest";
import { startEdge, type Clock, type Edge, type Upstream } from "./edge.ts";

export const engineDigest = schemaDigests["bytenite.engine.Engine"] ?? "";
export const protobuf = { accept: "application/x-protobuf" };
export const json = { accept: "application/json" };

/** What belongs to one test. */
export interface Stage {
  /** What the upstream was asked, oldest first. */
  asked: Array<{ readonly url: string; readonly headers: Headers }>;
  /** What the upstream answers; an engine, until a test says otherwise. */
  answer: (headers: Headers, url: string) => Response | Promise<Response>;
  /** How many engines the upstream has answered with; each carries its number as revision. */
  version: number;
  clock: Clock;
  edge: Edge;
  readonly upstream: Upstream;
  /** The Cache API of its data centre. */
  readonly store: () => Promise<Cache>;
  /** Another isolate of the same data centre. */
  readonly newEdge: (variables?: Record<string, string>) => Promise<Edge>;
  /** An engine that says who asked for it and which answer it is, as our registry would send it. */
  readonly engineFor: (headers: Headers, fields?: Record<string, string>) => Response;
}

const formatOf = (mediaType: string | null) => (mediaType === "application/json" ? "json" : "protobuf");

/** The stage of the tests of a file. It is set anew before each of them. */
export const stageProxy = (): Stage => {
  let name = "";
  const engineFor: Stage["engineFor"] = (headers, fields = {}) => {
    stage.version += 1;
    const format = formatOf(headers.get("accept"));
    const message = create(EngineSchema, {
      name: "zipper",
      owner: headers.get("authorization") ?? "",
      revision: stage.version,
    });
    return new Response(encode(EngineSchema, message, format), {
      headers: {
        "content-type": format === "json" ? "application/json" : "application/x-protobuf",
        [schemaDigestHeader]: engineDigest,
        ...fields,
      },
    });
  };
  const upstream: Upstream = async (url, init) => {
    const headers = new Headers(init.headers);
    stage.asked.push({ url, headers });
    return stage.answer(headers, url);
  };
  const newEdge: Stage["newEdge"] = async (variables = {}) =>
    startEdge(upstream, stage.clock, await caches.open(name), variables);
  const stage = { upstream, newEdge, store: () => caches.open(name), engineFor } as Stage;
  beforeEach(async () => {
    name = crypto.randomUUID();
    Object.assign(stage, { asked: [], version: 0, clock: { ms: 1_700_000_000_000 }, answer: engineFor });
    stage.edge = await newEdge();
  });
  return stage;
};

/** The engine in an answer of either form. */
export const engineOf = async (response: Response): Promise<Engine> =>
  decode(EngineSchema, new Uint8Array(await response.arrayBuffer()), formatOf(response.headers.get("content-type")));

export const revisionOf = async (response: Response): Promise<number> => (await engineOf(response)).revision;

/** An upstream that refuses with a status. */
export const failing = (status: number) => (): Response =>
  Response.json({ code: rpcCodes[rpcCodeOfHttp(status)], message: "down" }, { status });

/** An upstream that cannot be reached. */
export const refused = (): never => {
  throw new TypeError("refused");
};
