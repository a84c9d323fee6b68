import { once } from "node:events";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { fromBinary } from "@bufbuild/protobuf";
import { StatusSchema } from "@bytenite-engines/proto";
import { makeFaults } from "../src/faults/Faults.ts";
import { startRegistry } from "../src/testing.ts";
import { startRegistryServer, type RunningRegistry } from "../src/index.ts";
import { archiveOf } from "@bytenite-engines/test-kit/archives";
import { send } from "./archives.ts";

let registry: RunningRegistry;

beforeAll(async () => {
  registry = await startRegistryServer({
    database: ":memory:",
    port: 0,
    limits: {
      headerBytes: 4_096,
      headersTimeoutMs: 300,
      anonymousTimeoutMs: 500,
      requestTimeoutMs: 600,
      connections: 5,
      drainMs: 0,
    },
  });
});

afterAll(() => registry.stop());

const connected = async (): Promise<Socket> => {
  const socket = connect(Number(new URL(registry.origin).port), "127.0.0.1");
  await once(socket, "connect");
  return socket;
};

/** What is answered to some bytes before the connection ends. */
const answerTo = async (bytes: string): Promise<string> => {
  const socket = await connected();
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  socket.on("error", () => undefined);
  socket.write(bytes);
  // `once` of node:events would reject when the server resets what is still being sent.
  await new Promise((resolve) => socket.once("close", resolve));
  return text;
};

const codeIn = (answer: string): unknown =>
  (JSON.parse(answer.slice(answer.indexOf("\r\n\r\n"))) as { code: number }).code;

test("a target that is too long is 414", async () => {
  await using other = await startRegistry();
  const answer = await fetch(`${other.url}/engines?x=${"y".repeat(9_000)}`);
  expect([answer.status, await answer.json()]).toMatchObject([414, { code: 3 }]);
  expect((await fetch(`${other.url}/engines?x=${"y".repeat(8_000)}`)).status).toBe(401);
});

test("headers that are too many are 431", async () => {
  const answer = await answerTo(`GET /v1/dev/engines HTTP/1.1\r\nX-Long: ${"y".repeat(5_000)}\r\n\r\n`);
  expect(answer).toMatch(/^HTTP\/1\.1 431 /);
  expect(codeIn(answer)).toBe(3);
});

test("headers that do not come to an end are 408, and so is a body", async () => {
  const body = "POST /v1/auth/access_token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\n{";
  for (const answer of await Promise.all([
    answerTo("GET /v1/dev/engines HTTP/1.1\r\nHost: localhost\r\n"),
    answerTo(body),
  ])) {
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(codeIn(answer)).toBe(4);
  }
  // Who does not say who it is has a time of its own.
  expect(await (await fetch(`${registry.origin}/metrics`)).text()).toMatch(
    /^registry_limits_reached_total\{limit="anonymousTimeoutMs"\} 1$/m,
  );
});

test("a request that is refused before anything is read is answered like any other", async () => {
  const slow = await startRegistryServer({
    database: ":memory:",
    port: 0,
    trustedProxies: ["127.0.0.1"],
    corsOrigins: ["https://app.example"],
    faults: makeFaults([{ on: { endpoint: "list" }, fault: { latencyMs: 3_600_000 } }]),
    limits: { connectionsPerAddress: 1, drainMs: 0 },
  });
  const aborted = new AbortController();
  const ask = (path: string) =>
    fetch(slow.url + path, {
      headers: { Accept: "application/x-protobuf", Origin: "https://app.example", "X-Forwarded-For": "192.0.2.1" },
      signal: aborted.signal,
    });
  const running = ask("/engines").catch(() => undefined);
  await expect.poll(async () => (await ask("/engines/zipper")).status).toBe(429);
  const refused = await ask("/engines/zipper");
  const fields = ["content-type", "vary", "access-control-allow-origin", "retry-after"];
  expect(fields.map((name) => refused.headers.get(name))).toEqual([
    "application/x-protobuf",
    "Accept, Origin",
    "https://app.example",
    "1",
  ]);
  expect(fromBinary(StatusSchema, new Uint8Array(await refused.arrayBuffer())).code).toBe(8);
  aborted.abort();
  await running;
  await slow.stop();
});

const message = async (name: string) => ({ engineData: await archiveOf({ name, version: "0.1" }, {}) });
const chunk = (text: string): string => `${text.length.toString(16)}\r\n${text}\r\n`;

test("who was told 408 is heard no more, whatever comes then, and the connection ends", async () => {
  const slow = await startRegistryServer({
    database: ":memory:",
    port: 0,
    limits: { headersTimeoutMs: 300, requestTimeoutMs: 500, uploadTimeoutMs: 500, drainMs: 0 },
  });
  /** Sends pieces until the connection ends, the rest after the first one that is behind the answer; resolves to the answer. */
  const trickled = async (head: string, piece: string, rest: string): Promise<string> => {
    const socket = connect({ port: Number(new URL(slow.origin).port), host: "127.0.0.1", allowHalfOpen: true });
    let text = "";
    socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
    socket.on("error", () => undefined);
    socket.once("end", () => socket.write(piece + rest));
    socket.write(head);
    const trickling = setInterval(() => socket.write(piece), 50);
    await new Promise((resolve) => socket.once("close", resolve));
    clearInterval(trickling);
    return text;
  };
  const engines = `${slow.url}/engines`;
  expect((await send(engines, "POST", "local-bob", "json", await message("kept"))).status).toBe(200);
  const { engineData } = await message("late");
  const body = JSON.stringify({ engineData: engineData.toString("base64") });
  const fields = "Host: localhost\r\nAuthorization: local-bob\r\n";
  const answers = await Promise.all([
    trickled(`${upload}Transfer-Encoding: chunked\r\n\r\n`, chunk(" ".repeat(40)), `${chunk(body)}0\r\n\r\n`),
    trickled(`DELETE /v1/dev/engines/kept@0.1 HTTP/1.1\r\n${fields}X: `, "x", "\r\n\r\n"),
    trickled(`GET /healthz HTTP/1.1\r\n${fields}X: `, "x", ""),
    trickled(`CONNECT x:1 HTTP/1.1\r\n${fields}\r\n`, "x", ""),
  ]);
  expect(answers.map(statusesIn)).toEqual([["408"], ["408"], ["408"], ["501"]]);
  const statusOf = async (name: string): Promise<number> =>
    (await send(`${engines}/${name}@0.1`, "GET", "local-bob")).status;
  expect(await Promise.all(["late", "kept"].map(statusOf))).toEqual([404, 200]);
  await slow.stop();
});

test("an answer that is under way comes before the end that the bytes behind its request bring, and is the only one", async () => {
  const faults = makeFaults([{ fault: { latencyMs: 200 } }]);
  const slow = await startRegistryServer({ database: ":memory:", port: 0, faults });
  const socket = connect(Number(new URL(slow.origin).port), "127.0.0.1");
  let text = "";
  socket.on("data", (chunk: Buffer) => (text += chunk.toString("latin1")));
  socket.on("error", () => undefined);
  const wrongLength = `${upload}Content-Length: 2\r\n\r\n{}{}\r\n\r\n`;
  socket.write(wrongLength);
  await new Promise((resolve) => socket.once("close", resolve));
  expect([statusesIn(text), text]).toEqual([["400"], expect.stringContaining("engineData is missing")]);
  await slow.stop();
});

test("a body that is too long is 413", async () => {
  const answer = await fetch(`${registry.origin}/v1/auth/access_token`, { method: "POST", body: "x".repeat(20_000) });
  expect([answer.status, await answer.json()]).toMatchObject([413, { code: 3 }]);
});

const post = "POST /v1/auth/access_token HTTP/1.1\r\nHost: localhost\r\n";
const next = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
const statusesIn = (answers: string): ReadonlyArray<string> => answers.match(/(?<=HTTP\/1\.1 )\d+/g) ?? [];

test("who sends a body that is too long, or that nobody reads, hears so, and can go on after at most 1 MiB", async () => {
  const get = "GET /v1/dev/engines HTTP/1.1\r\nHost: localhost\r\n";
  const heard = async (bytes: number): Promise<ReadonlyArray<ReadonlyArray<string>>> => {
    const body = "x".repeat(bytes);
    const length = `Content-Length: ${bytes}\r\n\r\n`;
    const chunked = `Transfer-Encoding: chunked\r\n\r\n${bytes.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
    const sent = [post + length + body + next, post + chunked + next, get + length + body + next];
    return Promise.all(sent.map(async (request) => statusesIn(await answerTo(request))));
  };
  expect(await heard(900_000)).toEqual([
    ["413", "200"],
    ["413", "200"],
    ["401", "200"],
  ]);
  expect(await heard(5_000_000)).toEqual([["413"], ["413"], ["401"]]);
  // One that does not come to an end is cut like any other.
  expect(statusesIn(await answerTo(`${get}Content-Length: 900000\r\n\r\nx`))[0]).toBe("401");
});

const upload =
  "POST /v1/dev/engines HTTP/1.1\r\nHost: localhost\r\nAuthorization: local-bob\r\nContent-Type: application/json\r\n";

test.each([
  ["nobody reads", "GET /v1/dev/engines HTTP/1.1\r\nHost: localhost\r\n", ["401"]],
  ["is read", post, ["400"]],
  ["a user streams", upload, ["400"]],
])(
  "a body in chunks of a byte that %s ends with the connection, before they take memory",
  async (_what, head, expected) => {
    const chunks = "1\r\nx\r\n";
    const answer = await answerTo(`${head}Transfer-Encoding: chunked\r\n\r\n${chunks.repeat(200_000)}`);
    expect(statusesIn(answer)).toEqual(expected);
    expect(answer.includes("chunks under 32 bytes")).toBe(expected[0] === "400");
    expect(
      statusesIn(await answerTo(`${post}Transfer-Encoding: chunked\r\n\r\n${chunks.repeat(500)}0\r\n\r\n${next}`)),
    ).toEqual(["400", "200"]);
  },
);

const expects = (bytes: number): string => `${post}Expect: 100-continue\r\nContent-Length: ${bytes}\r\n\r\n`;

test("a client that waits to be asked for its body gets 100, or at once an error that it is too long", async () => {
  const socket = await connected();
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    text += chunk.toString("latin1");
    if (text.endsWith("100 Continue\r\n\r\n")) socket.write(`{"apiKey":"x"}${next}`);
  });
  socket.write(expects(14));
  await once(socket, "close");
  expect(statusesIn(text)).toEqual(["100", "401", "200"]);
  expect(statusesIn(await answerTo(expects(20_000)))).toEqual(["413"]);
});

const getFrom = (target: string, host: string): Promise<string> =>
  answerTo(`GET ${target} HTTP/1.1\r\nHost: ${host}\r\nAuthorization: local-bob\r\nConnection: close\r\n\r\n`);

test("a target may name its host, which then counts instead of Host", async () => {
  expect(await getFrom("http://user@localhost:1/v1/dev/engines/word-count", "elsewhere")).toMatch(
    / 200 [^]*"word-count"/,
  );
  expect(statusesIn(await getFrom("http://elsewhere/v1/dev/engines/word-count", "localhost"))).toEqual(["421"]);
  expect(statusesIn(await getFrom("http://localhost?x", "localhost"))).toEqual(["404"]);
});

test("HTTP/1.1 without Host is 400, and HTTP/1.0 needs none", async () => {
  const answer = await answerTo("GET /v1/dev/engines HTTP/1.1\r\nConnection: close\r\n\r\n");
  expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  expect(codeIn(answer)).toBe(3);
  expect(statusesIn(await answerTo("GET /healthz HTTP/1.0\r\n\r\n"))).toEqual(["200"]);
});

test("a database that does not answer is 503, and not ready", async () => {
  // A rule that asks who somebody is asks the database, too.
  const faults = makeFaults([{ on: { user: "alice" }, fault: { status: 418 } }]);
  const broken = await startRegistryServer({ database: ":memory:", port: 0, faults });
  const ask = (path: string): Promise<Response> =>
    fetch(broken.origin + path, { headers: { Authorization: "local-alice" } });
  expect((await ask("/readyz")).status).toBe(200);
  await new Promise((resolve) => setImmediate(resolve));
  broken.file.database.close();
  const answer = await ask("/v1/dev/engines");
  expect([answer.status, await answer.json()]).toMatchObject([503, { code: 14 }]);
  expect((await ask("/readyz")).status).toBe(503);
  expect((await ask("/healthz")).status).toBe(200);
  await broken.stop().catch(() => undefined);
});

test("a database whose file was moved away or replaced is not ready, until it is back", async () => {
  const directory = await mkdtemp(join(tmpdir(), "registry-moved-"));
  const database = join(directory, "engines.sqlite");
  const moved = await startRegistryServer({ database, port: 0 });
  const ready = async (): Promise<number> => (await fetch(`${moved.origin}/readyz`)).status;
  expect(await ready()).toBe(200);
  await rename(database, `${database}.old`);
  expect(await ready()).toBe(503);
  await writeFile(database, "");
  expect(await ready()).toBe(503);
  await rename(`${database}.old`, database);
  expect(await ready()).toBe(200);
  await moved.stop();
  await rm(directory, { recursive: true });
});

test("what is not HTTP is 400, with a Status", async () => {
  const answer = await answerTo("hello\r\n\r\n");
  expect(answer).toMatch(/^HTTP\/1\.1 400 /);
  expect(codeIn(answer)).toBe(3);
});

test("a connection more than allowed is closed, and another is accepted when one ends", async () => {
  const open: Array<Socket> = [];
  for (let index = 0; index < 5; index++) open.push(await connected());
  const request = "GET /v1/dev/engines HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
  expect(await answerTo(request)).toBe("");
  for (const socket of open) socket.destroy();
  await expect.poll(() => answerTo(request)).toMatch(/^HTTP\/1\.1 401 /);
});
