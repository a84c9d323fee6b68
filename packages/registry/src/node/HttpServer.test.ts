import { connect } from "node:net";
import { expect, test } from "vitest";
import { startServer, type Handler } from "./HttpServer.ts";
import { defaultLimits } from "./ServerLimits.ts";

/** It waits for ever for what is under way, so that a test which needs the wait does not end. */
const limits = { ...defaultLimits, drainMs: 3_600_000 };

const listening = () => startServer({ host: "127.0.0.1", port: 0, limits });

const ok: Handler = async () => ({
  status: 200,
  headers: {},
  body: "here",
  about: { endpoint: undefined, user: undefined },
});

/** Sends bytes; resolves once they are on their way, to all that comes back until the end of the connection. */
const sent = (port: number, bytes: string): Promise<{ readonly answer: Promise<string> }> =>
  new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1");
    socket.once("error", reject);
    let text = "";
    socket.on("data", (chunk) => (text += chunk.toString()));
    const answer = new Promise<string>((ended) => socket.once("close", () => ended(text)));
    socket.once("connect", () => socket.write(bytes, () => resolve({ answer })));
  });

/** A request that the server has taken. */
const early = async (port: number): Promise<{ readonly answer: Promise<string> }> => {
  const request = await sent(port, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  // What comes later is read later; this is answered by the server itself, without a handler.
  expect(await (await sent(port, "no HTTP\r\n\r\n")).answer).toMatch(/^HTTP\/1\.1 400/);
  return request;
};

test("who comes before there is a handler is answered by it", async () => {
  const server = await listening();
  const { answer } = await early(server.port);
  server.answerWith(ok);
  expect(await answer).toMatch(/^HTTP\/1\.1 200 [^]*here$/);
  await server.stop();
});

test("who waits for a handler that never comes is hung up on, and does not keep the server", async () => {
  const server = await listening();
  const { answer } = await early(server.port);
  await server.stop();
  expect(await answer).toBe("");
});
