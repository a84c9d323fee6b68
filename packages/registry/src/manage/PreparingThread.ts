// Handle of an import thread.
import { Worker } from "node:worker_threads";
import { engineColumns } from "../api/EngineRow.ts";
import type { User } from "../api/EngineStore.ts";
import type { EngineDocument } from "./EngineText.ts";
import type { Prepared, PreparingOptions } from "./Preparing.ts";

/** Users found so far, by name and in the order of finding; a text is the reason why there is none. Grows. */
export interface KnownOwners {
  readonly byName: Map<string, User | string>;
  readonly inOrder: Array<readonly [name: string, owner: User | string]>;
}

/** Request to the thread, which answers with what it has prepared, in the order of the requests. */
export interface ThreadRequest {
  readonly documents: ReadonlyArray<EngineDocument>;
  /** Owners that the thread does not know yet. */
  readonly owners: KnownOwners["inOrder"];
}

const protobuf = engineColumns.indexOf("protobuf");

/** Buffers of the rows. */
export const bytesIn = ({ ready }: Prepared): Array<ArrayBuffer> => [
  ...new Set(ready.map(({ prepared: { row } }) => (row[protobuf] as Uint8Array<ArrayBuffer>).buffer)),
];

/** A thread that prepares. */
export interface PreparingThread {
  readonly prepare: (documents: ReadonlyArray<EngineDocument>) => Promise<Prepared>;
  readonly end: () => Promise<void>;
}

/** Entry of the thread: a source, a built file, or part of the command's bundle. */
const script = new URL(`./PrepareInThread${import.meta.url.endsWith(".ts") ? ".ts" : ".js"}`, import.meta.url);

interface Waiting {
  readonly documents: ReadonlyArray<EngineDocument>;
  readonly resolve: (prepared: Prepared | Promise<Prepared>) => void;
}

/** Starts a thread. `here` does the work if its file is missing (in a bundle), it runs out of memory, or fails. */
export const startPreparingThread = (
  options: PreparingOptions,
  owners: KnownOwners,
  here: PreparingThread["prepare"],
): PreparingThread => {
  const worker = new Worker(script, { workerData: options });
  const waiting: Array<Waiting> = [];
  let isGone = false;
  let sent = 0;
  worker.on("message", (prepared: Prepared) => waiting.shift()?.resolve(prepared));
  worker.on("error", () => {
    isGone = true;
    for (const { documents, resolve } of waiting.splice(0)) resolve(here(documents));
  });
  return {
    prepare: async (documents) => {
      if (isGone) return here(documents);
      const request: ThreadRequest = { documents, owners: owners.inOrder.slice(sent) };
      sent = owners.inOrder.length;
      // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is not a window
      worker.postMessage(request);
      return new Promise((resolve) => {
        waiting.push({ documents, resolve });
      });
    },
    end: async () => {
      await worker.terminate();
    },
  };
};
