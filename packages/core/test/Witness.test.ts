// What a second request in JSON says to caches on the way.
import { expect, test } from "vitest";
import { createEngineClient } from "../src/promise.ts";
import { encode, endpoints } from "../src/wire.ts";
import { startServer } from "@bytenite-engines/test-kit/ports";
import { trainer, zipper } from "./verify/Samples.ts";

const schema = endpoints.get.response;

/** A server without a digest; its two forms are of one engine, or of two. */
const twoForms = (trace: Record<string, string>, isSame: boolean) =>
  startServer(({ headers }, response) => {
    const format = headers.accept === "application/json" ? "json" : "protobuf";
    response.writeHead(200, { "content-type": headers.accept ?? "", ...trace });
    response.end(encode(schema, format === "json" && !isSame ? trainer : zipper, format));
  });

test.for<[name: string, trace: Record<string, string>, isSame: boolean, said: ReadonlyArray<string | undefined>]>([
  ["nothing where no cache shows", {}, true, [undefined, undefined]],
  ["no-transform where one does", { "cache-status": "edge; hit" }, true, [undefined, "no-transform"]],
  ["the same by its age", { age: "3" }, true, [undefined, "no-transform"]],
  ["nothing where the formats do not fit, and no cache shows", {}, false, [undefined, undefined]],
])("a request in the other format asks caches for %s", async ([, trace, isSame, said]) => {
  await using server = await twoForms(trace, isSame);
  const client = createEngineClient({ baseUrl: server.baseUrl, token: "t" });
  expect((await client.get("zipper@0.1")).name).toBe(isSame ? "zipper" : "trainer");
  expect(server.requests.map(({ headers }) => headers["cache-control"])).toEqual(said);
});
