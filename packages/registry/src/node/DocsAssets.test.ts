import { expect, test } from "vitest";
import type { RequestHead } from "../api/Answer.ts";
import { docsEndpoints } from "./DocsAssets.ts";

const head = (method: string) => ({ method }) as RequestHead;

test.for([
  ["/docs/swagger-ui.css", "text/css; charset=utf-8", /\.swagger-ui/],
  ["/docs/swagger-ui-bundle.js", "text/javascript; charset=utf-8", /SwaggerUIBundle/],
] as const)("%s is read, and cached for a day", async ([path, type, text]) => {
  const endpoint = docsEndpoints.get(path);
  const answer = await endpoint?.(head("GET"));
  expect(answer?.headers).toMatchObject({ "Content-Type": type, "Cache-Control": "public, max-age=86400" });
  expect(answer?.body.toString()).toMatch(text);
  expect((await endpoint?.(head("GET")))?.body).toBe(answer?.body);
  expect((await endpoint?.(head("POST")))?.status).toBe(405);
});
