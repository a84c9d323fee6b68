// Lifecycle of engines on D1 and R2, in workerd.
import { env, exports } from "cloudflare:workers";
import { sweep } from "@bytenite-engines/registry/api";
import { managementTokens } from "@bytenite-engines/test-kit/management";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { EngineMessageSchema, EngineSchema } from "@bytenite-engines/proto";
import { packTar } from "modern-tar";
import { beforeAll, expect, onTestFinished, test, vi } from "vitest";
import { makeD1Driver } from "../src/D1Driver.ts";
import { makeR2Staging, sweepStaged } from "../src/R2Staging.ts";
import { makeR2Store, type R2Binding } from "../src/R2Store.ts";
import worker from "../src/worker.ts";

const token = managementTokens.publish;

beforeAll(async () => {
  for (const statement of env.SEED_SQL.split("\n").filter((line) => line !== "")) {
    await env.DB.prepare(statement).all();
  }
});

const archiveOf = async (manifest: object, bytes = 10): Promise<Uint8Array> => {
  const random = new Uint8Array(bytes);
  for (let at = 0; at < bytes; at += 65_536) crypto.getRandomValues(random.subarray(at, at + 65_536));
  const files = { "manifest.json": new TextEncoder().encode(JSON.stringify(manifest)), "app/main.py": random };
  return packTar(
    Object.entries(files).map(([name, body]) => ({ header: { name, size: body.length, type: "file" as const }, body })),
  );
};

const hashOf = async (bytes: Uint8Array): Promise<string> =>
  btoa(String.fromCharCode(...new Uint8Array(await crypto.subtle.digest("SHA-256", new Uint8Array(bytes)))));

const ask = (path: string, init: RequestInit = {}): Promise<Response> =>
  exports.default.fetch(path.startsWith("https:") ? path : `https://registry.example/v1/dev${path}`, {
    ...init,
    headers: { Authorization: token, ...(init.headers as Record<string, string> | undefined) },
  });

const base64 = (bytes: Uint8Array): string => {
  let text = "";
  for (let at = 0; at < bytes.length; at += 30_000) text += String.fromCharCode(...bytes.subarray(at, at + 30_000));
  return btoa(text);
};

const upload = async (form: "json" | "protobuf", archive: Uint8Array, more: object = {}, headers: object = {}) => {
  const type = form === "json" ? "application/json" : "application/x-protobuf";
  const body =
    form === "json"
      ? JSON.stringify({ engineData: base64(archive), ...more })
      : toBinary(EngineMessageSchema, create(EngineMessageSchema, { engineData: archive, ...more }));
  const answer = await ask("/engines", {
    method: "POST",
    body,
    headers: { "Content-Type": type, Accept: type, ...headers },
  });
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const engine =
    answer.status !== 200
      ? undefined
      : form === "json"
        ? (JSON.parse(new TextDecoder().decode(bytes)) as { hash: string; revision: number; status: string })
        : fromBinary(EngineSchema, bytes);
  return { status: answer.status, engine, bookmark: answer.headers.get("x-d1-bookmark") };
};

const partBytes = 8 * 1_024 * 1_024;

test.for([
  [partBytes - 1, []],
  [partBytes, [[1, partBytes]]],
  [
    partBytes + 1,
    [
      [1, partBytes],
      [2, 1],
    ],
  ],
] as const)("an object of %i bytes is written in the parts %j, and read as it was", async ([bytes, expected]) => {
  const parts: Array<readonly [number: number, bytes: number]> = [];
  const watched = {
    put: (key: string, value: Uint8Array) => env.ARCHIVES.put(key, value),
    get: (...of: Parameters<R2Binding["get"]>) => env.ARCHIVES.get(...of),
    createMultipartUpload: async (key: string) => {
      const upload = await env.ARCHIVES.createMultipartUpload(key);
      return {
        complete: (all: Parameters<typeof upload.complete>[0]) => upload.complete(all),
        uploadPart: (number: number, value: Uint8Array) => {
          if (parts.length === expected.length) throw new Error("more parts than expected");
          parts.push([number, value.length]);
          return upload.uploadPart(number, value);
        },
      };
    },
  } as unknown as R2Binding;
  const store = makeR2Store(watched);
  const { key, write, finish } = await store.begin();
  const content = new Uint8Array(bytes).fill(7, -3);
  await write(content.subarray(0, 5));
  await write(content.subarray(5));
  await finish();
  expect(parts).toEqual(expected);
  const read = async (from: number, end: number): Promise<ReadonlyArray<number>> => {
    const all: Array<number> = [];
    for await (const part of (await store.read(key, from, end)) ?? []) all.push(...part);
    return all;
  };
  const found = [await read(0, 2), await read(bytes - 4, bytes - 2), await read(bytes - 4, bytes)];
  expect([...found, await read(bytes, bytes)]).toEqual([[0, 0], [0, 7], [0, 7, 7, 7], []]);
  await env.ARCHIVES.delete(`archives/${key}`);
  expect(await store.read(key, 0, 2)).toBeUndefined();
});

const keysInBucket = async (): Promise<ReadonlyArray<string>> =>
  (await env.ARCHIVES.list({ prefix: "" })).objects.map(({ key }) => key);

test("what was sent by a link and never named is swept after two hours, and nothing else of the bucket", async () => {
  const staged = ["uploads/a/0", "uploads/a/7", "uploads/b/0", "uploads/c/0", "uploads/c/1"];
  for (const key of [...staged, "uploads", "other/uploads/a/0"]) await env.ARCHIVES.put(key, new Uint8Array(3));
  const { objects } = await env.ARCHIVES.list({ prefix: "uploads/" });
  const times = objects.map(({ uploaded }) => uploaded.getTime());
  const hours = 2 * 60 * 60_000;
  let lists = 0;
  // Pages of two, as R2 has pages of a thousand.
  const small: object = { limit: 2 };
  const paged = {
    delete: (key: string) => env.ARCHIVES.delete(key),
    list: async (options: Parameters<R2Binding["list"]>[0]) => {
      if ((lists += 1) > 6) throw new Error("more lists than pages");
      return env.ARCHIVES.list({ ...options, ...small });
    },
  } as unknown as R2Binding;
  expect(await sweepStaged(paged, Math.min(...times) + hours - 1)).toBe(0);
  expect(await keysInBucket()).toEqual(["other/uploads/a/0", "uploads", ...staged]);
  expect(await sweepStaged(paged, Math.max(...times) + hours)).toBe(staged.length);
  expect(await keysInBucket()).toEqual(["other/uploads/a/0", "uploads"]);
  for (const key of await keysInBucket()) await env.ARCHIVES.delete(key);
});

test.for(["json", "protobuf"] as const)(
  "an archive of several parts is stored and read in ranges, in %s",
  async (form) => {
    const tag = `/engines/worker-${form}@0.1`;
    // More than one part of an upload to R2.
    const archive = await archiveOf(
      { name: `worker-${form}`, version: "0.1", platform_config: { token: "hunter2" } },
      9_000_000,
    );
    const hash = await hashOf(archive);
    expect(await upload(form, archive)).toMatchObject({
      status: 200,
      engine: { hash, revision: 1, status: "inactive" },
    });
    const { engineLink } = (await (await ask(`${tag}/download`)).json()) as { engineLink: string };
    expect(engineLink).toMatch(/^https:\/\/registry\.example\/archives\//);
    const got = await ask(engineLink);
    expect([got.headers.get("content-length"), got.headers.get("repr-digest")]).toEqual([
      String(archive.length),
      `sha-256=:${hash}:`,
    ]);
    expect(await hashOf(new Uint8Array(await got.arrayBuffer()))).toBe(hash);
    const part = await ask(engineLink, { headers: { Range: "bytes=8388600-8388620" } });
    expect([part.status, part.headers.get("content-range")]).toEqual([206, `bytes 8388600-8388620/${archive.length}`]);
    expect(new Uint8Array(await part.arrayBuffer())).toEqual(archive.subarray(8_388_600, 8_388_621));
    // Its object is what is swept below.
    expect((await ask(tag, { method: "DELETE" })).status).toBe(200);
  },
);

test("what is refused leaves no object, and what no engine has is swept", async () => {
  const store = makeR2Store(env.ARCHIVES);
  const keys = async (): Promise<number> => {
    const found = new Set<string>();
    for await (const { key } of store.list()) found.add(key);
    return found.size;
  };
  const before = await keys();
  const wrong = await archiveOf({ name: "wrong", version: "1" });
  expect((await upload("json", wrong)).status).toBe(400);
  expect((await upload("protobuf", (await archiveOf({ name: "cut", version: "0.1" })).subarray(0, 1_200))).status).toBe(
    400,
  );
  expect(await keys()).toBe(before);
  expect(await sweep(makeD1Driver(env.DB), store, Date.now())).toBe(0);
  expect(await sweep(makeD1Driver(env.DB), store, Date.now() + 7_200_000)).toBeGreaterThanOrEqual(before);
  expect(await keys()).toBe(0);
});

test("the cron trigger removes what no engine has and what was never named, and needs no bucket", async () => {
  for (const key of ["archives/orphan", "uploads/u/0"]) await env.ARCHIVES.put(key, new Uint8Array(3));
  const { ARCHIVES: _, ...without } = env;
  await worker.scheduled(undefined, without);
  await worker.scheduled(undefined, env);
  expect(await keysInBucket()).toEqual(expect.arrayContaining(["archives/orphan", "uploads/u/0"]));
  vi.useFakeTimers({ toFake: ["Date"], now: Date.now() + 3 * 60 * 60_000 });
  onTestFinished(() => void vi.useRealTimers());
  await worker.scheduled(undefined, env);
  expect(await keysInBucket()).toEqual([]);
});

/** An upload that has begun, and what ends it. */
const begun = async (by: string): Promise<() => Promise<number>> => {
  const { promise: isRead, resolve: read } = Promise.withResolvers<void>();
  const { promise: isEnded, resolve: end } = Promise.withResolvers<void>();
  let pulls = 0;
  const body = new ReadableStream<Uint8Array>(
    {
      pull: async (controller) => {
        if (pulls++ === 0) return controller.enqueue(new TextEncoder().encode('{"engineData":"AAAA'));
        read();
        await isEnded;
        controller.close();
      },
    },
    { highWaterMark: 0 },
  );
  const headers = { Authorization: by, "Content-Type": "application/json" };
  const request = new Request("https://registry.example/v1/dev/engines", { method: "POST", headers, body });
  const answer = worker.fetch(request, env);
  await isRead;
  return async () => {
    end();
    return (await answer).status;
  };
};

test("an isolate takes four uploads at once, of one user two", async () => {
  await env.DB.prepare("UPDATE credentials SET scope = 'publish'").all();
  const archive = await archiveOf({ name: "late", version: "0.1" });
  const status = async (by: string): Promise<number> => {
    const headers = { Authorization: by, "Content-Type": "application/x-protobuf" };
    const body = toBinary(EngineMessageSchema, create(EngineMessageSchema, { engineData: archive }));
    return (
      await worker.fetch(new Request("https://registry.example/v1/dev/engines", { method: "POST", headers, body }), env)
    ).status;
  };
  const first = await begun("token-of-alice");
  expect(await status("token-of-alice")).toBe(200);
  const ends = [first, await begun("token-of-alice")];
  expect([await status("token-of-alice"), await status(token)]).toEqual([429, 200]);
  ends.push(await begun("token-of-bob"));
  expect(await status(token)).toBe(200);
  ends.push(await begun("token-of-bob"));
  expect(await status(token)).toBe(429);
  expect(await Promise.all(ends.map((end) => end()))).toEqual([400, 400, 400, 400]);
  expect(await status(token)).toBe(200);
});

test("two uploads at once are both carried out", async () => {
  const said = await Promise.all(
    ["a", "b"].map(async (description) =>
      upload("json", await archiveOf({ name: "twice", version: "0.1", description })),
    ),
  );
  expect(said.map(({ engine }) => engine?.revision ?? 0).toSorted((a, b) => a - b)).toEqual([1, 2]);
});

test("a user has eight places for long archives, each with a link for an hour, and only their own", async () => {
  const staging = makeR2Staging(env.ARCHIVES, {
    url: "https://account.example/bucket/",
    accessKeyId: "id",
    secretAccessKey: "secret",
    maxBytes: 10,
  });
  const free = await Promise.all(Array.from({ length: 20 }, () => staging.link("u", 5)));
  expect(new Set(free.map((link) => new URL(String(link)).pathname)).size).toBeGreaterThan(1);
  const places = new Set<string>();
  for (let link = await staging.link("u", 5); link !== undefined; link = await staging.link("u", 5)) {
    const { pathname, searchParams } = new URL(link);
    expect(searchParams.get("X-Amz-Expires")).toBe("3600");
    expect(searchParams.get("X-Amz-SignedHeaders")).toContain("content-length");
    const place = staging.placeOf("u", link) ?? "";
    expect(`/bucket/${place}`).toBe(pathname);
    places.add(place);
    await env.ARCHIVES.put(place, Uint8Array.of(1, 2));
  }
  expect([...places].toSorted()).toEqual([0, 1, 2, 3, 4, 5, 6, 7].map((number) => `uploads/u/${number}`));
  for (const path of ["uploads/u/8", "uploads/u/00", "uploads/u/", "uploads/v/0", "x"]) {
    expect(staging.placeOf("u", `https://account.example/bucket/${path}`)).toBeUndefined();
  }
  for (const bucket of ["https://other.example/bucket/", "https://account.example/bucket-"]) {
    expect(staging.placeOf("u", `${bucket}uploads/u/0`)).toBeUndefined();
  }
  const sent = await staging.read("uploads/u/3");
  const parts: Array<Uint8Array> = [];
  for await (const part of sent ?? []) parts.push(part);
  expect(parts).toEqual([Uint8Array.of(1, 2)]);
  await staging.remove("uploads/u/3");
  expect(await staging.read("uploads/u/3")).toBeUndefined();
  expect(new URL(String(await staging.link("u", 5))).pathname).toBe("/bucket/uploads/u/3");
  // The signature covers the length.
  vi.useFakeTimers({ toFake: ["Date"] });
  onTestFinished(() => void vi.useRealTimers());
  expect(new Set(await Promise.all([5, 5, 6].map((bytes) => staging.link("u", bytes)))).size).toBe(2);
  for (const place of places) await env.ARCHIVES.delete(place);
});
