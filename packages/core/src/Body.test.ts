import { expect, test } from "vitest";
import { defaultBodyLimits, readBody, type BodyLimits } from "./Body.ts";
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
  expect((await readBody(streamed(50_000, 2).response, defaultBodyLimits)).length).toBe(100_000);
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

test("64 MiB are the default for both lengths", () => {
  expect(defaultBodyLimits).toEqual({ maxBodyBytes: 67_108_864, maxDecodedBodyBytes: 67_108_864 });
});
