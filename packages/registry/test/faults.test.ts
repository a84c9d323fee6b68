import { fromBinary } from "@bufbuild/protobuf";
import { EngineSchema, RetryInfoSchema, StatusSchema } from "@bytenite-engines/proto";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { decode, schemaDigestHeader, schemaDigests } from "@bytenite-engines/core/wire";
import { expect, test } from "vitest";
import { startRegistry, type Hint } from "../src/testing.ts";
import { archiveOf } from "@bytenite-engines/test-kit/archives";
import { send } from "./archives.ts";
import { get, rawExchange, struck } from "./struck.ts";

test("a status fault answers a Status in the form that was asked for", async () => {
  await using registry = await struck({ status: 503, message: "down for a moment" });
  const json = await get(registry, "/engines");
  expect(json.status).toBe(503);
  expect(await json.json()).toEqual({ code: 14, message: "down for a moment", details: [] });
  const binary = await get(registry, "/engines", { Accept: "application/x-protobuf" });
  expect(binary.headers.get("content-type")).toBe("application/x-protobuf");
  const status = fromBinary(StatusSchema, new Uint8Array(await binary.arrayBuffer()));
  expect(status).toMatchObject({ code: 14, message: "down for a moment" });
});

test.for([
  ["retry-after", { kind: "retry-after", seconds: 7 }, "retry-after", /^7$/],
  ["grpc-metadata", { kind: "grpc-metadata-retry-after", seconds: 7 }, "grpc-metadata-retry-after", /^7$/],
  ["retry-after-ms", { kind: "retry-after-ms", ms: 250 }, "retry-after-ms", /^250$/],
  [
    "imf",
    { kind: "retry-after-date", seconds: 60, form: "imf-fixdate" },
    "retry-after",
    /^\w{3}, \d\d \w{3} \d{4} .* GMT$/,
  ],
  [
    "rfc850",
    { kind: "retry-after-date", seconds: 60, form: "rfc850" },
    "retry-after",
    /^\w+day, \d\d-\w{3}-\d\d .* GMT$/,
  ],
  [
    "asctime",
    { kind: "retry-after-date", seconds: 60, form: "asctime" },
    "retry-after",
    /^\w{3} \w{3} [ \d]\d [\d:]+ \d{4}$/,
  ],
] satisfies ReadonlyArray<[string, Hint, string, RegExp]>)("the hint %s is sent", async ([, hint, header, form]) => {
  await using registry = await struck({ status: 429, hint });
  const value = (await get(registry, "/engines")).headers.get(header) ?? "";
  expect(value).toMatch(form);
});

test.for(["imf-fixdate", "rfc850", "asctime"] as const)(
  "a date in the form %s says the time that is meant",
  async (form) => {
    await using registry = await struck({ status: 429, hint: { kind: "retry-after-date", seconds: 60, form } });
    const value = (await get(registry, "/engines")).headers.get("retry-after") ?? "";
    const seconds = (Date.parse(form === "asctime" ? `${value} GMT` : value) - Date.now()) / 1_000;
    expect(seconds).toBeGreaterThan(50);
    expect(seconds).toBeLessThanOrEqual(60);
  },
);

test("RetryInfo is sent as a detail of the Status, in both forms", async () => {
  await using registry = await struck({ status: 429, hint: { kind: "retry-info", ms: 1_500 } });
  expect(await (await get(registry, "/engines")).json()).toMatchObject({
    details: [{ "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "1.500s" }],
  });
  const binary = await get(registry, "/engines", { Accept: "application/x-protobuf" });
  const [detail] = fromBinary(StatusSchema, new Uint8Array(await binary.arrayBuffer())).details;
  const info = detail === undefined ? undefined : anyUnpack(detail, RetryInfoSchema);
  expect(info?.retryDelay).toMatchObject({ seconds: 1n, nanos: 500_000_000 });
});

test("a reset before the headers, in them, after them and in the body tears the connection there", async () => {
  await using registry = await struck([
    { reset: "before-headers" },
    { reset: "in-headers" },
    { reset: "after-headers" },
    { reset: "in-body" },
  ]);
  expect(await rawExchange(registry)).toEqual({ text: "", reset: true });
  const inHeaders = await rawExchange(registry);
  expect(inHeaders.reset).toBe(true);
  expect(inHeaders.text).toMatch(/^HTTP\/1\.1 200/);
  expect(inHeaders.text).not.toContain("\r\n\r\n");
  const afterHeaders = await rawExchange(registry);
  expect(afterHeaders.reset).toBe(true);
  expect(afterHeaders.text).toMatch(/\r\n\r\n$/);
  const inBody = await rawExchange(registry);
  expect(inBody.reset).toBe(true);
  expect(inBody.text).toMatch(/\r\n\r\n\{"id"/);
  expect(inBody.text).not.toMatch(/\}$/);
  expect((await rawExchange(registry)).text).toMatch(/\}$/);
});

test("a body can be cut short under its full length, or have a length that is not its own", async () => {
  await using registry = await struck([{ cutBodyAfterBytes: 10 }, { contentLength: 5 }, { contentLength: 9_999 }]);
  await expect(get(registry, "/engines").then((answer) => answer.text())).rejects.toThrow("terminated");
  const shorter = await rawExchange(registry);
  expect(shorter.text).toContain("Content-Length: 5\r\n");
  expect(shorter.text.length).toBeGreaterThan(shorter.text.indexOf("\r\n\r\n") + 100);
  await expect(get(registry, "/engines").then((answer) => answer.text())).rejects.toThrow("terminated");
});

test("headers and body can arrive slowly, and still arrive whole", async () => {
  await using registry = await struck({ slow: { headersMs: 40, bodyMs: 40 } });
  const answer = await get(registry, "/engines/zipper");
  expect(await answer.json()).toMatchObject({ name: "zipper" });
});

test("a slow answer ends when the client goes away", async () => {
  await using registry = await struck({ slow: { bodyMs: 3_600_000 } });
  const leaving = new AbortController();
  const answer = await fetch(`${registry.url}/engines/zipper`, {
    headers: { Authorization: "local-alice" },
    signal: leaving.signal,
  });
  leaving.abort();
  await expect(answer.text()).rejects.toThrow("abort");
  await expect.poll(() => registry.requests[0]?.outcome).toBe("aborted");
});

test("bodies can be garbage, HTML, empty, given, or of any size", async () => {
  await using registry = await struck([
    { body: "garbage" },
    { body: "html", status: 502 },
    { body: "empty" },
    { body: { text: "{" } },
    { body: { base64: "AQID" } },
    { body: { bytes: 1_000_000 } },
  ]);
  const garbage = new Uint8Array(await (await get(registry, "/engines/zipper")).arrayBuffer());
  expect(() => decode(EngineSchema, garbage, "protobuf")).toThrow(/./);
  expect(() => decode(EngineSchema, garbage, "json")).toThrow(/./);
  const html = await get(registry, "/engines/zipper");
  expect([html.status, html.headers.get("content-type")]).toEqual([502, "text/html"]);
  expect(await html.text()).toContain("<html>");
  expect(await (await get(registry, "/engines")).text()).toBe("");
  expect(await (await get(registry, "/engines")).text()).toBe("{");
  expect([...new Uint8Array(await (await get(registry, "/engines")).arrayBuffer())]).toEqual([1, 2, 3]);
  expect((await (await get(registry, "/engines")).text()).length).toBe(1_000_000);
});

test("protobuf can be labelled JSON and the reverse", async () => {
  await using registry = await struck([{ contentType: "application/json" }, { contentType: "application/x-protobuf" }]);
  const binary = await get(registry, "/engines/zipper", { Accept: "application/x-protobuf" });
  expect(binary.headers.get("content-type")).toBe("application/json");
  expect(decode(EngineSchema, new Uint8Array(await binary.arrayBuffer()), "protobuf").name).toBe("zipper");
  const json = await get(registry, "/engines/zipper");
  expect(json.headers.get("content-type")).toBe("application/x-protobuf");
  expect(((await json.json()) as { name: string }).name).toBe("zipper");
});

test("the schema digest can be left out or be a lie", async () => {
  await using registry = await struck([{ schemaDigest: false }, { schemaDigest: "sha-256=:AAAA:" }]);
  expect((await get(registry, "/engines")).headers.get(schemaDigestHeader)).toBeNull();
  expect((await get(registry, "/engines")).headers.get(schemaDigestHeader)).toBe("sha-256=:AAAA:");
  const digest = schemaDigests["bytenite.developer.EngineListResponse"];
  expect((await get(registry, "/engines")).headers.get(schemaDigestHeader)).toBe(digest);
});

test("the clock can be wrong, and dates of hints follow it", async () => {
  const hour = 3_600_000;
  await using registry = await struck({
    clockSkewMs: hour,
    status: 503,
    hint: { kind: "retry-after-date", seconds: 10, form: "imf-fixdate" },
  });
  const { headers } = await get(registry, "/engines");
  const date = Date.parse(headers.get("date") ?? "");
  expect(date - Date.now()).toBeGreaterThan(hour - 60_000);
  expect(Date.parse(headers.get("retry-after") ?? "") - date).toBe(10_000);
});

test("an answer to HEAD has no body, whatever is wrong with it", async () => {
  await using registry = await struck({ contentLength: 5 });
  expect((await rawExchange(registry)).text).toMatch(/\r\nContent-Length: 5\r\n[^]*\r\n\r\n\{/);
  expect((await rawExchange(registry, "/engines/zipper", "HEAD")).text).toMatch(
    /\r\nContent-Length: 5\r\n[^{]*\r\n\r\n$/,
  );
});

test("faults strike the management API, by its name, user and token, and leave the rest alone", async () => {
  await using registry = await startRegistry({ users: [{ name: "root", token: "a-manage-token" }] });
  const asked = (path: string, headers: Record<string, string> = {}): Promise<Response> =>
    fetch(registry.origin + path, {
      headers: { Authorization: "a-manage-token", "Bytenite-Management": "1", ...headers },
    });
  const remove = registry.faults.add({
    on: { endpoint: "management", user: "root" },
    fault: { status: 503, hint: { kind: "retry-after", seconds: 3 } },
  });
  const struckOnce = await asked("/manage/v1/users");
  expect([struckOnce.status, struckOnce.headers.get("retry-after")]).toEqual([503, "3"]);
  expect((await asked("/v1/dev/engines")).status).toBe(200);
  remove();
  expect((await asked("/manage/v1/users")).status).toBe(403);
  registry.faults.add({ on: { endpoint: "management" }, fault: { reset: "in-body" } });
  await expect(asked("/manage/v1/statistics").then((answer) => answer.text())).rejects.toThrow(
    /fetch failed|terminated/,
  );
  expect((await asked("/openapi.json")).status).toBe(200);
});

test("every call of the lifecycle can be struck, and downloads by their link", async () => {
  await using registry = await startRegistry({ users: [{ name: "alice" }] });
  const tag = `${registry.url}/engines/hit@0.1`;
  const engineData = await archiveOf({ name: "hit", version: "0.1" });
  const uploadUrl = `${registry.url}/engines`;
  expect((await send(uploadUrl, "POST", "local-alice", "json", { engineData })).status).toBe(200);
  const link = String((await send(`${tag}/download`, "GET", "local-alice")).body["engineLink"]);
  registry.faults.set([{ on: { endpoint: "archive" }, fault: { cutBodyAfterBytes: 1_000 } }]);
  await expect(fetch(link).then((answer) => answer.arrayBuffer())).rejects.toThrow("terminated");
  const calls = [
    ["upload", () => send(uploadUrl, "POST", "local-alice", "json", { engineData })],
    ["activate", () => send(`${tag}/activate`, "POST", "local-alice")],
    ["deactivate", () => send(`${tag}/deactivate`, "POST", "local-alice")],
    ["download", () => send(`${tag}/download`, "GET", "local-alice")],
    ["auth", () => fetch(`${registry.origin}/v1/auth/access_token`, { method: "POST", body: "{}" })],
    ["get", () => fetch(tag, { method: "HEAD", headers: { Authorization: "local-alice" } })],
    ["upload-link", () => send(`${registry.url}/uploads`, "POST", "local-alice")],
    ["archive", () => fetch(link)],
    ["delete", () => send(tag, "DELETE", "local-alice")],
  ] as const;
  for (const [endpoint, call] of calls) {
    registry.faults.set([{ on: { endpoint }, times: 1, fault: { status: 418 } }]);
    expect([endpoint, (await call()).status]).toEqual([endpoint, 418]);
    expect([endpoint, (await call()).status]).not.toEqual([endpoint, 418]);
  }
});
