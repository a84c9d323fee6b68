// Rows: bodies that do not match their header fields.
import { answer, engineBytes, good, headOf, labels, script, text } from "../Acts.ts";
import { waitsMs, type FaultRow } from "../FaultRow.ts";

/** Corrupt bodies are asked for once more. */
const twice = { attempts: 2, waitedMs: waitsMs(1) } as const;
/** Malformed protobuf the second time as well: the JSON is asked for then, and is not better here. */
const twiceAndJson = { attempts: 3, waitedMs: waitsMs(1) } as const;
const data = { ends: "data", attempts: 1, waitedMs: 0 } as const;

const broken: ReadonlyArray<FaultRow> = [
  {
    name: "a body cut short under its Content-Length",
    act: (socket) => {
      const body = engineBytes("protobuf");
      socket.end(Buffer.concat([headOf({ headers: labels("protobuf"), body }), body.subarray(0, 10)]));
    },
    expected: { ends: "Undecodable", says: /the body broke off/, ...twice },
  },
  {
    name: "a body cut once, then right",
    act: script((socket) => {
      const body = engineBytes("protobuf");
      socket.end(Buffer.concat([headOf({ headers: labels("protobuf"), body }), body.subarray(0, 10)]));
    }, good),
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
    act: answer({ headers: labels("protobuf"), body: new Uint8Array(64).fill(0xfe) }),
    expected: { ends: "Undecodable", ...twiceAndJson },
  },
  {
    name: "garbage named protobuf, where JSON is right",
    act: (socket, arrived, count) =>
      arrived.headers["accept"] === "application/json"
        ? good(socket, arrived, count)
        : answer({ headers: labels("protobuf"), body: new Uint8Array(64).fill(0xfe) })(socket, arrived, count),
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
  {
    name: "protobuf named JSON",
    act: answer({ headers: labels("protobuf", "application/json"), body: engineBytes("protobuf") }),
    expected: data,
  },
  {
    name: "JSON named protobuf",
    act: answer({ headers: labels("json", "application/x-protobuf"), body: engineBytes("json") }),
    expected: data,
  },
  {
    name: "protobuf named octet-stream",
    act: answer({ headers: labels("protobuf", "application/octet-stream"), body: engineBytes("protobuf") }),
    expected: data,
  },
  {
    name: "JSON named octet-stream",
    act: answer({ headers: labels("json", "application/octet-stream"), body: engineBytes("json") }),
    expected: data,
  },
  {
    name: "JSON named HTML",
    act: answer({ headers: labels("json", "text/html"), body: engineBytes("json") }),
    expected: data,
  },
  {
    name: "JSON after a byte order mark",
    act: answer({ headers: labels("json"), body: Buffer.concat([Buffer.from("\ufeff"), engineBytes("json")]) }),
    expected: data,
  },
  {
    name: "406 to protobuf, then JSON",
    act: (socket, arrived, count) =>
      arrived.headers["accept"] === "application/json"
        ? good(socket, arrived, count)
        : answer({ status: 406, headers: { "Content-Type": "text/plain" }, body: "no" })(socket, arrived, count),
    expected: { ends: "data", attempts: 2, waitedMs: 0 },
  },
  {
    name: "protobuf that nothing confirms, read again as JSON",
    act: (socket, arrived, count) =>
      arrived.headers["accept"] === "application/json"
        ? good(socket, arrived, count)
        : answer({ headers: { "Content-Type": "application/x-protobuf" }, body: engineBytes("protobuf") })(
            socket,
            arrived,
            count,
          ),
    expected: { ends: "data", attempts: 2, waitedMs: 0 },
  },
];

export const bodies: ReadonlyArray<FaultRow> = [...broken, ...labelled];
