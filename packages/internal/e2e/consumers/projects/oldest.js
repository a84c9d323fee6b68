// A client program for the oldest supported Node.
import { once } from "node:events";
import { createServer } from "node:http";
import { brotliCompressSync, gzipSync } from "node:zlib";
import * as Effect from "effect/Effect";
import { EngineClient } from "@bytenite-engines/core";
import { apiKey } from "@bytenite-engines/core/api-key";
import { breaker } from "@bytenite-engines/core/breaker";
import { hedging } from "@bytenite-engines/core/hedging";
import "@bytenite-engines/core/infer";
import { createEngineClient } from "@bytenite-engines/core/promise";
import { memoryServer } from "@bytenite-engines/core/testing";

const { fetch } = memoryServer({ engines: ["plain", "gzip", "br", "slow"].map((name) => ({ name, version: "0.1" })) });
const compress = { gzip: gzipSync, br: brotliCompressSync };
let refused = false;

const server = createServer(async (request, response) => {
  if (request.method === "POST") {
    request.resume();
    response.setHeader("content-type", "application/json");
    return response.end(JSON.stringify({ token: "a-token", expiresIn: "3600" }));
  }
  if (!refused) {
    refused = true;
    return response.writeHead(503, { "retry-after-ms": "1" }).end("{}");
  }
  const answer = await fetch(`http://a${request.url}`, { headers: { accept: request.headers.accept } });
  const coding = request.url.split("/").at(-1);
  if (coding in compress) response.setHeader("content-encoding", coding);
  for (const [name, value] of answer.headers) response.setHeader(name, value);
  const bytes = new Uint8Array(await answer.arrayBuffer());
  // Of the slow one only a part comes.
  if (coding === "slow") return response.write(bytes.subarray(0, 1));
  const body = compress[coding]?.(bytes) ?? bytes;
  return response.writeHead(answer.status, { "content-length": body.length }).end(body);
}).listen(0, "127.0.0.1");
await once(server, "listening");

const options = { baseUrl: `http://127.0.0.1:${server.address().port}`, token: apiKey("a-key-0123456789") };
const client = createEngineClient({
  ...options,
  hedging: hedging(),
  breaker: breaker(),
  protobufVerification: { fieldNumbers: [] },
});
const answers = [];
for (const name of ["plain", "gzip", "br"]) {
  const { data, attempts, format } = await client.withResponse.get(name);
  answers.push(`${data.name} in ${format} after ${attempts}`);
}
const controller = new AbortController();
setTimeout(() => controller.abort("enough"), 20);
const given = await client.get("slow", { signal: controller.signal }).catch((reason) => reason);
const listed = [];
for await (const { name } of client.listAll({ limit: 1 })) listed.push(name);
const missing = await Effect.runPromise(
  Effect.flip(Effect.flatMap(EngineClient, (calls) => calls.get("no-such-engine"))).pipe(
    Effect.provide(EngineClient.layer(options)),
  ),
);
server.close();
server.closeAllConnections();
process.stdout.write(
  JSON.stringify({
    major: Number(process.versions.node.split(".")[0]),
    answers,
    given,
    listed,
    missing: missing.reason._tag,
  }),
);
