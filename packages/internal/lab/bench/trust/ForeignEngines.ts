// Decides: with which engines and which field numbers the cost of trust is measured, and what a server sends of them.
import { create, fromBinary } from "@bufbuild/protobuf";
import { DeviceRequirementsSchema, EngineSchema } from "@bytenite-engines/proto";
import { schemaDigestHeader } from "@bytenite-engines/core/wire";
import { startRegistry, type FieldNumbers, type TestRegistry } from "@bytenite-engines/registry/testing";
import { engineAnswers } from "../call/EngineAnswers.ts";

export const token = "bench-token";
export const tag = "zipper@0.1";

/** Every number is another one than ours, and most are one of ours for another field. */
const foreignNumbers: FieldNumbers = {
  "bytenite.engine.Engine": Object.fromEntries(
    EngineSchema.fields.map(({ name, number }, index) => [name, EngineSchema.fields[index + 1]?.number ?? number + 1]),
  ),
  "bytenite.common.PlatformConfig": { container: 2, private_image: 1, username: 7, token: 8, secrets: 9 },
  "bytenite.common.DeviceRequirements": { min_cpu: 2, min_memory: 3, gpu: 1 },
  "bytenite.common.PaginatedResponse": { total: 4, offset: 3, has_next: 2, has_previous: 1 },
  "bytenite.developer.EngineListResponse": { engines: 2, pagination: 1 },
  "bytenite.developer.EngineMessage": {
    engine_tag: 2,
    engine_id: 3,
    engine_data: 4,
    engine_link: 5,
    engine_status: 1,
  },
};

/** The engine of the other figures; its equal numbers of CPUs and gigabytes could not be told apart by it alone. */
const zipper = create(EngineSchema, {
  ...fromBinary(EngineSchema, engineAnswers.protobuf),
  deviceRequirements: create(DeviceRequirementsSchema, { minCpu: 2, minMemory: 4, gpu: ["tesla t4"] }),
});
const trainer = create(EngineSchema, {
  name: "trainer",
  version: "1.4",
  type: "partitioner",
  status: "active",
  description: "Trains a model on each part.",
  hash: "9T4P4O3WPa+oy3s0o5dsnonJ4DXY+JhPQQi9K2rucpA=",
  entrypoint: "train.py",
  revision: 12,
  createdAt: { seconds: 1_744_290_000n },
  updatedAt: { seconds: 1_749_920_000n },
  platform: "container",
  platformConfig: { container: "ghcr.io/acme/trainer:7", privateImage: true, username: "acme" },
  deviceRequirements: { minCpu: 0.5, minMemory: 16 },
});

/** What a server says about its numbers. */
export type Speaks = "digest" | "our numbers" | "other numbers";

/** A registry with two engines. */
export const startEngines = (speaks: Speaks): Promise<TestRegistry> =>
  startRegistry({
    users: [{ name: "alice", token, engines: [zipper, trainer] }],
    ...(speaks === "digest" ? {} : { schemaDigest: false }),
    ...(speaks === "other numbers" ? { fieldNumbers: foreignNumbers } : {}),
  });

/** One engine as a server sends it, in both forms. */
export interface Captured {
  readonly protobuf: Uint8Array<ArrayBuffer>;
  readonly json: Uint8Array<ArrayBuffer>;
  readonly digest: string | null;
}

/** Asks for an engine in both forms. */
export const captured = async (speaks: Speaks): Promise<Captured> => {
  await using registry = await startEngines(speaks);
  const ask = (accept: string): Promise<Response> =>
    fetch(`${registry.url}/engines/${tag}`, { headers: { accept, authorization: token } });
  const protobuf = await ask("application/x-protobuf");
  const json = await ask("application/json");
  return {
    protobuf: new Uint8Array(await protobuf.arrayBuffer()),
    json: new Uint8Array(await json.arrayBuffer()),
    digest: protobuf.headers.get(schemaDigestHeader),
  };
};
