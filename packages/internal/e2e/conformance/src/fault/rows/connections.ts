// Missing and partial answers.
import { expect } from "vitest";
import { good, headOf, labels, engineBytes, resetAfter, script, silent, stallAfter } from "../Acts.ts";
import { fourTimes, twice, waitsMs, type FaultRow } from "../FaultRow.ts";
import { startFaultServer, type FaultServer } from "@bytenite-engines/test-kit";

/** Two attempts of 10 s, the waits between, and what is left of 30 s. */
const untilDeadline = { ends: "TimedOut", says: /deadline of 30000 ms/, attempts: 3, waitedMs: 30_000 } as const;

/** A request that nobody waits for any more does not keep its connection. */
const letGo = (server: FaultServer): Promise<void> => expect.poll(() => server.open.size, { timeout: 20_000 }).toBe(0);

const head = headOf({ headers: labels("protobuf"), body: engineBytes("protobuf") });
const halfBody = engineBytes("protobuf").subarray(0, 10);

export const connections: ReadonlyArray<FaultRow> = [
  {
    name: "nobody listens",
    act: silent,
    baseUrl: async () => {
      const closed = await startFaultServer(silent);
      await closed[Symbol.asyncDispose]();
      return closed.baseUrl;
    },
    expected: { ends: "Unreachable", says: /Nothing listens/, ...fourTimes, arrived: 0 },
  },
  {
    name: "reset before the headers",
    act: resetAfter(() => Buffer.alloc(0)),
    expected: { ends: "Unreachable", says: /The connection broke/, ...fourTimes },
  },
  {
    name: "reset in the headers",
    act: resetAfter(() => head.subarray(0, 30)),
    expected: { ends: "Unreachable", says: /The connection broke/, ...fourTimes },
  },
  {
    name: "reset after the headers",
    act: resetAfter(() => head),
    expected: { ends: "Undecodable", says: /the body broke off/, ...twice },
  },
  {
    name: "reset in the body",
    act: resetAfter(() => Buffer.concat([head, halfBody])),
    expected: { ends: "Undecodable", says: /the body broke off/, ...twice },
  },
  {
    name: "closed without a word",
    act: (socket) => void socket.end(),
    expected: { ends: "Unreachable", says: /The connection broke/, ...fourTimes },
  },
  {
    name: "reset twice, then right",
    act: script(
      resetAfter(() => Buffer.alloc(0)),
      resetAfter(() => Buffer.alloc(0)),
      good,
    ),
    expected: { ends: "data", attempts: 3, waitedMs: waitsMs(2) },
  },
  { name: "silent", act: silent, hangs: "in-request", expected: untilDeadline, afterwards: letGo },
  {
    name: "headers that never end",
    act: stallAfter(head.subarray(0, 30)),
    hangs: "in-request",
    expected: untilDeadline,
    afterwards: letGo,
  },
  {
    name: "a body that never comes",
    act: stallAfter(head),
    hangs: "in-body",
    expected: untilDeadline,
    afterwards: letGo,
  },
  {
    name: "a body that never ends",
    act: stallAfter(Buffer.concat([head, halfBody])),
    hangs: "in-body",
    expected: untilDeadline,
    afterwards: letGo,
  },
  {
    name: "malformed HTTP",
    act: (socket) => void socket.end("220 mail.example ESMTP\r\n\r\n"),
    expected: { ends: "Unreachable", ...fourTimes },
  },
  {
    name: "a name that does not resolve",
    act: silent,
    baseUrl: () => "http://engines.invalid/v1/dev",
    expected: { ends: "Unreachable", says: /name does not resolve; set another base URL/, ...fourTimes, arrived: 0 },
  },
];
