import { fileURLToPath } from "node:url";
import { join } from "node:path";
import protobuf from "protobufjs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { startRegistry, type TestRegistry } from "../src/testing.ts";

// The contract as text, read by another implementation of protobuf than the one that wrote the bytes.
const protoRoot = fileURLToPath(new URL("../../../proto", import.meta.url));
const root = new protobuf.Root();
root.resolvePath = (_origin, target) => join(protoRoot, target);

let registry: TestRegistry;

beforeAll(async () => {
  await root.load(["bytenite/developer/engine_messages.proto", "bytenite/engine/engine.proto"]);
  registry = await startRegistry({
    users: [
      {
        name: "carol",
        engines: [
          { name: "bare", version: "0.1" },
          {
            name: "full",
            version: "10.20",
            type: "partitioner",
            status: "active",
            description: "all of Unicode: \u{1F600} \u{0000} \u{FFFF} ﷽",
            hash: "aGFzaA==",
            link: "https://downloads.example/x?a=1&b=2",
            entrypoint: "main.py",
            revision: 2_147_483_647,
            createdAt: { seconds: -62_135_596_800n, nanos: 1 },
            updatedAt: { seconds: 253_402_300_799n, nanos: 999_999_999 },
            platform: "docker",
            platformConfig: { container: "c", privateImage: true, username: "u", token: "t", secrets: ["A", "", "B"] },
            deviceRequirements: { minCpu: 0.1, minMemory: 3.4e38, gpu: ["tesla t4", "nvidia a100-sxm4-40gb"] },
          },
          { name: "open", version: "0.1", isPublic: true },
        ],
      },
    ],
  });
});

afterAll(() => registry.stop());

const isTimestamp = (value: unknown): value is { seconds: number | string; nanos: number } =>
  typeof value === "object" && value !== null && "seconds" in value && "nanos" in value;

/** A message in one form for comparison: times as text, floats as binary32. */
const asJson = (value: unknown): unknown => {
  if (isTimestamp(value)) {
    const text = new Date(Number(value.seconds) * 1_000).toISOString().replace(".000Z", "");
    const nanos = String(value.nanos)
      .padStart(9, "0")
      .replace(/(?:000){1,3}$/, "");
    return `${text}${nanos === "" ? "" : `.${nanos}`}Z`;
  }
  if (Array.isArray(value)) return value.map(asJson);
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(
      Object.entries(value).map(([key, member]) => [
        key,
        floats.has(key) ? Math.fround(member as number) : asJson(member),
      ]),
    );
  }
  return value;
};

const floats = new Set(["minCpu", "minMemory"]);

test.for([
  ["/engines", "bytenite.developer.EngineListResponse"],
  ["/engines?isPublic=true", "bytenite.developer.EngineListResponse"],
  ["/engines?pagination.offset=7", "bytenite.developer.EngineListResponse"],
  ["/engines/full", "bytenite.engine.Engine"],
  ["/engines/bare", "bytenite.engine.Engine"],
  ["/engines/full/status", "bytenite.developer.EngineMessage"],
] as const)("protobufjs decodes %s to the values of the JSON", async ([path, typeName]) => {
  const headers = { Authorization: "local-carol" };
  const bytes = await fetch(registry.url + path, { headers: { ...headers, Accept: "application/x-protobuf" } });
  const json = await (await fetch(registry.url + path, { headers })).json();
  const type = root.lookupType(typeName);
  const message = type.decode(new Uint8Array(await bytes.arrayBuffer()));
  const plain = type.toObject(message, { longs: Number, bytes: String, defaults: true, arrays: true });
  expect(asJson(plain)).toEqual(asJson(json));
});
