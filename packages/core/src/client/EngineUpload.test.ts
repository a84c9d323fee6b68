import { expect, test } from "vitest";
import { createEngineClient, type ClientOptions, type EngineError, type Fetch } from "../promise.ts";

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

test("an archive of 32 MiB is sent with the request, and for a longer one a link is asked for", async () => {
  const paths: Array<string> = [];
  const client = createEngineClient({
    baseUrl: "http://a.example",
    format: "protobuf",
    fetch: (url, { headers }) => {
      const length = new Headers(headers).get("upload-length");
      paths.push(length === null ? new URL(url).pathname : `${new URL(url).pathname} ${length}`);
      return Promise.resolve(new Response("", { status: 404 }));
    },
  });
  const archive = new Uint8Array(32 * 1024 * 1024 + 1);
  for (const bytes of [archive.subarray(1), archive])
    await expect(client.upload(bytes, { tag: "a@0.1" })).rejects.toMatchObject({ reason: { _tag: "NotFound" } });
  expect(paths).toEqual(["/engines", `/uploads ${archive.byteLength}`, "/engines"]);
});

test("an archive of the longest length is sent, and no longer one", async () => {
  const client = createEngineClient({ fetch: absent, limits: { maxArchiveBytes: 5 } });
  await expect(client.upload(new Uint8Array(5))).rejects.toMatchObject({ reason: { _tag: "NotFound" } });
  await expect(client.upload(new Uint8Array(6))).rejects.toMatchObject({
    reason: { _tag: "TooLarge", limit: "maxArchiveBytes", value: 5 },
    attempts: 0,
  });
});
