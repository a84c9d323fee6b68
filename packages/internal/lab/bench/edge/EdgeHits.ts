// Figure: cost of a cache hit, compared with workerd and nginx.
import { readFile } from "node:fs/promises";
import { cacheBackend, startWorkerd } from "@bytenite-engines/test-kit";
import type { Figure, FigureRow } from "../Figure.ts";
import { ratioOf, ratios, spreadOf } from "../Statistics.ts";
import { builtWorker, deployedFor, listOf, startUpstream } from "./EdgeStack.ts";
import { Connection, saturate, type Burst, type Expected } from "./Load.ts";
import { nginxByToken, startNginx, startVarnish, varnishByToken, type Peer } from "./Peers.ts";
import { answerBytes, bareMatch, decryptedMatch, hello, moduleMap } from "./Workers.ts";

const authorization = "bench-token";
/** Connections to each contender; they stay open from round to round. */
const connectionsEach = 16;
/** Rounds that do not count. */
const warmUpRounds = 4;

interface Contender {
  readonly name: string;
  readonly port: number;
  readonly pid: number;
  /** Expected answer after the first. */
  readonly expected: Expected;
}

const measure = async (
  contenders: ReadonlyArray<Contender>,
  rounds: number,
  forMs: number,
): Promise<ReadonlyMap<string, ReadonlyArray<Burst>>> => {
  const bursts = new Map<string, Array<Burst>>(contenders.map(({ name }) => [name, []]));
  const connections = new Map<string, ReadonlyArray<Connection>>();
  const request = listOf(authorization);
  for (const { name, port, expected } of contenders) {
    // The first answer is none from a cache.
    const first = await Connection.open(port);
    await first.send(request);
    first.close();
    connections.set(name, await Connection.openMany(port, connectionsEach, expected));
  }
  for (let round = 0; round < warmUpRounds + rounds; round++) {
    for (const { name, pid } of contenders) {
      const burst = await saturate(connections.get(name) ?? [], request, pid, forMs);
      // The first rounds compile code and fill caches.
      if (round >= warmUpRounds) bursts.get(name)?.push(burst);
    }
  }
  for (const connection of [...connections.values()].flat()) connection.close();
  return bursts;
};

const cpuUsOf = (bursts: ReadonlyArray<Burst> = []): ReadonlyArray<number> => bursts.map(({ cpuUs }) => cpuUs);

export const edgeHits: Figure = {
  name: "edge-hits",
  title: "A hit of 10 KB at the edge",
  promise:
    "at least 0.70 of the same bytes from a module's map; from the Cache API, decrypted, at least 0.45 of a bare streamed match.",
  charts: [
    {
      name: "edge-hits",
      title: "A hit of 10 KB at the edge",
      subtitle: "processor time of the server for one request, in microseconds; shorter is better",
      column: "cpu µs",
      barOf: (row) => row.replace(/ \(ratio .*/, ""),
      isOurs: (bar) => bar.startsWith("edge proxy"),
    },
  ],
  measure: async (effort) => {
    const script = await readFile(builtWorker, "utf8");
    const upstream = await startUpstream();
    const variables = deployedFor(upstream.url);
    const peers: ReadonlyArray<readonly [name: string, peer: Peer | undefined]> = [
      ["nginx proxy_cache, keyed by token", await startNginx(upstream.url, nginxByToken)],
      ["Varnish, keyed by token", await startVarnish(upstream.url, varnishByToken)],
    ];
    await using standalone = await startWorkerd([
      { name: "cache", script: cacheBackend },
      { name: "hello", script: hello },
      { name: "map", script: moduleMap },
      { name: "match", script: bareMatch, cache: "cache" },
      { name: "decrypted", script: decryptedMatch, cache: "cache" },
      { name: "edge", script, cache: "cache", variables },
      { name: "logging", script, cache: "cache", variables: { ...variables, LOG: "all" } },
      { name: "tier", script, cache: "cache", variables: { ...variables, MEMORY_ENTRIES: "0" } },
    ]);
    const { ports, pid } = standalone;
    const whole = { status: 200, length: answerBytes };
    const hit = { ...whole, cacheStatus: "; hit" };
    const expected = {
      hello: { status: 200, length: "hello".length },
      map: whole,
      edge: hit,
      logging: hit,
      match: whole,
      decrypted: hit,
      tier: hit,
    };
    const contenders = Object.entries(expected).map(([name, expected]): Contender => ({
      name,
      port: ports[name] ?? 0,
      pid,
      expected,
    }));
    for (const [name, peer] of peers) {
      if (peer !== undefined) contenders.push({ name, port: peer.port, pid: peer.pid, expected: whole });
    }
    const bursts = await measure(contenders, effort === "quick" ? 7 : 180, 100);
    for (const [, peer] of peers) await peer?.stop();
    upstream.stop();
    const cpu = (name: string): ReadonlyArray<number> => cpuUsOf(bursts.get(name));
    const row = (name: string, title: string, peer?: string, least?: number): FigureRow => {
      const ratio = peer === undefined ? undefined : ratioOf(cpu(peer), cpu(name));
      return {
        name: title,
        cells: {
          "cpu µs": spreadOf(cpu(name)).median.toFixed(1),
          "requests/s, best": Math.max(...(bursts.get(name) ?? []).map(({ perSecond }) => perSecond)).toFixed(0),
          ...(ratio === undefined
            ? {}
            : { ratio: ratio.median.toFixed(2), range: `${ratio.lower.toFixed(2)}-${ratio.upper.toFixed(2)}` }),
        },
        ...(peer === undefined || least === undefined
          ? {}
          : { promised: { rounds: ratios(cpu(name), cpu(peer)).map((one) => one * least), reference: cpu(peer) } }),
      };
    };
    return {
      columns: ["cpu µs", "requests/s, best", "ratio", "range"],
      rows: [
        row("hello", "workerd, hello"),
        row("map", "workerd, bytes from a module's map"),
        row("edge", "edge proxy, hit in memory (ratio to the map)", "map", 0.7),
        row("logging", "edge proxy, hit in memory, LOG=all (ratio to the map)", "map"),
        row("match", "workerd, bare match of the Cache API"),
        row("decrypted", "workerd, match, decrypted and sent with its fields (ratio to the bare match)", "match"),
        row("tier", "edge proxy, hit in the Cache API, decrypted (ratio to the bare match)", "match", 0.45),
        ...peers.flatMap(([name, peer]) => (peer === undefined ? [] : [row(name, name)])),
      ],
      notes: [
        "Settings of apps/worker/wrangler.jsonc, except upstream and freshness. CPU is the server's per request.",
        ...peers.flatMap(([name, peer]) => (peer === undefined ? [`Not installed, so no row: ${name}.`] : [])),
      ],
    };
  },
};
