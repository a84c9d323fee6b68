// Choice between preparing in this thread and in others.
import { availableParallelism } from "node:os";
import type { User } from "../api/EngineStore.ts";
import type { EngineDocument } from "./EngineText.ts";
import { prepareDocuments, type Prepared, type PreparingOptions } from "./Preparing.ts";
import { startPreparingThread, type KnownOwners, type PreparingThread } from "./PreparingThread.ts";

/** Chunks after which threads are worth their start. */
const chunksHere = 4;

/** Preparing takes twice as long as writing, so two threads keep the writing one busy. */
const maxThreads = 2;

/** Concurrent chunks of one thread. */
const chunksAhead = 3;

/**
 * Prepares the chunks of a stream and yields the results in order. `ownerOf` finds or creates the user of a name, or returns
 * the reason why it cannot.
 */
export const preparedIn = async function* (
  chunks: AsyncIterable<ReadonlyArray<EngineDocument>>,
  options: PreparingOptions,
  ownerOf: (name: string) => User | string,
): AsyncGenerator<Prepared> {
  const owners: KnownOwners = { byName: new Map(), inOrder: [] };
  const threads: Array<PreparingThread> = [];
  const here = async (documents: ReadonlyArray<EngineDocument>): Promise<Prepared> =>
    prepareDocuments(documents, options, owners.byName, Date.now());
  const prepare = async (
    once: PreparingThread["prepare"],
    documents: ReadonlyArray<EngineDocument>,
  ): Promise<Prepared> => {
    const prepared = await once(documents);
    if (prepared.unknown.length === 0) return prepared;
    for (const name of prepared.unknown) {
      if (owners.byName.has(name)) continue;
      const owner = ownerOf(name);
      owners.byName.set(name, owner);
      owners.inOrder.push([name, owner]);
    }
    return once(documents);
  };
  const ahead: Array<Promise<Prepared>> = [];
  try {
    let count = 0;
    for await (const documents of chunks) {
      count += 1;
      if (count > chunksHere && threads.length < Math.min(maxThreads, availableParallelism())) {
        threads.push(startPreparingThread(options, owners, here));
      }
      const coming = prepare(threads[count % threads.length]?.prepare ?? here, documents);
      // The consumer gets the error later; until then it must not count as unhandled.
      coming.catch(() => {});
      ahead.push(coming);
      while (ahead.length > threads.length * chunksAhead) yield await (ahead.shift() as Promise<Prepared>);
    }
    for (const prepared of ahead) yield await prepared;
  } finally {
    await Promise.all(threads.map(async (thread) => thread.end()));
  }
};
