// Methods, validators, content codings and CORS, of every route.
import { request } from "node:http";
import { brotliDecompressSync, gunzipSync } from "node:zlib";
import { beforeAll, expect, test } from "vitest";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { place } from "./place.ts";
import { startRegistryServer, type RunningRegistry } from "../src/index.ts";
import { serve } from "./process.ts";

const { directory, fresh } = place();

interface Received {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | Array<string> | undefined>>;
  readonly body: Buffer;
}

/** Asks by node:http: `fetch` would decompress, and send an Accept-Encoding of its own. */
const ask = (
  { origin }: Pick<RunningRegistry, "origin">,
  path: string,
  headers: Readonly<Record<string, string>> = {},
  method = "GET",
): Promise<Received> =>
  new Promise((resolve, reject) => {
    const sent = request(origin + path, { method, headers: { Authorization: "local-alice", ...headers } }, (answer) => {
      const parts: Array<Buffer> = [];
      answer.on("data", (part: Buffer) => parts.push(part));
      answer.on("end", () =>
        resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(parts) }),
      );
    });
    sent.on("error", reject);
    sent.end();
  });

let registry: RunningRegistry;

beforeAll(async () => {
  registry = await startRegistryServer({ database: ":memory:", port: 0, corsOrigins: ["https://app.example"] });
  return registry.stop;
});

const list = "/v1/dev/engines";
const pages = [
  list,
  `${list}/zipper`,
  `${list}/zipper/status`,
  "/docs",
  "/docs/start.js",
  "/docs/swagger-ui.css",
  "/openapi.json",
];

test.for([...pages, "/healthz", "/readyz", "/metrics"])("HEAD %s says what GET would, without a body", async (path) => {
  const [got, head] = [await ask(registry, path), await ask(registry, path, {}, "HEAD")];
  expect([head.status, head.body.length]).toEqual([200, 0]);
  for (const name of [
    "content-type",
    "etag",
    "vary",
    "bytenite-schema-digest",
    ...(path === "/metrics" ? [] : ["content-length"]),
  ]) {
    expect([name, head.headers[name]]).toEqual([name, got.headers[name]]);
  }
  expect(head.headers["x-request-id"]).toMatch(/^[\w-]{36}$/);
});

test.for(pages)("%s has an ETag, and 304 for who knows it", async (path) => {
  const first = await ask(registry, path);
  const etag = String(first.headers["etag"]);
  expect(etag).toMatch(/^"[\w-]{22}"$/);
  for (const known of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
    const second = await ask(registry, path, { "If-None-Match": known });
    expect([known, second.status, second.body.length, second.headers["etag"]]).toEqual([known, 304, 0, etag]);
    expect(second.headers["content-length"]).toBeUndefined();
    expect(second.headers["vary"]).toBe(first.headers["vary"]);
  }
  expect((await ask(registry, path, { "If-None-Match": '"other"' })).status).toBe(200);
  expect((await ask(registry, path, { "If-None-Match": etag }, "HEAD")).status).toBe(304);
});

test("nobody learns by If-None-Match what they may not read, and the two forms have tags of their own", async () => {
  expect((await ask(registry, list, { Authorization: "", "If-None-Match": "*" })).status).toBe(401);
  expect((await ask(registry, `${list}/nothing`, { "If-None-Match": "*" })).status).toBe(404);
  const json = await ask(registry, `${list}/zipper`);
  const binary = await ask(registry, `${list}/zipper`, {
    Accept: "application/x-protobuf",
    "If-None-Match": String(json.headers["etag"]),
  });
  expect(binary.status).toBe(200);
});

test.for([
  ["gzip", "gzip"],
  ["br, gzip", "br"],
  ["gzip;q=1, br;q=0.5", "gzip"],
  ["*", "br"],
  ["br;q=0, *", "gzip"],
  ["identity", undefined],
  ["gzip;q=0", undefined],
  ["gzip;q=0.5, identity", undefined],
  ["deflate", undefined],
  ["", undefined],
] as const)("Accept-Encoding: %s gets %s", async ([accepted, coding]) => {
  const whole = await ask(registry, list);
  const answer = await ask(registry, list, { "Accept-Encoding": accepted });
  expect([answer.status, answer.headers["content-encoding"]]).toEqual([200, coding]);
  expect(answer.headers["vary"]).toBe("Accept, Origin, Accept-Encoding");
  const open =
    coding === "gzip" ? gunzipSync(answer.body) : coding === "br" ? brotliDecompressSync(answer.body) : answer.body;
  expect(open.equals(whole.body)).toBe(true);
  expect(answer.headers["content-length"]).toBe(String(answer.body.length));
  const etag = String(answer.headers["etag"]);
  // A strong tag names the bytes, so each coding has its own.
  expect(etag === whole.headers["etag"]).toBe(coding === undefined);
  const again = await ask(registry, list, { "Accept-Encoding": accepted, "If-None-Match": etag });
  expect([again.status, again.headers["content-encoding"]]).toEqual([304, undefined]);
});

test("a short answer and a refusal are not compressed", async () => {
  for (const path of [`${list}/zipper/status`, `${list}/nothing`]) {
    expect((await ask(registry, path, { "Accept-Encoding": "gzip" })).headers["content-encoding"]).toBeUndefined();
  }
});

test.for([
  [list, "GET, HEAD, POST, OPTIONS"],
  [`${list}/zipper`, "GET, HEAD, DELETE, OPTIONS"],
  ["/v1/auth/access_token", "POST, OPTIONS"],
  ["/docs", "GET, HEAD, OPTIONS"],
  ["/docs/swagger-ui-bundle.js", "GET, HEAD, OPTIONS"],
  ["/healthz", "GET, HEAD, OPTIONS"],
  ["/metrics", "GET, HEAD, OPTIONS"],
] as const)("%s allows %s, and says so to OPTIONS and to other methods", async ([path, allow]) => {
  const options = await ask(registry, path, { Authorization: "" }, "OPTIONS");
  expect([options.status, options.headers["allow"], options.body.length]).toEqual([204, allow, 0]);
  const refused = await ask(registry, path, {}, "PATCH");
  expect([refused.status, refused.headers["allow"], JSON.parse(refused.body.toString())]).toMatchObject([
    405,
    allow,
    { code: 12 },
  ]);
});

test("pages of an allowed origin may read the API, others and operators' routes stay closed", async () => {
  const origin = { Origin: "https://app.example" };
  const preflight = await ask(
    registry,
    list,
    { ...origin, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "authorization" },
    "OPTIONS",
  );
  expect([preflight.status, preflight.headers["access-control-allow-origin"]]).toEqual([204, "https://app.example"]);
  expect(preflight.headers["access-control-allow-headers"]).toBe("authorization");
  const answer = await ask(registry, list, origin);
  expect(answer.headers["access-control-allow-origin"]).toBe("https://app.example");
  expect(answer.headers["access-control-expose-headers"]).toContain("ETag");
  expect(answer.headers["vary"]).toContain("Origin");
  for (const [path, from] of [
    [list, "https://other.example"],
    [list, "null"],
    ["/metrics", "https://app.example"],
  ] as const) {
    const closed = await ask(registry, path, { Origin: from });
    expect([path, closed.headers["access-control-allow-origin"]]).toEqual([path, undefined]);
  }
});

test("the page and its files forbid scripts of elsewhere and guessed types", async () => {
  for (const path of ["/docs", "/docs/start.js", "/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js"]) {
    const { headers } = await ask(registry, path);
    expect(headers["content-security-policy"]).toContain("default-src 'none'");
    expect(headers["x-content-type-options"]).toBe("nosniff");
  }
});

test("every route is counted, logged, and answers with the request id that it was given", async () => {
  for (const path of ["/docs", "/healthz", "/openapi.json", "/metrics", "/v1/auth/access_token"]) {
    const { headers } = await ask(registry, path, { "X-Request-Id": `id-of${path.replaceAll("/", ".")}` });
    expect(headers["x-request-id"]).toBe(`id-of${path.replaceAll("/", ".")}`);
  }
  const metrics = (await ask(registry, "/metrics")).body.toString();
  for (const endpoint of ["docs", "health", "metrics", "auth"]) {
    expect(metrics).toMatch(new RegExp(`registry_requests_total\\{endpoint="${endpoint}"`));
  }
});

test("an invalid origin ends the start", async () => {
  const path = join(directory, "settings.json");
  await writeFile(path, JSON.stringify({ corsOrigins: ["https://app.example/path"] }));
  await expect(serve(["--config", path, ...fresh()])).rejects.toThrow(
    /"https:\/\/app\.example\/path" is not an origin/,
  );
});
