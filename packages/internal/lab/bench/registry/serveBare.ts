// Bare `node:http` peer that sends the registry's bytes.
import { createServer } from "node:http";
import { listen } from "@bytenite-engines/test-kit/ports";
import { announce } from "./Served.ts";

const [origin = "", token = "", ...paths] = process.argv.slice(2);
const prepared = new Map<string, { readonly type: string; readonly body: Buffer }>();
for (const path of paths) {
  for (const type of ["application/json", "application/x-protobuf"]) {
    const answer = await fetch(origin + path, { headers: { Authorization: token, Accept: type } });
    prepared.set(`${path} ${type}`, { type, body: Buffer.from(await answer.arrayBuffer()) });
  }
}
const server = createServer((request, response) => {
  const answer = prepared.get(`${request.url} ${request.headers.accept}`);
  if (answer === undefined) {
    response.writeHead(404).end();
    return;
  }
  response.writeHead(200, { "Content-Type": answer.type, "Content-Length": answer.body.length });
  response.end(answer.body);
});
announce(Number(new URL(await listen(server)).port));
