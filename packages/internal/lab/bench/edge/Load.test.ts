import { createServer, type Server } from "node:http";
import { close, listen } from "@bytenite-engines/test-kit/ports";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bodyOf, Connection, load, saturate } from "./Load.ts";

/** The server's response: a body of so many bytes. */
let answer = { status: 200, length: 9, cacheStatus: "edge; hit; ttl=9" };
let server: Server;
let port = 0;

beforeAll(async () => {
  server = createServer((_, response) => {
    response.writeHead(answer.status, { "content-length": answer.length, "cache-status": answer.cacheStatus });
    response.end("x".repeat(answer.length));
  });
  port = Number(new URL(await listen(server)).port);
});
afterAll(() => close(server));

const right = { ...answer };
const expected = { status: 200, length: 9, cacheStatus: "; hit" };
const request = "GET / HTTP/1.1\r\nhost: 127.0.0.1\r\n\r\n";

test("a right answer is counted", async () => {
  answer = right;
  const connection = await Connection.open(port, expected);
  const burst = await saturate([connection], request, process.pid, 20);
  expect(burst.statuses.get(200)).toBe(burst.requests);
  expect(burst.requests).toBeGreaterThan(0);
  connection.close();
});

test.each([
  [{ status: 500 }, "answered 500"],
  [{ status: 503, length: 0 }, "answered 503 with 0 bytes"],
  [{ length: 8 }, "with 8 bytes"],
  [{ length: 10 }, "with 10 bytes"],
  [{ cacheStatus: "edge; fwd=uri-miss" }, "fwd=uri-miss"],
  [{ cacheStatus: "" }, 'Cache-Status ""'],
])("a run with the planted answer %j ends with what was wrong", async (wrong, message) => {
  answer = { ...right, ...wrong };
  const connection = await Connection.open(port, expected);
  await expect(saturate([connection], request, process.pid, 10_000)).rejects.toThrow(message);
  connection.close();
});

const answeredWith = (text: string) => load(port, () => ({ request, expected: bodyOf(Buffer.from(text)) }), 20, 4);

test("the first answer on each connection has the bytes that were expected", async () => {
  answer = right;
  expect((await answeredWith("x".repeat(9))).latenciesMs).toHaveLength(20);
  await expect(answeredWith(`${"x".repeat(8)}y`)).rejects.toThrow("answered a body of SHA-256");
  await expect(answeredWith("x".repeat(10))).rejects.toThrow("with 9 bytes");
});
