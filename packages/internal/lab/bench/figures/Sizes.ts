// Figures: bundle sizes, compared with other clients, and the deployed Worker.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { builtLimits, bundleLimits, bundleSize, kilobytes } from "../BundleSize.ts";
import type { Figure, FigureRow } from "../Figure.ts";

const root = fileURLToPath(new URL("../../../../../", import.meta.url));
const here = fileURLToPath(new URL("../../", import.meta.url));

/** Source that uses a peer for the three calls. */
const peers: Readonly<Record<string, string>> = {
  "connect-es, the three rpcs": `
    import { createClient } from "@connectrpc/connect";
    import { createConnectTransport } from "@connectrpc/connect-web";
    import { Developer } from "@bytenite-engines/proto/service";
    export const client = createClient(Developer, createConnectTransport({ baseUrl: "https://a.example" }));`,
  "openapi-fetch": `
    import createClient from "openapi-fetch";
    export const client = createClient({ baseUrl: "https://a.example" });`,
  "Stainless SDK (openai)": `
    import OpenAI from "openai";
    export const client = new OpenAI({ apiKey: "x" });`,
  ky: `
    import ky from "ky";
    export const client = ky.create({});`,
  "protobuf-es, decoding the three answers": `
    import { fromBinary } from "@bufbuild/protobuf";
    import { EngineListResponseSchema, EngineMessageSchema, EngineSchema } from "@bytenite-engines/proto";
    export const read = (bytes) => [EngineListResponseSchema, EngineMessageSchema, EngineSchema].map((s) => fromBinary(s, bytes));`,
};

const sizeOfSource = async (source: string): Promise<number> => {
  // In this folder, so that its dependencies are found.
  const folder = mkdtempSync(join(here, ".size-"));
  try {
    const entry = join(folder, "entry.js");
    writeFileSync(entry, source);
    return await bundleSize(entry);
  } finally {
    rmSync(folder, { recursive: true });
  }
};

export const sizes: Figure = {
  name: "sizes",
  title: "Sizes in a bundle",
  promise:
    "the promise entry, everything reachable by default, at most 48 kB; opt-in parts cost nothing unless imported.",
  measure: async () => {
    const rows: Array<FigureRow> = [];
    for (const [entry, limit] of Object.entries(bundleLimits)) {
      const size = await bundleSize(join(root, entry));
      rows.push({
        name: entry,
        cells: { "kB min+gzip": kilobytes(size), limit: kilobytes(limit) },
        promised: size <= limit,
      });
    }
    for (const [name, source] of Object.entries(peers)) {
      rows.push({ name, cells: { "kB min+gzip": kilobytes(await sizeOfSource(source)) } });
    }
    return {
      columns: ["kB min+gzip", "limit"],
      rows,
      notes: ["Bundled for browsers, gzip level 9; 1 kB is 1,000 bytes."],
    };
  },
};

const worker = "apps/worker/dist/worker.js";

export const edgeSize: Figure = {
  name: "edge-size",
  title: "The deployed worker",
  promise: "one ES module of at most 70 KiB gzip.",
  measure: async () => {
    const bytes = readFileSync(join(root, worker));
    const gzip = gzipSync(bytes, { level: 9 }).length;
    return {
      columns: ["KiB", "KiB gzip"],
      rows: [
        {
          name: worker,
          cells: { KiB: (bytes.length / 1024).toFixed(1), "KiB gzip": (gzip / 1024).toFixed(1) },
          promised: gzip <= builtLimits[worker],
        },
      ],
      notes: [],
    };
  },
};
