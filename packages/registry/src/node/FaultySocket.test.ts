import { createServer, connect, type AddressInfo, type Socket } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import type { Answer } from "../api/Answer.ts";
import type { Fault } from "../faults/FaultRule.ts";
import { needsSocket, sendFaulty, waitOn } from "./FaultySocket.ts";

/** A socket of a server, what is written to it, and how its client sees it end: of a reset, it need not get what was sent before. */
const connection = async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => void server.close());
  const accepted = new Promise<Socket>((resolve) => void server.once("connection", resolve));
  const client = connect((server.address() as AddressInfo).port, "127.0.0.1");
  client.resume();
  const ended = new Promise<string>((resolve) => {
    client.once("error", () => resolve("reset"));
    client.once("end", () => resolve("end"));
  });
  const socket = await accepted;
  socket.on("error", () => undefined);
  const pieces: Array<Buffer> = [];
  const write = socket.write.bind(socket) as (...args: ReadonlyArray<unknown>) => boolean;
  socket.write = (bytes: Uint8Array, ...rest: ReadonlyArray<unknown>) => {
    pieces.push(Buffer.from(bytes));
    return write(bytes, ...rest);
  };
  return { socket, client, pieces, ended };
};

const answer: Answer = {
  status: 200,
  headers: { "Content-Type": "text/plain", Date: "D" },
  body: "0123456789",
  logFields: { endpoint: "list", user: undefined },
};

const head = (length: number): string =>
  `HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nDate: D\r\nContent-Length: ${length}\r\nConnection: close\r\n\r\n`;

// `head(10)` has 93 bytes.
test.for<[Fault, string, string, ReadonlyArray<number>]>([
  [{}, `${head(10)}0123456789`, "end", [93, 10]],
  [{ contentLength: 3 }, `${head(3)}0123456789`, "end", [92, 10]],
  [{ reset: "in-headers" }, head(10).slice(0, 46), "reset", [46]],
  [{ reset: "after-headers" }, head(10), "reset", [93]],
  [{ reset: "in-body" }, `${head(10)}01234`, "reset", [93, 5]],
  [{ cutBodyAfterBytes: 3 }, `${head(10)}012`, "end", [93, 3]],
  [{ cutBodyAfterBytes: 3, reset: "in-body" }, `${head(10)}012`, "reset", [93, 3]],
  [{ body: { bytes: 70_000 } }, `${head(70_000)}${"x".repeat(70_000)}`, "end", [96, 65_536, 4_464]],
  [{ body: { bytes: 65_536 } }, `${head(65_536)}${"x".repeat(65_536)}`, "end", [96, 65_536]],
  [{ body: { bytes: 9 }, cutBodyAfterBytes: 20 }, `${head(9)}${"x".repeat(9)}`, "end", [92, 9]],
  [{ body: { bytes: 9 }, reset: "in-body" }, `${head(9)}xxxx`, "reset", [92, 4]],
  [{ body: { bytes: 1 } }, `${head(1)}x`, "end", [92, 1]],
  [{ body: { bytes: 0 } }, head(0), "end", [92]],
  [{ slow: { headersMs: 10 } }, `${head(10)}0123456789`, "end", [...Array<number>(9).fill(10), 3, 10]],
  [{ slow: { bodyMs: 10 } }, `${head(10)}0123456789`, "end", [93, ...Array<number>(10).fill(1)]],
])("of a fault %j %j is sent, then the %s, in pieces of %j", async ([fault, text, ended, lengths]) => {
  const { socket, pieces, ...client } = await connection();
  expect(await sendFaulty(socket, answer, fault, false)).toBe(true);
  expect([Buffer.concat(pieces).toString(), await client.ended]).toEqual([text, ended]);
  expect(pieces.map(({ length }) => length)).toEqual(lengths);
});

test("a response to HEAD has no body, whatever the fault; one without a date gets it, and unknown statuses a phrase", async () => {
  const { socket, pieces } = await connection();
  const { Date: _date, ...headers } = answer.headers;
  expect(await sendFaulty(socket, { ...answer, status: 299, headers }, { contentLength: 4 }, true)).toBe(true);
  const text = Buffer.concat(pieces).toString();
  expect(text).toMatch(
    /^HTTP\/1\.1 299 Status\r\nContent-Type: text\/plain\r\nDate: \w{3}, .* GMT\r\nContent-Length: 4\r\n/,
  );
  expect(text).toMatch(/\r\n\r\n$/);
});

test("slow headers and bodies take their time", async () => {
  const { socket } = await connection();
  const start = performance.now();
  await sendFaulty(socket, answer, { slow: { headersMs: 50, bodyMs: 100 } }, false);
  expect(performance.now() - start).toBeGreaterThan(140);
  expect(performance.now() - start).toBeLessThan(5_000);
});

test.for<Fault>([{}, { slow: { headersMs: 10_000 } }, { slow: { bodyMs: 10_000 } }, { body: { bytes: 1e9 } }])(
  "of a fault %j nothing more is sent to a client that has gone",
  async (fault) => {
    const { socket, client } = await connection();
    if (Object.keys(fault).length === 0) socket.destroy();
    const sent = sendFaulty(socket, answer, fault, false);
    client.resetAndDestroy();
    expect(await sent).toBe(false);
  },
);

test("a wait ends early where the connection ends, and leaves nothing behind", async () => {
  const { socket, client } = await connection();
  const listeners = socket.listenerCount("close");
  expect(await waitOn(socket, 1)).toBe(true);
  expect(socket.listenerCount("close")).toBe(listeners);
  const waiting = waitOn(socket, 60_000);
  client.resetAndDestroy();
  expect(await waiting).toBe(false);
  expect(await waitOn(socket, 60_000)).toBe(false);
});

test.for<[Fault, boolean]>([
  [{ reset: "in-body" }, true],
  [{ cutBodyAfterBytes: 0 }, true],
  [{ contentLength: 0 }, true],
  [{ slow: {} }, true],
  [{ body: { bytes: 1 } }, true],
  [{ body: { text: "x" } }, false],
  [{ body: "empty" }, false],
  [{ status: 503, latencyMs: 1 }, false],
])("the fault %j is beyond Node's writer: %s", ([fault, needs]) => {
  expect(needsSocket(fault)).toBe(needs);
});
