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

test("what nobody has asked for in 30 seconds counts as released", () => {
  const { budget, clock } = start();
  const [lost, later, last] = ["alice", "alice", "bob"].map((user) => budget.lease(user));
  lost?.grow(5);
  clock.ms += 1;
  expect(later?.grow(7)).toBe(true);
  clock.ms += 29_998;
  expect([last?.grow(1), budget.bytes()]).toEqual([true, 13]);
  clock.ms += 1;
  expect(budget.bytes()).toBe(8);
  // Its body may still arrive: it is counted no more.
  expect([lost?.grow(1), lost?.hold()]).toEqual([false, false]);
  lost?.release();
  expect([later?.grow(0), budget.bytes()]).toEqual([true, 8]);
  clock.ms += 29_998;
  expect(budget.bytes()).toBe(8);
  clock.ms += 1;
  expect(budget.bytes()).toBe(7);
  clock.ms += 1;
  expect(budget.bytes()).toBe(0);
});

test("a body of which nobody takes a piece in 30 seconds ends", async () => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  onTestFinished(() => void vi.useRealTimers());
  const { budget } = start();
  const lease = budget.lease("alice");
  lease.grow(4);
  const isCancelled = Promise.withResolvers<unknown>();
  const body = new ReadableStream<Bytes>({ cancel: isCancelled.resolve });
  const { stream, ended } = streamBody(body, lease, [numbered(2), numbered(2)]);
  lease.release();
  const reader = stream.getReader();
  vi.advanceTimersByTime(29_999);
  expect((await reader.read()).value).toEqual(numbered(2));
  vi.advanceTimersByTime(29_999);
  expect(budget.bytes()).toBe(4);
  vi.advanceTimersByTime(1);
  await ended;
  expect([budget.bytes(), await isCancelled.promise]).toEqual([0, new Error("nobody reads it")]);
  await expect(reader.read()).rejects.toThrow("nobody reads it");
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

test("a stream holds its lease until what was read of its body is taken, and ends with it, whichever side ends it", async () => {
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
