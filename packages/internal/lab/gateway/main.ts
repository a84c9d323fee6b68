// `pnpm grpc-gateway`: the built proxy in front of a real grpc-gateway.
import { deepStrictEqual } from "node:assert";
import { spawnSync } from "node:child_process";
import { decode, type Format } from "@bytenite-engines/core/wire";
import { EngineListResponseSchema, EngineMessageSchema, EngineSchema } from "@bytenite-engines/proto";
import { startProxy } from "@bytenite-engines/test-kit";
import { gatewayPackages, startGateway } from "./Gateway.ts";

const missing = ["protoc", "go", "protoc-gen-go", "protoc-gen-go-grpc", "protoc-gen-grpc-gateway"].filter(
  (program) => spawnSync("which", [program]).status !== 0,
);
if (missing.length > 0) {
  process.stderr.write(`Missing: ${missing.join(", ")}. Debian: apt-get install ${gatewayPackages}\n`);
  process.exit(2);
}

process.stderr.write("building the gateway\n");
await using gateway = await startGateway();
const proxy = await startProxy(gateway.url);

interface Answer {
  readonly status: number;
  readonly cache: string;
  readonly headers: Headers;
  readonly bytes: Uint8Array;
}

const mediaTypes = { json: "application/json", protobuf: "application/x-protobuf" } as const;

const ask = async (path: string, user = "alice", format: Format = "json", init: RequestInit = {}): Promise<Answer> => {
  const headers = { authorization: user, accept: mediaTypes[format], "x-request-id": "request-of-the-client" };
  const response = await fetch(`${proxy.url}${path}`, { ...init, headers });
  const cache = /; (hit|fwd=[a-z-]+)/.exec(response.headers.get("cache-status") ?? "")?.[1] ?? "";
  return {
    status: response.status,
    cache,
    headers: response.headers,
    bytes: new Uint8Array(await response.arrayBuffer()),
  };
};

const jsonOf = ({ bytes }: Answer): Readonly<Record<string, unknown>> =>
  JSON.parse(new TextDecoder().decode(bytes)) as Readonly<Record<string, unknown>>;

const formats = ["json", "protobuf"] as const;

const checks: Readonly<Record<string, () => Promise<void>>> = {
  "an engine is a miss, then a hit, in each form": async () => {
    for (const format of formats) {
      const [first, second] = [
        await ask("/engines/zipper", "alice", format),
        await ask("/engines/zipper", "alice", format),
      ];
      deepStrictEqual([first.status, first.cache, second.cache], [200, "fwd=uri-miss", "hit"]);
      deepStrictEqual(second.bytes, first.bytes);
      deepStrictEqual(first.headers.get("content-type"), mediaTypes[format]);
      const { name, owner } = decode(EngineSchema, first.bytes, format);
      deepStrictEqual([name, owner], ["zipper", "alice"]);
    }
  },
  "its users have answers of their own": async () => {
    const { owner } = decode(EngineSchema, (await ask("/engines/zipper", "bob")).bytes, "json");
    deepStrictEqual(owner, "bob");
  },
  "a list has its parameters": async () => {
    for (const format of formats) {
      const { bytes, status } = await ask("/engines?pagination.limit=7", "alice", format);
      const [engine] = decode(EngineListResponseSchema, bytes, format).engines;
      deepStrictEqual([status, engine?.description], [200, "limit 7"]);
    }
  },
  "a status": async () => {
    for (const format of formats) {
      const { bytes } = await ask("/engines/zipper/status", "alice", format);
      deepStrictEqual(decode(EngineMessageSchema, bytes, format).engineStatus, "active");
    }
  },
  "errors come through with code, message and form": async () => {
    for (const [path, user, status, code, message] of [
      ["/engines/missing", "alice", 404, 5, "no such engine"],
      ["/engines/foreign", "alice", 403, 7, "not yours"],
      ["/engines/busy", "alice", 503, 14, "try again"],
      ["/engines/zipper", "revoked", 401, 16, "who are you?"],
      ["/engines/zipper/download", "alice", 501, 12, "method GetEngineLink not implemented"],
    ] as const) {
      const answer = await ask(path, user);
      deepStrictEqual([answer.status, jsonOf(answer)], [status, { code, message, details: [] }]);
    }
    const answer = await ask("/engines/missing", "alice", "protobuf");
    const text = new TextDecoder().decode(answer.bytes);
    deepStrictEqual(
      [answer.headers.get("content-type"), text],
      [mediaTypes.protobuf, "\u0008\u0005\u0012\u000eno such engine"],
    );
  },
  "a write is passed on, and what it changed is asked for again": async () => {
    await ask("/engines/zipper", "carol");
    const answer = await ask("/engines/zipper/activate", "carol", "json", { method: "POST", body: "{}" });
    deepStrictEqual([answer.status, jsonOf(answer)["engineStatus"]], [200, "active"]);
    deepStrictEqual((await ask("/engines/zipper", "carol")).cache.startsWith("fwd="), true);
  },
  "the client's request id reaches the gateway and comes back": async () => {
    const { headers, bytes } = await ask("/engines/traced", "dave");
    deepStrictEqual(headers.get("x-request-id"), "request-of-the-client");
    deepStrictEqual(decode(EngineSchema, bytes, "json").description, "request-of-the-client");
  },
};

for (const [name, check] of Object.entries(checks)) {
  try {
    await check();
    process.stdout.write(`holds: ${name}\n`);
  } catch (error) {
    process.exitCode = 1;
    process.stdout.write(`DOES NOT HOLD: ${name}\n${error instanceof Error ? error.message : String(error)}\n`);
  }
}
await proxy.stop();
