// The lifecycle table through core, plain HTTP and `bne`, on both storages.
import { formatOf, mediaTypeOf, type Format } from "@bytenite-engines/core/wire";
import { startProxy, type RunningProxy } from "@bytenite-engines/test-kit";
import { hashOf } from "@bytenite-engines/test-kit/archives";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { archiveOf, version } from "../src/lifecycle/Archives.ts";
import {
  bneClient,
  effectClient,
  httpClient,
  promiseClient,
  pushWithApiKey,
  type LifecycleClient,
  type MakeClient,
} from "../src/lifecycle/Clients.ts";
import { lifecycleRows, type EngineState, type LifecycleExpected } from "../src/lifecycle/Rows.ts";
import { ownersApiKey, startOnDisk, startOnWorkers, tokens, type LifecycleServer } from "../src/lifecycle/Servers.ts";

let onDisk: LifecycleServer;
let onWorkers: LifecycleServer;
let proxyOfDisk: RunningProxy;
let proxyOfWorkers: RunningProxy;

beforeAll(async () => {
  [onDisk, onWorkers] = await Promise.all([startOnDisk(), startOnWorkers()]);
  [proxyOfDisk, proxyOfWorkers] = await Promise.all([startProxy(onDisk.url), startProxy(onWorkers.url)]);
});

afterAll(() => Promise.all([proxyOfDisk, proxyOfWorkers, onDisk, onWorkers].map((part) => part?.stop())));

const servers = {
  "SQLite and disk": () => onDisk.url,
  "D1 and R2": () => onWorkers.url,
  "the proxy before SQLite and disk": () => proxyOfDisk.url,
  "the proxy before D1 and R2": () => proxyOfWorkers.url,
} as const;

type ServerName = keyof typeof servers;

const clients: ReadonlyArray<
  readonly [name: string, make: MakeClient, on: ReadonlyArray<readonly [ServerName, Format]>]
> = [
  ...(
    [
      ["promises", promiseClient],
      ["plain HTTP", httpClient],
    ] as const
  ).map(
    ([name, make]) =>
      [
        name,
        make,
        (Object.keys(servers) as ReadonlyArray<ServerName>).flatMap((server) => [
          [server, "json"] as const,
          [server, "protobuf"] as const,
        ]),
      ] as const,
  ),
  // The same calls as those of promises.
  [
    "Effect",
    effectClient,
    [
      ["SQLite and disk", "protobuf"],
      ["D1 and R2", "json"],
      ["the proxy before SQLite and disk", "json"],
      ["the proxy before D1 and R2", "protobuf"],
    ],
  ],
  // A process for each call takes a third of a second.
  [
    "bne",
    bneClient,
    [
      ["SQLite and disk", "protobuf"],
      ["the proxy before D1 and R2", "json"],
    ],
  ],
];

/** Each client on its servers, with an engine of its own. */
const runs = clients.flatMap(([name, make, on], client) =>
  on.map(([server, format], run) => ({
    name: `${name}, ${format}, ${server}`,
    engine: `life-${client}-${run}`,
    make,
    server,
    format,
  })),
);

/** The engine as its owner reads it. */
const stateOf = async (baseUrl: string, engine: string, archives: ReadonlyMap<string, string>): Promise<unknown> => {
  const response = await fetch(`${baseUrl}/engines/${engine}@${version}`, {
    headers: { Authorization: tokens.owner, Accept: mediaTypeOf("json") },
  });
  if (response.status === 404) return undefined;
  expect([response.status, formatOf(response.headers.get("content-type"))]).toEqual([200, "json"]);
  const { revision, status, isPublic, hash } = (await response.json()) as Record<string, unknown>;
  return { revision, status, isPublic, archive: archives.get(String(hash)) };
};

/** An outcome of a client as the table writes it. */
const expectedOf = async (
  expected: LifecycleExpected,
  kind: LifecycleClient["kind"],
  engine: string,
): Promise<unknown> => {
  if ("state" in expected) return "done";
  if ("refused" in expected) {
    const { exit, status, code, reason } = expected.refused;
    if (kind === "bne") return { refused: { exit } };
    return { refused: kind === "core" ? { status, code, reason } : { status, code } };
  }
  if ("link" in expected) {
    const { status, bytes: [from, to] = [0, 0] } = expected.link;
    return { link: { status, bytes: (await archiveOf("public", engine)).subarray(from, to) } };
  }
  const archive = await archiveOf(expected.archive, engine);
  return { bytes: kind === "bne" ? Buffer.from(`print("${expected.archive}")\n`) : archive };
};

describe.for(runs)("$name", ({ engine, make, server, format }) => {
  let client: LifecycleClient;
  let state: EngineState;
  const hashes = new Map<string, string>();
  beforeAll(async () => {
    client = make(servers[server](), engine, format);
    for (const name of ["first", "second", "public"] as const) hashes.set(hashOf(await archiveOf(name, engine)), name);
  });
  afterAll(() => client.stop?.());
  const rows = lifecycleRows.filter(
    ({ by }) => by === undefined || by.includes(make === bneClient ? "bne" : make === httpClient ? "http" : "core"),
  );
  test.for(rows)("$name", async ({ call, as = "owner", expected }) => {
    if ("state" in expected) state = expected.state;
    const outcome = await client.send(call, as);
    expect(outcome).toEqual(await expectedOf(expected, client.kind, engine));
    expect(await stateOf(servers[server](), engine, hashes)).toEqual(state);
  });
});

describe.for(["the proxy before SQLite and disk", "the proxy before D1 and R2"] as const)("%s", (server) => {
  test("bne exchanges an API key through it, and pushes and lists with the token", async () => {
    const { exits, names } = await pushWithApiKey(servers[server](), "keyed", ownersApiKey);
    expect(exits).toEqual([0, 0]);
    expect(names).toContain(`keyed@${version}`);
    expect((await pushWithApiKey(servers[server](), "unkeyed", "a-wrong-key")).exits).toEqual([4, 4]);
  });
});
