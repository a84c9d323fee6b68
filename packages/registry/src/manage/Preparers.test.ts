import { EventEmitter } from "node:events";
import { expect, test, vi } from "vitest";
import { preparedIn } from "./Preparers.ts";

// Behaviour of a bundle without the thread's file.
vi.mock("node:worker_threads", () => ({
  Worker: class extends EventEmitter {
    constructor() {
      super();
      setImmediate(() => this.emit("error", new Error("Cannot find module")));
    }
    readonly postMessage = (): void => {};
    readonly terminate = async (): Promise<number> => 0;
  },
}));

const chunks = async function* (count: number) {
  for (let at = 0; at < count; at++) {
    const text = JSON.stringify({ id: "a", name: `engine-${at}`, version: "0.1", userName: `user-${at}` });
    yield [{ text, source: `stdin line ${at}` }];
  }
};

const ownerOf = (name: string) => ({ number: 1, id: name, name });

test("without its thread, a stream is prepared all the same, in its order", async () => {
  const names: Array<string> = [];
  for await (const { ready, problems } of preparedIn(chunks(20), {}, ownerOf)) {
    expect(problems).toEqual([]);
    names.push(...ready.map(({ prepared }) => prepared.secret.name));
  }
  expect(names).toEqual(Array.from({ length: 20 }, (_, at) => `engine-${at}`));
});
