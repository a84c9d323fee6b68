// Responses that go wrong on the socket.
import { STATUS_CODES } from "node:http";
import type { Socket } from "node:net";
import { setTimeout as wait } from "node:timers/promises";
import type { Answer } from "../api/Answer.ts";
import type { Fault } from "../faults/FaultRule.ts";

/** Pieces into which slow headers and bodies are cut. */
const slowPieces = 10;

/** Bytes of a made-up body that are sent at once. */
const fillerChunkBytes = 64 * 1_024;

/** Whether the fault is beyond Node's own HTTP writer. */
export const needsSocket = (fault: Fault): boolean =>
  fault.reset !== undefined ||
  fault.cutBodyAfterBytes !== undefined ||
  fault.contentLength !== undefined ||
  fault.slow !== undefined ||
  (typeof fault.body === "object" && "bytes" in fault.body);

/** Waits, at most until the connection ends. Resolves to whether it is still open. */
export const waitOn = async (socket: Socket, ms: number): Promise<boolean> => {
  if (socket.destroyed) return false;
  const ended = new AbortController();
  const onClose = (): void => ended.abort();
  socket.once("close", onClose);
  try {
    await wait(ms, undefined, { signal: ended.signal });
  } catch {
    // The connection has ended.
  }
  socket.off("close", onClose);
  return !socket.destroyed;
};

/**
 * Writes an answer with the fault, and ends the connection. Resolves when all is sent: true, or false when the client
 * disconnected before.
 */
export const sendFaulty = async (
  socket: Socket,
  answer: Answer,
  fault: Fault,
  withoutBody: boolean,
): Promise<boolean> => {
  const filler = typeof fault.body === "object" && "bytes" in fault.body ? fault.body.bytes : undefined;
  const body = withoutBody ? Buffer.alloc(0) : Buffer.from(answer.body as string);
  const head = headOf(answer, fault.contentLength ?? filler ?? body.length);
  if (fault.reset === "in-headers") {
    return (await write(socket, head.subarray(0, Math.floor(head.length / 2)))) && reset(socket);
  }
  if (!(await writeOver(socket, head, fault.slow?.headersMs ?? 0))) return false;
  if (fault.reset === "after-headers") return reset(socket);
  const whole = filler ?? body.length;
  const sent = fault.cutBodyAfterBytes ?? (fault.reset === "in-body" ? Math.floor(whole / 2) : whole);
  const written =
    filler === undefined
      ? writeOver(socket, body.subarray(0, sent), fault.slow?.bodyMs ?? 0)
      : writeFiller(socket, Math.min(filler, sent));
  if (!(await written)) return false;
  if (fault.reset === "in-body") return reset(socket);
  socket.end();
  return true;
};

const reset = (socket: Socket): true => {
  socket.resetAndDestroy();
  return true;
};

const headOf = ({ status, headers }: Answer, length: number): Buffer => {
  const lines = [`HTTP/1.1 ${status} ${STATUS_CODES[status] ?? "Status"}`];
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  if (headers["Date"] === undefined) lines.push(`Date: ${new Date().toUTCString()}`);
  lines.push(`Content-Length: ${length}`, "Connection: close");
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n`, "latin1");
};

const write = (socket: Socket, bytes: Uint8Array): Promise<boolean> =>
  new Promise((resolve) => {
    if (socket.destroyed) resolve(false);
    else socket.write(bytes, (error) => resolve(!(error instanceof Error)));
  });

const writeOver = async (socket: Socket, bytes: Uint8Array, ms: number): Promise<boolean> => {
  if (ms === 0) return write(socket, bytes);
  const size = Math.ceil(bytes.length / slowPieces);
  for (let at = 0; at < bytes.length; at += size) {
    if (!((await waitOn(socket, ms / slowPieces)) && (await write(socket, bytes.subarray(at, at + size)))))
      return false;
  }
  return true;
};

const writeFiller = async (socket: Socket, bytes: number): Promise<boolean> => {
  const chunk = Buffer.alloc(fillerChunkBytes, "x");
  for (let left = bytes; left > 0; left -= chunk.length) {
    if (!(await write(socket, chunk.subarray(0, left)))) return false;
  }
  return true;
};
