import { expect, test } from "vitest";
import { announcedLength, defaultBodyLimits, readBody, type BodyLimits } from "./Body.ts";
import { LimitExceeded } from "./ReadLimits.ts";

const limits: BodyLimits = { maxBodyBytes: 1_000, maxDecodedBodyBytes: 1_000 };

/** A body of chunks made as they are read, and what became of it. */
const streamed = (chunkBytes: number, chunks: number, headers: Record<string, string> = {}) => {
  const state = { pulled: 0, cancelled: false };
  const body = new ReadableStream<Uint8Array>(
    {
      pull: (controller) => {
        if (state.pulled === chunks) return controller.close();
        state.pulled += 1;
        controller.enqueue(new Uint8Array(chunkBytes).fill(state.pulled));
      },
      cancel: () => void (state.cancelled = true),
    },
    { highWaterMark: 0 },
  );
  return { response: new Response(body, { headers }), state };
};

test("a body is read whole, chunk after chunk", async () => {
  const bytes = await readBody(streamed(3, 3).response, limits);
  expect([...bytes]).toEqual([1, 1, 1, 2, 2, 2, 3, 3, 3]);
  // More than twice what is reserved at first.
  const large = await readBody(streamed(50_000, 2).response, defaultBodyLimits);
  expect([large.length, ...[0, 49_999, 50_000, 99_999].map((at) => large[at])]).toEqual([100_000, 1, 1, 2, 2]);
  expect(await readBody(new Response(null), limits)).toEqual(new Uint8Array());
});

test("a body of exactly the limit is read, with and without an announced length", async () => {
  expect((await readBody(streamed(100, 10).response, limits)).length).toBe(1_000);
  expect((await readBody(streamed(100, 10, { "content-length": "1000" }).response, limits)).length).toBe(1_000);
});

test("an announced length beyond the limit is refused before anything is read", async () => {
  const { response, state } = streamed(1, 1, { "content-length": "1001" });
  await expect(readBody(response, limits)).rejects.toEqual(new LimitExceeded("maxBodyBytes", 1_000));
  expect(state).toEqual({ pulled: 0, cancelled: true });
});

test("a body that turns out longer than the limit is given up with the chunk that passes it", async () => {
  const { response, state } = streamed(400, 1_000_000);
  await expect(readBody(response, limits)).rejects.toEqual(new LimitExceeded("maxDecodedBodyBytes", 1_000));
  expect(state).toEqual({ pulled: 3, cancelled: true });
});

test("a small announced length does not vouch for a compressed body", async () => {
  const { response, state } = streamed(400, 1_000_000, { "content-length": "10", "content-encoding": "gzip" });
  await expect(readBody(response, limits)).rejects.toBeInstanceOf(LimitExceeded);
  expect(state.pulled).toBe(3);
});

const told = { "content-length": "10" };
const far = "http://a.example/";

test.for<[type: string | undefined, url: string, headers: Record<string, string>, isTrusted: boolean]>([
  ["basic", "", told, true],
  ["default", far, told, true],
  ["basic", "", {}, false],
  ["basic", "", { "content-length": "1001" }, false],
  ["basic", "", { ...told, "content-encoding": "gzip" }, false],
  ["cors", far, told, false],
  ["default", "", told, false],
])("a response of the type %s from %j with %j is read in one go: %s", async ([type, url, headers, isTrusted]) => {
  const { response } = streamed(2_000, 1, headers);
  Object.defineProperties(response, { type: { value: type }, url: { value: url } });
  const outcome = await readBody(response, { maxBodyBytes: 2_000, maxDecodedBodyBytes: 1_000 }).then(
    ({ length }) => length,
    (cause: unknown) => cause,
  );
  expect(outcome).toEqual(isTrusted ? 2_000 : new LimitExceeded("maxDecodedBodyBytes", 1_000));
});

test("a response of exactly the limit is read in one go", async () => {
  const { response } = streamed(2_000, 1, { "content-length": "1000" });
  Object.defineProperty(response, "type", { value: "basic" });
  expect(await readBody(response, limits)).toHaveLength(2_000);
});

test("without compression the lower limit counts, with it the one after decompression", async () => {
  const lower = { maxBodyBytes: 500, maxDecodedBodyBytes: 1_000 };
  await expect(readBody(streamed(600, 1).response, lower)).rejects.toEqual(new LimitExceeded("maxBodyBytes", 500));
  const gzip = { "content-encoding": "gzip" };
  expect(await readBody(streamed(600, 1, gzip).response, lower)).toHaveLength(600);
  await expect(readBody(streamed(600, 2, gzip).response, lower)).rejects.toEqual(
    new LimitExceeded("maxDecodedBodyBytes", 1_000),
  );
});

test.for<[text: string, length: number | undefined]>([
  ["0", 0],
  ["12", 12],
  ["-1", undefined],
  ["1.5", undefined],
  ["", undefined],
  ["ten", undefined],
])("the Content-Length %j announces %s", ([text, length]) => {
  expect(announcedLength(new Headers({ "content-length": text }))).toBe(length);
});

test("64 MiB are the default for both lengths", () => {
  expect(defaultBodyLimits).toEqual({ maxBodyBytes: 67_108_864, maxDecodedBodyBytes: 67_108_864 });
});
