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
  logFields: { endpoint: undefined, user: undefined },
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

test("what is under way when the drain time is over is cut off", async () => {
  const server = await startServer({ host: "127.0.0.1", port: 0, limits: { ...limits, drainMs: 1 } });
  const taken = Promise.withResolvers<void>();
  server.answerWith(() => {
    taken.resolve();
    return new Promise(() => {});
  });
  const { answer } = await sent(server.port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await taken.promise;
  await server.stop();
  expect(await answer).toBe("");
});

test("what is under way when the server stops is answered within the drain time", async () => {
  const server = await listening();
  const taken = Promise.withResolvers<void>();
  const go = Promise.withResolvers<void>();
  server.answerWith(async (exchange) => {
    taken.resolve();
    await go.promise;
    return ok(exchange);
  });
  const { answer } = await sent(server.port, "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
  await taken.promise;
  const stopped = server.stop();
  go.resolve();
  await stopped;
  expect(await answer).toMatch(/^HTTP\/1\.1 200 [^]*here$/);
});

/** A connection that has had one answer, and its end. */
const answeredOnce = async (port: number) => {
  const socket = connect(port, "127.0.0.1");
  const closed = new Promise<string>((resolve) => {
    socket.once("close", () => resolve("closed"));
  });
  const ask = async (): Promise<string> => {
    const answer = new Promise<string>((resolve) => {
      socket.once("data", (chunk: Buffer) => resolve(chunk.toString()));
    });
    socket.write("GET / HTTP/1.1\r\nHost: x\r\n\r\n");
    return answer;
  };
  const first = await ask();
  expect(first).toMatch(/^HTTP\/1\.1 200 /);
  return { socket, closed, ask, first };
};

test("a connection without requests is closed by the server after the keep-alive timeout", async () => {
  const server = await startServer({ host: "127.0.0.1", port: 0, limits: { ...limits, keepAliveTimeoutMs: 50 } });
  server.answerWith(ok);
  const { closed, first } = await answeredOnce(server.port);
  // Node has a timeout of its own, which closes the connection as well.
  expect(first).toMatch(/^Keep-Alive: timeout=0\r$/m);
  expect(await closed).toBe("closed");
  await server.stop();
});

test("a connection takes another request before that", async () => {
  const server = await listening();
  server.answerWith(ok);
  const { socket, ask, first } = await answeredOnce(server.port);
  expect(first).toContain(`\r\nKeep-Alive: timeout=${limits.keepAliveTimeoutMs / 1_000}\r\n`);
  expect(await ask()).toMatch(/^HTTP\/1\.1 200 /);
  socket.destroy();
  await server.stop();
});
