// Prepares engines in a thread of its own: half of an import's work, beside the half that writes.
import { parentPort, workerData } from "node:worker_threads";
import type { User } from "../api/EngineStore.ts";
import type { EngineDocument } from "./EngineText.ts";
import { prepareDocuments, type Prepared, type PreparingOptions } from "./Preparing.ts";

/** What the thread is asked. */
export interface ThreadRequest {
  readonly documents: ReadonlyArray<EngineDocument>;
  /** Owners that it has not been told of yet. */
  readonly owners: ReadonlyArray<readonly [name: string, owner: User | string]>;
}

/** What it answers, in the order of the requests. */
export type ThreadAnswer = { readonly prepared: Prepared } | { readonly failure: unknown };

const options = workerData as PreparingOptions;
const owners = new Map<string, User | string>();

const answerTo = ({ documents, owners: more }: ThreadRequest): ThreadAnswer => {
  for (const [name, owner] of more) owners.set(name, owner);
  try {
    return { prepared: prepareDocuments(documents, options, owners, Date.now()) };
  } catch (failure) {
    return { failure };
  }
};

parentPort?.on("message", (request: ThreadRequest) => {
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread is no window
  parentPort?.postMessage(answerTo(request));
});
