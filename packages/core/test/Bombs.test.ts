// Decompression bombs, read by a process of 256 MB.
import { spawn, type ChildProcessWithoutNullStreams } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { afterAll, expect, test } from "vitest";
import { schemaDigests } from "../src/gen/schemaDigests.ts";
import { startServer } from "@bytenite-engines/test-kit/ports";
import type { Job } from "./bombProcess.ts";

const mebibyte = 1_048_576;
const size = 16 * mebibyte;

/** So many bytes of a pattern. */
const repeated = (pattern: ReadonlyArray<number>, bytes = size): Buffer => Buffer.alloc(bytes, Buffer.from(pattern));

const varint = (value: number): ReadonlyArray<number> =>
  value < 128 ? [value] : [(value % 128) + 128, ...varint(Math.floor(value / 128))];

/** A field with bytes. */
const field = (number: number, content: Buffer): Buffer =>
  Buffer.concat([Buffer.from([...varint(number * 8 + 2), ...varint(content.length)]), content]);

const json = (start: string, item: string, bytes = size): Buffer =>
  Buffer.concat([Buffer.from(start), Buffer.alloc(bytes - start.length, item)]);

const engine = (content: Buffer): Buffer => field(1, content);

interface Bomb {
  readonly type: "application/json" | "application/x-protobuf";
  readonly body: Buffer;
  readonly status?: number;
  readonly limit: string;
}

const protobuf = (body: Buffer, status = 200): Bomb => ({
  type: "application/x-protobuf",
  body,
  status,
  limit: "maxItems",
});
const text = (body: Buffer, limit = "maxItems", status = 200): Bomb => ({
  type: "application/json",
  body,
  limit,
  status,
});

const distinctKeys = (): string => Array.from({ length: 1_500_000 }, (_, at) => `"${at.toString(36)}":0`).join(",");

const bombs: Readonly<Record<string, Bomb>> = {
  "protobuf: engines": protobuf(repeated([0x0a, 0])),
  "protobuf: texts of a list in an engine": protobuf(engine(field(17, repeated([0x1a, 0])))),
  "protobuf: unknown fields": protobuf(repeated([0xa0, 0x06, 0])),
  "protobuf: unknown fields in an engine": protobuf(engine(repeated([0xa0, 0x06, 0]))),
  "protobuf: groups in a row": protobuf(repeated([0xa3, 0x06, 0xa4, 0x06])),
  "protobuf: details of an error": protobuf(repeated([0x1a, 0]), 400),
  "protobuf: unknown fields of an error": protobuf(repeated([0xa0, 0x06, 0]), 503),
  "protobuf: unknown fields of the detail of an error": protobuf(field(3, repeated([0xa0, 0x06, 0])), 404),
  "JSON: engines": text(json('{"engines":[', "{},")),
  "JSON: engines, not closed": text(json('{"engines":[{', "},{")),
  "JSON: lists in an unknown field": text(json('{"x":[', "[],")),
  "JSON: numbers": text(json('{"x":[', "0,", 64 * mebibyte - 64)),
  "JSON: keys": text(Buffer.from(`{${distinctKeys()}}`)),
  "JSON: keys of an engine": text(Buffer.from(`{"engines":[{${distinctKeys()}}]}`)),
  "JSON: depth of lists": text(json('{"x":', "["), "maxJsonDepth"),
  "JSON: depth of objects": text(json("", '{"a":'), "maxJsonDepth"),
  "JSON: a list that is not in an object": text(json("", "["), "maxJsonDepth"),
  "JSON: details of an error": text(json('{"code":5,"details":[', "{},"), "maxItems", 404),
  "JSON: depth of an error": text(json('{"code":5,"details":[', "["), "maxJsonDepth", 500),
  "JSON: an envelope of an error": text(json('{"error":{"details":[', "{},"), "maxItems", 502),
};

const struct = (value: Buffer): Buffer => field(63, field(1, field(2, value)));
const any = (name: string, value: Buffer): Buffer =>
  Buffer.concat([field(1, Buffer.from(`type.googleapis.com/${name}`)), field(2, value)]);
const keysOfMap = (count: number, value: string): string =>
  Array.from({ length: count }, (_, at) => `"${at}":${value}`).join(",");

/** Answers of a service with every kind of field. */
const serviceBombs: Readonly<Record<string, Bomb>> = {
  "protobuf: packed integers": protobuf(field(31, repeated([1]))),
  "protobuf: packed doubles": protobuf(field(32, repeated([0]))),
  "protobuf: packed enums": protobuf(field(35, repeated([1]))),
  "protobuf: values in the map of a Struct": protobuf(struct(field(6, repeated([0x0a, 0])))),
  "protobuf: messages in a map": protobuf(field(91, field(2, field(3, repeated([1]))))),
  "protobuf: paths of a FieldMask": protobuf(field(62, repeated([0x0a, 0]))),
  "JSON: paths of a FieldMask": text(json('{"mask":"', "a,")),
  "JSON: keys of a Struct": text(Buffer.from(`{"struct":{${distinctKeys()}}}`)),
  "JSON: keys of a map": text(Buffer.from(`{"labels":{${keysOfMap(1_200_000, '""')}}}`)),
  "JSON: timestamps": text(
    Buffer.from(`{"times":[${keysOfMap(400_000, "").replaceAll(/"\d+":/g, '"2020-01-01T00:00:00Z"')}]}`),
  ),
};

const program = fileURLToPath(new URL("bombProcess.ts", import.meta.url));

let child: ChildProcessWithoutNullStreams | undefined;
afterAll(() => void child?.kill());

/** What the process makes of a response; rejects with how it died. A new one is started after that. */
const ran = async (job: Job): Promise<unknown> => {
  child ??= spawn(process.execPath, ["--max-old-space-size=256", program]);
  const { stdin, stdout, stderr } = child;
  let complaint = "";
  const died = ([code, signal]: ReadonlyArray<unknown>): never => {
    child = undefined;
    throw new Error(`the process ended with ${String(code ?? signal)}: ${complaint.slice(-2_000)}`);
  };
  const onComplaint = (chunk: Buffer): void => void (complaint += chunk.toString());
  stderr.on("data", onComplaint);
  stdin.write(`${JSON.stringify(job)}\n`);
  const answered = new AbortController();
  const { signal } = answered;
  try {
    const [line] = await Promise.race([once(stdout, "data", { signal }), once(child, "close", { signal }).then(died)]);
    return JSON.parse(String(line));
  } finally {
    answered.abort();
    stderr.off("data", onComplaint);
  }
};

const serve = ({ type, body, status = 200 }: Bomb, digest: boolean, compress: boolean) => {
  const sent = compress ? gzipSync(body) : body;
  return startServer((_request, response) => {
    response.writeHead(status, {
      "content-type": type,
      ...(compress ? { "content-encoding": "gzip" } : { "content-length": body.length }),
      ...(digest ? { "bytenite-schema-digest": schemaDigests["bytenite.developer.EngineListResponse"] ?? "" } : {}),
    });
    response.end(sent);
  });
};

// However many engines a page may have.
const limits = { maxEnginesPerPage: 1e9 };

test.for(Object.entries(bombs))("a process is not ended by %s", async ([, bomb]) => {
  await using server = await serve(bomb, true, true);
  expect(await ran({ entry: "promise", baseUrl: server.baseUrl, limits })).toMatchObject({
    _tag: "TooLarge",
    limit: bomb.limit,
  });
  expect(server.requests.length).toBe(1);
});

test.for(Object.entries(serviceBombs))("nor one that asks a service by %s", async ([name, bomb]) => {
  await using server = await serve({ ...bomb, body: closed(name, bomb.body) }, false, true);
  const entry = name.startsWith("JSON") ? "service json" : "service protobuf";
  expect(await ran({ entry, baseUrl: server.baseUrl })).toMatchObject({ _tag: "TooLarge", limit: bomb.limit });
});

/** A FieldMask that is not closed would be no JSON. */
const closed = (name: string, body: Buffer): Buffer =>
  name.endsWith("FieldMask") && name.startsWith("JSON") ? Buffer.concat([body, Buffer.from('"}')]) : body;

test("nor one that looks for the details of an error", async () => {
  const detail = any("google.rpc.BadRequest", repeated([0x0a, 0]));
  const body = Buffer.concat([Buffer.from([8, 3]), field(3, detail)]);
  await using server = await serve(protobuf(body, 400), false, true);
  expect(await ran({ entry: "promise", baseUrl: server.baseUrl })).toMatchObject({
    _tag: "InvalidArgument",
    details: 0,
  });
});

test("an integer of eight million digits is refused without being worked out, and not repeated", async () => {
  const body = Buffer.concat([Buffer.from('{"int64":"'), Buffer.alloc(8 * mebibyte, "9"), Buffer.from('"}')]);
  await using server = await serve(text(body), false, true);
  expect(await ran({ entry: "service json", baseUrl: server.baseUrl })).toMatchObject({
    _tag: "Undecodable",
    problem: "its JSON is not a kitchen.v1.Everything: int64 is not a 64-bit integer",
  });
});

test.for(["protobuf: engines", "JSON: engines"])("nor one that uses the Effect entry by %s", async (name) => {
  const bomb = bombs[name] ?? protobuf(Buffer.alloc(0));
  await using server = await serve(bomb, true, true);
  expect(await ran({ entry: "effect", baseUrl: server.baseUrl, limits })).toMatchObject({
    _tag: "TooLarge",
    limit: bomb.limit,
  });
});

test.for(Object.entries(bombs).filter(([, { type, status }]) => type === "application/x-protobuf" && status === 200))(
  "field numbers are not worked out from %s",
  async ([, bomb]) => {
    for (const infers of [false, true]) {
      await using server = await startServer((request, response) => {
        const isJson = request.headers.accept === "application/json";
        response.writeHead(200, { "content-type": isJson ? "application/json" : bomb.type });
        response.end(isJson ? '{"engines":[{"name":"a"}]}' : bomb.body);
      });
      // The JSON is small and may be the answer.
      expect([expect.objectContaining({ _tag: "TooLarge", limit: "maxItems" }), "ok"]).toContainEqual(
        await ran({ entry: "promise", baseUrl: server.baseUrl, limits, infers }),
      );
    }
  },
);

test.each([true, false])("a body of one text is bounded in bytes (compressed: %s)", async (compress) => {
  const ideograph = "\u4E00";
  const body = Buffer.from(`{"engines":[{"name":"${ideograph}${"a".repeat(63 * mebibyte)}"}]}`);
  await using server = await serve(text(body), false, compress);
  expect(["ok", expect.objectContaining({ _tag: "TooLarge", limit: "maxDecodedBodyBytes" })]).toContainEqual(
    await ran({ entry: "promise", baseUrl: server.baseUrl }),
  );
});

test("as many engines as may be are read", async () => {
  await using server = await serve(protobuf(repeated([0x0a, 0], 500_000)), true, true);
  expect(await ran({ entry: "promise", baseUrl: server.baseUrl, limits })).toBe("ok");
});

test.for([true, false])(
  "a body in two million chunks takes no more memory than in one (nodeFetch: %s)",
  async (isNodeFetch) => {
    const head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
    const sent = Buffer.from(`${head}${"1\r\n \r\n".repeat(2_000_000)}2\r\n{}\r\n0\r\n\r\n`);
    await using server = await startServer(({ socket }) => void socket.end(sent));
    expect(await ran({ entry: "promise", baseUrl: server.baseUrl, isNodeFetch })).toBe("ok");
  },
);
