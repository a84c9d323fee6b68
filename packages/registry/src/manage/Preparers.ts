// Decides: where the texts of a stream are prepared: here while they are few, beside the writing when they are many.
import { Worker } from "node:worker_threads";
import type { User } from "../api/EngineStore.ts";
import type { EngineDocument } from "./EngineText.ts";
import { prepareDocuments, type Owners, type Prepared, type PreparingOptions } from "./Preparing.ts";
import type { ThreadAnswer, ThreadRequest } from "./PreparingThread.ts";

/** Chunks after which a thread is worth its start. */
const chunksHere = 4;

/** Chunks that are on their way through the thread. */
const chunksAhead = 4;

/**
 * What comes of the chunks of a stream, in their order. `ownerOf` finds or makes the user of a name, or says why there can be
 * none.
 */
export const preparedIn = async function* (
  chunks: AsyncIterable<ReadonlyArray<EngineDocument>>,
  options: PreparingOptions,
  ownerOf: (name: string) => User | string,
): AsyncGenerator<Prepared> {
  const owners = new Map<string, User | string>();
  let thread: Thread | undefined;
  const prepare = async (documents: ReadonlyArray<EngineDocument>): Promise<Prepared> => {
    const once = thread === undefined ? here(options, owners) : thread.prepare;
    const prepared = await once(documents);
    if (prepared.unknown.length === 0) return prepared;
    for (const name of prepared.unknown) owners.set(name, owners.get(name) ?? ownerOf(name));
    return once(documents);
  };
  const ahead: Array<Promise<Prepared>> = [];
  try {
    let count = 0;
    for await (const documents of chunks) {
      count += 1;
      if (count > chunksHere) thread ??= new Thread(options, owners);
      const coming = prepare(documents);
      // Whoever waits for it is told; until then it is nobody's.
      coming.catch(() => {});
      ahead.push(coming);
      while (ahead.length > (thread === undefined ? 0 : chunksAhead)) yield await (ahead.shift() as Promise<Prepared>);
    }
    for (const prepared of ahead) yield await prepared;
  } finally {
    await thread?.end();
  }
};

const here =
  (options: PreparingOptions, owners: Owners) =>
  async (documents: ReadonlyArray<EngineDocument>): Promise<Prepared> =>
    prepareDocuments(documents, options, owners, Date.now());

/** The sources as they are, the built files, or the command's bundle. */
const script = new URL(`./PreparingThread${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);

interface Waiting {
  readonly documents: ReadonlyArray<EngineDocument>;
  readonly resolve: (prepared: Prepared | Promise<Prepared>) => void;
  readonly reject: (failure: unknown) => void;
}

class Thread {
  readonly #worker: Worker;
  readonly #owners: Owners;
  readonly #here: (documents: ReadonlyArray<EngineDocument>) => Promise<Prepared>;
  readonly #told = new Set<string>();
  readonly #waiting: Array<Waiting> = [];
  #isGone = false;

  constructor(options: PreparingOptions, owners: Owners) {
    this.#owners = owners;
    this.#here = here(options, owners);
    this.#worker = new Worker(script, { workerData: options });
    this.#worker.on("message", (answer: ThreadAnswer) => {
      const waiting = this.#waiting.shift();
      if ("failure" in answer) waiting?.reject(answer.failure);
      else waiting?.resolve(answer.prepared);
    });
    // Where its file is not (in somebody's bundle), or it ran out of memory, the work is done without it.
    this.#worker.on("error", () => {
      this.#isGone = true;
      for (const { documents, resolve } of this.#waiting.splice(0)) resolve(this.#here(documents));
    });
  }

  readonly prepare = (documents: ReadonlyArray<EngineDocument>): Promise<Prepared> => {
    if (this.#isGone) return this.#here(documents);
    const owners = [...this.#owners].filter(([name]) => !this.#told.has(name));
    for (const [name] of owners) this.#told.add(name);
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window
    this.#worker.postMessage({ documents, owners } satisfies ThreadRequest);
    return new Promise((resolve, reject) => {
      this.#waiting.push({ documents, resolve, reject });
    });
  };

  readonly end = async (): Promise<void> => {
    await this.#worker.terminate();
  };
}
