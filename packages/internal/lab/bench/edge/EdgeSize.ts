// Figure: how large the deployed Worker is.
import { readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import type { Figure } from "../Figure.ts";
import { builtWorker } from "./EdgeStack.ts";

/** Largest bundle, gzip, in bytes: 70 KiB. */
const maxGzipBytes = 70 * 1024;

export const edgeSize: Figure = {
  name: "edge-size",
  title: "The deployed worker",
  promise: "one ES module of at most 70 KiB gzip.",
  measure: async () => {
    const bytes = await readFile(builtWorker);
    const gzip = gzipSync(bytes, { level: 9 }).length;
    return {
      columns: ["KiB", "KiB gzip"],
      rows: [
        {
          name: "apps/worker/dist/worker.js",
          cells: { KiB: (bytes.length / 1024).toFixed(1), "KiB gzip": (gzip / 1024).toFixed(1) },
          promised: gzip <= maxGzipBytes,
        },
      ],
      notes: [],
    };
  },
};
