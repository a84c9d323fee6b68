// Reads the Worker that `pnpm build` has left.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";

/** Its file. */
export const builtFile = fileURLToPath(new URL("../dist/worker.js", import.meta.url));

/** The built Worker as one ES module. Rejects with an Error that says what to do where there is none. */
export const builtWorker = async (): Promise<string> => {
  try {
    return await readFile(builtFile, "utf8");
  } catch (error) {
    throw new Error(`${builtFile} is missing: run pnpm build first.`, { cause: error });
  }
};
