import { create, toBinary } from "@bufbuild/protobuf";
import { EngineSchema, RetryInfoSchema, StatusSchema } from "@bytenite-engines/proto";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { expect, test } from "vitest";
import { createEngineClient, EngineError, toJson } from "../src/json.ts";
import { memoryServer } from "../src/MemoryServer.ts";
import type { Fetch, FetchInit } from "../src/promise.ts";

const baseUrl = "http://127.0.0.1:4010/v1/dev";

interface Sent {
  readonly method: string;
  readonly target: string;
  readonly accept: string | undefined;
  readonly body: string;
}

/** A `fetch` that notes what is sent. */
const noting = (fetch: Fetch) => {
  const sent: Array<Sent> = [];
  const noted: Fetch = (url, init) => {
    const { method = "GET", headers, body } = init as FetchInit & { readonly headers: Record<string, string> };
    const text = body instanceof Uint8Array ? new TextDecoder().decode(body) : "";
    sent.push({ method, target: url.slice(baseUrl.length), accept: headers["accept"], body: text });
    return fetch(url, init);
  };
  return { fetch: noted, sent };
};

const answering =
  (...answers: ReadonlyArray<() => Response>): Fetch =>
  () => {
    const next = answers[Math.min(count++, answers.length - 1)];
    return Promise.resolve((next ?? (() => new Response()))());
  };
let count = 0;

const accept = "application/json";

test("the calls ask for JSON, and only for it", async () => {
  const server = noting(memoryServer({ engines: [{ name: "a", version: "1.0", status: "active" }] }).fetch);
  const client = createEngineClient({ baseUrl, fetch: server.fetch });
  expect((await client.list({ limit: 1 })).engines.map(toJson)).toMatchObject([{ name: "a", isPublic: false }]);
  expect(await client.get("a")).toMatchObject({ $typeName: "bytenite.engine.Engine", version: "1.0" });
  expect((await client.status("a@1")).engineStatus).toBe("active");
  const { format, requests, data } = await client.withResponse.get("a");
  expect([format, requests, data.name]).toEqual(["json", 1, "a"]);
  await client.deactivate("a@1.0", { engineId: "id-1", engineData: new Uint8Array([1, 2]) }).catch(() => {});
  await client.activate("a@1.0").catch(() => {});
  expect(server.sent).toEqual([
    { method: "GET", target: "/engines?pagination.limit=1", accept, body: "" },
    { method: "GET", target: "/engines/a", accept, body: "" },
    { method: "GET", target: "/engines/a@1/status", accept, body: "" },
    { method: "GET", target: "/engines/a", accept, body: "" },
    { method: "POST", target: "/engines/a@1.0/deactivate", accept, body: '{"engineId":"id-1","engineData":"AQI="}' },
    { method: "POST", target: "/engines/a@1.0/activate", accept, body: "{}" },
  ]);
});

test("a call is sent again after 503, and fails with what a 404 says", async () => {
  count = 0;
  const fetch = answering(
    () => new Response("", { status: 503, headers: { "retry-after-ms": "1" } }),
    () => Response.json({ name: "a" }),
    () => Response.json({ code: 5, message: "no engine b", details: [] }, { status: 404 }),
  );
  const client = createEngineClient({ baseUrl, fetch });
  expect(await client.withResponse.get("a")).toMatchObject({ attempts: 2, data: { name: "a" } });
  const error = await client.get("b").catch((cause: unknown) => cause);
  expect(error).toBeInstanceOf(EngineError);
  expect(error).toMatchObject({ reason: { _tag: "NotFound" }, serverMessage: "no engine b", attempts: 1 });
});

test("protobuf is a failure that says so, and a Status in it one by its HTTP status", async () => {
  const headers = { "content-type": "application/x-protobuf" };
  const engine = toBinary(EngineSchema, create(EngineSchema, { name: "a" }));
  const retry = anyPack(RetryInfoSchema, create(RetryInfoSchema, { retryDelay: { seconds: 1n } }));
  const status = toBinary(StatusSchema, create(StatusSchema, { code: 5, message: "no", details: [retry] }));
  count = 0;
  const fetch = answering(
    () => new Response(engine, { headers }),
    () => new Response(engine, { headers }),
    () => new Response(status, { status: 404, headers }),
  );
  const client = createEngineClient({ baseUrl, fetch, retry: { baseDelayMs: 0 } });
  const undecodable = { _tag: "Undecodable", problem: "it is protobuf, and this client reads JSON only" };
  await expect(client.get("a")).rejects.toMatchObject({ reason: undecodable });
  await expect(client.get("a")).rejects.toMatchObject({ reason: { _tag: "NotFound" }, code: "NOT_FOUND" });
});

test("options that need protobuf are refused before anything is sent", async () => {
  const server = noting(memoryServer({ engines: [] }).fetch);
  const options = { baseUrl, fetch: server.fetch };
  expect(() => createEngineClient({ ...options, protobufVerification: {} } as object)).toThrow("protobufVerification");
  const refusal = { reason: { _tag: "InvalidArgument" }, attempts: 0, serverMessage: /core\/promise/ };
  const byClient = createEngineClient({ ...options, format: "protobuf" } as object);
  const error = await byClient.get("a").catch((cause: unknown) => cause);
  expect(error).toMatchObject({ ...refusal, serverMessage: expect.stringMatching(refusal.serverMessage) as unknown });
  await expect(createEngineClient(options).activate("a", { format: "protobuf" })).rejects.toMatchObject({
    reason: { _tag: "InvalidArgument" },
  });
  expect(server.sent).toEqual([]);
});
