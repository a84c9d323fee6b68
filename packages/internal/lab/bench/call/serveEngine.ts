// Server of prepared responses: API, Connect, errors.
import { createServer } from "node:http";
import { listen } from "@bytenite-engines/test-kit/ports";
import { engineAnswers } from "./EngineAnswers.ts";

const { protobuf, json, digest } = engineAnswers;

const server = createServer((request, response) => {
  const url = request.url ?? "";
  if (request.method === "POST") {
    request.resume().once("end", () => {
      response.writeHead(200, { "Content-Type": "application/proto", "Content-Length": protobuf.length });
      response.end(protobuf);
    });
    return;
  }
  if (url.startsWith("/refused")) {
    response.writeHead(503, { "Content-Type": "application/json", "Content-Length": 2 });
    response.end("{}");
    return;
  }
  const isProtobuf = request.headers.accept === "application/x-protobuf";
  const body = isProtobuf ? protobuf : json;
  response.writeHead(200, {
    "Content-Type": isProtobuf ? "application/x-protobuf" : "application/json",
    "Content-Length": body.length,
    Vary: "Accept",
    ...digest,
  });
  response.end(body);
});
server.keepAliveTimeout = 60_000;
process.stdout.write(`ready ${await listen(server)}\n`);
// Ends with its parent process.
process.stdin.resume().once("end", () => process.exit());
