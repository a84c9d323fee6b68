import { connect } from "node:net";
import * as fc from "fast-check";
import { fromBinary } from "@bufbuild/protobuf";
import { StatusSchema } from "@bytenite-engines/proto";
import { expect, test } from "vitest";
import { startRegistry } from "../src/testing.ts";
import { bytesOf, request, type Sent } from "./malformed/requests.ts";

/** Requests in all. */
const requests = 10_000;

/** Connections at once. */
const lanes = 32;

/** Milliseconds of silence after which a client says that it has nothing more to send. */
const patienceMs = 500;

/** In every private engine of the other user, and in no answer. */
const foreign = "belongs-to-bob-alone";

const exchange = (port: number, bytes: Buffer): Promise<Buffer> =>
  new Promise((resolve) => {
    const parts: Array<Buffer> = [];
    const socket = connect(port, "127.0.0.1");
    socket.on("data", (part) => parts.push(part));
    // A server that refuses what is still being sent may reset; what it said before that counts.
    socket.on("error", () => undefined);
    socket.on("close", () => resolve(Buffer.concat(parts)));
    // Some of these promise a body that never comes: the end of the stream says so, once the server waits.
    socket.setTimeout(patienceMs, () => socket.end());
    socket.write(bytes);
  });

/** Why an answer is not one that a malformed request may get; undefined when it is fine. */
const wrongWith = (answer: Buffer, sent: Sent): string | undefined => {
  const end = answer.indexOf("\r\n\r\n");
  const head = answer.subarray(0, end).toString("latin1");
  const status = Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1]);
  if (answer.includes(foreign)) return "another user's data";
  if (end === -1 || Number.isNaN(status)) return "no answer";
  if (status === 500) return "500";
  const body = answer.subarray(end + 4);
  if (sent.method === "HEAD" && body.length === 0) return undefined;
  const type = /^content-type: ?([^;\r]*)/im.exec(head)?.[1];
  if (status === 200 || status === 204) return undefined;
  try {
    const code =
      type === "application/json"
        ? (JSON.parse(body.toString()) as { code: number }).code
        : fromBinary(StatusSchema, body).code;
    return code > 0 && code <= 16 ? undefined : `code ${code}`;
  } catch (error) {
    return `no Status (${String(error)})`;
  }
};

test(`${requests} malformed requests get a Status each: no 500, no crash, nothing of another user`, async () => {
  await using registry = await startRegistry();
  await registry.publish("bob", { name: "zipper", version: "9.9", description: foreign });
  const port = Number(new URL(registry.origin).port);
  const all = fc.sample(request, { numRuns: requests, seed: 20_261_124 });
  const failures: Array<string> = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let sent = all[next++]; sent !== undefined; sent = all[next++]) {
      const answer = await exchange(port, bytesOf(sent));
      const wrong = wrongWith(answer, sent);
      if (wrong !== undefined)
        failures.push(`${wrong}: ${JSON.stringify(sent).slice(0, 300)} -> ${answer.toString("latin1").slice(0, 200)}`);
    }
  };
  await Promise.all(Array.from({ length: lanes }, lane));
  expect(failures.slice(0, 5)).toEqual([]);
  expect((await fetch(`${registry.url}/engines`, { headers: { Authorization: "local-alice" } })).status).toBe(200);
});
