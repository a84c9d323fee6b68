import { createHash } from "node:crypto";
import { expect, test } from "vitest";
import { createEngineClient, type ClientOptions, type EngineError } from "../promise.ts";

const bytes = Uint8Array.from({ length: 1_000 }, (_, at) => at % 251);
const hash = createHash("sha256").update(bytes).digest("base64");

/** Downloads from storage that answers each request with the next of these; gives the outcome, and what was asked of whom. */
const downloaded = async (
  answers: ReadonlyArray<() => Response>,
  { engine = {}, ...options }: ClientOptions & { engine?: object } = {},
) => {
  const asked: Array<string> = [];
  const client = createEngineClient({
    baseUrl: "http://a.example",
    format: "json",
    retry: { maxAttempts: 1 },
    fetch: (url, { method }) => {
      const { host, pathname } = new URL(url);
      asked.push(`${method} ${host}${pathname}`);
      if (pathname.endsWith("/download"))
        return Promise.resolve(Response.json({ engineLink: "https://b.example/x?s=1" }));
      if (host === "a.example")
        return Promise.resolve(Response.json({ name: "zipper", version: "0.1", hash, ...engine }));
      const number = asked.filter((line) => line.endsWith("b.example/x")).length;
      return Promise.resolve((answers[number - 1] ?? answers.at(-1) ?? whole())());
    },
    ...options,
  });
  const outcome = await client
    .archive("zipper")
    .then(async (archive) => ({ mediaType: archive.mediaType, length: archive.length, bytes: await archive.bytes() }))
    .catch((cause: unknown) => cause as EngineError);
  return { asked, outcome };
};

const whole =
  (headers: Record<string, string> = {}) =>
  () =>
    new Response(bytes, { headers });
const failing =
  (status: number, body = "") =>
  () =>
    new Response(body, { status });
const [engine, link, storage] = [
  "GET a.example/engines/zipper",
  "GET a.example/engines/zipper@0.1/download",
  "GET b.example/x",
];

test("an archive has its bytes, its length and its media type, where these are known", async () => {
  const known = await downloaded([whole({ "content-type": "application/x-tar", "content-length": "1000" })]);
  expect(known.outcome).toEqual({ mediaType: "application/x-tar", length: 1_000, bytes });
  expect(known.asked).toEqual([engine, link, storage]);
  const unknown = await downloaded([whole()]);
  expect(unknown.outcome).toEqual({ mediaType: undefined, length: undefined, bytes });
  // Without a version, the link is for the tag that was given.
  const { asked } = await downloaded([whole()], { engine: { version: "" } });
  expect(asked[1]).toBe("GET a.example/engines/zipper/download");
});

test.for([{ name: "../../evil" }, { version: "../1" }])(
  "the answer %j, which names no tag, cannot be read",
  async (named) => {
    const { asked, outcome } = await downloaded([], { engine: named });
    const problem = "the engine has a name and a version that make no tag";
    expect(outcome).toMatchObject({ reason: { _tag: "Undecodable", problem } });
    expect(asked).toEqual([engine]);
  },
);

test.for<[status: number, again: boolean]>([
  [403, true],
  [404, true],
  [410, true],
  [401, false],
  [400, false],
  [503, false],
])("whether another link is asked for after %i from storage: %s", async ([status, again]) => {
  const { asked, outcome } = await downloaded([failing(status), whole()]);
  expect(asked).toEqual([engine, link, storage, ...(again ? [link, storage] : [])]);
  expect("bytes" in outcome).toBe(again);
});

test.for<[limit: number, headers: Record<string, string>, tag: string | undefined]>([
  [1_000, {}, undefined],
  [1_000, { "content-length": "1000" }, undefined],
  [999, {}, "TooLarge"],
  [1_000, { "content-length": "1001" }, "TooLarge"],
])("with %i bytes at most, an archive of 1,000 with %j ends with %s", async ([maxArchiveBytes, headers, tag]) => {
  const { outcome } = await downloaded([whole(headers)], { limits: { maxArchiveBytes } });
  expect("reason" in outcome ? outcome.reason._tag : undefined).toBe(tag);
});

test.for<[hash: string]>([[""], ["AAAA"], [`${hash}AAAA`], ["no base64"]])(
  "an engine with the hash %j has no archive that can be trusted, and no link is asked for",
  async ([hash]) => {
    const { asked, outcome } = await downloaded([whole()], { engine: { hash } });
    expect(outcome).toMatchObject({ reason: { _tag: "Undecodable" }, attempts: 1 });
    expect(asked).toEqual([engine]);
  },
);

/** A refusal with a body of so many bytes. */
const said = (length: number) => failing(400, `{"message":"${"m".repeat(length - 14)}"}`);

test("64 KiB of an error of storage are read, and what it says is shown without the signature of the link", async () => {
  const { outcome: short } = await downloaded([said(65_536)]);
  expect(short).toMatchObject({ reason: { _tag: "InvalidArgument" }, url: "https://b.example/x" });
  const { outcome: long } = await downloaded([said(65_537)]);
  expect(long).toMatchObject({ reason: { _tag: "TooLarge", value: 65_536 }, url: "https://b.example/x" });
});

test.for([201, 204, 206])("an answer of storage with the status %i is not the archive", async (status) => {
  const { outcome } = await downloaded([() => new Response(status === 204 ? null : bytes, { status })]);
  expect(outcome).toHaveProperty("reason");
});

test.for<[hash: string, isIt: boolean]>([
  [hash, true],
  [btoa(atob(hash).slice(0, -1) + "\0"), false],
  [btoa("\0" + atob(hash).slice(1)), false],
])("an archive is compared with the whole hash of its engine, %s", async ([hash, isIt]) => {
  const { outcome } = await downloaded([whole()], { engine: { hash } });
  expect(outcome).toMatchObject(isIt ? { bytes } : { reason: { _tag: "Undecodable" }, url: "https://b.example/x" });
});

test.for<[link: string, baseUrl: string, problem: string | undefined]>([
  ["https://b.example/x", "http://a.example", undefined],
  ["http://127.0.0.1/x", "http://127.0.0.1:1", undefined],
  ["", "http://a.example", "the server gave no download link"],
  ["/x", "http://a.example", "the download link is not an absolute URL"],
  ["https://user@b.example/x", "http://a.example", "the download link carries a user name or password"],
  ["https://:word@b.example/x", "http://a.example", "the download link carries a user name or password"],
  ["https://127.0.0.1/x", "http://a.example", "the download link is to this machine, and the server is not on it"],
  ["http://b.example/x", "http://a.example", "the download link is neither https nor to this machine"],
  ["ftp://127.0.0.1/x", "http://127.0.0.1:1", "the download link is neither https nor to this machine"],
])("the link %j of the server at %s is refused: %s", async ([engineLink, baseUrl, problem]) => {
  const client = createEngineClient({
    baseUrl,
    format: "json",
    fetch: (url) =>
      Promise.resolve(
        url.endsWith("/download")
          ? Response.json({ engineLink })
          : url.startsWith(`${baseUrl}/engines`)
            ? Response.json({ name: "zipper", version: "0.1", hash })
            : new Response(bytes),
      ),
  });
  const outcome = await client
    .archive("zipper")
    .then(async (archive) => archive.bytes())
    .catch(({ reason }: EngineError) => reason);
  expect(outcome).toEqual(problem === undefined ? bytes : { _tag: "RedirectRefused", problem });
});

/** An archive of chunks that come one by one, or do not end; what was said of it, and whether storage is still listened to. */
const chunked = async (ends: boolean, options: ClientOptions = {}) => {
  const progress: Array<unknown> = [];
  const state = { cancelled: false, signals: [] as Array<AbortSignal> };
  const body = () =>
    new ReadableStream<Uint8Array>({
      start: (controller) => {
        for (const at of [0, 400]) controller.enqueue(bytes.slice(at, at === 0 ? 400 : 1_000));
        if (ends) controller.close();
      },
      cancel: () => void (state.cancelled = true),
    });
  const client = createEngineClient({
    baseUrl: "http://a.example",
    format: "json",
    fetch: (url, { signal }) => {
      if (url.endsWith("/download")) return Promise.resolve(Response.json({ engineLink: "https://b.example/x" }));
      if (!url.startsWith("https:")) return Promise.resolve(Response.json({ name: "zipper", version: "0.1", hash }));
      if (signal != null) state.signals.push(signal);
      return Promise.resolve(new Response(body()));
    },
    onEvent: (event) => {
      if (event.type === "progress") progress.push([event.direction, event.bytes, event.totalBytes]);
    },
    ...options,
  });
  return { archive: await client.archive("zipper"), progress, state };
};

test("an archive is read once, chunk by chunk, with the progress of each", async () => {
  const { archive, progress, state } = await chunked(true, { attemptTimeoutMs: Infinity });
  expect(await archive.bytes()).toEqual(bytes);
  expect(progress).toEqual([
    ["download", 400, undefined],
    ["download", 1_000, undefined],
  ]);
  expect([state.cancelled, state.signals.map(({ aborted }) => aborted)]).toEqual([false, [false]]);
  await expect(archive.bytes()).rejects.toThrow("the bytes of an archive can be had once");
});

const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;

test("no timer is left of chunks that came in time", async () => {
  const before = timers();
  const { archive } = await chunked(true, { attemptTimeoutMs: 60_000 });
  expect((await archive.bytes()).length).toBe(1_000);
  expect(timers()).toBeLessThanOrEqual(before);
});

test("storage is let go by who reads no further", async () => {
  const { archive, state } = await chunked(false);
  for await (const chunk of archive) {
    expect(chunk.length).toBe(400);
    break;
  }
  expect([state.cancelled, state.signals.map(({ aborted }) => aborted)]).toEqual([true, [true]]);
});

test("storage that sends nothing for as long as an attempt may take is given up", async () => {
  const { archive, state } = await chunked(false, { attemptTimeoutMs: 20 });
  await expect(archive.bytes()).rejects.toMatchObject({
    reason: { _tag: "TimedOut", scope: "attempt", limitMs: 20 },
    url: "https://b.example/x",
  });
  expect([state.cancelled, state.signals.map(({ aborted }) => aborted)]).toEqual([true, [true]]);
});
