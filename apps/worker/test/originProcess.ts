// A server whose engine names choose its response.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { listen } from "@bytenite-engines/test-kit/ports";
import type { OriginState, Scripted } from "./origin.ts";

const state: Omit<OriginState, "asked"> & { asked: Array<OriginState["asked"][number]> } = {
  asked: [],
  inFlight: 0,
  mostInFlight: 0,
};
/** Requests that are remembered, at most. */
const maxAsked = 1_000;

/** `answer-<base64url of Scripted>` answers as it says; `missing`, `failing`, `hanging` and `cut` do what they are called. */
const answer = (request: IncomingMessage, response: ServerResponse): void => {
  const name = /\/engines\/([^/?]+)/.exec(request.url ?? "")?.[1] ?? "list";
  const kind = name.split("-", 1)[0] ?? "";
  if (kind === "hanging") return;
  if (kind === "cut") {
    request.socket.destroy();
    return;
  }
  const script: Scripted =
    kind === "answer"
      ? (JSON.parse(Buffer.from(name.slice("answer-".length), "base64url").toString()) as Scripted)
      : { status: kind === "failing" ? 500 : kind === "missing" ? 404 : 200 };
  const { authorization = "" } = request.headers;
  const status = authorization.includes("revoked") || authorization === "" ? 401 : (script.status ?? 200);
  const conditional = request.headers["if-none-match"] !== undefined && script.confirms === true;
  response.writeHead(conditional ? 304 : status, { "content-type": "application/json", ...script.headers });
  const body = status === 200 ? { name: kind, owner: authorization } : { code: status >= 500 ? 13 : 5 };
  response.end(conditional ? undefined : JSON.stringify(body));
};

const server = createServer((request, response) => {
  if (request.url === "/state") {
    response.end(JSON.stringify(state));
    return;
  }
  state.inFlight += 1;
  state.mostInFlight = Math.max(state.mostInFlight, state.inFlight);
  if (state.asked.length < maxAsked) state.asked.push({ url: request.url ?? "", fields: request.rawHeaders });
  response.once("close", () => {
    state.inFlight -= 1;
  });
  answer(request, response);
});
process.stdout.write(`${new URL(await listen(server)).port}\n`);
// It ends with the test that started it, however that ends.
process.stdin.resume().once("end", () => process.exit(0));
