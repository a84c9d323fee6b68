// Recorded traffic of versions before uploads, against today's.
import { createServer } from "node:http";
import { createEngineClient, EngineError } from "@bytenite-engines/core/promise";
import { decode, encodeJson, type Format } from "@bytenite-engines/core/wire";
import { EngineListResponseSchema, EngineMessageSchema, EngineSchema, StatusSchema } from "@bytenite-engines/proto";
import { startRegistry } from "@bytenite-engines/registry/testing";
import { close, listen } from "@bytenite-engines/test-kit";
import { expect, test } from "vitest";
import former from "../src/lifecycle/formerVersion.json" with { type: "json" };

type Read = (typeof former.reads)[number];

const bytesOf = ({ contentType, body }: Pick<Read, "contentType" | "body">): Buffer<ArrayBuffer> =>
  Buffer.from(body, contentType === "application/json" ? "utf8" : "base64");

const schemaOf = ({ target, status }: Read) => {
  if (status !== 200) return StatusSchema;
  if (target.endsWith("/status")) return EngineMessageSchema;
  return target === "/engines" ? EngineListResponseSchema : EngineSchema;
};

/** The JSON of a response, without the hashes of archives: samples had none. */
const jsonOf = (read: Read, bytes: Uint8Array, contentType: string | null): unknown => {
  const format: Format = contentType === "application/json" ? "json" : "protobuf";
  const schema = schemaOf(read);
  const text = JSON.stringify(encodeJson(schema, decode(schema, new Uint8Array(bytes), format) as never));
  return JSON.parse(text.replaceAll(/"hash":"[^"]*"/g, '"hash":""'));
};

test("the registry answers recorded requests of an earlier bne as it did then", async () => {
  await using registry = await startRegistry();
  for (const read of former.reads) {
    const response = await fetch(registry.url + read.target, { headers: read.headers });
    const { status, headers } = response;
    expect([read.target, status, headers.get("content-type"), headers.get("bytenite-schema-digest")]).toEqual([
      read.target,
      read.status,
      read.contentType,
      read.schemaDigest ?? null,
    ]);
    const now = jsonOf(read, new Uint8Array(await response.arrayBuffer()), headers.get("content-type"));
    expect(now).toEqual(jsonOf(read, bytesOf(read), read.contentType));
  }
});

/** Why a call failed: reason, status, attempts. */
const reasonOf = (call: Promise<unknown>): Promise<unknown> =>
  call.then(
    () => "done",
    (error: unknown) => (error instanceof EngineError ? [error.reason._tag, error.status, error.attempts] : error),
  );

test("the client reads from a registry older than uploads, and names the calls that it does not offer", async () => {
  const asked: Array<string> = [];
  const server = createServer((request, response) => {
    request.resume().on("end", () => {
      const target = (request.url ?? "").replace("/v1/dev", "");
      asked.push(`${request.method} ${target}`);
      const read = former.reads.find(
        (row) => request.method === "GET" && row.target === target && row.headers.accept === request.headers.accept,
      );
      const refusal = former.refusals.find((row) => row.method === request.method && row.target === target);
      response.setHeader("content-type", read?.contentType ?? "application/json");
      if (read?.schemaDigest !== undefined) response.setHeader("bytenite-schema-digest", read.schemaDigest);
      response
        .writeHead(read?.status ?? refusal?.status ?? 404)
        .end(read === undefined ? (refusal?.body ?? "") : bytesOf(read));
    });
  });
  const client = createEngineClient({ baseUrl: `${await listen(server)}/v1/dev`, token: "local-alice" });
  expect((await client.list()).engines.map(({ name }) => name)).toContain("zipper");
  expect(await client.get("zipper")).toMatchObject({ name: "zipper", version: "0.1" });
  expect(await client.status("zipper@0.1")).toMatchObject({ engineStatus: "active" });
  expect(await reasonOf(client.get("nothing"))).toEqual(["NotFound", 404, 1]);
  expect(await reasonOf(client.upload(new Uint8Array(10), { tag: "zipper@0.1" }))).toEqual(["Unimplemented", 405, 1]);
  // Above 32 MiB a link is asked for first.
  asked.length = 0;
  expect(await reasonOf(client.upload(new Uint8Array(33 * 1_048_576)))).toEqual(["Unimplemented", 405, 1]);
  expect(asked).toEqual(["POST /uploads", "POST /engines"]);
  for (const name of ["activate", "deactivate", "download"] as const) {
    expect(await reasonOf(client[name]("zipper@0.1"))).toEqual(["NotFound", 404, 1]);
  }
  await close(server);
});
