import { connect } from "node:net";
import * as fc from "fast-check";
import { fromBinary } from "@bufbuild/protobuf";
import { StatusSchema } from "@bytenite-engines/proto";
import { expect, test } from "vitest";
import { startRegistry } from "../src/testing.ts";

/** Requests in all. */
const requests = 10_000;

/** Connections at once. */
const lanes = 32;

/** Milliseconds of silence after which a client says that it has nothing more to send. */
const patienceMs = 500;

/** In every private engine of the other user, and in no answer. */
const foreign = "belongs-to-bob-alone";

const token = fc.constantFrom(
  "local-alice",
  "Bearer local-alice",
  "",
  "Bearer",
  "local-bo",
  "local-bob\u00e9",
  "x".repeat(9_000),
  "a b c",
);

const oddText = fc.oneof(
  fc.string({ maxLength: 40 }),
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.constantFrom(
    "%",
    "%zz",
    "%00",
    "%2F",
    "..",
    "%2e%2e",
    "\\",
    "@",
    "a@@1",
    "a@1.2.3",
    "a@-1",
    "a@99999999999",
    "'",
    "';--",
    "\u0000",
  ),
  fc.constantFrom(
    "x".repeat(100),
    "x".repeat(5_000),
    "é".repeat(50),
    "%F0%9F%98%80",
    "%ff%fe",
    "__proto__",
    "constructor",
  ),
);

const parameter = fc.tuple(
  fc.oneof(
    oddText,
    fc.constantFrom(
      "pagination.limit",
      "pagination.offset",
      "pagination",
      "orderBy",
      "order_by",
      "isPublic",
      "engineData",
    ),
  ),
  fc.oneof(
    oddText,
    fc.constantFrom("", "-1", "1.5", "1e3", "0x10", "4294967296", "NaN", "true", "createdAt desc desc", " "),
  ),
);

const target = fc
  .tuple(
    fc.oneof(
      fc.constantFrom(
        "/v1/dev/engines",
        "/v1/dev/engines/zipper",
        "/v1/dev/engines/word-count/status",
        "/v1/auth/access_token",
      ),
      fc.constantFrom(
        "",
        "/",
        "//",
        "*",
        "/v1/dev",
        "/v1/dev/",
        "http://evil.example/v1/dev/engines",
        "/faults",
        "/metrics",
      ),
      oddText.map((text) => `/v1/dev/engines/${text}`),
      fc.tuple(oddText, oddText).map(([a, b]) => `/v1/dev/engines/${a}/${b}`),
      oddText,
    ),
    fc.option(fc.array(parameter, { maxLength: 5 })),
  )
  .map(([path, query]) => (query === null ? path : `${path}?${query.map(([a, b]) => `${a}=${b}`).join("&")}`));

const method = fc.oneof(
  { weight: 3, arbitrary: fc.constant("GET") },
  {
    weight: 1,
    arbitrary: fc.constantFrom(
      "POST",
      "PUT",
      "HEAD",
      "OPTIONS",
      "TRACE",
      "CONNECT",
      "PATCH",
      "get",
      "G E T",
      "PRI",
      "BREW",
      "",
    ),
  },
);

const header = fc.oneof(
  fc.tuple(
    fc.constant("Accept"),
    fc.oneof(
      oddText,
      fc.constantFrom(
        "*",
        "*/json",
        "a/b;q=2",
        ";;;",
        ",,,",
        '"',
        "application/json;q=0",
        "text/*",
        "application/x-protobuf",
      ),
    ),
  ),
  fc.tuple(
    fc.constantFrom("X-Request-Id", "Content-Type", "X-HTTP-Method-Override", "Range", "If-None-Match", "Expect"),
    oddText,
  ),
  fc.tuple(
    fc.constantFrom("Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "Host"),
    fc.constantFrom("0", "-1", "chunked", "close", "h2c", "a, b"),
  ),
  fc.tuple(fc.constant("X-Long"), fc.constantFrom("y".repeat(1_000), "y".repeat(20_000))),
  fc.tuple(oddText, oddText),
);

const request = fc.record({
  method,
  target,
  token,
  headers: fc.array(header, { maxLength: 4 }),
  body: fc.option(oddText),
});

type Sent = typeof request extends fc.Arbitrary<infer T> ? T : never;

const bytesOf = ({ method, target, token, headers, body }: Sent): Buffer => {
  const lines = [`${method} ${target} HTTP/1.1`, "Host: x", `Authorization: ${token}`, "Connection: close"];
  for (const [name, value] of headers) lines.push(`${name}: ${value}`);
  if (method === "POST" && body !== null) lines.push(`Content-Length: ${Buffer.byteLength(body)}`);
  return Buffer.from(`${lines.join("\r\n")}\r\n\r\n${method === "POST" ? (body ?? "") : ""}`);
};

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
  if (status === 200) return undefined;
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
