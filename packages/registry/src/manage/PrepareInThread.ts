// Import thread that prepares engines.
import { parentPort, workerData } from "node:worker_threads";
import type { User } from "../api/EngineStore.ts";
import { bytesIn, type ThreadAnswer, type ThreadRequest } from "./PreparingThread.ts";
import { prepareDocuments, type PreparingOptions } from "./Preparing.ts";

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
  const answer = answerTo(request);
  parentPort?.postMessage(answer, "prepared" in answer ? bytesIn(answer.prepared) : []);
});
