import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import type { FetchInit } from "../Fetch.ts";
import { conditionOf } from "./EngineCalls.ts";
import { createEngineClient, type ClientOptions, type EngineError, type Fetch, type UploadParams } from "../promise.ts";

const silent: Fetch = (_url, { signal }) =>
  new Promise((_resolve, reject) => {
    signal?.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });

const absent: Fetch = () => Promise.resolve(new Response("", { status: 404 }));

test.for<[options: ClientOptions, scope: string, limitMs: number]>([
  [{ attemptTimeoutMs: 1, deadlineMs: Infinity, retry: { maxAttempts: 1 } }, "attempt", 3],
  [{ attemptTimeoutMs: Infinity, deadlineMs: 1, retry: { maxAttempts: 3 } }, "deadline", 7],
])("with %o an upload of 200 bytes has 2 ms more for each of its requests", async ([options, scope, limitMs]) => {
  const client = createEngineClient({ fetch: silent, ...options });
  const error = await client.upload(new Uint8Array(200)).catch((cause: unknown) => cause as EngineError);
  expect(error).toMatchObject({ reason: { _tag: "TimedOut", scope, limitMs } });
});

/** One byte more than what is sent in a request. */
const long = new Uint8Array(32 * 1024 * 1024 + 1);

/** Uploads to a server that answers a path as said, others with 404; gives the requests, in short, and the outcome. */
const uploaded = async (
  archive: Uint8Array,
  answers: Readonly<Record<string, () => Response>>,
  options: ClientOptions,
  params: UploadParams = {},
) => {
  const requests: Array<{ line: string; headers: Headers; body: FetchInit["body"] }> = [];
  const client = createEngineClient({
    baseUrl: "http://a.example",
    token: "a-token",
    retry: { maxAttempts: 2, baseDelayMs: 0 },
    fetch: (url, { method, headers, body }) => {
      requests.push({ line: `${method} ${url}`, headers: new Headers(headers), body });
      return Promise.resolve(answers[new URL(url).pathname]?.() ?? new Response("", { status: 404 }));
    },
    ...options,
  });
  const outcome = await client
    .upload(archive, { tag: "a@0.1", ...params })
    .catch((cause: unknown) => cause as EngineError);
  return { requests, lines: requests.map(({ line }) => line), outcome };
};

const failing = (status: number) => () => new Response("", { status });
const [ask, send] = ["POST http://a.example/uploads", "POST http://a.example/engines"];

test("an archive of 32 MiB is sent with the request, and for a longer one a link is asked for", async () => {
  const inRequest = await uploaded(long.subarray(1), {}, { format: "protobuf" });
  expect(inRequest).toMatchObject({ lines: [send], outcome: { reason: { _tag: "NotFound" } } });
  const asked = await uploaded(long, {}, { format: "protobuf" });
  expect(asked).toMatchObject({ lines: [ask, send], outcome: { reason: { _tag: "NotFound" } } });
  expect(asked.requests[0]?.headers.get("upload-length")).toBe(String(long.byteLength));
});

test.for<[status: number, lines: ReadonlyArray<string>, tag: string]>([
  [405, [ask, send], "NotFound"],
  [501, [ask, send], "NotFound"],
  [403, [ask], "PermissionDenied"],
  [503, [ask, ask], "Unavailable"],
])("where the server answers %i to that, these are the requests: %j", async ([status, expected, tag]) => {
  const { lines, outcome } = await uploaded(long, { "/uploads": failing(status) }, { format: "protobuf" });
  expect(lines).toEqual(expected);
  expect(outcome).toMatchObject({ reason: { _tag: tag } });
});

test("a long archive goes to the link without the token, and the server gets the link without its signature", async () => {
  const link = "https://storage.example/x";
  const { requests, lines, outcome } = await uploaded(
    long,
    {
      "/uploads": () => Response.json({ engineLink: `${link}?signature=secret#part` }),
      "/x": () => new Response(),
      "/engines": () => Response.json({ name: "a" }),
    },
    {},
  );
  expect(lines).toEqual([ask, `PUT ${link}?signature=secret#part`, send]);
  const [, put, told] = requests;
  expect(put?.body).toHaveLength(long.byteLength);
  expect(put?.headers.has("authorization")).toBe(false);
  const digest = createHash("sha256").update(long).digest("base64");
  expect(told?.headers.get("repr-digest")).toBe(`sha-256=:${digest}:`);
  expect(JSON.parse(Buffer.from(told?.body as Uint8Array).toString())).toEqual({
    engineTag: "a@0.1",
    engineLink: link,
  });
  expect(outcome).toMatchObject({ name: "a" });
});

test("an empty link is none, and an archive that storage refuses is not announced", async () => {
  const none = new Uint8Array();
  const headers = { "content-type": "application/x-protobuf" };
  const empty = await uploaded(long, { "/uploads": () => new Response(none, { headers }) }, { format: "protobuf" });
  expect(empty.lines).toEqual([ask, send]);
  const refused = await uploaded(
    long,
    { "/uploads": () => Response.json({ engineLink: "https://storage.example/x" }), "/x": failing(403) },
    {},
  );
  expect(refused.lines).toEqual([ask, "PUT https://storage.example/x"]);
  expect(refused.outcome).toMatchObject({ reason: { _tag: "PermissionDenied" } });
});

/** One answer after the other, and then the last one again. */
const inTurn = (...answers: ReadonlyArray<() => Response>) => {
  let count = 0;
  return () => (answers[Math.min(count++, answers.length - 1)] as () => Response)();
};

const [get, engine] = ["GET http://a.example/engines/a@0.1", () => Response.json({ name: "a" })];

test.for<[ifRevision: number | undefined, first: string | null, again: string | null]>([
  [undefined, null, "*"],
  [0, "*", "*"],
  [3, null, null],
])("with the revision %s an upload that may have failed is sent again under If-None-Match", async (row) => {
  const [ifRevision, first, again] = row;
  const answers = { "/engines": inTurn(failing(503), engine), "/engines/a@0.1": failing(404) };
  const params = ifRevision === undefined ? {} : { ifRevision };
  const { lines, requests, outcome } = await uploaded(new Uint8Array(1), answers, {}, params);
  expect(outcome).toMatchObject({ name: "a" });
  expect(lines).toEqual([send, get, send]);
  expect(requests.map(({ headers }) => headers.get("if-none-match"))).toEqual([first, null, again]);
});

test("whether an upload was carried out is not known from an answer without a body", async () => {
  const answers = { "/engines": failing(503), "/engines/a@0.1": () => new Response(null, { status: 204 }) };
  const { lines, outcome } = await uploaded(new Uint8Array(1), answers, { retry: { maxAttempts: 3, baseDelayMs: 0 } });
  expect(lines).toEqual([send, get, get]);
  expect(outcome).toMatchObject({ reason: { _tag: "Undecodable" } });
});

test("an upload is not hedged; what asks for a link is", async () => {
  const hedging = { around: () => Promise.reject(new Error("hedged")) };
  const short = await uploaded(new Uint8Array(1), { "/engines": engine }, { hedging });
  expect(short.outcome).toMatchObject({ name: "a" });
  expect((await uploaded(long, {}, { hedging })).outcome).toEqual(new Error("hedged"));
});

test("of a tag that is no version the error has the beginning", async () => {
  const { outcome } = await uploaded(new Uint8Array(1), {}, {}, { tag: "x".repeat(200) });
  expect((outcome as EngineError).serverMessage).toBe(`"${"x".repeat(100)}" must be name@major.minor`);
  const client = createEngineClient({ fetch: absent });
  for (const [tag, shown] of [
    ["x".repeat(200), `"${"x".repeat(100)}"`],
    [5, "5"],
  ])
    await expect(client.delete(tag as string)).rejects.toMatchObject({
      serverMessage: `${shown} must be name@major.minor`,
    });
});

test("what a repeated removal finds gone is removed, and says nothing of a time", async () => {
  const answers = [failing(503), failing(404)];
  const fetch: Fetch = () => Promise.resolve(inTurn(...answers.splice(0, 1))());
  const client = createEngineClient({ fetch, retry: { baseDelayMs: 0 } });
  expect(await client.withResponse.delete("a@0.1")).toMatchObject({
    data: { engineTag: "a@0.1" },
    status: 404,
    attempts: 2,
    lastAttemptMs: 0,
  });
});

test("an archive of the longest length is sent, and no longer one", async () => {
  const client = createEngineClient({ fetch: absent, limits: { maxArchiveBytes: 5 } });
  await expect(client.upload(new Uint8Array(5))).rejects.toMatchObject({ reason: { _tag: "NotFound" } });
  await expect(client.upload(new Uint8Array(6))).rejects.toMatchObject({
    reason: { _tag: "TooLarge", limit: "maxArchiveBytes", value: 5 },
    attempts: 0,
  });
});

test.for<[revision: number | undefined, least: 0 | 1, headers: object]>([
  [undefined, 0, {}],
  [0, 0, { "if-none-match": "*" }],
  [1, 0, { "if-match": '"revision-1"' }],
  [1, 1, { "if-match": '"revision-1"' }],
  [2_147_483_647, 1, { "if-match": '"revision-2147483647"' }],
])("the condition of the revision %s, from %i on, is %j", ([revision, least, headers]) => {
  expect(conditionOf(revision, least)).toEqual(headers);
});

test.for<[revision: number, least: 0 | 1]>([
  [-1, 0],
  [0, 1],
  [1.5, 0],
  [2_147_483_648, 0],
  [Number.NaN, 0],
])("the revision %d, from %i on, is refused", ([revision, least]) => {
  expect(() => conditionOf(revision, least)).toThrow(`ifRevision must be a whole number from ${least} to 2147483647`);
});
