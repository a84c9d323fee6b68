// Uploads of long archives to R2 by a link.
import { randomBytes } from "node:crypto";
import { createEngineClient } from "@bytenite-engines/core/promise";
import { archiveOf as pack, hashOf } from "@bytenite-engines/test-kit/archives";
import { afterAll, beforeAll, expect, test } from "vitest";
import { maxArchiveBytes } from "../src/lifecycle/Archives.ts";
import {
  maxLinkedBytes,
  startOnDisk,
  startOnWorkers,
  tokens,
  type Bucket,
  type EmulatedRegistry,
} from "../src/lifecycle/Servers.ts";

let registry: EmulatedRegistry;

beforeAll(async () => {
  registry = await startOnWorkers();
});

afterAll(() => registry?.stop());

const archiveOf = (name: string, bytes: number): Promise<Buffer> =>
  pack({ name, version: "0.1" }, { "app/data": randomBytes(bytes) });

const post = async (path: string, body: object, headers: Record<string, string> = {}, token = tokens.owner) => {
  const response = await fetch(registry.url + path, {
    method: "POST",
    headers: { Authorization: token, "Content-Type": "application/json", ...headers },
    body: JSON.stringify(body),
  });
  const json = (await response.json()) as Record<string, unknown>;
  return { status: response.status, json, message: String(json["message"]), headers: response.headers };
};

const linkFor = async (bytes: number, token = tokens.owner): Promise<string> => {
  const { status, json, headers } = await post("/uploads", {}, { "Upload-Length": String(bytes) }, token);
  expect([status, headers.get("cache-control")]).toEqual([200, "no-store"]);
  return String(json["engineLink"]);
};

const put = async (link: string, body: Uint8Array): Promise<number> => {
  const response = await fetch(link, { method: "PUT", body: new Uint8Array(body) });
  await response.arrayBuffer();
  return response.status;
};

const digestOf = (bytes: Uint8Array): Record<string, string> => ({ "Repr-Digest": `sha-256=:${hashOf(bytes)}:` });

const stateOf = async (tag: string): Promise<number> =>
  (await fetch(`${registry.url}/engines/${tag}`, { headers: { Authorization: tokens.owner } })).status;

const objects = async (bucket: Bucket): Promise<ReadonlyArray<string>> =>
  (await bucket.list({ prefix: "uploads/" })).objects.map(({ key }) => key);

test("an archive above the limit of a request is sent by a link, and is visible once its digest was checked", async () => {
  const archive = await archiveOf("long", 3 * maxArchiveBytes);
  expect((await post("/engines", { engineData: archive.toString("base64") })).status).toBe(413);
  const link = await linkFor(archive.length);
  expect(await put(link, archive)).toBe(200);
  expect([await stateOf("long@0.1"), (await objects(registry.bucket)).length]).toEqual([404, 1]);
  const engineLink = link.replace(/\?.*/, "");
  const wrong = await post("/engines", { engineLink }, digestOf(Buffer.from("another")));
  expect([wrong.status, wrong.message]).toEqual([
    400,
    expect.stringContaining(`has the SHA-256 ${hashOf(archive)}, not`),
  ]);
  expect([await stateOf("long@0.1"), await objects(registry.bucket)]).toEqual([404, []]);
  expect(await put(link, archive)).toBe(200);
  const made = await post(
    "/engines",
    { engineLink, engineStatus: "active" },
    { ...digestOf(archive), "If-None-Match": "*" },
  );
  expect([made.status, made.json]).toEqual([
    200,
    expect.objectContaining({ hash: hashOf(archive), revision: 1, status: "active" }),
  ]);
  expect(await objects(registry.bucket)).toEqual([]);
  const download = await fetch(`${registry.url}/engines/long@0.1/download`, {
    headers: { Authorization: tokens.owner },
  });
  const got = await fetch(((await download.json()) as { engineLink: string }).engineLink);
  expect(hashOf(new Uint8Array(await got.arrayBuffer()))).toBe(hashOf(archive));
});

test("a link takes one length, to one place, of one user", async () => {
  const archive = await archiveOf("linked", 1_000);
  const link = await linkFor(archive.length);
  expect(await put(link, archive.subarray(1))).toBe(403);
  expect(await put(link.replace(/X-Amz-Signature=./, "X-Amz-Signature=x"), archive)).toBe(403);
  expect(await put(link.replace(/\/uploads\/[^/]+/, "/uploads/another"), archive)).toBe(403);
  expect((await fetch(link)).status).toBe(403);
  expect(await put(link, archive)).toBe(200);
  const [engineLink, digest] = [link.replace(/\?.*/, ""), digestOf(archive)];
  expect((await post("/engines", { engineLink }, digest, tokens.other)).status).toBe(501);
  expect((await post("/engines", { engineLink: `${engineLink}x` }, digest)).status).toBe(501);
  expect((await post("/engines", { engineLink: "https://downloads.example/x.tar" }, digest)).status).toBe(501);
  expect((await post("/engines", { engineLink })).message).toContain("Repr-Digest is missing");
  expect((await post("/engines", { engineLink, engineTag: "other@0.1" }, digest)).status).toBe(400);
  expect((await post("/engines", { engineLink }, { ...digest, "If-Match": "*" })).status).toBe(412);
  expect((await post("/engines", { engineLink }, digest)).json["revision"]).toBe(1);
  expect((await post("/engines", { engineLink }, digest)).message).toContain("nothing has arrived at engineLink");
});

test("what is sent by a link is checked as any upload, and refused before it is sent where that is certain", async () => {
  const noTar = randomBytes(2_000);
  const link = await linkFor(noTar.length);
  await put(link, noTar);
  const said = await post("/engines", { engineLink: link.replace(/\?.*/, "") }, digestOf(noTar));
  expect([said.status, said.message, await objects(registry.bucket)]).toEqual([
    400,
    expect.stringContaining("a tar file"),
    [],
  ]);
  const ask = async (length: string, token?: string) => {
    const { status, message } = await post("/uploads", {}, length === "" ? {} : { "Upload-Length": length }, token);
    return `${status} ${message}`;
  };
  expect(await ask(String(maxLinkedBytes + 1))).toContain("413 the archive is longer than");
  expect(await ask("")).toContain("400 Upload-Length is missing");
  expect(await ask("1e9")).toContain("400 Upload-Length is missing");
  expect(await ask("1000", tokens.reader)).toContain("403");
  expect(await ask("1000", tokens.nobody)).toContain("401");
  expect(await ask("1000", tokens.crowded)).toContain("400 quota exceeded: 0 of any number engines, 0 of 100 bytes");
  const other = await fetch(`${registry.url}/uploads`, { headers: { Authorization: tokens.owner } });
  expect([other.status, other.headers.get("allow")]).toEqual([405, "POST, OPTIONS"]);
});

test("a user fills no more than eight places", async () => {
  for (let count = 0; count < 8; count++) expect(await put(await linkFor(10, tokens.other), randomBytes(10))).toBe(200);
  const full = await post("/uploads", {}, { "Upload-Length": "10" }, tokens.other);
  expect([full.status, full.headers.get("retry-after")]).toEqual([429, "5"]);
  expect(await objects(registry.bucket)).toHaveLength(8);
});

test("the client sends a long archive by a link, and looks up what it lost", async () => {
  const archive = new Uint8Array(await archiveOf("by-client", 33 * 1_048_576));
  const asked: Array<string> = [];
  const progress: Array<number> = [];
  let isLost = false;
  const client = createEngineClient({
    baseUrl: registry.url,
    token: tokens.owner,
    format: "protobuf",
    retry: { baseDelayMs: 1 },
    onEvent: (event) => void (event.type === "progress" && progress.push(event.bytes)),
    fetch: async (url, init) => {
      asked.push(`${init.method} ${new URL(url).pathname.replace(/[/][^/]*[/]\d$/, "/PLACE")}`);
      if (new Headers(init.headers).has("authorization") === url.includes("X-Amz")) asked.push("a wrong Authorization");
      const response = await fetch(url, init);
      if (!url.endsWith("/engines") || isLost) return response;
      isLost = true;
      await response.arrayBuffer();
      throw new TypeError("fetch failed");
    },
  });
  const tag = "by-client@0.1";
  const engine = await client.upload(archive, { tag, ifRevision: 0 });
  expect(engine).toMatchObject({ hash: hashOf(archive), revision: 1 });
  expect(asked.map((line) => line.replace("/cdn-cgi/local/r2/s3/archives", ""))).toEqual([
    "POST /v1/dev/uploads",
    "PUT /uploads/PLACE",
    "POST /v1/dev/engines",
    `GET /v1/dev/engines/${tag}`,
  ]);
  expect(progress).toContain(archive.length);
  expect(hashOf(await (await client.archive(tag)).bytes())).toBe(hashOf(archive));
});

test("the client sends a long archive in the request where there are no links", async () => {
  const onDisk = await startOnDisk(64 * 1_048_576);
  const archive = new Uint8Array(await archiveOf("in-request", 33 * 1_048_576));
  const client = createEngineClient({ baseUrl: onDisk.url, token: tokens.owner, format: "protobuf" });
  expect(await client.upload(archive)).toMatchObject({ hash: hashOf(archive), revision: 1 });
  await onDisk.stop();
});

test("a registry on disk has no links", async () => {
  const onDisk = await startOnDisk();
  const response = await fetch(`${onDisk.url}/uploads`, {
    method: "POST",
    headers: { Authorization: tokens.owner, "Upload-Length": "10" },
  });
  expect(response.status).toBe(501);
  await onDisk.stop();
});
