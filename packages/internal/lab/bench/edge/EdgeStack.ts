// Built Worker, upstream and request of the proxy figures.
import { createServer, type RequestListener } from "node:http";
import { fileURLToPath } from "node:url";
import { readFile } from "node:fs/promises";
import {
  cacheBackend,
  close,
  listen,
  startWorkerd,
  type Standalone,
  type WorkerInit,
} from "@bytenite-engines/test-kit";
import { deployedVariables } from "../../capacity/WorkerSettings.ts";
import { requestOf } from "./Load.ts";
import { answerBytes } from "./Workers.ts";

/** The Worker as it is deployed. */
export const builtWorker = fileURLToPath(new URL("../../../../../apps/worker/dist/worker.js", import.meta.url));

/** The Worker with these variables as `edge`, over a Cache API, with others in the same process. */
export const startEdge = async (
  variables: Readonly<Record<string, string>>,
  ...others: ReadonlyArray<WorkerInit>
): Promise<Standalone> =>
  startWorkerd([
    { name: "cache", script: cacheBackend },
    ...others,
    { name: "edge", script: await readFile(builtWorker, "utf8"), cache: "cache", variables },
  ]);

/** An HTTP server on a free port of this machine. */
export interface Upstream {
  /** Base URL of its API. */
  readonly url: string;
  readonly stop: () => void;
}

export const serveUpstream = async (listener: RequestListener): Promise<Upstream> => {
  const server = createServer(listener);
  return { url: `${await listen(server)}/v1/dev`, stop: () => void close(server) };
};

/** An upstream whose answer has just the length that hits are measured with, and that counts its requests. */
export const startUpstream = async (): Promise<Upstream & { readonly count: () => number }> => {
  const frame = '{"engines":[{"description":""}]}';
  const body = frame.replace('""', `"${"a".repeat(answerBytes - frame.length)}"`);
  let requests = 0;
  const upstream = await serveUpstream((_request, response) => {
    requests += 1;
    response.writeHead(200, { "content-type": "application/json", "content-length": body.length });
    response.end(body);
  });
  return { ...upstream, count: () => requests };
};

export const listPath = "/v1/dev/engines";

/** A request for a list, as bytes on a connection. */
export const listOf = (authorization: string, query = ""): string => requestOf(listPath + query, authorization);

/** The variables of a Worker as it is deployed, but for its upstream, with answers that stay fresh during a run. */
export const deployedFor = (upstreamUrl: string): Readonly<Record<string, string>> => ({
  ...deployedVariables(),
  UPSTREAM_URL: upstreamUrl,
  LIST_FRESH_SECONDS: "604800",
});
