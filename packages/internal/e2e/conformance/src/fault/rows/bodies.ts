// Rows: bodies that do not match their header fields.
import { answer, engineBytes, good, headOf, labels, script, text } from "../Acts.ts";
import { data, twice, waitsMs, type FaultRow } from "../FaultRow.ts";
import type { Act } from "@bytenite-engines/test-kit";

/** Malformed protobuf the second time as well: the JSON is asked for then, and is not better here. */
const twiceAndJson = { attempts: 3, waitedMs: waitsMs(1) } as const;

const cut: Act = (socket) => {
  const body = engineBytes("protobuf");
  socket.end(Buffer.concat([headOf({ headers: labels("protobuf"), body }), body.subarray(0, 10)]));
};

/** The right answer to a request for JSON, else another one. */
const unlessJson =
  (other: Act): Act =>
  (socket, arrived, count) =>
    (arrived.headers["accept"] === "application/json" ? good : other)(socket, arrived, count);

const garbage = answer({ headers: labels("protobuf"), body: new Uint8Array(64).fill(0xfe) });

const broken: ReadonlyArray<FaultRow> = [
  {
    name: "a body cut short under its Content-Length",
    act: cut,
    expected: { ends: "Undecodable", says: /the body broke off/, ...twice },
  },
  {
    name: "a body cut once, then right",
    act: script(cut, good),
    expected: { ends: "data", ...twice },
  },
  {
    name: "JSON longer than its Content-Length",
    act: answer({ headers: labels("json"), body: engineBytes("json"), contentLength: 20 }),
    expected: { ends: "Undecodable", says: /malformed JSON/, ...twice },
  },
  {
    name: "protobuf longer than its Content-Length",
    act: answer({ headers: labels("protobuf"), body: engineBytes("protobuf"), contentLength: 12 }),
    expected: { ends: "Undecodable", ...twiceAndJson },
  },
  {
    name: "a body without a length, ended by the connection",
    act: answer({ headers: labels("protobuf"), body: engineBytes("protobuf"), contentLength: null }),
    expected: data,
  },
  {
    name: "an empty body without our digest",
    act: answer({ headers: { "Content-Type": "application/x-protobuf" } }),
    expected: { ends: "Undecodable", says: /protobuf only/, ...twiceAndJson },
  },
  {
    name: "204 without a body",
    act: answer({ status: 204, contentLength: 0 }),
    expected: { ends: "Undecodable", says: /the body is empty/, ...twice },
  },
  {
    name: "garbage named protobuf",
    act: garbage,
    expected: { ends: "Undecodable", ...twiceAndJson },
  },
  {
    name: "garbage named protobuf, where JSON is right",
    act: unlessJson(garbage),
    expected: { ends: "data", ...twiceAndJson },
  },
  {
    name: "garbage named JSON",
    act: answer({ headers: labels("json"), body: new Uint8Array(64).fill(0xfe) }),
    expected: { ends: "Undecodable", says: /labelled JSON, and is none/, ...twice },
  },
  {
    name: "an HTML page under 200",
    act: text("<html><h1>Sign in</h1></html>", "text/html"),
    expected: { ends: "Undecodable", says: /its Content-Type is text\/html/, ...twice },
  },
  {
    name: "a JSON array",
    act: text("[]"),
    expected: { ends: "Undecodable", ...twice },
  },
  {
    name: "JSON of another message",
    act: text('{"revision":"seven"}'),
    expected: { ends: "Undecodable", says: /revision must be a whole number/, ...twice },
  },
];

const labelled: ReadonlyArray<FaultRow> = [
  ...(
    [
      ["protobuf named JSON", "protobuf", "application/json"],
      ["JSON named protobuf", "json", "application/x-protobuf"],
      ["protobuf named octet-stream", "protobuf", "application/octet-stream"],
      ["JSON named octet-stream", "json", "application/octet-stream"],
      ["JSON named HTML", "json", "text/html"],
    ] as const
  ).map(([name, form, mediaType]) => ({
    name,
    act: answer({ headers: labels(form, mediaType), body: engineBytes(form) }),
    expected: data,
  })),
  {
    name: "JSON after a byte order mark",
    act: answer({ headers: labels("json"), body: Buffer.concat([Buffer.from("\ufeff"), engineBytes("json")]) }),
    expected: data,
  },
  {
    name: "406 to protobuf, then JSON",
    act: unlessJson(answer({ status: 406, headers: { "Content-Type": "text/plain" }, body: "no" })),
    expected: { ends: "data", attempts: 2, waitedMs: 0 },
  },
  {
    name: "protobuf that nothing confirms, read again as JSON",
    act: unlessJson(answer({ headers: { "Content-Type": "application/x-protobuf" }, body: engineBytes("protobuf") })),
    expected: { ends: "data", attempts: 2, waitedMs: 0 },
  },
];

export const bodies: ReadonlyArray<FaultRow> = [...broken, ...labelled];
