import { EventEmitter } from "node:events";
import { expect, test, vi } from "vitest";
import { preparedIn } from "./Preparers.ts";

const machine = vi.hoisted(() => ({ cores: 2, started: 0, ended: 0 }));

vi.mock("node:os", () => ({ availableParallelism: () => machine.cores }));

// Behaviour of a bundle without the thread's file.
vi.mock("node:worker_threads", () => ({
  Worker: class extends EventEmitter {
    constructor() {
      super();
      machine.started += 1;
      setImmediate(() => this.emit("error", new Error("Cannot find module")));
    }
    readonly postMessage = (): void => {};
    readonly terminate = async (): Promise<number> => (machine.ended += 1);
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

test.for<[cores: number, chunks: number, threads: number, read: ReadonlyArray<number>]>([
  [2, 4, 0, [1, 2, 3, 4]],
  [1, 9, 1, [1, 2, 3, 4, 8, 9, 9, 9, 9]],
  [2, 5, 1, [1, 2, 3, 4, 5]],
  [2, 13, 2, [1, 2, 3, 4, 11, 12, 13, 13, 13, 13, 13, 13, 13]],
  [8, 13, 2, [1, 2, 3, 4, 11, 12, 13, 13, 13, 13, 13, 13, 13]],
])(
  "with %i cores %i chunks take %i threads, and when each is taken, %j were read",
  async ([cores, count, ...expected]) => {
    Object.assign(machine, { cores, started: 0, ended: 0 });
    let read = 0;
    const counted = async function* () {
      for await (const chunk of chunks(count)) {
        read += 1;
        yield chunk;
      }
    };
    const taken: Array<number> = [];
    for await (const { ready } of preparedIn(counted(), {}, ownerOf)) taken.push(ready.length * read);
    expect([machine.started, taken]).toEqual(expected);
    expect(machine.ended).toBe(machine.started);
  },
);

const ownerOfFew = (name: string) => {
  if (!/"user-[0-4]"/.test(name)) throw new Error(`no ${name}`);
  return ownerOf(name);
};

test("the first failure is that of the stream, and the others are nobody's", async () => {
  const prepared = preparedIn(chunks(20), {}, ownerOfFew);
  for (let chunk = 0; chunk < 5; chunk++) expect((await prepared.next()).done).toBe(false);
  await expect(prepared.next()).rejects.toThrow('no ["user-5",""]');
});
