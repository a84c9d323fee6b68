// nginx in front of the built Worker and behind it.
import { execFile, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzipSync } from "node:zlib";
import { freePort, serve } from "@bytenite-engines/test-kit";
import { afterAll, beforeAll, expect, test } from "vitest";
import { builtWorker } from "../scripts/built.ts";

const isThere = [
  ["nginx", "-v"],
  ["curl", "--version"],
].every(([command = "", argument = ""]) => spawnSync(command, [argument]).status === 0);

const folder = mkdtempSync(join(tmpdir(), "bytenite-nginx-"));
const engine = JSON.stringify({ name: "zipper", description: "x".repeat(2_000) });

const configOf = (front: number, behind: number, worker: string): string => `
daemon off; master_process off; pid ${folder}/pid; error_log ${folder}/error.log;
events {}
http {
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi; uwsgi_temp_path ${folder}/uwsgi; scgi_temp_path ${folder}/scgi;
  log_format seen escape=json '{"path":"$uri","status":$status,"coding":"$sent_http_content_encoding","connection":$connection,'
    '"authorization":"$http_authorization","id":"$http_x_request_id","client":"$http_x_forwarded_for"}';
  gzip on; gzip_min_length 0; gzip_types application/json; gzip_proxied any; gzip_vary on;
  server {
    listen 127.0.0.1:${front};
    access_log off;
    location / {
      proxy_pass ${worker};
      proxy_http_version 1.1; proxy_set_header connection "";
      proxy_set_header host $host; proxy_set_header x-request-id $request_id; proxy_set_header cf-connecting-ip $remote_addr;
      add_header x-front-id $request_id;
    }
  }
  server {
    listen 127.0.0.1:${behind};
    root ${folder}/files; access_log ${folder}/seen.log seen;
    default_type application/json; add_header cache-control "max-age=60"; gzip off;
    location ~ /coded$ { gzip_static always; }
  }
}`;

interface Seen {
  readonly path: string;
  readonly status: number;
  readonly coding: string;
  readonly connection: number;
  readonly authorization: string;
  readonly id: string;
  readonly client: string;
}

/** The requests that nginx behind the Worker has answered. */
const seen = (): ReadonlyArray<Seen> =>
  readFileSync(join(folder, "seen.log"), "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Seen);

const seenOfFanout = (): ReadonlyArray<Seen> => seen().filter(({ path }) => path.endsWith("/fanout"));

let frontUrl = "";
let workerUrl = "";
const stops: Array<() => Promise<unknown>> = [];

beforeAll(async () => {
  if (!isThere) return;
  mkdirSync(join(folder, "files/v1/dev/engines"), { recursive: true });
  const engines = join(folder, "files/v1/dev/engines");
  for (const name of ["zipper", "fanout"]) writeFileSync(join(engines, name), engine);
  writeFileSync(join(engines, "coded.gz"), gzipSync(engine));
  const [front, behind] = [await freePort(), await freePort()];
  const variables = { UPSTREAM_URL: `http://127.0.0.1:${behind}/v1/dev`, LOG: "off" };
  const worker = await serve({ name: "worker", code: await builtWorker(), port: 0, variables });
  stops.push(worker.stop);
  workerUrl = `${worker.url}/v1/dev`;
  writeFileSync(join(folder, "nginx.conf"), configOf(front, behind, worker.url));
  const nginx = spawn("nginx", ["-c", join(folder, "nginx.conf"), "-p", folder], { stdio: "ignore" });
  stops.push(async () => nginx.kill() && once(nginx, "exit"));
  frontUrl = `http://127.0.0.1:${front}/v1/dev`;
});

afterAll(async () => {
  for (const stop of stops.toReversed()) await stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Answer {
  readonly status: number;
  readonly fields: Readonly<Record<string, string>>;
  readonly body: string;
}

const curl = async (url: string, ...options: ReadonlyArray<string>): Promise<Answer> => {
  // Until nginx listens, its connections are refused.
  const retry = ["--retry", "20", "--retry-connrefused", "--retry-delay", "0"];
  const { stdout } = await promisify(execFile)("curl", ["--silent", "--include", ...retry, ...options, url]);
  const [head = "", body = ""] = stdout.split("\r\n\r\n", 2);
  const [line = "", ...fields] = head.split("\r\n");
  const named = fields.map((field) => field.split(": ", 2) as [string, string]);
  return {
    status: Number(line.split(" ")[1]),
    fields: Object.fromEntries(named.map(([name, value]) => [name.toLowerCase(), value])),
    body,
  };
};

const as = (user: string): ReadonlyArray<string> => ["--header", `Authorization: ${user}`];

test.skipIf(!isThere)("static JSON of nginx is cached by its max-age, and validated by its ETag", async () => {
  const first = await curl(`${workerUrl}/engines/zipper`, ...as("alice"));
  expect([first.status, first.body]).toEqual([200, engine]);
  expect(first.fields).toMatchObject({ "content-type": "application/json", "cache-control": "private, max-age=60" });
  expect(first.fields["cache-status"]).toMatch(/; fwd=uri-miss; ttl=(?:59|60); stored$/);
  const second = await curl(`${workerUrl}/engines/zipper`, ...as("alice"));
  expect([second.fields["cache-status"], second.body]).toEqual([expect.stringContaining("; hit; "), engine]);
  const validated = await curl(`${workerUrl}/engines/zipper`, ...as("alice"), "--header", "Cache-Control: no-cache");
  expect([validated.status, validated.fields["etag"], validated.body]).toEqual([200, first.fields["etag"], engine]);
  const saved = join(folder, "etag");
  await curl(`${workerUrl}/engines/zipper`, ...as("alice"), "--etag-save", saved);
  expect((await curl(`${workerUrl}/engines/zipper`, ...as("alice"), "--etag-compare", saved)).status).toBe(304);
  await curl(`${workerUrl}/engines/zipper`, ...as("bob"));
  await expect.poll(seen).toHaveLength(3);
  expect(seen().map(({ status, authorization }) => [status, authorization])).toEqual([
    [200, "alice"],
    [304, "alice"],
    [200, "bob"],
  ]);
  // The connection is kept.
  expect(new Set(seen().map(({ connection }) => connection)).size).toBe(1);
});

test.skipIf(!isThere)("an answer of nginx in gzip is decoded and stored; its 404 comes through", async () => {
  for (const expected of ["; fwd=uri-miss", "; hit"]) {
    const { fields, body } = await curl(`${workerUrl}/engines/coded`, ...as("alice"));
    expect([fields["cache-status"], fields["content-encoding"], body]).toEqual([
      expect.stringContaining(expected),
      undefined,
      engine,
    ]);
  }
  await expect.poll(() => seen().filter(({ coding }) => coding === "gzip")).toHaveLength(1);
  const missing = await curl(`${workerUrl}/engines/missing`, ...as("alice"));
  expect([missing.status, missing.fields["cache-control"]]).toEqual([404, "private, no-store"]);
});

test.skipIf(!isThere)(
  "behind nginx, clients get hits and 304, and the upstream request id and client address",
  async () => {
    const first = await curl(`${frontUrl}/engines/fanout`, ...as("alice"), "--compressed");
    expect([first.status, first.body, first.fields["content-encoding"]]).toEqual([200, engine, "gzip"]);
    const hit = await curl(`${frontUrl}/engines/fanout`, ...as("alice"));
    expect(hit.fields["cache-status"]).toContain("; hit; ");
    expect([hit.fields["x-request-id"], hit.body]).toEqual([hit.fields["x-front-id"], engine]);
    const other = await curl(`${frontUrl}/engines/fanout`, ...as("bob"));
    expect(other.fields["cache-status"]).toContain("; fwd=uri-miss");
    // nginx makes an ETag weak where it codes.
    expect(first.fields["etag"]).toMatch(/^W\//);
    const tag = ["--header", `If-None-Match: ${first.fields["etag"] ?? ""}`];
    expect((await curl(`${frontUrl}/engines/fanout`, ...as("alice"), ...tag)).status).toBe(304);
    const head = await curl(`${frontUrl}/engines/fanout`, ...as("alice"), "--head");
    expect([head.status, head.body, head.fields["content-length"]]).toEqual([200, "", `${engine.length}`]);
    expect((await curl(`${frontUrl}/engines/fanout`, ...as("alice"), "--http1.0")).body).toBe(engine);
    await expect.poll(seenOfFanout).toHaveLength(2);
    expect(seenOfFanout().map(({ id, client }) => [id, client])).toEqual([
      [first.fields["x-front-id"], "127.0.0.1"],
      [other.fields["x-front-id"], "127.0.0.1"],
    ]);
  },
);
