// Upload, activate, deactivate, download and archive, with faults.
import { createHash, randomBytes } from "node:crypto";
import type { ServerResponse } from "node:http";
import { createEngineClient, EngineError, type ClientOptions, type EngineEvent } from "@bytenite-engines/core/promise";
import { EngineClient } from "@bytenite-engines/core";
import * as Effect from "effect/Effect";
import * as Stream from "effect/Stream";
import { expect, test } from "vitest";
import { startServer } from "@bytenite-engines/test-kit/ports";
import { startLifecycle, type LifecycleServer, type Trouble } from "./LifecycleServer.ts";

const clientOf = ({ baseUrl }: { readonly baseUrl: string }, options: ClientOptions = {}) =>
  createEngineClient({ baseUrl, token: "good", retry: { baseDelayMs: 1, throttledBaseDelayMs: 1 }, ...options });

const failure = async (promise: Promise<unknown>): Promise<EngineError> => {
  const error: unknown = await promise.then(
    (value) => value,
    (cause: unknown) => cause,
  );
  if (error instanceof EngineError) return error;
  throw new Error(`no EngineError: ${String(error)}`, { cause: error });
};

const archive = new Uint8Array(randomBytes(200_000));
const other = new Uint8Array(randomBytes(1_000));
const hash = createHash("sha256").update(archive).digest("base64");
const upload = "POST /v1/dev/engines";
const lines = (server: LifecycleServer): ReadonlyArray<string> =>
  server.requests.map(({ line }) => line.replace("/v1/dev", ""));

test.for<["auto" | "json" | "protobuf", boolean]>([
  ["auto", true],
  ["auto", false],
  ["json", true],
  ["protobuf", true],
])(
  "an engine is uploaded, activated, downloaded and deactivated in %s (schema named: %s)",
  async ([format, namesSchema]) => {
    await using server = await startLifecycle({ namesSchema });
    const client = clientOf(server, { format });
    const engine = await client.upload(archive, { tag: "zipper@0.1" });
    expect(engine).toMatchObject({ name: "zipper", version: "0.1", hash, revision: 1, status: "inactive" });
    expect(await client.upload(archive, { tag: "zipper@0.1", activate: true, ifRevision: 1 })).toMatchObject({
      status: "active",
      revision: 1,
    });
    expect(await client.upload(other, { tag: "zipper@0.1" })).toMatchObject({ revision: 2 });
    expect(await client.deactivate("zipper@0.1")).toMatchObject({ engineTag: "zipper@0.1", engineStatus: "inactive" });
    expect(await client.withResponse.activate("zipper@0.1")).toMatchObject({
      status: 200,
      attempts: 1,
      data: { engineStatus: "active" },
    });
    expect((await client.download("zipper@0.1")).engineLink).toContain("/archives/zipper@0.1?signature=secret");
    const downloaded = await client.archive("zipper@0.1");
    expect(downloaded).toMatchObject({
      mediaType: "application/x-tar",
      length: other.byteLength,
      engine: { revision: 2 },
    });
    expect(Buffer.from(await downloaded.bytes()).equals(other)).toBe(true);
    const sent = server.requests[0]?.headers["content-type"];
    expect(sent).toBe(format === "protobuf" ? "application/x-protobuf" : "application/json");
  },
);

test("a deletion whose answer got lost is sent again, and finding nothing then is success; before, it is NotFound", async () => {
  await using server = await startLifecycle({
    trouble: (line, count) => (line === "DELETE /v1/dev/engines/zipper@0.1" && count === 1 ? "after" : undefined),
  });
  server.store("zipper@0.1", archive);
  server.store("zipper@0.2", archive);
  const client = clientOf(server);
  expect(await client.withResponse.delete("zipper@0.1")).toMatchObject({
    data: { engineTag: "zipper@0.1" },
    attempts: 2,
    status: 404,
  });
  expect([...server.engines.keys()]).toEqual(["zipper@0.2"]);
  expect(await failure(client.delete("zipper@0.1"))).toMatchObject({ reason: { _tag: "NotFound" }, method: "DELETE" });
  const layer = EngineClient.layer({ baseUrl: server.baseUrl, token: "good" });
  const gone = Effect.flatMap(EngineClient, (effects) => effects.delete("zipper@0.2", { ifRevision: 1 }));
  expect(await Effect.runPromise(Effect.provide(gone, layer))).toMatchObject({ engineTag: "zipper@0.2" });
  expect(server.requests.at(-1)?.headers["if-match"]).toBe('"revision-1"');
});

test("finding nothing after a request that was certainly refused is NotFound", async () => {
  await using server = await startLifecycle({
    trouble: (line, count) =>
      line.startsWith("DELETE") && count === 1 ? { status: 503, headers: { "retry-after": "0" } } : undefined,
  });
  expect(await failure(clientOf(server).delete("zipper@0.1"))).toMatchObject({
    reason: { _tag: "NotFound" },
    attempts: 2,
  });
});

test("every length of an archive, awkward text and no archive at all arrive as they are, in both formats", async () => {
  await using server = await startLifecycle();
  for (const format of ["json", "protobuf"] as const) {
    const client = clientOf(server, { format });
    for (const length of [0, 1, 2, 3, 4, 127, 128, 16_383, 16_384]) {
      const bytes = new Uint8Array(randomBytes(length));
      await client.upload(bytes, { tag: "zipper@0.1" });
      expect(server.engines.get("zipper@0.1")?.archive).toEqual(bytes);
    }
    await client.upload(archive, { tag: "zipper@0.2", engineId: '"\\\u0000é\u{10ffff}' });
    expect(await client.activate("zipper@0.2", { engineLink: "" })).toMatchObject({ engineTag: "zipper@0.2" });
  }
});

test("the same with Effect: the archive is a stream", async () => {
  await using server = await startLifecycle();
  const program = Effect.gen(function* () {
    const engines = yield* EngineClient;
    yield* engines.upload(archive, { tag: "zipper@0.1" });
    yield* engines.activate("zipper@0.1");
    const bytes = yield* Stream.runFold(
      engines.archive("zipper@0.1"),
      () => 0,
      (sum, chunk) => sum + chunk.byteLength,
    );
    const first = yield* Stream.runHead(engines.archive("zipper@0.1"));
    const missing = yield* Effect.flip(Stream.runDrain(engines.archive("nobody@0.1")));
    return { bytes, first: first._tag, missing: missing.reason._tag };
  });
  const layer = EngineClient.layer({ baseUrl: server.baseUrl, token: "good" });
  expect(await Effect.runPromise(Effect.provide(program, layer))).toEqual({
    bytes: 200_000,
    first: "Some",
    missing: "NotFound",
  });
});

test("a condition that does not hold is a conflict, and nothing is changed", async () => {
  await using server = await startLifecycle();
  const client = clientOf(server);
  await client.upload(archive, { tag: "zipper@0.1", ifRevision: 0 });
  const errors = await Promise.all([
    failure(client.upload(other, { tag: "zipper@0.1", ifRevision: 0 })),
    failure(client.upload(other, { tag: "zipper@0.1", ifRevision: 7 })),
    failure(client.activate("zipper@0.1", { ifRevision: 7 })),
  ]);
  expect(errors.map(({ reason, status, attempts }) => [reason._tag, status, attempts])).toEqual(
    errors.map(() => ["Conflict", 412, 1]),
  );
  expect(server.engines.get("zipper@0.1")?.engine).toMatchObject({ hash, revision: 1, status: "inactive" });
  expect(server.requests[1]?.headers).toMatchObject({ "if-none-match": "*" });
  expect(server.requests[2]?.headers).toMatchObject({ "if-match": '"revision-7"' });
});

test("options that cannot be are refused before anything is sent", async () => {
  await using server = await startLifecycle();
  const client = clientOf(server);
  const errors = [
    await failure(client.upload(archive, { ifRevision: -1 })),
    await failure(client.upload(archive, { ifRevision: 1.5 })),
    await failure(client.activate("zipper", { ifRevision: 0 })),
  ];
  expect(errors.map(({ reason, attempts }) => [reason._tag, attempts])).toEqual(
    errors.map(() => ["InvalidArgument", 0]),
  );
  expect(errors[0]?.message).toContain("ifRevision must be a whole number from 0 to 2147483647, not -1");
  expect(errors[2]?.message).toContain("ifRevision must be a whole number from 1");
  expect(await failure(client.upload(archive, { tag: "zipper" }))).toMatchObject({
    reason: { _tag: "InvalidArgument" },
    attempts: 0,
  });
  expect(await failure(client.activate("../x"))).toMatchObject({ reason: { _tag: "InvalidArgument" }, attempts: 0 });
  const error = await failure(client.upload(archive, { limits: { maxArchiveBytes: 1_000 } }));
  expect(error).toMatchObject({ reason: { _tag: "TooLarge", limit: "maxArchiveBytes", value: 1_000 }, attempts: 0 });
  expect(error.message).toContain("The archive exceeds maxArchiveBytes = 1000");
  expect(server.requests).toHaveLength(0);
});

const onUpload =
  (...troubles: ReadonlyArray<Trouble>) =>
  (line: string, count: number): Trouble =>
    line === upload ? troubles[count - 1] : undefined;

test.for([false, true])(
  "an upload that was carried out before its answer got lost is found, not sent again (activate: %s)",
  async (activate) => {
    await using server = await startLifecycle({ trouble: onUpload("after") });
    const answer = await clientOf(server).withResponse.upload(archive, { tag: "zipper@0.1", activate });
    expect(answer).toMatchObject({ data: { hash, revision: 1 }, attempts: 2 });
    expect(lines(server)).toEqual(["POST /engines", "GET /engines/zipper@0.1"]);
    expect(server.requests[1]?.headers["cache-control"]).toContain("no-cache");
  },
);

test("an upload that was not carried out is sent again, on the condition that nothing changed since it was looked for", async () => {
  await using server = await startLifecycle({ trouble: onUpload("reset") });
  server.store("zipper@0.1", other);
  expect(await clientOf(server).upload(archive, { tag: "zipper@0.1" })).toMatchObject({ hash, revision: 2 });
  expect(lines(server)).toEqual(["POST /engines", "GET /engines/zipper@0.1", "POST /engines"]);
  expect(server.requests[2]?.headers["if-match"]).toBe('"revision-1"');
  await using empty = await startLifecycle({ trouble: onUpload({ status: 500 }) });
  expect(await clientOf(empty).upload(archive, { tag: "zipper@0.1" })).toMatchObject({ hash, revision: 1 });
  expect(empty.requests[2]?.headers["if-none-match"]).toBe("*");
});

test("an upload that was carried out although it was not found at once is found when its condition fails", async () => {
  let server: LifecycleServer | undefined;
  await using started = await startLifecycle({
    trouble: (line, count) => {
      if (line === upload && count === 1) return "reset";
      // It arrives after it was looked for.
      if (line === upload && count === 2) server?.store("zipper@0.1", archive);
      return undefined;
    },
  });
  server = started;
  started.store("zipper@0.1", other);
  expect(await clientOf(started).upload(archive, { tag: "zipper@0.1" })).toMatchObject({ hash, revision: 2 });
  expect(lines(started)).toEqual([
    "POST /engines",
    "GET /engines/zipper@0.1",
    "POST /engines",
    "GET /engines/zipper@0.1",
  ]);
});

test("an upload whose answer got lost does not overwrite what somebody else uploaded meanwhile", async () => {
  let server: LifecycleServer | undefined;
  await using started = await startLifecycle({
    trouble: (line, count) => {
      if (line === upload && count === 1) server?.store("zipper@0.1", other);
      return line === upload && count === 1 ? "reset" : undefined;
    },
  });
  server = started;
  started.store("zipper@0.1", new Uint8Array(1));
  const error = await failure(clientOf(started).upload(archive, { tag: "zipper@0.1", ifRevision: 1 }));
  expect(error).toMatchObject({ reason: { _tag: "Conflict" }, method: "POST" });
  expect(error.message).toContain("somebody else uploaded it");
  expect(started.engines.get("zipper@0.1")?.archive).toEqual(other);
});

test("an upload that only lacks its activation is sent again", async () => {
  await using server = await startLifecycle({ trouble: onUpload("reset") });
  server.store("zipper@0.1", archive);
  expect(await clientOf(server).upload(archive, { tag: "zipper@0.1", activate: true })).toMatchObject({
    status: "active",
    revision: 1,
  });
});

test("an upload without a tag is sent again only where it was certainly not carried out", async () => {
  await using lost = await startLifecycle({ trouble: onUpload("after") });
  expect(await failure(clientOf(lost).upload(archive))).toMatchObject({ reason: { _tag: "Unreachable" }, attempts: 1 });
  await using busy = await startLifecycle({ trouble: onUpload({ status: 503, headers: { "retry-after": "0" } }) });
  expect(await clientOf(busy).upload(archive)).toMatchObject({ hash });
  // Nothing is looked up where nothing was processed.
  await using throttled = await startLifecycle({ trouble: onUpload({ status: 429, headers: { "retry-after": "0" } }) });
  await clientOf(throttled).upload(archive, { tag: "zipper@0.1" });
  expect(lines(throttled)).toEqual(["POST /engines", "POST /engines"]);
});

test("activate and deactivate are sent again: they are idempotent", async () => {
  await using server = await startLifecycle({
    trouble: (line, count) => (line.endsWith("activate") && count === 1 ? "after" : undefined),
  });
  server.store("zipper@0.1", archive);
  expect(await clientOf(server).withResponse.activate("zipper@0.1")).toMatchObject({
    attempts: 2,
    data: { engineStatus: "active" },
  });
  expect(await clientOf(server).withResponse.deactivate("zipper@0.1")).toMatchObject({ attempts: 2 });
});

test("progress is reported in bytes of the archive", async () => {
  await using server = await startLifecycle();
  const events: Array<EngineEvent> = [];
  const client = clientOf(server, { onEvent: (event) => void events.push(event) });
  await client.upload(archive, { tag: "zipper@0.1" });
  await (await client.archive("zipper@0.1")).bytes();
  const progress = events.filter((event) => event.type === "progress");
  const [first, second, ...rest] = progress;
  expect(first).toMatchObject({ direction: "upload", bytes: 0, totalBytes: 200_000 });
  expect(second).toMatchObject({ direction: "upload", bytes: 200_000 });
  expect(rest.at(-1)).toMatchObject({ direction: "download", bytes: 200_000, totalBytes: 200_000 });
  expect(JSON.stringify(events)).not.toContain("signature");
});

test("neither token nor headers of the client go to where the link leads", async () => {
  await using elsewhere = await startServer((_request, response) => void response.writeHead(200).end(archive));
  const { port } = new URL(elsewhere.baseUrl);
  await using server = await startLifecycle({ link: () => `http://localhost:${port}/x?signature=secret` });
  server.store("zipper@0.1", archive);
  const client = clientOf(server, { headers: { authorization: "good", "x-api-key": "secret", cookie: "a=b" } });
  expect((await (await client.archive("zipper@0.1")).bytes()).byteLength).toBe(200_000);
  expect(elsewhere.requests).toHaveLength(1);
  for (const name of ["authorization", "x-api-key", "cookie"])
    expect(elsewhere.requests[0]?.headers).not.toHaveProperty(name);
});

test.for<[link: string, problem: string]>([
  ["", "the server gave no download link"],
  ["/relative", "the download link is not an absolute URL"],
  ["http://example.com/x", "the download link is neither https nor to this machine"],
  ["http://127.0.0.1.example.com/x", "neither https nor to this machine"],
  ["http://localhost.example.com/x", "neither https nor to this machine"],
  ["ftp://127.0.0.1/x", "neither https nor to this machine"],
  ["file:///etc/passwd", "neither https nor to this machine"],
  ["data:,x", "neither https nor to this machine"],
  ["https://user:password@127.0.0.1/x", "carries a user name or password"],
])("the link %s is not followed: %s", async ([link, problem]) => {
  await using server = await startLifecycle({ link: () => link });
  server.store("zipper@0.1", archive);
  const error = await failure(clientOf(server).archive("zipper@0.1"));
  expect(error.reason).toMatchObject({ _tag: "RedirectRefused", problem: expect.stringContaining(problem) as string });
  expect(error.message).not.toContain("password@");
});

test.for(["http://127.0.0.1:9/x", "http://localhost:9/x", "http://[::1]:9/x", "https://2130706433/x"])(
  "a server elsewhere cannot have %s asked, which is on this machine",
  async (link) => {
    const asked: Array<string> = [];
    const client = createEngineClient({
      baseUrl: "https://api.example/v1",
      format: "json",
      fetch: (url) => {
        asked.push(url);
        return Promise.resolve(
          Response.json(url.endsWith("/download") ? { engineLink: link } : { name: "zipper", hash }),
        );
      },
    });
    const error = await failure(client.archive("zipper"));
    expect(error.reason).toMatchObject({ _tag: "RedirectRefused" });
    expect(error.message).toContain("the server is not on it");
    expect(asked.filter((url) => !url.startsWith("https://api.example/"))).toEqual([]);
  },
);

test("a redirect of the archive to another origin is not followed", async () => {
  await using server = await startLifecycle({
    sendArchive: (response) => void response.writeHead(302, { location: "http://169.254.169.254/" }).end(),
  });
  server.store("zipper@0.1", archive);
  const error = await failure(clientOf(server).archive("zipper@0.1"));
  expect(error).toMatchObject({ reason: { _tag: "RedirectRefused" } });
  expect(error.message).not.toContain("signature");
});

test("a link that has expired is asked for once more, not for ever", async () => {
  await using server = await startLifecycle({
    trouble: (line, count) => (line.startsWith("GET /archives") && count === 1 ? { status: 403 } : undefined),
  });
  server.store("zipper@0.1", archive);
  expect((await (await clientOf(server).archive("zipper@0.1")).bytes()).byteLength).toBe(200_000);
  await using closed = await startLifecycle({
    trouble: (line) => (line.startsWith("GET /archives") ? { status: 403 } : undefined),
  });
  closed.store("zipper@0.1", archive);
  expect(await failure(clientOf(closed).archive("zipper@0.1"))).toMatchObject({ reason: { _tag: "PermissionDenied" } });
  expect(closed.requests.filter(({ line }) => line.startsWith("GET /archives"))).toHaveLength(2);
});

test("an archive that cannot be had at once is asked for again before the first byte, and not after", async () => {
  await using server = await startLifecycle({
    trouble: (line, count) => (line.startsWith("GET /archives") && count <= 2 ? "reset" : undefined),
  });
  server.store("zipper@0.1", archive);
  expect((await (await clientOf(server).archive("zipper@0.1")).bytes()).byteLength).toBe(200_000);
  await using cut = await startLifecycle({
    sendArchive: (response, bytes) => {
      response.writeHead(200, { "content-length": bytes.byteLength });
      response.write(bytes.subarray(0, 100_000), () => response.destroy());
    },
  });
  cut.store("zipper@0.1", archive);
  const download = await clientOf(cut).archive("zipper@0.1");
  expect(await failure(download.bytes())).toMatchObject({ reason: { _tag: "Undecodable" } });
});

test.for<[what: string, send: (response: ServerResponse, bytes: Uint8Array) => void, reason: object]>([
  ["another archive", (response) => void response.writeHead(200).end(other), { _tag: "Undecodable" }],
  ["one byte less", (response, bytes) => void response.writeHead(200).end(bytes.subarray(1)), { _tag: "Undecodable" }],
  ["nothing", (response) => void response.writeHead(200).end(), { _tag: "Undecodable" }],
  [
    "more than may be, announced",
    (response) => void response.writeHead(200, { "content-length": 10_000_000 }).write("x"),
    { _tag: "TooLarge", limit: "maxArchiveBytes" },
  ],
  [
    "more than may be, without end",
    (response) => {
      response.writeHead(200);
      const more = (): void => {
        if (!response.destroyed) response.write(Buffer.alloc(65_536), more);
      };
      more();
    },
    { _tag: "TooLarge" },
  ],
  ["silence", (response) => void response.writeHead(200).write("x"), { _tag: "TimedOut", scope: "attempt" }],
])("an archive that is %s is an error", async ([, send, reason]) => {
  await using server = await startLifecycle({ sendArchive: send });
  server.store("zipper@0.1", archive);
  const client = clientOf(server, { limits: { maxArchiveBytes: 1_000_000 }, attemptTimeoutMs: 300 });
  const download = await client.archive("zipper@0.1");
  expect((await failure(download.bytes())).reason).toMatchObject(reason);
});

test("an engine without a hash has no archive that could be trusted", async () => {
  await using server = await startLifecycle();
  server.store("zipper@0.1", archive);
  (server.engines.get("zipper@0.1") as { engine: { hash: string } }).engine.hash = "none";
  expect(await failure(clientOf(server).archive("zipper@0.1"))).toMatchObject({ reason: { _tag: "Undecodable" } });
});

test("leaving the loop ends the download, and the bytes are had once", async () => {
  let closed: (() => void) | undefined;
  const ended = new Promise<void>((resolve) => (closed = resolve));
  await using server = await startLifecycle({
    sendArchive: (response) => {
      response.once("close", () => closed?.());
      response.writeHead(200).write(Buffer.alloc(10));
    },
  });
  server.store("zipper@0.1", archive);
  const download = await clientOf(server).archive("zipper@0.1");
  for await (const chunk of download) {
    expect(chunk.byteLength).toBe(10);
    break;
  }
  await ended;
  expect(() => download[Symbol.asyncIterator]()).toThrow("can be had once");
});
