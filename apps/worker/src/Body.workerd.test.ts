import { expect, onTestFinished, test, vi } from "vitest";
import { createBodyBudget, joined, readBody, sendBytes, streamBody, watchBody, type Bytes } from "./Body.ts";

const mib = 1024 * 1024;

const start = () => {
  const clock = { ms: 1_000 };
  return { clock, budget: createBodyBudget(() => clock.ms) };
};

test("a user has six MiB under way, and all have 24; what ends is free again", () => {
  const { budget } = start();
  const first = budget.lease("alice");
  expect([first.grow(1), first.grow(6 * mib), first.grow(6 * mib - 1)]).toEqual([true, false, true]);
  expect([first.grow(1), budget.lease("alice").grow(1)]).toEqual([false, false]);
  expect(budget.bytes()).toBe(6 * mib);
  const others = ["b", "c", "d"].map((user) => budget.lease(user));
  expect(others.map((lease) => lease.grow(6 * mib))).toEqual([true, true, true]);
  const late = budget.lease("e");
  expect([late.grow(1), budget.bytes()]).toEqual([false, 24 * mib]);
  others[0]?.release();
  expect([late.grow(6 * mib), budget.bytes()]).toEqual([true, 24 * mib]);
  first.release();
  expect([budget.lease("alice").grow(6 * mib), budget.lease("alice").grow(1)]).toEqual([true, false]);
});

test("a lease ends when the last of its holders releases it, once", () => {
  const { budget } = start();
  const lease = budget.lease("alice");
  lease.grow(5);
  expect(lease.hold()).toBe(true);
  lease.release();
  expect([budget.bytes(), lease.hold()]).toEqual([5, true]);
  lease.release();
  lease.release();
  expect([budget.bytes(), lease.hold()]).toEqual([0, false]);
  lease.release();
  expect(budget.bytes()).toBe(0);
});

test("what has not gone on for half a minute counts as released, when room is next asked for", () => {
  const { budget, clock } = start();
  const lost = budget.lease("alice");
  lost.grow(5);
  const renewed = budget.lease("alice");
  renewed.grow(7);
  const grown = budget.lease("alice");
  clock.ms += 1;
  renewed.renew();
  grown.grow(2);
  clock.ms += 29_998;
  expect([budget.lease("bob").grow(1), budget.bytes()]).toEqual([true, 15]);
  clock.ms += 1;
  expect([budget.lease("bob").grow(1), budget.bytes()]).toEqual([true, 11]);
  // Its body may still arrive: it is counted no more.
  lost.renew();
  expect([lost.grow(1), lost.hold()]).toEqual([false, false]);
  lost.release();
  expect(budget.bytes()).toBe(11);
  clock.ms += 1;
  expect([budget.lease("bob").grow(1), budget.bytes()]).toEqual([true, 3]);
});

test("a body of which no part is taken for half a minute is given up, at its source too", async () => {
  vi.useFakeTimers();
  onTestFinished(() => void vi.useRealTimers());
  const { budget, clock } = start();
  const lease = budget.lease("alice");
  lease.grow(3);
  let cancelled: unknown;
  const rest = new ReadableStream<Bytes>({ cancel: (reason) => void (cancelled = reason) });
  const { stream, ended } = streamBody(rest, lease, [numbered(1), numbered(2)]);
  lease.release();
  const reader = stream.getReader();
  const pass = async (ms: number) => {
    clock.ms += ms;
    await vi.advanceTimersByTimeAsync(ms);
  };
  await pass(29_999);
  expect((await reader.read()).value).toEqual(numbered(1));
  await pass(29_999);
  budget.lease("bob").grow(1);
  expect([budget.bytes(), cancelled]).toEqual([4, undefined]);
  await pass(1);
  await ended;
  expect(budget.bytes()).toBe(1);
  await expect.poll(() => String(cancelled)).toContain("nobody takes the body");
  await expect(reader.read()).rejects.toThrow("connection lost");
  expect(vi.getTimerCount()).toBe(0);
});

const streamOf = (...chunks: ReadonlyArray<Bytes>): ReadableStream<Bytes> =>
  new ReadableStream({
    start: (controller) => {
      for (const chunk of chunks) controller.enqueue(chunk);
      controller.close();
    },
  });

const readAll = async (stream: ReadableStream<Bytes> | undefined): Promise<ReadonlyArray<Bytes>> => {
  const chunks: Array<Bytes> = [];
  for await (const chunk of stream ?? []) chunks.push(chunk);
  return chunks;
};

const numbered = (length: number): Bytes => Uint8Array.from({ length }, (_, index) => index % 251);

test.each([
  ["as a whole", 4 * mib, [2 * mib, 2 * mib]],
  ["as a stream", 4 * mib + 1, [2 * mib, 2 * mib, 1]],
  ["as a whole", 10, [10]],
])("%s a body of %i bytes is read, as it was", async (how, length, sizes) => {
  const { budget } = start();
  const lease = budget.lease("alice");
  const sent = numbered(length);
  let at = 0;
  const chunks = sizes.map((size) => sent.slice(at, (at += size)));
  const { bytes, stream, ended } = await readBody(streamOf(...chunks), lease);
  expect(stream === undefined).toBe(how === "as a whole");
  const read = stream === undefined ? bytes : joined(await readAll(stream));
  await ended;
  expect([read.byteLength, read.findIndex((byte, index) => byte !== index % 251)]).toEqual([length, -1]);
  lease.release();
  expect(budget.bytes()).toBe(0);
});

test("a body beyond the share of its user is a stream", async () => {
  const { budget } = start();
  budget.lease("alice").grow(6 * mib - 5);
  const { stream } = await readBody(streamOf(numbered(5), numbered(1)), budget.lease("alice"));
  expect(joined(await readAll(stream))).toEqual(joined([numbered(5), numbered(1)]));
});

test("a stream holds its lease until its body has ended, whichever side ends it", async () => {
  for (const end of ["client", "client at once", "upstream", "both"] as const) {
    const { budget } = start();
    const lease = budget.lease("alice");
    lease.grow(3);
    let cancelled: unknown;
    const body = new ReadableStream<Bytes>({
      pull: (controller) => {
        if (end === "upstream") controller.error(new Error("broken"));
        else if (end === "both") controller.close();
        else controller.enqueue(numbered(1));
      },
      cancel: (reason) => void (cancelled = reason),
    });
    const { stream, ended } = streamBody(body, lease, [numbered(2)]);
    lease.release();
    expect(budget.bytes()).toBe(3);
    const reader = stream.getReader();
    if (end === "client at once") await reader.cancel(new Error("gone"));
    expect((await reader.read()).value).toEqual(end === "client at once" ? undefined : numbered(2));
    if (end === "client") await reader.cancel(new Error("gone"));
    const last = await reader.read().then(
      ({ done }) => (done ? "whole" : "more"),
      () => "broken",
    );
    expect(last).toBe(end === "upstream" ? "broken" : "whole");
    await ended;
    expect([end, budget.bytes(), cancelled !== undefined]).toEqual([end, 0, end.startsWith("client")]);
  }
});

test("bodies of 64 kB and more are counted, once for all who take them at the same time", async () => {
  const { budget } = start();
  const small = numbered(65_535);
  expect(sendBytes({ bytes: small }, small, budget, "alice")).toEqual({ bytes: small });
  const answer = { bytes: numbered(65_536 * 2 + 1) };
  const [one, two] = [0, 1].map(() => sendBytes(answer, answer.bytes, budget, "alice"));
  const part = answer.bytes.subarray(0, 65_536);
  const three = sendBytes(answer, part, budget, "bob");
  expect(budget.bytes()).toBe(65_536 * 2 + 1);
  for (const [body, expected] of [
    [one, answer.bytes],
    [two, answer.bytes],
    [three, part],
  ] as const) {
    expect(joined(await readAll(body?.stream))).toEqual(expected);
    await body?.ended;
  }
  expect(budget.bytes()).toBe(0);
  const again = sendBytes(answer, answer.bytes, budget, "alice");
  expect(budget.bytes()).toBe(65_536 * 2 + 1);
  await again?.stream?.cancel();
  await again?.ended;
  const held = budget.lease("alice");
  held.grow(6 * mib - answer.bytes.byteLength + 1);
  expect(sendBytes(answer, part, budget, "alice")).toBeUndefined();
  held.release();
  expect(budget.bytes()).toBe(0);
});

test("a request body keeps its length, and is counted as it passes", async () => {
  for (const length of ["3", null]) {
    const seen: Array<number | undefined> = [];
    const watched = watchBody(
      streamOf(numbered(2), numbered(1)),
      length,
      (bytes) => seen.push(bytes),
      () => {},
    );
    expect(joined(await readAll(watched))).toEqual(joined([numbered(2), numbered(1)]));
    expect(seen).toEqual([2, 1, undefined]);
  }
  const tooLong = watchBody(
    streamOf(numbered(2), numbered(1)),
    "2",
    () => {},
    () => {},
  );
  await expect(readAll(tooLong)).rejects.toBeInstanceOf(TypeError);
});

test("a request body that breaks off stays open, and says so", async () => {
  const broken = Promise.withResolvers<string>();
  const body = new ReadableStream<Bytes>({ pull: (controller) => controller.error(new Error("gone")) });
  const reader = watchBody(
    body,
    null,
    () => broken.resolve("passed"),
    () => broken.resolve("broken"),
  ).getReader();
  let state = "open";
  void reader.read().then(
    () => (state = "ended"),
    () => (state = "failed"),
  );
  expect([await broken.promise, state]).toEqual(["broken", "open"]);
});
