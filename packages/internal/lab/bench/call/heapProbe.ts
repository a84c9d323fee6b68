// `node --expose-gc heapProbe.ts ORIGIN KIND CALLS`: heap after each tenth of the calls.
import { getEventListeners } from "node:events";
import { createEngineClient } from "@bytenite-engines/core/promise";

const [, , origin = "", kind = "", calls = "0"] = process.argv;

const token = "bench-token";
const good = createEngineClient({ baseUrl: `${origin}/v1/dev`, token });
const refused = createEngineClient({ baseUrl: `${origin}/refused`, token, retry: { baseDelayMs: 0 } });
const lasting = new AbortController();

/** Listeners left on the signals of aborted calls, each of which has its own. */
let listenersOfAborted = 0;

/** Failed calls are meant to fail. */
const ignored = (): void => {};

const kinds: Readonly<Record<string, (slot: number) => Promise<unknown>>> = {
  succeeding: (slot) => good.get(`zipper-${slot}@0.1`, { signal: lasting.signal }),
  failing: (slot) => refused.get(`zipper-${slot}@0.1`, { signal: lasting.signal }).catch(ignored),
  aborted: async (slot) => {
    const controller = new AbortController();
    const { signal } = controller;
    const call = good.get(`zipper-${slot}@0.1`, { signal }).catch(ignored);
    setImmediate(() => controller.abort());
    await call;
    listenersOfAborted += getEventListeners(signal, "abort").length;
  },
};

const run = async (count: number): Promise<void> => {
  let left = count;
  const worker = async (slot: number): Promise<void> => {
    while (left > 0) {
      left -= 1;
      await kinds[kind]?.(slot);
    }
  };
  await Promise.all(Array.from({ length: 16 }, (_, slot) => worker(slot)));
};

const heapBytes = async (): Promise<number> => {
  // Finalizers run between turns of the loop, and free what the next collection takes.
  for (let turn = 0; turn < 3; turn++) {
    globalThis.gc?.();
    await new Promise((resolve) => void setImmediate(resolve));
  }
  return process.memoryUsage().heapUsed;
};

const parts = 10;
const heap: Array<number> = [];
for (let part = 0; part < parts; part++) {
  await run(Number(calls) / parts);
  heap.push(await heapBytes());
}
const timers = process.getActiveResourcesInfo().filter((resource) => resource === "Timeout").length;
const listeners = getEventListeners(lasting.signal, "abort").length + listenersOfAborted;
process.stdout.write(JSON.stringify({ heap, timers, listeners }));
