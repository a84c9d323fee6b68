// Decides: where the files of the docs page come from: the installed swagger-ui-dist.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { Endpoint } from "./AdminEndpoints.ts";

/** Read when it is asked for: most registries never show their page. */
const endpoint =
  (url: () => string, type: string): Endpoint =>
  async () => ({
    status: 200,
    headers: { "Content-Type": type, "X-Content-Type-Options": "nosniff", "Cache-Control": "public, max-age=86400" },
    body: await readFile(fileURLToPath(url())),
    about: { endpoint: undefined, user: undefined },
  });

/** An endpoint per file. */
export const docsEndpoints: ReadonlyMap<string, Endpoint> = new Map([
  [
    "/docs/swagger-ui.css",
    endpoint(() => import.meta.resolve("swagger-ui-dist/swagger-ui.css"), "text/css; charset=utf-8"),
  ],
  [
    "/docs/swagger-ui-bundle.js",
    endpoint(() => import.meta.resolve("swagger-ui-dist/swagger-ui-bundle.js"), "text/javascript; charset=utf-8"),
  ],
]);
