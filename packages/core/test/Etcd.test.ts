// etcd's JSON gateway, called through its proto files.
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { createFileRegistry, fromBinary, type FileRegistry } from "@bufbuild/protobuf";
import { FileDescriptorSetSchema } from "@bufbuild/protobuf/wkt";
import { createServiceClient, EngineError } from "@bytenite-engines/core/service";
import { freePort } from "@bytenite-engines/test-kit/ports";
import { afterAll, beforeAll, expect, test } from "vitest";

/** Where Debian's golang-etcd-server-dev and the packages it needs put their proto files. */
const goSources = "/usr/share/gocode/src";
const googleapis = fileURLToPath(new URL("../node_modules/google-proto-files", import.meta.url));
const proto = "etcd/api/etcdserverpb/rpc.proto";

const isThere =
  existsSync(`${goSources}/go.etcd.io/${proto}`) &&
  spawnSync("etcd", ["--version"]).status === 0 &&
  spawnSync("protoc", ["--version"]).status === 0;

const folder = mkdtempSync(join(tmpdir(), "etcd-"));

/** The descriptors in etcd's proto files. */
const etcdTypes = (): FileRegistry => {
  const file = join(folder, "descriptors.bin");
  const roots = ["go.etcd.io", "github.com/gogo/protobuf", "github.com/grpc-ecosystem/grpc-gateway"];
  const { status, stderr } = spawnSync("protoc", [
    ...roots.map((root) => `-I${goSources}/${root}`),
    `-I${googleapis}`,
    "--include_imports",
    `--descriptor_set_out=${file}`,
    proto,
  ]);
  if (status !== 0) throw new Error(`protoc: ${String(stderr)}`);
  return createFileRegistry(fromBinary(FileDescriptorSetSchema, readFileSync(file)));
};

let stop: (() => Promise<void>) | undefined;
let baseUrl = "";

beforeAll(async () => {
  if (!isThere) return;
  const [client, peer] = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${await freePort()}`];
  const etcd = spawn(
    "etcd",
    [
      `--data-dir=${join(folder, "data")}`,
      "--log-level=error",
      "--unsafe-no-fsync",
      `--listen-client-urls=${client}`,
      `--advertise-client-urls=${client}`,
      `--listen-peer-urls=${peer}`,
      `--initial-advertise-peer-urls=${peer}`,
      `--initial-cluster=default=${peer}`,
    ],
    { stdio: "ignore" },
  );
  const ended = new Promise<void>((resolve) => void etcd.once("exit", () => resolve()));
  stop = async () => {
    etcd.kill();
    await ended;
  };
  baseUrl = client;
});

afterAll(async () => {
  await stop?.();
  rmSync(folder, { recursive: true, force: true });
});

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);

const clients = () => {
  const types = etcdTypes();
  const serviceOf = (name: string) => {
    const service = types.getService(`etcdserverpb.${name}`);
    if (service === undefined) throw new Error(`no service ${name}`);
    // It answers once it listens: until then the connection is refused, which even a POST may try again.
    return createServiceClient(service, {
      baseUrl,
      retry: { maxAttempts: 100, maxDelayMs: 200 },
      retryBudget: Infinity,
    });
  };
  return { kv: serviceOf("KV"), lease: serviceOf("Lease") };
};

const call = async (
  client: object,
  name: string,
  request: object,
): Promise<Record<string, unknown> & { readonly header: { readonly revision: bigint } }> =>
  (client as Record<string, (request: object) => Promise<never>>)[name]?.(request) as never;

test.skipIf(!isThere)("keys are put, read, changed in a transaction, and deleted", async () => {
  const { kv } = clients();
  const put = await call(kv, "put", { key: bytes("engine/zipper"), value: bytes("0.1") });
  expect(put.header.revision).toBe(2n);
  await call(kv, "put", { key: bytes("engine/fanout"), value: new Uint8Array([0, 255]) });
  const all = await call(kv, "range", { key: bytes("engine/"), rangeEnd: bytes("engine0"), sortOrder: 1, limit: 5n });
  expect(all).toMatchObject({
    count: 2n,
    more: false,
    kvs: [
      {
        key: bytes("engine/fanout"),
        value: new Uint8Array([0, 255]),
        createRevision: 3n,
        modRevision: 3n,
        version: 1n,
      },
      { key: bytes("engine/zipper"), value: bytes("0.1"), createRevision: 2n },
    ],
  });
  const change = (expected: string) =>
    call(kv, "txn", {
      compare: [
        { key: bytes("engine/zipper"), result: 0, target: 3, targetUnion: { case: "value", value: bytes(expected) } },
      ],
      success: [
        { request: { case: "requestPut", value: { key: bytes("engine/zipper"), value: bytes("0.2"), prevKv: true } } },
        { request: { case: "requestRange", value: { key: bytes("engine/zipper") } } },
      ],
      failure: [{ request: { case: "requestDeleteRange", value: { key: bytes("engine/fanout") } } }],
    });
  expect(await change("0.1")).toMatchObject({
    succeeded: true,
    responses: [
      { response: { case: "responsePut", value: { prevKv: { value: bytes("0.1") } } } },
      { response: { case: "responseRange", value: { kvs: [{ value: bytes("0.2"), version: 2n }] } } },
    ],
  });
  expect(await change("0.1")).toMatchObject({
    succeeded: false,
    responses: [{ response: { case: "responseDeleteRange", value: { deleted: 1n } } }],
  });
  const deleted = await call(kv, "deleteRange", { key: bytes("engine/"), rangeEnd: bytes("engine0"), prevKv: true });
  expect(deleted).toMatchObject({ deleted: 1n, prevKvs: [{ value: bytes("0.2") }] });
});

test.skipIf(!isThere)(
  "leases are granted, shown and revoked, and what has gone is an error of its own kind",
  async () => {
    const { kv, lease } = clients();
    const granted = await call(lease, "leaseGrant", { TTL: 600n, ID: 7_587_868_094_384_512_345n });
    expect(granted).toMatchObject({ ID: 7_587_868_094_384_512_345n, TTL: 600n, error: "" });
    await call(kv, "put", { key: bytes("leased"), value: bytes("x"), lease: granted["ID"] });
    const shown = await call(lease, "leaseTimeToLive", { ID: granted["ID"], keys: true });
    expect(shown).toMatchObject({ grantedTTL: 600n, keys: [bytes("leased")] });
    await call(lease, "leaseRevoke", { ID: granted["ID"] });
    expect(await call(kv, "range", { key: bytes("leased") })).toMatchObject({ count: 0n, kvs: [] });
    const error: unknown = await call(lease, "leaseRevoke", { ID: granted["ID"] }).catch((cause: unknown) => cause);
    expect(error).toBeInstanceOf(EngineError);
    expect(error).toMatchObject({
      reason: { _tag: "NotFound" },
      method: "POST",
      serverMessage: "etcdserver: requested lease not found",
    });
  },
);

test.skipIf(!isThere)("a streaming rpc of etcd is a TypeError", async () => {
  await expect(call(clients().lease, "leaseKeepAlive", {})).rejects.toThrow(
    "etcdserverpb.Lease.LeaseKeepAlive is a streaming rpc (bidi_streaming)",
  );
});
