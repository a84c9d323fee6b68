// Import thread that prepares engines.
import { parentPort, workerData } from "node:worker_threads";
import type { User } from "../api/EngineStore.ts";
import { bytesIn, type ThreadRequest } from "./PreparingThread.ts";
import { prepareDocuments, type PreparingOptions } from "./Preparing.ts";

const options = workerData as PreparingOptions;
const owners = new Map<string, User | string>();

parentPort?.on("message", ({ documents, owners: more }: ThreadRequest) => {
  for (const [name, owner] of more) owners.set(name, owner);
  const prepared = prepareDocuments(documents, options, owners, Date.now());
  parentPort?.postMessage(prepared, bytesIn(prepared));
});
