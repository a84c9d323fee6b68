import { connect } from "node:net";
import { fromBinary, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { EngineSchema, RetryInfoSchema, StatusSchema } from "@bytenite-engines/proto";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { decode, schemaDigestHeader, schemaDigests } from "@bytenite-engines/core/wire";
import { expect, test } from "vitest";
import { startRegistry, type Fault, type FaultRule, type Hint, type TestRegistry } from "./testing.ts";

const get = (registry: TestRegistry, path: string, headers: Record<string, string> = {}): Promise<Response> =>
  fetch(registry.url + path, { headers: { Authorization: "local-alice", ...headers } });

const struck = async (
  fault: Fault | ReadonlyArray<Fault>,
  rest: Omit<FaultRule, "fault"> = {},
): Promise<TestRegistry> => startRegistry({ faults: [{ ...rest, fault }] });

/** All that a server sends on one connection, and how the connection ended. */
const rawExchange = (registry: TestRegistry, path = "/engines/zipper"): Promise<{ text: string; reset: boolean }> =>
  new Promise((resolve) => {
    let text = "";
    const socket = connect(Number(new URL(registry.url).port), "127.0.0.1");
    socket.on("data", (chunk) => (text += chunk.toString("latin1")));
    socket.on("error", () => resolve({ text, reset: true }));
    socket.on("end", () => resolve({ text, reset: false }));
    socket.write(`GET /v1/dev${path} HTTP/1.1\r\nHost: x\r\nAuthorization: local-alice\r\nConnection: close\r\n\r\n`);
  });

test("a registry starts on a free port with the trial users and ends by itself at the end of the block", async () => {
  let url: string;
  {
    await using registry = await startRegistry();
    url = registry.url;
    expect(registry.tokens).toEqual({ alice: "local-alice", bob: "local-bob" });
    expect((await get(registry, "/engines/zipper@0.1")).status).toBe(200);
  }
  await expect(fetch(url)).rejects.toThrow("fetch failed");
});

test("requests are written down with what they carried and how they ended", async () => {
  await using registry = await startRegistry();
  await (await get(registry, "/engines?pagination.limit=2", { "X-Trace": "abc" })).text();
  expect(registry.requests).toMatchObject([
    {
      method: "GET",
      path: "/v1/dev/engines",
      headers: { authorization: "local-alice", "x-trace": "abc" },
      status: 200,
      outcome: "answered",
    },
  ]);
  expect(registry.requests[0]?.query.get("pagination.limit")).toBe("2");
});

test("a client that goes away is written down as aborted", async () => {
  await using registry = await struck({ silent: true });
  const leaving = new AbortController();
  const call = fetch(`${registry.url}/engines`, { signal: leaving.signal });
  await expect.poll(() => registry.requests.length).toBe(1);
  leaving.abort();
  await expect(call).rejects.toThrow("abort");
  await expect.poll(() => registry.requests[0]?.outcome).toBe("aborted");
});

test("engines and users of one's own can be seeded, published and changed", async () => {
  await using registry = await startRegistry({
    users: [{ name: "carol", token: "token-of-carol", engines: [{ name: "one", version: "1.0" }] }],
  });
  const headers = { Authorization: registry.tokens["carol"] ?? "" };
  expect(await (await get(registry, "/engines/one", headers)).json()).toMatchObject({
    status: "inactive",
    revision: 1,
  });
  await registry.publish("carol", { name: "one", version: "1.0", description: "again" });
  registry.change("carol", "one", "activate");
  const answer = await (await get(registry, "/engines/one", headers)).json();
  expect(answer).toMatchObject({ status: "active", revision: 2, description: "again", userName: "carol" });
  registry.change("carol", "one", "delete");
  expect((await get(registry, "/engines/one", headers)).status).toBe(404);
});

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

test("an answer that a fault has torn is written down as torn", async () => {
  await using registry = await struck({ reset: "in-body" });
  await rawExchange(registry);
  expect(registry.requests[0]?.outcome).toBe("torn");
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

test("a server that only has JSON is imitated, whole or by a fault", async () => {
  for (const options of [{ jsonOnly: true }, { faults: [{ fault: { jsonOnly: true } }] }]) {
    await using registry = await startRegistry(options);
    const answer = await get(registry, "/engines/zipper", { Accept: "application/x-protobuf" });
    expect(answer.headers.get("content-type")).toBe("application/json");
    expect(await answer.json()).toMatchObject({ name: "zipper" });
  }
});

test("the schema digest can be left out or be a lie", async () => {
  await using registry = await struck([{ schemaDigest: false }, { schemaDigest: "sha-256=:AAAA:" }]);
  expect((await get(registry, "/engines")).headers.get(schemaDigestHeader)).toBeNull();
  expect((await get(registry, "/engines")).headers.get(schemaDigestHeader)).toBe("sha-256=:AAAA:");
  const digest = schemaDigests["bytenite.developer.EngineListResponse"];
  expect((await get(registry, "/engines")).headers.get(schemaDigestHeader)).toBe(digest);
});

test("another numbering changes the bytes and the digest, never the JSON", async () => {
  const fieldNumbers = { "bytenite.engine.Engine": { description: 8, hash: 7 } };
  for (const options of [{ fieldNumbers }, { faults: [{ fault: { fieldNumbers } }] }]) {
    await using registry = await startRegistry(options);
    const binary = await get(registry, "/engines/zipper", { Accept: "application/x-protobuf" });
    const wrong = decode(EngineSchema, new Uint8Array(await binary.arrayBuffer()), "protobuf");
    const json = await (await get(registry, "/engines/zipper")).json();
    const right = fromJson(EngineSchema, json as JsonValue);
    expect([wrong.description, wrong.hash]).toEqual([right.hash, right.description]);
    const digest = binary.headers.get(schemaDigestHeader);
    expect(digest).toMatch(/^sha-256=:.+:$/);
    expect(digest).not.toBe(schemaDigests["bytenite.engine.Engine"]);
    const list = await get(registry, "/engines", { Accept: "application/x-protobuf" });
    expect(list.status).toBe(200);
  }
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

test("a rule is for an endpoint, a token or a user, after some and for some requests", async () => {
  await using registry = await startRegistry({
    faults: [
      { on: { endpoint: "status" }, fault: { status: 500 } },
      { on: { user: "bob" }, fault: { status: 503 } },
      { on: { token: "local-alice", endpoint: "list" }, skip: 1, times: 1, fault: { status: 429 } },
    ],
  });
  const status = async (path: string, token: string): Promise<number> =>
    (await get(registry, path, { Authorization: token })).status;
  expect(await status("/engines/zipper/status", "local-alice")).toBe(500);
  expect(await status("/engines/zipper", "local-alice")).toBe(200);
  expect(await status("/engines/zipper", "Bearer local-bob")).toBe(503);
  expect([
    await status("/engines", "local-alice"),
    await status("/engines", "local-alice"),
    await status("/engines", "local-alice"),
  ]).toEqual([200, 429, 200]);
  expect(registry.faults.list()[2]).toMatchObject({ seen: 3, struck: 1 });
});

/** The statuses of a hundred calls, three in ten of which fail. */
const hundredCalls = async (seed: number): Promise<ReadonlyArray<number>> => {
  await using registry = await startRegistry({ seed, faults: [{ probability: 0.3, fault: { status: 500 } }] });
  const statuses: Array<number> = [];
  for (let call = 0; call < 100; call++) statuses.push((await get(registry, "/engines/zipper/status")).status);
  return statuses;
};

test("chance is the same for the same seed, and about as likely as it says", async () => {
  const first = await hundredCalls(7);
  expect(await hundredCalls(7)).toEqual(first);
  expect(await hundredCalls(8)).not.toEqual(first);
  const failed = first.filter((status) => status === 500).length;
  expect(failed).toBeGreaterThan(15);
  expect(failed).toBeLessThan(45);
});

test("rules can be added, taken away and cleared while it runs", async () => {
  await using registry = await startRegistry();
  const remove = registry.faults.add({ fault: { status: 500 } });
  expect((await get(registry, "/engines")).status).toBe(500);
  remove();
  expect((await get(registry, "/engines")).status).toBe(200);
  registry.faults.set([{ fault: { status: 502 } }, { fault: { latencyMs: { uniform: [0, 5] } } }]);
  expect((await get(registry, "/engines")).status).toBe(502);
  registry.faults.clear();
  expect((await get(registry, "/engines")).status).toBe(200);
});

test("too many calls of a user are refused with the time to wait, and only that user's", async () => {
  await using registry = await startRegistry({ rateLimit: { perSecond: 0.01, burst: 2 } });
  expect((await get(registry, "/engines")).status).toBe(200);
  expect((await get(registry, "/engines")).status).toBe(200);
  const refused = await get(registry, "/engines");
  expect(refused.status).toBe(429);
  expect(Number(refused.headers.get("retry-after"))).toBeGreaterThan(90);
  expect(await refused.json()).toMatchObject({ code: 8, details: [{ retryDelay: expect.stringMatching(/s$/) }] });
  expect((await get(registry, "/engines", { Authorization: "local-bob" })).status).toBe(200);
});

test("an API key is exchanged for a signed token that opens the API", async () => {
  await using registry = await startRegistry({ users: [{ name: "carol", apiKey: "key-of-carol" }] });
  const exchange = (apiKey: string): Promise<Response> =>
    fetch(`${registry.origin}/v1/auth/access_token`, { method: "POST", body: JSON.stringify({ apiKey }) });
  const answer = (await (await exchange("key-of-carol")).json()) as { token: string; expiresIn: string };
  expect(answer.expiresIn).toBe("3600");
  expect(answer.token.split(".")).toHaveLength(3);
  expect((await get(registry, "/engines", { Authorization: answer.token })).status).toBe(200);
  expect((await get(registry, "/engines", { Authorization: `${answer.token.slice(0, -4)}AAAA` })).status).toBe(401);
  expect((await get(registry, "/engines", { Authorization: "key-of-carol" })).status).toBe(401);
  expect((await exchange("local-carol")).status).toBe(401);
  expect((await exchange("")).status).toBe(400);
});
