// Decides: where the files of the docs page come from: the installed swagger-ui-dist.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { docsAssets } from "../api/Docs.ts";
import type { Endpoint } from "./AdminEndpoints.ts";

/** An endpoint per file; each is read when it is asked for. */
export const docsEndpoints: ReadonlyMap<string, Endpoint> = new Map(
  Object.entries(docsAssets).map(([name, type]): [string, Endpoint] => [
    `/docs/${name}`,
    async () => ({
      status: 200,
      headers: { "Content-Type": type, "X-Content-Type-Options": "nosniff", "Cache-Control": "public, max-age=86400" },
      body: await readFile(fileURLToPath(import.meta.resolve(`swagger-ui-dist/${name}`))),
      about: { endpoint: undefined, user: undefined },
    }),
  ]),
);
