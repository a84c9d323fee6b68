// The files of the docs page, from the installed swagger-ui-dist.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { docsAnswer } from "../api/Docs.ts";
import { otherMethod } from "../api/Web.ts";
import type { Endpoint } from "./AdminEndpoints.ts";

const daySeconds = 86_400;

/** Read at the first request and then shared: most registries never show their page. */
const endpoint = (url: () => string, type: string): Endpoint => {
  let bytes: Promise<Buffer> | undefined;
  const read = async (): Promise<Buffer> => readFile(fileURLToPath(url()));
  return async (head) => {
    const other = otherMethod(head.method, ["GET"]);
    if (other !== undefined) return other;
    bytes ??= read();
    // A file that is missing now may be there later.
    bytes.catch(() => (bytes = undefined));
    return docsAnswer(type, await bytes, daySeconds);
  };
};

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
