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

const streamOf = (chunks: ReadonlyArray<Uint8Array>) =>
  new ReadableStream<Uint8Array>({
    start: (controller) => {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });

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

test("an announced length that is not kept vouches for nothing", async () => {
  const { response, state } = streamed(2_000, 1, { "content-length": "10" });
  await expect(readBody(response, limits)).rejects.toEqual(new LimitExceeded("maxDecodedBodyBytes", 1_000));
  expect(state.cancelled).toBe(true);
});

test("a body has memory of its own, and no more than it needs", async () => {
  const memory = new Uint8Array(100).fill(1);
  for (const chunks of [[memory], [memory.subarray(0, 10)], [Buffer.from(memory)], [memory, new Uint8Array([2])]]) {
    const bytes = await readBody(new Response(streamOf(chunks)), limits);
    expect(bytes).toEqual(new Uint8Array(Buffer.concat(chunks)));
    expect([bytes.constructor, bytes.buffer.byteLength]).toEqual([Uint8Array, bytes.length]);
    bytes.fill(9);
    expect([memory.length, ...new Set(memory)]).toEqual([100, 1]);
  }
});

test("a reader may use its buffer again", async () => {
  const buffer = new Uint8Array(2);
  let count = 0;
  const read = async () => (count === 3 ? { done: true } : { done: false, value: buffer.fill(++count) });
  const body = { getReader: () => ({ read, cancel: async () => {} }), cancel: async () => {} };
  expect([...(await readBody({ status: 200, headers: new Headers(), body }, limits))]).toEqual([1, 1, 2, 2, 3, 3]);
});

test.for<[type: string, headers: Record<string, string>, limit: keyof BodyLimits]>([
  ["basic", {}, "maxBodyBytes"],
  ["default", {}, "maxBodyBytes"],
  ["cors", {}, "maxDecodedBodyBytes"],
  ["basic", { "content-encoding": "gzip" }, "maxDecodedBodyBytes"],
])("a response of the type %s with %j is bounded by %3$s", async ([type, headers, limit]) => {
  const { response } = streamed(2_000, 1, headers);
  Object.defineProperty(response, "type", { value: type });
  const given = { maxBodyBytes: 500, maxDecodedBodyBytes: 1_000 };
  await expect(readBody(response, given)).rejects.toEqual(new LimitExceeded(limit, given[limit]));
});

test("a response that reads itself is told the limit", async () => {
  const { response } = streamed(1, 1);
  const bytes = new Uint8Array([7]);
  const asked: Array<unknown> = [];
  const bytesWithin = async (maxBytes: number, tooLong: () => Error) => {
    asked.push(maxBytes, tooLong());
    return bytes;
  };
  const given = { maxBodyBytes: 500, maxDecodedBodyBytes: 1_000 };
  expect(await readBody(Object.assign(response, { bytesWithin }), given)).toBe(bytes);
  expect(asked).toEqual([500, new LimitExceeded("maxBodyBytes", 500)]);
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
